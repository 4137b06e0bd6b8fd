"""Nothing is written that its own reader refuses; what cannot be read all the same harms its own reader alone."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blueprints.carts import store as carts
from blueprints.carts.domain import Cart
from blueprints.catalog import service as catalog_service
from blueprints.catalog import store as catalog
from blueprints.catalog.domain import Product
from blueprints.inventory import store as inventory
from blueprints.inventory.domain import Reservation
from blueprints.orders import service as orders_service
from blueprints.orders import store as orders
from blueprints.orders.domain import (
    Address,
    Approval,
    HistoryEntry,
    Order,
    OrderLine,
    ReasonMismatch,
    place,
    transition,
)
from blueprints.payments import store as payments
from blueprints.payments.domain import Payment
from shared.contracts.carts import CartChanged
from shared.contracts.catalog import ProductChanged
from shared.contracts.event import data_of
from shared.contracts.inventory import StockReleased
from shared.contracts.orders import Line, OrderCancelled, OrderConfirmed, OrderPlaced
from shared.contracts.payments import PaymentAuthorized, PaymentDeclined
from shared.messaging.relay import relay
from shared.money import MAX_AMOUNT, Money
from shared.persistence.cosmos import Container
from shared.persistence.documents import Unreadable
from shared.persistence.outbox import event_of
from shared.web.auth import Principal

T = TypeVar("T")

few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
COUNT = st.integers(1, 10_000)
MONEY = st.builds(Money, st.integers(0, MAX_AMOUNT), st.sampled_from(["GBP", "USD", "JPY"]))
LINES = st.lists(st.builds(Line, TEXT, COUNT), max_size=3).map(tuple)
TIME = st.just("2026-03-01T12:00:00.120Z")


def word(*legal: str) -> st.SearchStrategy[Any]:
    """A word of a closed list, or, now and then, what is not on it."""
    return st.sampled_from(legal) | st.sampled_from(legal) | TEXT | st.none()


ADDRESSES = st.builds(Address, TEXT, TEXT, TEXT, TEXT, TEXT, st.none() | TEXT)
STATUS = word("placed", "awaiting_approval", "confirmed", "partly_shipped", "shipped", "delivered", "cancelled")
REASON = word("out_of_stock", "payment_declined", "timed_out", "customer_request", "not_approved")
APPROVALS = st.builds(Approval, st.lists(TEXT, max_size=2).map(tuple), st.none() | TIME, word("staff", "time"))
ORDERS = st.builds(
    Order,
    id=st.builds(lambda: f"ord_{secrets.token_hex(13)}"),
    customer_id=TEXT,
    status=STATUS,
    version=COUNT,
    lines=st.lists(st.builds(OrderLine, TEXT, TEXT, COUNT, MONEY), max_size=3).map(tuple),
    total=MONEY,
    shipping_address=ADDRESSES,
    placed_at=TIME,
    history=st.lists(st.builds(HistoryEntry, STATUS, TIME, REASON), min_size=1, max_size=2).map(tuple),
    request_hash=TEXT,
    approval=st.none() | APPROVALS,
)


async def accepted(write: Awaitable[Any]) -> bool:
    """Whether a write was made; False where it was refused because its reader would refuse it."""
    try:
        await write
    except msgspec.ValidationError:
        return False
    return True


def untraced(found: T) -> T:
    """An order or a payment without the trace that its store adds."""
    return replace(found, traceparent="") if isinstance(found, Order | Payment) else found


def new_id() -> str:
    return f"ord_{secrets.token_hex(13)}"


def placed() -> Order:
    return place(
        order_id=new_id(),
        customer_id=secrets.token_hex(8),
        lines=(OrderLine("S", "Thing", 1, Money(500, "GBP")),),
        shipping_address=Address("A", "1", "London", "N1", "GB"),
        at="2026-03-01T12:00:00.120Z",
        request_hash="",
    )


def told(order: Order) -> OrderPlaced:
    return OrderPlaced(
        order_id=order.id, customer_id=order.customer_id, lines=[], total=order.total, payment_method="pm_card_visa"
    )


def shown(order: Order) -> dict[str, Any]:
    """The order as the change feed shows it."""
    return {**msgspec.to_builtins(order), "order_id": order.id, "kind": "order"}


async def outbox_is_readable(container: Container, key: str) -> bool:
    documents = [item async for item in container.query("SELECT * FROM c WHERE c.kind = 'outbox'", {}, key=key)]
    return all(data_of(event_of(document)) is not None for document in documents)


@few
@given(ORDERS)
async def test_an_order_is_read_as_it_was_written_or_is_not_written(order: Order) -> None:
    if await accepted(orders.add(order, told(order))):
        assert untraced(await orders.get(order.id)) == order
        assert await outbox_is_readable(orders.ORDERS, order.id)
    else:
        assert await orders.get(order.id) is None


@few
@given(STATUS, REASON)
async def test_a_move_of_an_order_is_read_as_it_was_written_or_is_not_made(status: Any, reason: Any) -> None:
    before = placed()
    await orders.add(before, told(before))
    entry = HistoryEntry(status, "2026-03-01T12:00:01.000Z", reason)
    moved = replace(before, status=status, version=2, history=(*before.history, entry))
    event = OrderCancelled(order_id=before.id, reason=reason)
    expected = moved if await accepted(orders.advance(before, moved, event)) else before
    assert untraced(await orders.get(before.id)) == expected
    assert await outbox_is_readable(orders.ORDERS, before.id)


@few
@given(word("confirm", "cancel"), REASON)
async def test_whatever_an_order_is_asked_for_it_can_be_read_afterwards(command: Any, reason: Any) -> None:
    order = placed()
    await orders.add(order, told(order))
    try:
        settled = await orders_service.settle(order.id, command, reason)
    except ReasonMismatch:
        settled = order
    assert untraced(await orders.get(order.id)) == untraced(settled)
    assert await orders_service.get(Principal(order.customer_id, frozenset(), frozenset()), order.id)


@few
@given(
    st.builds(
        Reservation,
        order_id=st.builds(new_id),
        status=word("reserved", "rejected", "committed", "released", "taken_back"),
        lines=LINES,
        version=COUNT,
    ),
    word("committed", "released", "taken_back"),
)
async def test_a_reservation_is_read_as_it_was_written_or_is_not_written(reservation: Reservation, to: Any) -> None:
    if not await accepted(inventory.add_reservation(reservation, None)):
        assert await inventory.get_reservation(reservation.order_id) is None
        return
    assert await inventory.get_reservation(reservation.order_id) == reservation
    moved = await accepted(inventory.advance(reservation, to, StockReleased(order_id=reservation.order_id)))
    found = await inventory.get_reservation(reservation.order_id)
    assert found is not None
    assert (found.status, found.version) == (
        (to, reservation.version + 1) if moved else (reservation.status, reservation.version)
    )
    assert await outbox_is_readable(inventory.RESERVATIONS, reservation.order_id)


PAYMENT_STATUS = word("authorizing", "authorized", "declined", "captured", "voided", "refunded")


@few
@given(
    st.builds(
        Payment,
        order_id=st.builds(new_id),
        customer_id=TEXT,
        status=PAYMENT_STATUS,
        version=COUNT,
        amount=st.none() | MONEY,
        intent_id=st.none() | TEXT,
        decline_code=st.none() | TEXT,
    ),
    PAYMENT_STATUS,
    st.none() | TEXT,
    st.one_of(MONEY, st.none()),
)
async def test_a_payment_is_read_as_it_was_written_or_is_not_written(
    payment: Payment, to: Any, code: Any, amount: Any
) -> None:
    if not await accepted(
        payments.add(payment, PaymentDeclined(order_id=payment.order_id, code=payment.decline_code or ""))
    ):
        assert await payments.get(payment.order_id) is None
        return
    assert untraced(await payments.get(payment.order_id)) == payment
    event = PaymentAuthorized(order_id=payment.order_id, amount=amount)
    moved = await accepted(payments.advance(payment, to, event, code))
    found = await payments.get(payment.order_id)
    assert found is not None
    assert (found.status, found.version) == ((to, payment.version + 1) if moved else (payment.status, payment.version))
    assert await outbox_is_readable(payments.PAYMENTS, payment.order_id)


@few
@given(TEXT, TEXT, TEXT, st.none() | TEXT, MONEY)
async def test_a_product_is_read_as_it_was_written(
    name: str, category: str, kept: str, description: str | None, price: Money
) -> None:
    product = Product(f"S{secrets.token_hex(6)}", name, category, price, description)
    changed = ProductChanged(sku=product.sku, name=name, category=category, price=price)
    document = await catalog.save(product, None, changed)
    assert catalog.product_of(document) == product
    await orders.keep_product(1, msgspec.to_builtins(changed))
    found = await orders.product_cache.find([product.sku])
    assert (found[product.sku].name, found[product.sku].price) == (name, price)


@few
@given(TEXT, st.dictionaries(TEXT, COUNT, max_size=4))
async def test_a_cart_is_read_as_it_was_written(customer_id: str, lines: dict[str, int]) -> None:
    cart = Cart(f"crt_{secrets.token_hex(13)}", customer_id, 1, lines)
    changed = CartChanged(
        cart_id=cart.id, customer_id=customer_id, lines=[Line(sku, quantity) for sku, quantity in lines.items()]
    )
    assert carts.cart_of(await carts.save(cart, None, changed)) == cart
    await orders.keep_cart(1, msgspec.to_builtins(changed))
    found = await orders.get_cart(cart.id)
    assert found is not None
    assert (found.customer_id, found.version, found.lines) == (customer_id, 1, changed.lines)


BROKEN: dict[str, dict[str, Any]] = {
    "a status nobody knows": {"status": "nowhere"},
    "a reason nobody knows": {
        "status": "cancelled",
        "history": [{"status": "cancelled", "at": "2026-03-01T12:00:00.120Z", "reason": '"reserved"'}],
    },
    "no lines": {"lines": None},
    "a number for a name": {"customer_id": 5},
}


@pytest.mark.parametrize("harm", BROKEN.values(), ids=BROKEN)
async def test_an_unreadable_order_harms_its_own_reader_alone_and_operations_hears_of_it(
    harm: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = placed(), placed()
    customer = good.customer_id
    for order in (good, bad):
        await orders.add(order, told(order))
        await orders.enlist(customer, order.id, order.placed_at, (line.sku for line in order.lines))
    changes = [{"op": "set", "path": f"/{name}", "value": value} for name, value in harm.items()]
    await orders.ORDERS.patch(bad.id, bad.id, changes)
    with caplog.at_level(logging.ERROR, "commerce.orders"):
        page = await orders_service.list_by_customer(customer, None, 10)
        assert [order.id for order in page.items] == [good.id]
        with pytest.raises(Unreadable):
            await orders_service.get(Principal(customer, frozenset(), frozenset()), bad.id)
    said = [record.message for record in caplog.records if "document.unreadable" in record.message]
    assert len(said) == 2
    assert all(bad.id in line and "nowhere" not in line for line in said)


async def test_items_that_no_release_of_ours_wrote_stop_no_feed() -> None:
    order = placed()
    await relay(orders.ORDERS, [{"id": "x"}, {"kind": "order", "id": "y"}, {**shown(order), "placed_at": None}])


async def test_an_unreadable_product_is_left_out_of_the_catalog(caplog: pytest.LogCaptureFixture) -> None:
    category = f"c{secrets.token_hex(6)}"
    for sku in ("A", "B", "C"):
        product = Product(f"{category}-{sku}", sku, category, Money(100, "GBP"), None)
        changed = ProductChanged(sku=product.sku, name=sku, category=category, price=product.price)
        await catalog.save(product, None, changed)
    broken = f"{category}-B"
    await catalog.PRODUCTS.patch(broken, broken, [{"op": "set", "path": "/price", "value": "cheap"}])
    with caplog.at_level(logging.ERROR, "commerce.catalog"):
        page, _ = await catalog_service.browse(category, None, None, 10)
    assert [product.name for product in page.items] == ["A", "C"]
    assert broken in caplog.text
    assert "cheap" not in caplog.text


async def test_an_event_that_its_consumers_would_refuse_is_never_written() -> None:
    order = placed()
    await orders.add(order, told(order))
    moved = transition(order, "confirm", "2026-03-01T12:00:01.000Z")
    broken: Any = "a lot"
    with pytest.raises(msgspec.ValidationError):
        await orders.advance(order, moved, OrderConfirmed(order_id=order.id, total=broken))
    assert untraced(await orders.get(order.id)) == order
