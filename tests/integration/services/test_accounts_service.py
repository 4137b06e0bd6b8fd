"""Accounts against a real database: made at first sight, changed by many at once, told without a word of who it is."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import msgspec
import pytest

from blueprints.accounts import domain, service, store
from blueprints.accounts.service import ChangeAccount, ConsentsIn, FindAccounts
from shared.contracts.accounts import AccountChanged
from shared.contracts.event import data_of
from shared.errors import Contention, NotFound, PreconditionFailed, Unprocessable
from shared.persistence.outbox import event_of
from shared.sealing import unseal
from shared.settings import CONTACT_KEY
from shared.web.address import AddressIn
from shared.web.auth import Principal

HOME = AddressIn(name="A. Shopper", line1="1 High Street", city="London", postal_code="N1 1AA", country="GB")
WORK = msgspec.structs.replace(HOME, line1="2 Works Road")
KEY = CONTACT_KEY.local or ""


@pytest.fixture(autouse=True)
def sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONTACT_KEY.name, KEY)


def someone(**more: Any) -> Principal:
    subject = secrets.token_hex(8)
    return Principal(subject, frozenset(), frozenset(), **{"email": f"{subject}@Example.com", "name": "Ada", **more})


async def told(caller: Principal) -> list[AccountChanged]:
    query = "SELECT * FROM c WHERE c.kind = 'outbox'"
    events = [event_of(item) async for item in store.ACCOUNTS.query(query, {}, key=caller.subject)]
    found = [data_of(event) for event in sorted(events, key=lambda event: event.version)]
    assert all(isinstance(data, AccountChanged) for data in found)
    return found  # type: ignore[return-value]  # it was looked at


async def test_an_account_is_made_when_a_token_is_first_seen_and_once() -> None:
    caller = someone()
    views = await asyncio.gather(*(service.me(caller) for _ in range(8)))
    assert len({etag for _, etag in views}) == 1
    view = views[0][0]
    assert (view.id, view.email, view.name, view.language) == (caller.subject, caller.email, "Ada", "en")
    assert view.consents.marketing == domain.Consent(given=False, at=""), "nobody agrees by being silent"
    assert len(await told(caller)) == 1


async def test_an_application_without_an_e_mail_address_has_an_account_too() -> None:
    caller = someone(email="", name="")
    assert (await service.me(caller))[0].email == ""
    assert [data.contact for data in await told(caller)] == [None]


async def test_the_issuers_new_e_mail_address_is_the_accounts() -> None:
    caller = someone()
    await service.me(caller)
    moved = someone()
    moved = Principal(caller.subject, frozenset(), frozenset(), email=moved.email)
    assert (await service.me(moved))[0].email == moved.email
    silent = Principal(caller.subject, frozenset(), frozenset())
    assert (await service.me(silent))[0].email == moved.email, "a token that names none takes none away"
    contacts = [data.contact for data in await told(caller)]
    assert [unseal(contact or "", KEY) for contact in contacts] == [caller.email, moved.email]


async def test_what_is_told_names_nobody() -> None:
    caller = someone()
    await service.change(caller, ChangeAccount(name="Ada Lovelace"), None)
    await service.add_address(caller, "", HOME)
    await service.change(caller, ChangeAccount(language="de", consents=ConsentsIn(marketing=True)), None)
    query = "SELECT * FROM c WHERE c.kind = 'outbox'"
    text = str([item async for item in store.ACCOUNTS.query(query, {}, key=caller.subject)])
    for marker in (caller.email, "Lovelace", "High Street", "N1 1AA"):
        assert marker not in text
    last = (await told(caller))[-1]
    assert (last.language, last.marketing) == ("de", True)
    assert len(await told(caller)) == 2, "an address and a name concern nobody else"


async def test_a_consent_says_since_when() -> None:
    caller = someone()
    given, _ = await service.change(caller, ChangeAccount(consents=ConsentsIn(marketing=True)), None)
    again, _ = await service.change(caller, ChangeAccount(consents=ConsentsIn(marketing=True)), None)
    assert given.consents.marketing.given and given.consents.marketing.at
    assert again == given
    taken, _ = await service.change(caller, ChangeAccount(consents=ConsentsIn(marketing=False)), None)
    assert not taken.consents.marketing.given and taken.consents.marketing.at >= given.consents.marketing.at


async def test_changes_at_the_same_time_are_all_kept() -> None:
    caller = someone()
    await service.me(caller)
    keys = [secrets.token_hex(8) for _ in range(service.MAX_ATTEMPTS)]
    await asyncio.gather(*(service.add_address(caller, key, HOME) for key in keys))
    assert len((await service.addresses(caller))[0].items) == len(keys)


async def test_of_two_who_change_the_same_version_one_is_refused() -> None:
    caller = someone()
    _, etag = await service.me(caller)
    changes = [service.change(caller, ChangeAccount(name=name), etag) for name in ("Ada", "Bea", "Cleo", "Dora")]
    outcomes = await asyncio.gather(*changes[1:], return_exceptions=True)
    changes[0].close()
    assert sum(isinstance(outcome, PreconditionFailed | Contention) for outcome in outcomes) == 2


async def test_one_key_adds_one_address_and_is_not_taken_for_another() -> None:
    caller, key = someone(), secrets.token_hex(8)
    first, _ = await service.add_address(caller, key, HOME)
    again, _ = await service.add_address(caller, key, HOME)
    assert again == first
    with pytest.raises(Unprocessable, match="another address"):
        await service.add_address(caller, key, WORK)
    assert (await service.addresses(caller))[0].items == [first]


async def test_an_address_is_changed_and_removed_and_a_repeat_has_the_same_answer() -> None:
    caller, key = someone(), secrets.token_hex(8)
    home, _ = await service.add_address(caller, key, HOME)
    moved, etag = await service.change_address(caller, home.id, WORK, None)
    assert (moved.id, moved.line1) == (home.id, WORK.line1)
    assert await service.change_address(caller, home.id, WORK, etag) == (moved, etag)
    assert (await service.address(caller, home.id))[0] == moved
    for _ in range(2):
        page, _ = await service.remove_address(caller, home.id, None)
        assert page.items == []
    with pytest.raises(NotFound):
        await service.change_address(caller, home.id, WORK, None)


async def test_someone_elses_address_does_not_exist() -> None:
    owner, other = someone(), someone()
    home, _ = await service.add_address(owner, "", HOME)
    with pytest.raises(NotFound):
        await service.address(other, home.id)
    with pytest.raises(NotFound):
        await service.change_address(other, home.id, WORK, None)
    await service.remove_address(other, home.id, None)
    assert (await service.addresses(owner))[0].items == [home]


async def test_an_address_book_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "MAX_ADDRESSES", 2)
    caller = someone()
    for _ in range(2):
        await service.add_address(caller, "", HOME)
    with pytest.raises(Unprocessable, match="at most 2 addresses"):
        await service.add_address(caller, "", HOME)


async def test_staff_find_by_e_mail_however_it_is_written() -> None:
    staff, wanted, other = someone(), someone(), someone()
    for caller in (wanted, other):
        await service.me(caller)
    found = await service.find(staff, FindAccounts(wanted.email.upper()))
    assert [view.id for view in found.items] == [wanted.subject]
    assert (await service.find(staff, FindAccounts(f"no-{wanted.email}"))).items == []
