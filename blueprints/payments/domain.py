"""What a payment is, and which moves are legal. Pure: no clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.money import Money

Status = Literal["authorizing", "authorized", "declined", "captured", "voided", "refunded"]
Command = Literal["authorize", "decline", "capture", "void", "refund"]

MOVES: dict[tuple[Status, Command], Status] = {
    ("authorizing", "authorize"): "authorized",
    ("authorizing", "decline"): "declined",
    ("authorizing", "void"): "voided",
    ("authorized", "capture"): "captured",
    ("authorized", "void"): "voided",
    ("authorized", "refund"): "refunded",  # taken at the provider, though a crash kept us from writing it down
    ("captured", "refund"): "refunded",
}

GIVE_BACK: dict[Status, Command] = {"authorizing": "void", "authorized": "void", "captured": "refund"}
"""How a cancelled order's money goes back; where it says nothing, nothing is held."""


class IllegalMove(ValueError):
    """The payment's status does not allow the move."""


@dataclass(frozen=True, slots=True)
class Payment:
    """The money of one order. `intent_id` is the provider's; without one nothing was ever asked for."""

    order_id: str
    customer_id: str
    status: Status
    version: int
    amount: Money | None
    intent_id: str | None
    decline_code: str | None = None
    traceparent: str = ""
    """What asked for it: whatever comes later without a trace of its order, such as a webhook, goes on from there."""


def next_status(payment: Payment, command: Command) -> Status:
    """The status that `command` leads to. Raises IllegalMove with id, from and command."""
    status = MOVES.get((payment.status, command))
    if status is None:
        raise IllegalMove(f"the payment of {payment.order_id} is {payment.status}; it cannot {command}")
    return status
