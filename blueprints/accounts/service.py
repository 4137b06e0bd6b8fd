"""What accounts can do: know who is calling, keep what they say of themselves, and find them for staff."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from blueprints.accounts import domain, store
from blueprints.accounts.domain import Account, Consent, SavedAddress
from shared import ids
from shared.clock import timestamp
from shared.contracts.accounts import AccountChanged, Language
from shared.errors import Contention, NotFound, PreconditionFailed, Unprocessable
from shared.patterns import Timestamp, whole
from shared.persistence.cosmos import AlreadyExists, ConditionFailed, Document
from shared.sealing import seal
from shared.settings import CONTACT_KEY, settings
from shared.telemetry.log import Log
from shared.web.address import AddressIn, Text
from shared.web.auth import MAX_EMAIL, Principal
from shared.web.body import fingerprint
from shared.web.paging import Page

ADDRESS_ID = re.compile(r"adr_[a-z2-7]{26}")
MAX_ATTEMPTS = 8
MAX_FOUND = 20
"""Accounts with one e-mail address: an issuer rarely has two."""

log = Log("accounts")


class ConsentsIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the owner agrees to, or no longer does; what is left out stays as it is."""

    marketing: bool | UnsetType = UNSET


class ChangeAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be changed; what is left out stays as it is."""

    name: Text | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    consents: ConsentsIn = ConsentsIn()


class FindAccounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An e-mail address, in a body: addresses of requests are written into logs."""

    email: Annotated[str, msgspec.Meta(max_length=MAX_EMAIL, pattern=whole(r"[^@\x00-\x20\x7f]+@[^@\x00-\x20\x7f]+"))]


class Consents(msgspec.Struct, frozen=True):
    """What the owner agreed to, and when they said so."""

    marketing: Consent


class AccountView(msgspec.Struct, frozen=True):
    """An account as the API shows it. `id` is the customer's id that orders have."""

    id: str
    email: str
    name: str
    language: Language
    consents: Consents
    created_at: Timestamp
    version: int


class AddressView(msgspec.Struct, frozen=True):
    """A saved address as the API shows it."""

    id: str
    name: str
    line1: str
    city: str
    postal_code: str
    country: str
    line2: str | None = None


async def me(caller: Principal) -> tuple[AccountView, str]:
    """The caller's account and its ETag. It is made when a token is first seen, and knows what the token says."""
    document = await _seen(caller)
    return view(store.account_of(document)), document["_etag"]


async def change(caller: Principal, wanted: ChangeAccount, etag: str | None) -> tuple[AccountView, str]:
    """Change the profile or the consents. Raises PreconditionFailed where it is not at `etag`."""
    marketing = wanted.consents.marketing
    document = await _change(
        caller,
        etag,
        lambda account: domain.with_profile(
            account,
            timestamp(),
            name=None if wanted.name is UNSET else " ".join(wanted.name.split()),
            language=None if wanted.language is UNSET else wanted.language,
            marketing=None if marketing is UNSET else marketing,
        ),
    )
    return view(store.account_of(document)), document["_etag"]


async def addresses(caller: Principal) -> tuple[Page[AddressView], str]:
    """The caller's addresses, in the order in which they were added, and the account's ETag."""
    document = await _seen(caller)
    return _book(document), document["_etag"]


async def address(caller: Principal, address_id: str) -> tuple[AddressView, str]:
    """One of the caller's addresses. Raises NotFound, also for that of someone else."""
    document = await store.get(caller.subject)
    if document is None:
        raise _unknown()
    try:
        return shown(domain.address_of(store.account_of(document), address_id)), document["_etag"]
    except domain.UnknownAddress as exc:
        raise _unknown() from exc


async def add_address(caller: Principal, key: str, given: AddressIn) -> tuple[AddressView, str]:
    """Keep another address. A repeat under the same Idempotency-Key shows the address that it added.

    Raises Unprocessable for a full address book, and for a key that was used for another address.
    """
    address_id, request_hash = _address_id(caller.subject, key), fingerprint(given)
    try:
        document = await _change(
            caller, None, lambda account: domain.with_address(account, _saved(address_id, given, request_hash))
        )
    except domain.AddressBookFull as exc:
        raise Unprocessable(str(exc), code="address-book-full") from exc
    kept = domain.address_of(store.account_of(document), address_id)
    if kept.request_hash != request_hash:
        raise Unprocessable(
            "this Idempotency-Key was used for another address; use a new key for a new address",
            code="idempotency-key-reused",
        )
    return shown(kept), document["_etag"]


