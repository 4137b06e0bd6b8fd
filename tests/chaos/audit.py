"""The promises of the system, checked against what the stores hold: one line for each way in which one is broken."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import msgspec

from blueprints.orders.domain import TRANSITIONS
from blueprints.orders.returns import Return
from blueprints.shipping.domain import Fulfilment
from tests.chaos.stores import (
    ACCOUNTS,
    ANSWERS,
    BY_CUSTOMER,
    CART_COPIES,
    CARTS,
    CATALOG,
    DISCONTINUED,
    FEEDS,
    ORDERS,
    PAYMENTS,
    PRODUCT_COPIES,
    RESERVATIONS,
    SHIPMENTS,
    Document,
    Snapshot,
)

SOLD = frozenset({"confirmed", "partly_shipped", "shipped", "delivered"})
FINAL = SOLD | {"cancelled"}
LEGAL = {(before, after) for (before, _), after in TRANSITIONS.items()}
ASKING = ("commerce.order.authorized.", "commerce.order.cancellation_requested.", "commerce.return.")
"""What orders tells of an order that is no move of it."""
UNHEARD = ("erasure.", "export.", "act.")
"""What the others tell and orders does not hear."""
ENDED_BADLY = frozenset({"Failed", "Terminated"})
MATCHING: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    **dict.fromkeys(SOLD, (frozenset({"committed"}), frozenset({"captured", "refunded"}))),
    "cancelled": (frozenset({"released", "taken_back", "rejected"}), frozenset({"voided", "refunded", "declined"})),
}
"""A final order's status → what its reservation, and what its payment, may then be."""


@dataclass(frozen=True)
class Expected:
    """What the caller knows and the stores cannot: what was accepted, what was delivered, what is allowed to fail."""

    accepted: frozenset[str] = frozenset()
    """Ids of orders that were answered with 202."""
    stocked: Mapping[str, int] = field(default_factory=dict)
    """SKU → pieces that were put on the shelf, once."""
    parked: frozenset[str] = frozenset()
    """Ids of outbox items' events that can never be published."""
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    restocked: Mapping[str, int] = field(default_factory=dict)
    """SKU → pieces that came back and were put on the shelf."""


def at_any_instant(snapshot: Snapshot) -> list[str]:
    """What must never be seen, however unfinished everything is."""
    return [*_stock(snapshot), *_money_at_most(snapshot)]


def when_quiet(snapshot: Snapshot, expected: Expected) -> list[str]:
    """What must hold when nothing is going on any more."""
    return [
        *at_any_instant(snapshot),
        *_every_order_ended(snapshot, expected),
        *_orders_agree(snapshot),
        *_shipments(snapshot),
        *_returns(snapshot),
        *_money_equals(snapshot),
        *_shelves(snapshot, expected),
        *_no_event_lost(snapshot, expected),
        *_copies(snapshot),
        *_every_erasure_ended(snapshot),
        *_every_export_ended(snapshot),
        *_nobody_told_twice(snapshot),
        *_queues_empty(snapshot, expected),
    ]


def _stock(snapshot: Snapshot) -> Iterator[str]:
    for item in snapshot.shelves:
        on_hand, reserved, holds = item["on_hand"], item["reserved"], item["holds"]
        if not 0 <= reserved <= on_hand:
            yield f"stock of {item['sku']}: {on_hand} on hand, {reserved} reserved"
        if reserved != sum(hold["pieces"] for hold in holds.values()):
            yield f"stock of {item['sku']}: {reserved} reserved, but the holds are {holds}"


def _money_at_most(snapshot: Snapshot) -> Iterator[str]:
    orders = {order["id"]: order for order in snapshot.orders}
    for order_id, intents in _intents(snapshot).items():
        order = orders.get(order_id)
        if order is None:
            yield f"{order_id}: the provider knows an order that orders does not"
            continue
        total = order["total"]["amount"]
        if sum(intent["authorizations"] for intent in intents) > 1:
            yield f"{order_id}: authorised more than once: {intents}"
        if sum(intent["captured"] > 0 for intent in intents) > 1 or sum(i["captured"] for i in intents) > total:
            yield f"{order_id}: captured more than once, or more than {total}: {intents}"
        if order["status"] not in SOLD and _net(intents) > 0 and not _by_hand(intents):
            yield f"{order_id}: {_net(intents)} captured of an order that is {order['status']}"


