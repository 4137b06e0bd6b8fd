"""What orders can do: place, read, cancel, settle; and what it does when others tell it something."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import AbstractContextManager
from dataclasses import replace

import msgspec

from blueprints.orders import admission, domain, events, store
from blueprints.orders.admission import at_the_door
from blueprints.orders.approval import decided_until
from blueprints.orders.declaration import APPROVAL_SECONDS, ORDER_DEADLINE_SECONDS
from blueprints.orders.domain import MAX_LINES, UNDECIDED, Address, Approval, Command, Order
from blueprints.orders.shapes import OrderSummary, OrderView, PlaceOrder, TimelineEntry, view
from shared import ids
from shared.clock import parse_timestamp, timestamp, utc_now
from shared.contracts.carts import CartChanged
from shared.contracts.catalog import ProductChanged
from shared.contracts.event import Event, type_of
from shared.contracts.inventory import StockReserved
from shared.contracts.orders import (
    CancelReason,
    OrderAuthorized,
    OrderCancellationRequested,
    OrderCancelled,
    OrderConfirmed,
)
from shared.contracts.payments import PaymentAuthorized
from shared.contracts.shipping import ShipmentDelivered, ShipmentFailed, ShipmentShipped, ShipmentStopped
from shared.errors import Conflict, Contention, InvalidRequest, LimitReached, NotFound, Transient, Unprocessable
from shared.messaging.republish import each_apart, republish_last, unfinished
from shared.persistence.cosmos import ConditionFailed
from shared.settings import RECONCILE_AFTER_SECONDS, settings
from shared.telemetry.log import Log
from shared.telemetry.span import for_order
from shared.web.auth import Principal
from shared.web.body import same_request
from shared.web.paging import Page, decode_cursor, encode_cursor

CART_PATIENCE = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds between looks at a cart that has not arrived here yet: a second and a half in all."""
MAX_ATTEMPTS = 5
HOLDING = frozenset({type_of(StockReserved), type_of(PaymentAuthorized)})
"""Replies whose sender holds something until it hears the order's decision."""
DECISIONS = (OrderConfirmed, OrderCancelled)
"""What those who hold something wait for."""
SUBJECTS = {type_of(data): reply for data, reply in domain.REPLIES.items()}
"""Event type → the reply that it is."""

log = Log("orders")


async def place(caller: Principal, key: str, request: PlaceOrder) -> OrderView:
    """Price the order, write it together with `order.placed`, and answer; the rest happens behind.

    The order's id is derived from caller and key: a repeat finds the order it made and gets the same answer.
    Raises LimitReached where the customer has ordered too much of late; Unprocessable for a key that was used for
    another request, SKUs that are unknown or discontinued, or a total out of range; Conflict where the total is
    another than is expected.
    """
    if (request.items is None) == (request.cart_id is None):
        raise InvalidRequest("send either items or cart_id")
    if request.cart_version is not None and request.cart_id is None:
        raise InvalidRequest("cart_version goes with cart_id")
    if request.cart_id is not None and request.expected_total is None:
        raise InvalidRequest("an order of a cart names the total that the shopper saw - at `$.expected_total`")
    if request.shipping_address is None and request.address_id is None:
        raise InvalidRequest("send either shipping_address or address_id")
    order_id, request_hash = derive_order_id(caller.subject, key), _fingerprint(request)
    try:
        if request.shipping_address is None:
            raise Unprocessable("there is no such address among your saved ones", code="unknown-address")
        wanted = await _wanted(caller, request)
        async with at_the_door(caller) as door:
            await door.check(order_id, len(wanted))
            priced = await _price(caller, request, wanted, order_id, request_hash)
            order = await door.admit(priced, request.payment_method)
        await store.add(order, events.placed(order, request.payment_method))
    except (NotFound, Conflict, Unprocessable, LimitReached):
        # Nearly every order is new, so it is looked for only where it cannot be placed: it may be there already, and
        # what it was made of may have changed since.
        existing = await store.get(order_id)
        if existing is None:
            raise
        return _repeated(existing, request_hash)
    log.info("order.placed", order_id=order.id, lines=len(order.lines))
    return view(order)


