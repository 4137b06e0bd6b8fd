"""What a reservation is, and which moves are legal. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from shared.contracts.orders import Line

Status = Literal["reserved", "rejected", "committed", "released", "taken_back"]
Command = Literal["confirm", "cancel"]

TRANSITIONS: dict[tuple[Status, Command], Status] = {
    ("reserved", "confirm"): "committed",
    ("reserved", "cancel"): "released",
    ("committed", "cancel"): "taken_back",  # sold, and nothing of it was shipped yet
}

SETTLED: dict[Command, frozenset[Status]] = {
    "confirm": frozenset({"committed", "released", "taken_back"}),
    "cancel": frozenset({"released", "taken_back", "rejected"}),
}
"""Where a repeated command finds it decided, and a late confirmation an order that was cancelled after it."""


UNSOLD: frozenset[Status] = frozenset({"rejected", "released"})
"""Where what an order holds is given back, whoever finds it."""


class IllegalTransition(ValueError):
    """The reservation's status does not allow the move."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Pieces held for one order."""

    pieces: int


@dataclass(frozen=True, slots=True)
class Stock:
    """Pieces of one SKU. `reserved` of those `on_hand` are held for orders, by order id in `holds`.

    The hold of a confirmed order stays until it is cleaned away: its pieces are neither on hand nor reserved any more,
    and `without` gives the figures as they are. `cleaned` counts how often that was written.
    """

    sku: str
    on_hand: int
    reserved: int
    cleaned: int = 0
    holds: dict[str, Hold] = field(default_factory=dict)

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


def sold(stock: Stock, reservations: Mapping[str, Reservation]) -> dict[str, Hold]:
    """The holds whose orders have been confirmed. `reservations`: of the orders in `holds`, by order id."""
    return {
        order_id: hold
        for order_id, hold in stock.holds.items()
        if (reservation := reservations.get(order_id)) is not None and reservation.status == "committed"
    }


def pieces(holds: Mapping[str, Hold]) -> int:
    return sum(hold.pieces for hold in holds.values())


def without(stock: Stock, holds: Mapping[str, Hold]) -> Stock:
    """The stock after pieces that are sold have left the shelf."""
    gone = pieces(holds)
    kept = {order_id: hold for order_id, hold in stock.holds.items() if order_id not in holds}
    return replace(
        stock, on_hand=stock.on_hand - gone, reserved=stock.reserved - gone, cleaned=stock.cleaned + 1, holds=kept
    )


def next_status(reservation: Reservation, command: Command) -> Status | None:
    """The status that `command` leads to, or `None` if it has been carried out already.

    Raises IllegalTransition with id, from and command.
    """
    if reservation.status in SETTLED[command]:
        return None
    status = TRANSITIONS.get((reservation.status, command))
    if status is None:
        raise IllegalTransition(f"reservation {reservation.order_id} is {reservation.status}; it cannot {command}")
    return status


def pieces_by_sku(lines: Iterable[Line]) -> tuple[Line, ...]:
    """The same lines with each SKU named once."""
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    return tuple(Line(sku, quantity) for sku, quantity in wanted.items())
