"""What an account is. Pure: no clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from shared.contracts.accounts import Language
from shared.contracts.personal_data import Kept
from shared.patterns import Timestamp

MAX_ADDRESSES = 50

ErasureStatus = Literal["cooling_off", "refused", "withdrawn", "erasing", "erased", "incomplete"]
ErasureCommand = Literal["refuse", "withdraw", "begin", "finish", "give_up"]
ExportStatus = Literal["gathering", "ready", "incomplete", "withdrawn"]
ExportCommand = Literal["finish", "give_up", "withdraw"]

TRANSITIONS: dict[tuple[ErasureStatus, ErasureCommand], ErasureStatus] = {
    ("cooling_off", "refuse"): "refused",
    ("cooling_off", "withdraw"): "withdrawn",
    ("cooling_off", "begin"): "erasing",
    ("erasing", "finish"): "erased",
    ("erasing", "give_up"): "incomplete",
}
"""An erasure is refused for an open order, and may be withdrawn, until it begins. It is given up where somebody never
answers."""
EXPORT_MOVES: dict[tuple[ExportStatus, ExportCommand], ExportStatus] = {
    ("gathering", "finish"): "ready",
    ("gathering", "give_up"): "incomplete",
    ("gathering", "withdraw"): "withdrawn",
    ("ready", "withdraw"): "withdrawn",
    ("incomplete", "withdraw"): "withdrawn",
}
"""Where somebody never answers, an export has what the others said. Its owner may do away with it at any time."""
THERE: frozenset[ExportStatus] = frozenset({"ready", "incomplete"})
"""Statuses of an export that can be downloaded."""


class AddressBookFull(ValueError):
    """The account has as many addresses as it may have."""


class UnknownAddress(LookupError):
    """The account has no address of that id."""


@dataclass(frozen=True, slots=True)
class SavedAddress:
    """An address that is kept. `request_hash` tells a repeat of the request that added it from another request."""

    id: str
    name: str
    line1: str
    city: str
    postal_code: str
    country: str
    line2: str | None = None
    request_hash: str = ""


@dataclass(frozen=True, slots=True)
class Consent:
    """Whether its owner agreed to something, and since when; `at` is empty where they were never asked."""

    given: bool = False
    at: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """One person, or an application that buys for its own customers. `version` counts its changes from 1.

    `erasure_id`: the erasure that its owner asked for and has not withdrawn. `export_id`: the export they last asked
    for.
    """

    id: str
    version: int
    created_at: str
    email: str = ""
    name: str = ""
    language: Language = "en"
    marketing: Consent = Consent()
    addresses: tuple[SavedAddress, ...] = ()
    erasure_id: str = ""
    export_id: str = ""


class IllegalTransition(ValueError):
    """The status of the erasure, or of the export, does not allow the move."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What one service answered: what is gone, and what stays and why."""

    service: str
    erased: tuple[str, ...]
    kept: tuple[Kept, ...]


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was erased and what is kept, by service. `silent`: who never answered."""

    at: Timestamp
    services: tuple[Answered, ...]
    silent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Erasure:
    """One wish to be forgotten. It holds nothing of the person but the account's id, and outlives the account.

    `orders`: those that were open, for which it was refused.
    """

    id: str
    account_id: str
    status: ErasureStatus
    requested_at: str
    due_at: str
    updated_at: str
    version: int = 1
    certificate: Certificate | None = None
    orders: tuple[str, ...] = ()


def transition(erasure: Erasure, command: ErasureCommand, at: str) -> Erasure:
    """The erasure after `command`. Raises IllegalTransition with id, from and command."""
    status = TRANSITIONS.get((erasure.status, command))
    if status is None:
        raise IllegalTransition(f"erasure {erasure.id} is {erasure.status}; it cannot be asked to {command}")
    return replace(erasure, status=status, updated_at=at, version=erasure.version + 1)


@dataclass(frozen=True, slots=True)
class Export:
    """One wish to see what is held of a person. `key` opens what the services told; without it nobody can read that.

    `expires_at` and `silent`, who never answered, are there once it can be downloaded.
    """

    id: str
    account_id: str
    status: ExportStatus
    requested_at: str
    updated_at: str
    key: str = field(repr=False)
    expires_at: str = ""
    silent: tuple[str, ...] = ()
    version: int = 1


def export_move(export: Export, command: ExportCommand, at: str) -> Export:
    """The export after `command`; one that is withdrawn cannot be read any more. Raises IllegalTransition."""
    status = EXPORT_MOVES.get((export.status, command))
    if status is None:
        raise IllegalTransition(f"export {export.id} is {export.status}; it cannot be asked to {command}")
    key = "" if status == "withdrawn" else export.key
    return replace(export, status=status, key=key, updated_at=at, version=export.version + 1)


def gathered(export: Export, silent: tuple[str, ...], at: str, expires_at: str) -> Export:
    """The export that can be downloaded, although those were silent. Raises IllegalTransition."""
    after = export_move(export, "give_up" if silent else "finish", at)
    return replace(after, silent=silent, expires_at=expires_at)


def dropped(erasure: Erasure, command: ErasureCommand, at: str, orders: tuple[str, ...] = ()) -> Erasure:
    """The erasure that does not happen, because of those orders or at its owner's wish. Raises IllegalTransition."""
    return replace(transition(erasure, command, at), orders=orders)