def derive_order_id(customer_id: str, key: str) -> str:
    """The id of the order that `customer_id` places under `key`."""
    return ids.derived("ord", customer_id, key)


async def get(caller: Principal, order_id: str) -> OrderView:
    return view(await visible(caller, order_id), to_staff=caller.is_staff)


async def list_by_customer(customer_id: str, cursor: str | None, limit: int) -> Page[OrderSummary]:
    """The customer's orders, newest first."""
    found = await store.list_by_customer(customer_id, decode_cursor(cursor, customer_id), limit + 1)
    page = [OrderSummary(order.id, order.status, order.total, order.placed_at) for _, order in found[:limit]]
    more = len(found) > limit
    return Page(items=page, next_cursor=encode_cursor(found[limit - 1][0], customer_id) if more else None)


async def timeline(caller: Principal, order_id: str) -> Page[TimelineEntry]:
    """Everything that was told of the order, oldest first; what staff did to it, and why, is told to staff."""
    await visible(caller, order_id)
    acts = await store.acts(order_id) if caller.is_staff else {}
    entries = [
        TimelineEntry(
            event.time,
            event.type,
            event.source.removeprefix("/"),
            *((acts[event.id].act, acts[event.id].reason) if event.id in acts else ()),
        )
        for event in await store.events(order_id)
    ]
    return Page(items=entries, next_cursor=None)


async def cancel(caller: Principal, order_id: str) -> OrderView:
    """Cancel at the shopper's wish: at once where nobody has decided the order, else as soon as shipping says that
    nothing of it is shipped. Raises Conflict once something is, or where it was cancelled for another reason."""
    order = await visible(caller, order_id)
    with in_trace_of(order, "orders_cancel"):
        if order.status == "placed":
            order = await settle(order_id, "cancel", "customer_request", order=order)
        if order.status == "awaiting_approval":
            order = await settle(order_id, "withdraw", "customer_request", order=order)
        if order.status == "confirmed":
            order = await _request_cancellation(order_id)
    if order.customer_id != caller.subject:
        log.info("act.privileged", order_id=order_id, subject=caller.subject, status=order.status)
    if order.status != "confirmed" and (order.status != "cancelled" or order.reason != "customer_request"):
        raise Conflict(f"the order is already {order.status}", code="order-not-cancellable")
    return view(order, to_staff=caller.is_staff)


async def _request_cancellation(order_id: str) -> Order:
    for _ in range(MAX_ATTEMPTS):
        order = await existing(order_id)
        if order.status != "confirmed" or order.cancel_requested:
            return order
        try:
            await store.ask(order, "cancel_requested", OrderCancellationRequested(order_id=order_id))
        except ConditionFailed:
            continue
        log.info("order.cancellation_requested", order_id=order_id)
        return replace(order, cancel_requested=True)
    raise Contention(f"order {order_id} keeps changing")


async def settle(
    order_id: str,
    command: Command,
    reason: CancelReason | None = None,
    *,
    order: Order | None = None,
    approval: Approval | None = None,
) -> Order:
    """Make a move, if it is still open, and return the order as it now is.

    `order`: as it was just read. `approval`: what the move makes of the order's.
    """
    for _ in range(MAX_ATTEMPTS):
        order = order or await existing(order_id)
        if (order.status, command) not in domain.TRANSITIONS:
            return order
        moved = domain.transition(order, command, timestamp(), reason)
        moved = replace(moved, approval=approval or order.approval)
        try:
            await store.advance(order, moved, events.of_move(moved))
        except ConditionFailed:
            order = None
            continue
        log.info(f"order.{moved.status}", order_id=order_id, reason=reason, seconds=_seconds(moved))
        return moved
    raise Contention(f"order {order_id} keeps changing")


