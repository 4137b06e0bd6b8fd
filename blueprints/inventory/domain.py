"""What a reservation is, and which moves are legal. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from shared.contracts.orders import Line

Status = Literal["reserved", "rejected", "committed", "released"]
Command = Literal["confirm", "cancel"]

MOVES: dict[tuple[Status, Command], Status] = {
    ("reserved", "confirm"): "committed",
    ("reserved", "cancel"): "released",
}

SETTLED: dict[Command, frozenset[Status]] = {
    "confirm": frozenset({"committed"}),
    "cancel": frozenset({"released", "rejected"}),
}
"""Where a repeated command finds its work done."""


class IllegalMove(ValueError):
    """The reservation's status does not allow the move."""


@dataclass(frozen=True, slots=True)
class Stock:
    """Pieces of one SKU. `reserved` of those `on_hand` are held for orders that are not settled."""

    sku: str
    on_hand: int
    reserved: int

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one order holds. Released before anything was held, it stands in the way of holding it later."""

    order_id: str
    status: Status
    lines: tuple[Line, ...]
    version: int


def next_status(reservation: Reservation, command: Command) -> Status | None:
    """The status that `command` leads to, or `None` if it has been carried out already.

    Raises IllegalMove with id, from and command.
    """
    if reservation.status in SETTLED[command]:
        return None
    status = MOVES.get((reservation.status, command))
    if status is None:
        raise IllegalMove(f"reservation {reservation.order_id} is {reservation.status}; it cannot {command}")
    return status


def pieces_by_sku(lines: Iterable[Line]) -> tuple[Line, ...]:
    """The same lines with each SKU named once."""
    pieces: dict[str, int] = {}
    for line in lines:
        pieces[line.sku] = pieces.get(line.sku, 0) + line.quantity
    return tuple(Line(sku, quantity) for sku, quantity in pieces.items())