def _money_equals(snapshot: Snapshot) -> Iterator[str]:
    intents = _intents(snapshot)
    paid_back = {
        payment["id"]: sum(each["amount"]["amount"] for each in payment["refunds"].values() if each["status"] == "made")
        for payment in snapshot.of_kind(PAYMENTS, "payment")
    }
    for order in snapshot.orders:
        own = intents.get(order["id"], [])
        due = order["total"]["amount"] - paid_back.get(order["id"], 0) if order["status"] in SOLD else 0
        if _net(own) != due:
            yield f"{order['id']} is {order['status']}: captured less refunded is {_net(own)}, not {due}"
        if any(intent["held"] for intent in own):
            yield f"{order['id']} is {order['status']}: money is still held: {own}"
        if any(intent["currency"] != order["total"]["currency"].lower() for intent in own):
            yield f"{order['id']}: another currency: {own}"


def _every_order_ended(snapshot: Snapshot, expected: Expected) -> Iterator[str]:
    known = {order["id"] for order in snapshot.orders}
    outbox = snapshot.of_kind(ORDERS, "outbox")
    asked = Counter(item["order_id"] for item in outbox if item["event"]["type"].startswith(ASKING))
    for order_id in sorted(expected.accepted - known):
        yield f"{order_id} was accepted and is lost"
    for order in snapshot.orders:
        history = [entry["status"] for entry in order["history"]]
        if order["status"] not in FINAL:
            yield f"{order['id']} is still {order['status']}"
        elif not LEGAL.issuperset(pairwise(history)) or order["version"] != len(history) + asked[order["id"]]:
            yield f"{order['id']} at version {order['version']} moved more than once: {history}"
        saga = snapshot.sagas.get(order["id"])
        if saga is None or saga in ENDED_BADLY:
            yield f"{order['id']}: its saga is {saga}"


def _orders_agree(snapshot: Snapshot) -> Iterator[str]:
    """What inventory and payments made of an order is what the order came to."""
    reservations = {item["id"]: item for item in snapshot.of_kind(RESERVATIONS, "reservation")}
    payments = {item["id"]: item for item in snapshot.of_kind(PAYMENTS, "payment")}
    for order in snapshot.orders:
        order_id, status = order["id"], order["status"]
        reserved, paid = reservations.pop(order_id, None), payments.pop(order_id, None)
        if reserved is None or paid is None:
            yield f"{order_id} has {reserved=} {paid=}"
            continue
        may_be = MATCHING.get(status, (frozenset(), frozenset()))
        if reserved["status"] not in may_be[0] or paid["status"] not in may_be[1]:
            yield f"{order_id} is {status}, its reservation {reserved['status']}, its payment {paid['status']}"
        if paid["amount"] != order["total"]:
            yield f"{order_id} costs {order['total']}, its payment says {paid['amount']}"
    for order_id in (*reservations, *payments):
        yield f"{order_id} has a reservation or a payment, but is no order"


def _shipments(snapshot: Snapshot) -> Iterator[str]:
    """What is to be shipped is what was sold, no piece leaves the house twice, and the order says how far it is."""
    records = {item["id"]: item for item in snapshot.of_kind(SHIPMENTS, "fulfilment")}
    shipped: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for shipment in snapshot.of_kind(SHIPMENTS, "shipment"):
        for line in shipment["lines"]:
            shipped[shipment["order_id"]][line["sku"]] += line["quantity"]
    for order in snapshot.orders:
        order_id, record = order["id"], records.get(order["id"])
        if record is None:
            if order["status"] in SOLD:
                yield f"{order_id} is {order['status']}, and shipping has never heard of it"
            continue
        fulfilment = msgspec.convert(record, Fulfilment)
        if fulfilment.stopped != (order["status"] == "cancelled"):
            yield f"{order_id} is {order['status']}: {record}"
        if fulfilment.shipped != shipped[order_id] or any(n < 0 for n in _left(fulfilment).values()):
            yield f"{order_id}: shipped were {dict(shipped[order_id])}: {record}"
        if fulfilment.shipments and order["status"] != fulfilment.progress:
            yield f"{order_id} is {order['status']}, its shipments are {fulfilment.progress}"