async def look_up(order_id: str) -> tuple[domain.Status, dict[domain.Subject, domain.Said]]:
    """The order's status, and what its inbox says. Raises NotFound."""
    return (await existing(order_id)).status, await _replies(order_id)


async def ask_for_stock(order_id: str) -> tuple[domain.Status, dict[domain.Subject, domain.Said]]:
    """Ask inventory for the goods of an order whose money is authorised, once; then as `look_up`."""
    for _ in range(MAX_ATTEMPTS):
        order, replies = await existing(order_id), await _replies(order_id)
        if order.status != "placed" or order.stock_asked or replies.get("payment") != domain.GOOD["payment"]:
            return order.status, replies
        try:
            await store.ask(order, "stock_asked", OrderAuthorized(order_id=order_id, lines=events.lines_of(order)))
        except ConditionFailed:
            continue
        log.info("order.authorized", order_id=order_id)
        return order.status, replies
    raise Contention(f"order {order_id} keeps changing")


async def decide(order_id: str, *, timed_out: bool) -> Order:
    """Settle by the replies that are recorded, and by nothing that was merely said.

    Where they are not enough, the order is cancelled if its time is over. Otherwise raises Transient: what has been
    said is not written yet, or was never true.
    """
    order = await existing(order_id)
    if order.status != "placed":
        return order
    decided = domain.decide(await _replies(order_id)) or (domain.TIMED_OUT if timed_out else None)
    if decided is None:
        raise Transient(f"the replies about {order_id} are not recorded")
    if order.approval is None or decided[0] != "confirm":
        return await settle(order_id, *decided, order=order)
    until = decided_until(order, utc_now(), settings().seconds(APPROVAL_SECONDS))
    return await settle(order_id, "review", order=order, approval=replace(order.approval, until=until))


async def record_reply(event: Event) -> None:
    """Note in the order's inbox what another service told of it.

    One that is there already and asks for a decision comes from someone who is still waiting for it.
    """
    if await store.record(event.subject, event) or event.type not in HOLDING:
        return
    order = await store.get(event.subject)
    if order is not None and order.status not in UNDECIDED:
        await republish_last(store.ORDERS, order.id, DECISIONS)


async def follow_shipments(event: Event, data: ShipmentShipped | ShipmentDelivered | ShipmentFailed) -> None:
    """How far the order is, by what shipping says of it. Late and repeated news change nothing."""
    await record_reply(event)
    await settle(data.order_id, domain.SHIPPING[data.progress])


async def withdraw(event: Event, stopped: ShipmentStopped) -> None:
    """Nothing of the order is shipped, and nothing will be: cancel it, as was asked for."""
    await record_reply(event)
    order = await settle(stopped.order_id, "withdraw", "customer_request")
    if order.status == "cancelled":
        await admission.withdrawn(order)


async def reconcile() -> None:
    """Orders that nobody has decided long after their deadline: decide by what is known of them.

    Usually their saga does that; it may have been ended by hand, or have failed.
    """
    patience = settings().seconds(ORDER_DEADLINE_SECONDS) + settings().seconds(RECONCILE_AFTER_SECONDS)

    async def one(order_id: str) -> None:
        with in_trace_of(await existing(order_id), "orders_reconcile"):
            order = await decide(order_id, timed_out=True)
            log.warning("order.reconciled", order_id=order_id, status=order.status)

    await each_apart(store.ORDERS, await unfinished(store.ORDERS, "order", "placed", patience), one)


async def keep_product(event: Event, data: ProductChanged) -> None:
    await store.keep_product(event.version, msgspec.to_builtins(data))


async def keep_cart(event: Event, data: CartChanged) -> None:
    await store.keep_cart(event.version, msgspec.to_builtins(data))


def _seconds(order: Order) -> float:
    """From when it was placed until it came into the status that it has."""
    return (parse_timestamp(order.history[-1].at) - parse_timestamp(order.placed_at)).total_seconds()


