"""What an e-mail is, when it is tried again, and who is written to. Pure: no clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from shared.contracts.accounts import Language
from shared.money import Money

Kind = Literal[
    "welcome",
    "order_confirmed",
    "order_cancelled",
    "erasure_requested",
    "erasure_withdrawn",
    "erasure_done",
    "export_ready",
]
Status = Literal["due", "sent", "failed", "unwanted"]
Command = Literal["send", "fail", "drop"]

TRANSITIONS: dict[tuple[Status, Command], Status] = {
    ("due", "send"): "sent",
    ("due", "fail"): "failed",
    ("due", "drop"): "unwanted",
}

BY_CONSENT: frozenset[Kind] = frozenset({"welcome"})
"""What is sent only to who agreed to be told of more than their orders and their account."""

PATIENCE = 24 * 3600.0
"""Seconds for which an e-mail is tried."""
FIRST_PAUSE, MAX_PAUSE = 60.0, 3600.0
"""Seconds until a second try, and at most between two: the pause doubles. A try is longer over than the first pause
lasts, so two of one e-mail never overlap."""


class IllegalTransition(ValueError):
    """The e-mail's status does not allow the move."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom to write to, as accounts told. `contact` is sealed, and empty where there is none.

    `created_at` and `version` tell which of two is the later: an account may be erased and begin anew.
    """

    recipient_id: str
    created_at: str
    version: int
    language: Language = "en"
    marketing: bool = False
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What an e-mail tells; what its kind has no use for is empty."""

    order_id: str = ""
    total: Money | None = None
    reason: str = ""
    erasure_id: str = ""
    export_id: str = ""
    due_at: str = ""
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Mail:
    """One fact for one recipient. Its id follows from the fact: however often it is heard, it is one e-mail.

    `address`, `subject` and `text` are what was sent. `sort_key` lists a recipient's e-mails by time.
    """

    id: str
    recipient_id: str
    kind: Kind
    facts: Facts
    created_at: str
    sort_key: str
    due_at: str
    status: Status = "due"
    attempts: int = 0
    sent_at: str = ""
    address: str = ""
    subject: str = ""
    text: str = field(default="", repr=False)


def transition(mail: Mail, command: Command) -> Mail:
    """The e-mail after `command`. Raises IllegalTransition with id, from and command."""
    status = TRANSITIONS.get((mail.status, command))
    if status is None:
        raise IllegalTransition(f"the e-mail {mail.id} is {mail.status}; it cannot be asked to {command}")
    return replace(mail, status=status)


def pause(attempts: int) -> float:
    """Seconds until the next try after so many. They grow from a minute to an hour."""
    return min(MAX_PAUSE, FIRST_PAUSE * 2.0 ** min(attempts - 1, 10))


def is_wanted(kind: Kind, recipient: Recipient) -> bool:
    """Whether the recipient is to have e-mail of that kind at all."""
    return recipient.marketing or kind not in BY_CONSENT
