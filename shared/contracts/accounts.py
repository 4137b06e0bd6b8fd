"""What accounts tells: how an account's owner wants to be spoken to.

Who that is and where they live is in none of these: `contact` is sealed, and its one reader is who writes to them.
"""

from __future__ import annotations

from typing import Literal

from shared.contracts.event import EventData, event_type

Language = Literal["en", "de"]
"""The languages that the shop speaks: ISO 639-1."""


@event_type("account.changed.v1")
class AccountChanged(EventData, frozen=True, kw_only=True):
    """The account as it now is. Subject: the account's id, which is that of the customer.

    `created_at` tells an account from one that was erased: the later one is the customer's, and begins at version 1.

    `contact`: the e-mail address, sealed (`shared.sealing`); null where there is none. `marketing`: whether the owner
    agreed to be told of more than their orders.
    """

    account_id: str
    created_at: str
    language: Language
    marketing: bool
    contact: str | None


@event_type("erasure.requested.v1")
class ErasureRequested(EventData, frozen=True, kw_only=True):
    """The owner of an account wants to be forgotten, and may think better of it until then.

    Subject of this and the next three: the erasure's id.
    """

    erasure_id: str
    account_id: str
    due_at: str


@event_type("erasure.withdrawn.v1")
class ErasureWithdrawn(EventData, frozen=True, kw_only=True):
    """The owner has thought better of it: everything stays."""

    erasure_id: str
    account_id: str


@event_type("erasure.started.v1")
class ErasureStarted(EventData, frozen=True, kw_only=True):
    """Erase what you hold of that customer, and answer. Told again, with a higher version, while somebody is silent."""

    erasure_id: str
    account_id: str


@event_type("erasure.done.v1")
class ErasureDone(EventData, frozen=True, kw_only=True):
    """It is over, and the certificate is there. `complete`: everybody answered."""

    erasure_id: str
    account_id: str
    complete: bool


@event_type("export.started.v1")
class ExportStarted(EventData, frozen=True, kw_only=True):
    """Tell what you hold of that customer, sealed for `key`. Told again, with a higher version, as an erasure is.

    `key`: a public key that was made for this export alone. Subject of this and the next: the export's id.
    """

    export_id: str
    account_id: str
    key: str


@event_type("export.ready.v1")
class ExportReady(EventData, frozen=True, kw_only=True):
    """The owner can download it until then. `complete`: everybody answered."""

    export_id: str
    account_id: str
    expires_at: str
    complete: bool