def in_trace_of(order: Order, name: str) -> AbstractContextManager[None]:
    """See `for_order`."""
    return for_order("orders", name, order.id, order.traceparent, f"{name}/{order.id}")


async def _replies(order_id: str) -> dict[domain.Subject, domain.Said]:
    return dict(SUBJECTS[event.type] for event in await store.recorded(order_id) if event.type in SUBJECTS)


async def _price(
    caller: Principal, request: PlaceOrder, wanted: list[tuple[str, int]], order_id: str, request_hash: str
) -> Order:
    try:
        order = domain.place(
            order_id=order_id,
            customer_id=caller.subject,
            lines=domain.price_lines(wanted, await store.product_cache.find(sku for sku, _ in wanted)),
            shipping_address=msgspec.convert(request.shipping_address, Address, from_attributes=True),
            at=timestamp(),
            request_hash=request_hash,
        )
    except domain.UnknownSku as exc:
        raise Unprocessable(str(exc), code="unknown-sku") from exc
    except domain.Discontinued as exc:
        raise Unprocessable(f"{exc}; leave them out", code="discontinued") from exc
    except domain.TotalOutOfRange as exc:
        raise Unprocessable(str(exc), code="total-out-of-range") from exc
    if request.expected_total not in (None, order.total):
        raise Conflict(
            "the order costs something else than the total you expect",
            code="total-changed",
            members={"total": msgspec.to_builtins(order.total)},
        )
    return order


def _fingerprint(request: PlaceOrder) -> str:
    """The same for the same request. A saved address is what it is called: what is kept there may have changed.

    Without `address_id` it is what it was before there were saved addresses: orders of that time can be repeated.
    """
    if request.address_id is None:
        given = {name: value for name, value in msgspec.to_builtins(request).items() if name != "address_id"}
    else:
        given = msgspec.to_builtins(msgspec.structs.replace(request, shipping_address=None))
    return hashlib.sha256(msgspec.json.encode(given)).hexdigest()


async def _wanted(caller: Principal, request: PlaceOrder) -> list[tuple[str, int]]:
    if request.items is not None:
        return [(item.sku, item.quantity) for item in request.items]
    cart = await _cart(caller, request.cart_id or "", request.cart_version)
    lines = [(line.sku, line.quantity) for line in cart.lines]
    if len(lines) > MAX_LINES:
        raise Unprocessable(f"an order has at most {MAX_LINES} lines", code="too-many-lines")
    return lines


async def _cart(caller: Principal, cart_id: str, version: int | None) -> store.CartCopy:
    """The cart, as carts told of it. It may still be on its way here, so this is worth a short wait."""
    cart: store.CartCopy | None = None
    for pause in (*CART_PATIENCE, None):
        cart = await store.get_cart(cart_id)
        if cart is not None and cart.customer_id != caller.subject:
            cart = None
            break
        if cart is not None and cart.lines and cart.version >= (version or 1):
            break
        if pause is not None:
            await asyncio.sleep(pause)
    if cart is None:
        raise NotFound("there is no such cart", code="cart-not-found")
    if version is not None and cart.version != version:
        raise Conflict("the cart is not at that version; read it again", code="cart-version", retry_after=1)
    if not cart.lines:
        raise Unprocessable("the cart is empty", code="cart-empty")
    return cart


async def visible(caller: Principal, order_id: str) -> Order:
    """The caller's own order; staff may see any. Raises NotFound."""
    order = await store.get(order_id)
    if order is None or not (order.customer_id == caller.subject or caller.is_staff):
        raise NotFound("there is no such order")
    return order


async def existing(order_id: str) -> Order:
    order = await store.get(order_id)
    if order is None:
        raise NotFound(f"there is no order {order_id}")
    return order


def _repeated(order: Order, request_hash: str) -> OrderView:
    same_request(order.request_hash, request_hash, "order")
    return view(order.as_placed())