async def change_address(
    caller: Principal, address_id: str, given: AddressIn, etag: str | None
) -> tuple[AddressView, str]:
    """Have another address under that id. Raises NotFound; PreconditionFailed where the account is not at `etag`."""
    try:
        document = await _change(
            caller, etag, lambda account: domain.with_other_address(account, _saved(address_id, given))
        )
    except domain.UnknownAddress as exc:
        raise _unknown() from exc
    return shown(domain.address_of(store.account_of(document), address_id)), document["_etag"]


async def remove_address(caller: Principal, address_id: str, etag: str | None) -> tuple[Page[AddressView], str]:
    """Keep that address no longer; what is left. Removing it again has the same answer."""
    document = await _change(caller, etag, lambda account: domain.without_address(account, address_id))
    return _book(document), document["_etag"]


async def find(caller: Principal, wanted: FindAccounts) -> Page[AccountView]:
    """The accounts with that e-mail address. For staff."""
    found = await store.find(wanted.email, MAX_FOUND)
    log.info("accounts.found", subject=caller.subject, count=len(found))
    return Page(items=[view(account) for account in found], next_cursor=None)


async def _seen(caller: Principal) -> Document:
    """The item of the caller's account as it is once their token has been seen."""
    document = await store.get(caller.subject)
    if document is not None and caller.email in ("", document.get("email")):
        return document
    return await _change(caller, None, lambda account: account)


async def _change(caller: Principal, etag: str | None, change: Callable[[Account], Account]) -> Document:
    for _ in range(MAX_ATTEMPTS):
        document = await store.get(caller.subject)
        if etag is not None and (document is None or document["_etag"] != etag):
            raise PreconditionFailed("the account has changed since you read it; read it again")
        before = new(caller) if document is None else store.account_of(document)
        after = change(domain.seen(before, caller.email))
        if document is not None and after is before:
            return document
        try:
            if document is None:
                return await store.save(after, None, _event_of(None, after))
            return await store.save(after, document["_etag"], _event_of(before, after))
        except (ConditionFailed, AlreadyExists):
            continue
    raise Contention("your account keeps changing", retry_after=1)


def new(caller: Principal) -> Account:
    """The account that a token which was never seen before makes."""
    return Account(caller.subject, 1, timestamp(), email=caller.email, name=caller.name)


def _event_of(before: Account | None, after: Account) -> AccountChanged | None:
    """What the others hear of a change: nothing of an address."""
    said = (after.email, after.language, after.marketing.given)
    if before is not None and said == (before.email, before.language, before.marketing.given):
        return None
    contact = seal(after.email, settings().text(CONTACT_KEY)) if after.email else None
    return AccountChanged(
        account_id=after.id,
        created_at=after.created_at,
        language=after.language,
        marketing=after.marketing.given,
        contact=contact,
    )


def _address_id(account_id: str, key: str) -> str:
    return ids.derived("adr", account_id, key) if key else ids.drawn("adr")


def _saved(address_id: str, given: AddressIn, request_hash: str = "") -> SavedAddress:
    return SavedAddress(id=address_id, request_hash=request_hash, **msgspec.structs.asdict(given))


def shown(address: SavedAddress) -> AddressView:
    """The address as the API shows it."""
    return msgspec.convert(address, AddressView, from_attributes=True)


def _book(document: Document) -> Page[AddressView]:
    return Page(items=[shown(own) for own in store.account_of(document).addresses], next_cursor=None)


def view(account: Account) -> AccountView:
    """The account as the API shows it."""
    return AccountView(
        id=account.id,
        email=account.email,
        name=account.name,
        language=account.language,
        consents=Consents(account.marketing),
        created_at=account.created_at,
        version=account.version,
    )


def _unknown() -> NotFound:
    return NotFound("there is no such address")