def _returns(snapshot: Snapshot) -> Iterator[str]:
    """What is paid back for a return is what came back, and no more pieces come back than were sold."""
    payments = {item["id"]: item for item in snapshot.of_kind(PAYMENTS, "payment")}
    back: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for document in snapshot.of_kind(ORDERS, "return"):
        case = msgspec.convert(document, Return)
        for line in case.lines:
            back[case.order_id][line.sku] += line.came_back
        refund = payments[case.order_id]["refunds"].get(case.id)
        if case.status == "refunded" and (refund is None or refund["amount"]["amount"] != case.due.amount):
            yield f"{case.id}: {case.due} came back, paid back was {refund}"
        if case.status in ("requested", "approved"):
            yield f"{case.id} is still {case.status}"
    for order in snapshot.orders:
        for line in order["lines"]:
            back[order["id"]][line["sku"]] -= line["quantity"]
        if any(pieces > 0 for pieces in back[order["id"]].values()):
            yield f"{order['id']}: more came back than was sold: {back[order['id']]}"


def _left(fulfilment: Fulfilment) -> dict[str, int]:
    skus = fulfilment.ordered.keys() | fulfilment.shipped.keys()
    return {sku: fulfilment.ordered.get(sku, 0) - fulfilment.shipped.get(sku, 0) for sku in skus}


def _shelves(snapshot: Snapshot, expected: Expected) -> Iterator[str]:
    """Nothing is held but for confirmed orders, their pieces alone, and what has left the shelf is what was sold."""
    ordered: dict[str, Counter[str]] = {}
    for order in snapshot.orders:
        if order["status"] in SOLD:
            ordered[order["id"]] = lines = Counter[str]()
            for line in order["lines"]:
                lines[line["sku"]] += line["quantity"]
    for item in snapshot.shelves:
        sku, left = item["sku"], item["on_hand"]
        for order_id, hold in item["holds"].items():
            if hold["pieces"] != ordered.get(order_id, Counter[str]())[sku]:
                yield f"stock of {sku} is still held for {order_id}: {hold}"
            left -= hold["pieces"]
        sold = sum(lines[sku] for lines in ordered.values())
        back = expected.restocked.get(sku, 0)
        if sku in expected.stocked and left != expected.stocked[sku] - sold + back:
            yield f"stock of {sku}: {expected.stocked[sku]} put there, {sold} sold, {back} back, {left} left"


def _no_event_lost(snapshot: Snapshot, expected: Expected) -> Iterator[str]:
    """Every event in an outbox was accepted by the broker, and what orders is told is in its inbox."""
    inbox = {item["event"]["id"] for item in snapshot.of_kind(ANSWERS, "inbox")}
    told: set[str] = set()
    parked: set[str] = set()
    for container, topic in FEEDS.items():
        parked |= {item["id"].removeprefix("parked:") for item in snapshot.of_kind(container, "parked")}
        outbox = {item["event"]["id"] for item in snapshot.of_kind(container, "outbox")}
        for event_id in sorted(outbox - parked - snapshot.sent.get(topic, frozenset())):
            yield f"{event_id} is in the outbox of {topic} and was never sent"
        if topic in ("inventory", "payments", "shipping"):
            told |= {event_id for event_id in outbox - parked if not event_id.startswith(UNHEARD)}
    for event_id in sorted(told - inbox):
        yield f"{event_id} never reached orders"
    for event_id in sorted(inbox - told):
        yield f"{event_id} reached orders, but nobody told it"
    if parked != expected.parked:
        yield f"parked: {sorted(parked)}, expected: {sorted(expected.parked)}"


