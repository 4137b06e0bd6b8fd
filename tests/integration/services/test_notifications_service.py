"""Notifications against a real database and the mail service: each fact once, tried for a day, and forgotten."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from blueprints.notifications import domain, provider, service, store
from blueprints.notifications.declaration import EMAIL_CONNECTION, EMAIL_SENDER
from localazure import email
from localazure.email import wire as email_wire
from localazure.testing import serving
from shared.clock import timestamp, utc_now
from shared.contracts.accounts import AccountChanged, ErasureDone, ErasureRequested, ErasureStarted, Language
from shared.contracts.event import Event, EventData, make_event
from shared.contracts.orders import OrderCancelled, OrderConfirmed
from shared.errors import Transient
from shared.money import Money
from shared.sealing import seal
from shared.settings import CONTACT_KEY
from shared.web.auth import Principal
from tests.integration.services.conftest import told

KEY = CONTACT_KEY.local or ""


def connection(address: str, key: str = email_wire.KEY) -> str:
    return f"endpoint={address}/;accesskey={key}"


@pytest.fixture(scope="session")
def post() -> Iterator[str]:
    with serving(email.PART) as server:
        yield server.url


@pytest.fixture(autouse=True)
async def connected_to_mail(post: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setenv(CONTACT_KEY.name, KEY)
    monkeypatch.setenv(EMAIL_CONNECTION.name, connection(post))
    monkeypatch.setenv(EMAIL_SENDER.name, EMAIL_SENDER.local or "")
    monkeypatch.setenv("EMAIL_TIMEOUT_SECONDS", "2")
    async with aiohttp.ClientSession() as session, session.delete(f"{post}/_local/faults"):
        pass
    yield
    await provider.close()


def event(data: EventData, subject: str, source: str = "orders", version: int = 1, ago: float = 0.0) -> Event:
    return make_event(
        data, source=source, subject=subject, version=version, time=timestamp(utc_now() - timedelta(seconds=ago)),
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )  # fmt: skip


async def known(
    language: Language = "en", *, marketing: bool = False, contact: bool = True, version: int = 1, of: str = ""
) -> str:
    """The id of a customer whom accounts has told of."""
    who = of or secrets.token_hex(8)
    data = AccountChanged(
        account_id=who,
        created_at="2026-03-01T12:00:00.000Z",
        language=language,
        marketing=marketing,
        contact=seal(f"{who}@example.com", KEY) if contact else None,
    )
    await service.hear_account(event(data, who, "accounts", version), data)
    return who


def confirmed(who: str) -> OrderConfirmed:
    return OrderConfirmed(order_id=f"ord_{secrets.token_hex(8)}", total=Money(1530, "GBP"), customer_id=who)


async def inbox(post: str, who: str) -> list[dict[str, Any]]:
    url = f"{post}/_local/messages?to={who}@example.com"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return list((await answer.json())["messages"])


async def fault(post: str, who: str, **order: Any) -> None:
    body = {"to": f"{who}@example.com", **order}
    async with aiohttp.ClientSession() as session, session.post(f"{post}/_local/faults", json=body) as answer:
        assert answer.status == 200


async def mails(who: str) -> list[domain.Mail]:
    query = "SELECT * FROM c WHERE c.kind_of_item = 'mail'"
    return [store.mail_of(item) async for item in store.MAILS.query(query, {}, key=who)]


async def test_a_fact_is_told_once_however_often_and_at_the_same_time_its_event_comes(post: str) -> None:
    who = await known()
    data = confirmed(who)
    for _ in range(2):
        await asyncio.gather(*(service.hear_confirmed(event(data, data.order_id), data) for _ in range(4)))
    (arrived,) = await inbox(post, who)
    assert arrived["content"]["subject"] == f"Your order {data.order_id} is confirmed"
    assert "£15.30" in arrived["content"]["plainText"] and "£15.30" in arrived["content"]["html"]
    (mail,) = await mails(who)
    assert (mail.status, mail.address, mail.attempts) == ("sent", f"{who}@example.com", 1)


async def test_who_orders_before_accounts_has_told_of_them_is_told_once_it_has(post: str) -> None:
    who = secrets.token_hex(8)
    data = confirmed(who)
    await service.hear_confirmed(event(data, data.order_id), data)
    assert await inbox(post, who) == []
    await asyncio.gather(*(known(of=who) for _ in range(4)))
    (arrived,) = await inbox(post, who)
    assert arrived["content"]["subject"] == f"Your order {data.order_id} is confirmed"
    (mail,) = await mails(who)
    assert (mail.status, mail.address) == ("sent", f"{who}@example.com")


async def test_what_is_written_is_in_the_language_of_the_account(post: str) -> None:
    who = await known("de")
    data = OrderCancelled(order_id="ord_a", reason="payment_declined", customer_id=who)
    await service.hear_cancelled(event(data, "ord_a"), data)
    (arrived,) = await inbox(post, who)
    assert arrived["content"]["subject"] == "Ihre Bestellung ord_a ist storniert"
    assert "abgelehnt" in arrived["content"]["plainText"]


async def test_whose_address_comes_later_is_written_to_then(post: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "FIRST_PAUSE", 0.0)
    who = secrets.token_hex(8)
    data = confirmed(who)
    await service.hear_confirmed(event(data, data.order_id), data)
    await service.try_again()
    assert await inbox(post, who) == []
    await known(of=who)
    await service.try_again()
    assert len(await inbox(post, who)) == 1
    await service.try_again()
    assert len(await inbox(post, who)) == 1


@pytest.mark.parametrize("kind", ["status", "drop_after_effect", "hang_after_effect"])
async def test_what_fails_is_tried_again_and_arrives_once(
    post: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domain, "FIRST_PAUSE", 0.0)
    who = await known()
    data = confirmed(who)
    await fault(post, who, kind=kind)
    await service.hear_confirmed(event(data, data.order_id), data)
    (mail,) = await mails(who)
    assert (mail.status, mail.attempts) == ("due", 1)
    await asyncio.gather(*(service.try_again() for _ in range(3)))
    assert len(await inbox(post, who)) == 1
    (mail,) = await mails(who)
    assert mail.status == "sent"


async def test_between_two_tries_there_is_a_pause(post: str) -> None:
    who = await known()
    data = confirmed(who)
    await fault(post, who, kind="status")
    await service.hear_confirmed(event(data, data.order_id), data)
    await service.try_again()
    assert await inbox(post, who) == []


async def test_what_could_not_be_sent_for_a_day_is_given_up(post: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "FIRST_PAUSE", 0.0)
    who = secrets.token_hex(8)
    data = confirmed(who)
    await service.hear_confirmed(event(data, data.order_id, ago=domain.PATIENCE + 1), data)
    await known(of=who)
    await service.try_again()
    (mail,) = await mails(who)
    assert (mail.status, await inbox(post, who)) == ("failed", [])


async def test_what_the_provider_refuses_is_not_tried_again(post: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "FIRST_PAUSE", 0.0)
    monkeypatch.setenv(EMAIL_SENDER.name, "nobody")
    who = await known()
    data = confirmed(who)
    await service.hear_confirmed(event(data, data.order_id), data)
    (mail,) = await mails(who)
    assert (mail.status, mail.text) == ("failed", "")
    await service.try_again()
    assert await mails(who) == [mail]


async def test_a_message_that_failed_at_the_provider_has_failed(post: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "FIRST_PAUSE", 0.0)
    name = provider.operation_id("someone", "welcome:a")
    assert await provider.fate(name) == "unknown"
    who = await known()
    data = confirmed(who)
    await fault(post, who, kind="fail")
    await service.hear_confirmed(event(data, data.order_id), data)
    assert await provider.fate(provider.operation_id(who, f"order_confirmed:{data.order_id}")) == "failed"


async def test_who_agreed_to_more_is_welcomed_once_and_who_did_not_is_left_alone(post: str) -> None:
    silent, keen = await known(), await known(marketing=True)
    await known(of=keen, marketing=False, version=2)
    await known(of=keen, marketing=True, version=3)
    assert [len(await inbox(post, who)) for who in (silent, keen)] == [0, 1]


async def test_who_changed_their_mind_before_it_was_sent_is_not_welcomed(
    post: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domain, "FIRST_PAUSE", 0.0)
    who = secrets.token_hex(8)
    await fault(post, who, kind="status")
    await known(of=who, marketing=True)
    await known(of=who, marketing=False, version=2)
    await service.try_again()
    (mail,) = await mails(who)
    assert (mail.status, await inbox(post, who)) == ("unwanted", [])


async def test_a_later_word_of_the_account_counts_whatever_comes_first() -> None:
    who = await known("de", version=2)
    await known("en", version=1, of=who)
    recipient = await store.get_recipient(who)
    assert recipient is not None and (recipient.language, recipient.version) == ("de", 2)


async def test_an_order_of_an_earlier_release_says_not_whose_it_is() -> None:
    data = OrderConfirmed(order_id="ord_a", total=Money(1, "GBP"))
    await service.hear_confirmed(event(data, "ord_a"), data)
    assert await mails("") == []


async def test_what_was_written_is_shown_to_whom_it_was_written() -> None:
    who = await known()
    orders = [confirmed(who) for _ in range(3)]
    for data in orders:
        await service.hear_confirmed(event(data, data.order_id), data)
    first = await service.list_by_recipient(Principal(who, frozenset(), frozenset()), None, 2)
    rest = await service.list_by_recipient(Principal(who, frozenset(), frozenset()), first.next_cursor, 2)
    shown = [view.id for view in (*first.items, *rest.items)]
    assert shown == [f"order_confirmed:{data.order_id}" for data in reversed(orders)]
    assert rest.next_cursor is None
    other = await service.list_by_recipient(Principal("someone-else", frozenset(), frozenset()), None, 2)
    assert other.items == []


async def everything(who: str) -> str:
    found = [item async for item in store.MAILS.query("SELECT * FROM c", {}, key=who)]
    found += [item async for item in store.RECIPIENTS.query("SELECT * FROM c", {}, key=who)]
    return json.dumps(found)


async def test_who_is_erased_is_told_and_forgotten(post: str) -> None:
    who, erasure_id = await known(), f"era_{secrets.token_hex(8)}"
    data = confirmed(who)
    await service.hear_confirmed(event(data, data.order_id), data)
    requested = ErasureRequested(erasure_id=erasure_id, account_id=who, due_at=timestamp())
    await service.hear_erasure(event(requested, erasure_id, "accounts"), requested)
    started = ErasureStarted(erasure_id=erasure_id, account_id=who)
    for _ in range(2):
        await service.erase(event(started, erasure_id, "accounts"), started)
    assert await mails(who) == []
    assert await told(store.MAILS, erasure_id) == ["erasure.answered"]
    done = ErasureDone(erasure_id=erasure_id, account_id=who, complete=True)
    for _ in range(2):
        await service.hear_erased(event(done, erasure_id, "accounts"), done)
    subjects = [each["content"]["subject"] for each in await inbox(post, who)]
    assert subjects[0] == "Your account is erased" and len(subjects) == 3
    left = await everything(who)
    assert f"{who}@example.com" not in left and "gAAAA" not in left, "not even sealed"
    await known(of=who)
    assert "gAAAA" not in await everything(who), "what comes late brings nobody back"


async def test_who_comes_back_after_that_is_known_again(post: str) -> None:
    who = await known()
    done = ErasureDone(erasure_id="era_a", account_id=who, complete=True)
    await service.hear_erased(event(done, "era_a", "accounts"), done)
    new = AccountChanged(
        account_id=who, created_at=timestamp(), language="en", marketing=False, contact=seal(f"{who}@example.com", KEY)
    )
    await service.hear_account(event(new, who, "accounts", 1), new)
    await service.hear_erased(event(done, "era_a", "accounts"), done)
    data = confirmed(who)
    await service.hear_confirmed(event(data, data.order_id), data)
    assert len(await inbox(post, who)) == 2


async def test_an_address_that_was_erased_is_forgotten_even_if_the_last_e_mail_never_went(
    post: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domain, "FIRST_PAUSE", 0.0)
    who = await known()
    await fault(post, who, kind="status", count=None)
    done = ErasureDone(erasure_id="era_b", account_id=who, complete=True)
    await service.hear_erased(event(done, "era_b", "accounts"), done)
    assert "gAAAA" in await everything(who)
    monkeypatch.setattr(domain, "PATIENCE", -1.0)
    await service.try_again()
    assert "gAAAA" not in await everything(who)
    assert [(mail.status, mail.address) for mail in await mails(who)] == [("failed", "")]


async def test_a_mail_that_the_provider_lets_nobody_send_waits(post: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EMAIL_CONNECTION.name, connection(post, base64.b64encode(b"another key").decode()))
    await provider.close()
    who = await known()
    data = confirmed(who)
    await service.hear_confirmed(event(data, data.order_id), data)
    (mail,) = await mails(who)
    assert (mail.status, mail.attempts) == ("due", 1), "a missing role is mended, and then the mail goes out"


async def test_an_outage_of_the_provider_is_no_failure_of_the_event(post: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EMAIL_CONNECTION.name, connection("http://127.0.0.1:1"))
    await provider.close()
    who = await known()
    data = confirmed(who)
    await service.hear_confirmed(event(data, data.order_id), data)
    (mail,) = await mails(who)
    assert mail.status == "due"
    with pytest.raises(Transient):
        await provider.fate("x")
