"""What has been waiting too long is finished: by telling again, and by deciding from what is known."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus.aio import ServiceBusClient

from blueprints.inventory import service as inventory
from blueprints.orders import service as orders
from blueprints.orders import store
from blueprints.orders.domain import Address, Order, OrderLine, place
from blueprints.payments import service as payments
from shared.clock import timestamp
from shared.contracts.event import make_event
from shared.contracts.inventory import StockReserved
from shared.contracts.orders import Line, OrderPlaced
from shared.contracts.payments import PaymentAuthorized
from shared.messaging import republish
from shared.money import Money
from shared.persistence.cosmos import Container
from shared.settings import settings
from shared.telemetry.span import request
from shared.web.auth import Principal
from tests.integration.services.conftest import TRACEPARENT, Story, traceparents

EVERYTHING = 1000
"""More than all tests leave behind."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is waiting at all has been waiting too long: the reconcilers' clock is an hour ahead of the store's.

    What other tests left waiting is looked at, too, in one round.
    """
    monkeypatch.setattr(republish, "AT_MOST", EVERYTHING)
    monkeypatch.setenv("RECONCILE_AFTER_SECONDS", "0.001")
    monkeypatch.setenv("ORDER_DEADLINE_SECONDS", "0.001")
    ahead = datetime.now(UTC) + timedelta(hours=1)
    monkeypatch.setattr(republish, "utc_now", lambda: ahead)
    settings.cache_clear()


def new_id() -> str:
    return f"ord_{secrets.token_hex(13)}"


async def received(addresses: dict[str, str], topic: str, subscription: str, order_id: str) -> list[tuple[str, str]]:
    """(message id, event type) of what lies in a subscription about one order."""
    async with (
        ServiceBusClient.from_connection_string(addresses["servicebus"]) as client,
        client.get_subscription_receiver(topic, subscription) as receiver,
    ):
        found = await receiver.peek_messages(max_message_count=EVERYTHING)
    return [(str(message.message_id), str(message.subject)) for message in found if message.session_id == order_id]


async def placed_order() -> Order:
    order_id = new_id()
    order = place(
        order_id=order_id,
        customer_id="customer",
        lines=(OrderLine("SKU", "Thing", 1, Money(500, "GBP")),),
        shipping_address=Address("A", "1", "London", "N1", "GB"),
        at=timestamp(),
        request_hash="",
    )
    told = OrderPlaced(
        order_id=order_id,
        customer_id="customer",
        lines=[Line("SKU", 1)],
        total=order.total,
        payment_method="pm_card_visa",
    )
    await store.add(order, told)
    return order


async def answered(order: Order, *data: StockReserved | PaymentAuthorized) -> None:
    for item in data:
        source = "inventory" if isinstance(item, StockReserved) else "payments"
        event = make_event(item, source=source, subject=order.id, version=1, time=timestamp(), traceparent=TRACEPARENT)
        await orders.record_reply(event)


async def test_an_order_that_nobody_decided_is_decided() -> None:
    bare, half, whole = [await placed_order() for _ in range(3)]
    await answered(half, StockReserved(order_id=half.id))
    await answered(whole, StockReserved(order_id=whole.id), PaymentAuthorized(order_id=whole.id, amount=whole.total))
    await orders.reconcile()
    found = [await store.get(order.id) for order in (bare, half, whole)]
    assert [(order.status, order.reason) for order in found if order] == [
        ("cancelled", "timed_out"),
        ("cancelled", "timed_out"),
        ("confirmed", None),
    ]
    await orders.reconcile()
    again = await store.get(whole.id)
    assert again is not None and again.version == 2, "it is decided once"


async def test_what_a_timer_or_a_later_call_does_for_an_order_is_in_the_orders_trace() -> None:
    shopper = Principal("customer", frozenset(), frozenset({"customer"}))
    for name, act in (("orders_reconcile", orders.reconcile), ("orders_cancel", None)):
        with request("orders", "place", TRACEPARENT) as placing:
            order = await placed_order()
        with request("orders", "another", None):
            await (orders.cancel(shopper, order.id) if act is None else act())
        expected = placing.context.child(f"{name}/{order.id}").traceparent
        assert await traceparents(store.ORDERS, order.id) == [placing.context.traceparent, expected]


async def test_what_is_held_is_told_again_under_another_message_id(addresses: dict[str, str]) -> None:
    sku, order_id = f"T{secrets.token_hex(4)}", new_id()
    await inventory.set_on_hand(sku, 5, None)
    story = Story(order_id, [Line(sku, 2)])
    await inventory.reserve(story.event(story.placed), story.placed)
    await payments.authorize(story.event(story.placed), story.placed)
    await inventory.reconcile()
    await payments.reconcile()
    ((stock_id, stock_type),) = await received(addresses, "inventory", "orders", order_id)
    assert stock_type == "commerce.stock.reserved.v1" and stock_id.startswith(f"stock.reserved.v1:{order_id}:1#")
    ((payment_id, _),) = await received(addresses, "payments", "orders", order_id)
    assert payment_id.startswith(f"payment.authorized.v1:{order_id}:2#")


async def test_what_is_settled_is_left_alone(addresses: dict[str, str]) -> None:
    sku, order_id = f"T{secrets.token_hex(4)}", new_id()
    await inventory.set_on_hand(sku, 5, None)
    story = Story(order_id, [Line(sku, 2)])
    for service, begin, end in (
        (inventory, inventory.reserve, inventory.commit),
        (payments, payments.authorize, payments.capture),
    ):
        await begin(story.event(story.placed), story.placed)
        await end(story.event(story.confirmed, 2), story.confirmed)
        await service.reconcile()
    assert await received(addresses, "inventory", "orders", order_id) == []
    assert await received(addresses, "payments", "orders", order_id) == []


async def test_whoever_asks_again_hears_the_decision_again(addresses: dict[str, str]) -> None:
    order = await placed_order()
    answer = StockReserved(order_id=order.id)
    await answered(order, answer)
    await orders.settle(order.id, "confirm")
    assert await received(addresses, "orders", "inventory", order.id) == []
    await answered(order, answer)
    ((message_id, kind),) = await received(addresses, "orders", "inventory", order.id)
    assert kind == "commerce.order.confirmed.v1" and message_id.startswith(f"order.confirmed.v1:{order.id}:2#")
    assert isinstance(store.ANSWERS, Container)


async def test_an_answer_that_comes_again_before_the_decision_changes_nothing(addresses: dict[str, str]) -> None:
    order = await placed_order()
    for _ in range(3):
        await answered(order, StockReserved(order_id=order.id))
    assert await received(addresses, "orders", "inventory", order.id) == []
    assert len(await store.events(order.id)) == 2