def _copies(snapshot: Snapshot) -> Iterator[str]:
    """What orders and carts keep of others, and orders' own list by customer, is up to date."""
    products = [*snapshot.of_kind(CATALOG, "product"), *snapshot.of_kind(CATALOG, "unlisted_product")]
    carts = snapshot.of_kind(CARTS, "cart")
    yield from _same("product", _versions(products), _versions(snapshot.documents[PRODUCT_COPIES]))
    off = {product["sku"] for product in products if product.get("discontinued")}
    if off != (known := {copy["sku"] for copy in snapshot.documents[DISCONTINUED] if copy["discontinued"]}):
        yield f"discontinued: {sorted(off)}, but carts knows of {sorted(known)}"
    gone = {erasure["account_id"] for erasure in snapshot.of_kind(ACCOUNTS, "erasure") if erasure["status"] == "erased"}
    copies = [copy for copy in snapshot.documents[CART_COPIES] if copy["customer_id"] not in gone]
    yield from _same("cart", _versions(carts), _versions(copies))
    listed = {entry["id"]: (entry["customer_id"], entry["skus"]) for entry in snapshot.documents[BY_CUSTOMER]}
    for order in snapshot.orders:
        if listed.get(order["id"]) != (order["customer_id"], sorted({line["sku"] for line in order["lines"]})):
            yield f"order {order['id']} is not in the list of its customer, or with other products"


def _every_erasure_ended(snapshot: Snapshot) -> Iterator[str]:
    """Each was withdrawn or done, with a certificate, and of an account that was erased nothing is left."""
    for erasure in snapshot.of_kind(ACCOUNTS, "erasure"):
        if erasure["status"] not in ("refused", "withdrawn", "erased"):
            yield f"{erasure['id']} is still {erasure['status']}"
        elif (erasure["certificate"] is None) == (erasure["status"] == "erased"):
            yield f"{erasure['id']} is {erasure['status']}, its certificate {erasure['certificate']}"


def _every_export_ended(snapshot: Snapshot) -> Iterator[str]:
    """Each can be downloaded, with what everybody told, or was withdrawn."""
    for export in snapshot.of_kind(ACCOUNTS, "export"):
        if export["status"] not in ("ready", "withdrawn"):
            yield f"{export['id']} is {export['status']}, without {export['silent']}"


def _nobody_told_twice(snapshot: Snapshot) -> Iterator[str]:
    """Every e-mail names what it is about, so two that say the same to the same are one too many."""
    said = Counter((mail["recipients"]["to"][0]["address"], mail["content"]["plainText"]) for mail in snapshot.letters)
    for (address, text), times in said.items():
        if times > 1:
            yield f"{address} was told {times} times: {text}"


def _versions(documents: Iterable[Document]) -> dict[str, int]:
    return {document["id"]: document["version"] for document in documents}


def _same(what: str, owned: Mapping[str, int], copied: Mapping[str, int]) -> Iterator[str]:
    for name in sorted(owned.keys() | copied.keys()):
        if owned.get(name) != copied.get(name):
            yield f"{what} {name} is at version {owned.get(name)}, its copy at {copied.get(name)}"


def _queues_empty(snapshot: Snapshot, expected: Expected) -> Iterator[str]:
    for name, states in snapshot.queues.items():
        waiting = sum(states.values())
        if waiting != expected.dead_letters.get(name, 0):
            yield f"{name} has {dict(states)}"


def _intents(snapshot: Snapshot) -> dict[str, list[Document]]:
    by_order: defaultdict[str, list[Document]] = defaultdict(list)
    for intent in snapshot.intents:
        by_order[intent["metadata"].get("order_id", "nobody")].append(intent)
    return by_order


def _net(intents: Iterable[Mapping[str, Any]]) -> int:
    return sum(intent["captured"] - intent["refunded"] for intent in intents)


def _by_hand(intents: Iterable[Mapping[str, Any]]) -> bool:
    """Somebody captured it at the provider, past the app, and said so there."""
    return any("captured_by" in intent["metadata"] for intent in intents)
