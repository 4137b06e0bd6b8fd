"""The table of crash points: what each is called, where it stands, and what a crash there puts to the test."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True, slots=True)
class Point:
    """One crash point: its full name, the file it stands in, and what a crash there puts to the test."""

    name: str
    where: str
    proves: str


def _points(
    name: str, where: str, proves: str, *details: tuple[str, ...], prefix: tuple[str, ...] = ()
) -> tuple[Point, ...]:
    """One point for each way to choose one of every group of `details`."""
    return tuple(Point(":".join((name, *prefix, *chosen)), where, proves) for chosen in product(*details))


_COSMOS, _RELAY, _CONSUMER = "persistence/cosmos.py", "messaging/relay.py", "messaging/consumer.py"
_PUBLISHER, _SAGA, _PROVIDER = "messaging/publisher.py", "orders/saga.py", "payments/provider.py"

POINTS: tuple[Point, ...] = (
    *_points(
        "cosmos.batch.after",
        _COSMOS,
        "state and event are one write: whoever asked for it asks again and finds it done, and the relay tells it",
        (
            "catalog:products",
            "carts:carts",
            "orders:orders",
            "inventory:stock",
            "inventory:reservations",
            "payments:payments",
        ),
    ),
    *_points(
        "cosmos.create.after",
        _COSMOS,
        "a first copy, or a first count of stock, may be written again",
        ("orders:answers", "orders:orders-by-customer", "orders:products", "orders:carts", "inventory:stock"),
    ),
    *_points(
        "cosmos.patch.after",
        _COSMOS,
        "a move on stock, and a later version of a copy, happens once however often it is asked for",
        ("orders:products", "orders:carts", "inventory:stock", "inventory:reservations", "payments:payments"),
    ),
    *_points(
        "cosmos.upsert.after",
        _COSMOS,
        "an item that can never be published is parked once, and stops nobody",
        ("catalog:products",),
    ),
    *_points(
        "publish.part.after",
        _PUBLISHER,
        "events too many for one message batch: the part that was sent is sent again, and recognised",
        ("catalog",),
    ),
    *_points(
        "publish.after",
        _PUBLISHER,
        "events that were sent and whose checkpoint was still to come are sent again, and recognised",
        ("catalog", "carts", "orders", "inventory", "payments"),
    ),
    *_points(
        "feed.handled",
        _RELAY,
        "a batch of the change feed whose checkpoint was still to come changes nothing when it is repeated",
        ("catalog", "carts", "orders", "inventory", "payments"),
    ),
    *_points(
        "message.handled",
        _CONSUMER,
        "a message whose acknowledgement was still to come changes nothing when it is repeated",
        tuple(
            f"commerce.{event}.v1"
            for event in (
                "product.changed",
                "cart.changed",
                "stock.reserved",
                "stock.rejected",
                "stock.released",
                "payment.authorized",
                "payment.declined",
                "payment.captured",
                "payment.voided",
                "payment.refunded",
            )
        ),
        prefix=("orders",),
    ),
    *_points(
        "message.handled",
        _CONSUMER,
        "stock is held, given back and used up once; money is held, given back and taken once",
        ("inventory", "payments"),
        ("commerce.order.placed.v1", "commerce.order.confirmed.v1", "commerce.order.cancelled.v1"),
    ),
    *_points("saga.start.after", _SAGA, "one saga an order, started before anyone can answer"),
    *_points(
        "saga.tell",
        _SAGA,
        "an answer that was written down reaches the saga, and reaching it twice does no harm",
        ("before", "after"),
        ("stock", "payment", "cancelled"),
    ),
    *_points("saga.step", _SAGA, "a saga goes on from its history", ("stock", "payment", "cancelled")),
    *_points("saga.decided", _SAGA, "a decision that was not carried out yet is the same again", ("confirm", "cancel")),
    *_points("saga.settled", _SAGA, "a decision that was carried out is carried out once"),
    *_points(
        "provider.before",
        _PROVIDER,
        "a call that may or may not have been made is made, once",
        ("create", "confirm", "retrieve", "capture", "void", "refund"),
    ),
    *_points(
        "provider.after",
        _PROVIDER,
        "money that was moved without our knowing is found by asking the provider",
        ("create", "confirm", "retrieve", "capture", "void", "refund"),
    ),
)

NAMES = frozenset(point.name for point in POINTS)