def certified(erasure: Erasure, certificate: Certificate) -> Erasure:
    """The erasure that is over, with what came of it."""
    return replace(erasure, certificate=certificate)


def asking(account: Account, erasure_id: str) -> Account:
    """The account whose owner asks for that erasure, or, where it is empty, for none any more."""
    return _next(replace(account, erasure_id=erasure_id))


def exporting(account: Account, export_id: str) -> Account:
    """The account whose owner asks for that export."""
    return _next(replace(account, export_id=export_id))


def seen(account: Account, email: str) -> Account:
    """The account once the issuer names this e-mail address; the same account where it knew."""
    return account if email in ("", account.email) else _next(replace(account, email=email))


def with_profile(
    account: Account, at: str, *, name: str | None, language: Language | None, marketing: bool | None
) -> Account:
    """The account with what is given in place of what it had; the same account where it had that."""
    changed = account
    if name is not None:
        changed = replace(changed, name=name)
    if language is not None:
        changed = replace(changed, language=language)
    if marketing is not None and (marketing != account.marketing.given or not account.marketing.at):
        changed = replace(changed, marketing=Consent(marketing, at))
    return account if changed == account else _next(changed)


def address_of(account: Account, address_id: str) -> SavedAddress:
    """Raises UnknownAddress."""
    for address in account.addresses:
        if address.id == address_id:
            return address
    raise UnknownAddress(address_id)


def with_address(account: Account, address: SavedAddress) -> Account:
    """The account with one address more; the same account where it has one of that id. Raises AddressBookFull."""
    if any(known.id == address.id for known in account.addresses):
        return account
    if len(account.addresses) >= MAX_ADDRESSES:
        raise AddressBookFull(f"an account keeps at most {MAX_ADDRESSES} addresses; remove one first")
    return _next(replace(account, addresses=(*account.addresses, address)))


def with_other_address(account: Account, address: SavedAddress) -> Account:
    """The account with `address` in place of its own of that id. Raises UnknownAddress."""
    before = address_of(account, address.id)
    after = replace(address, request_hash=before.request_hash)
    if after == before:
        return account
    return _next(replace(account, addresses=tuple(after if own is before else own for own in account.addresses)))


def without_address(account: Account, address_id: str) -> Account:
    """The account without that address; the same account where it has none."""
    left = tuple(own for own in account.addresses if own.id != address_id)
    return account if left == account.addresses else _next(replace(account, addresses=left))


def _next(account: Account) -> Account:
    return replace(account, version=account.version + 1)
