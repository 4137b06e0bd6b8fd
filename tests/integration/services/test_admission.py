"""Orders that are let in, refused, and held stock for before or after the money, each on the stores themselves."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import msgspec
import pytest

from blueprints.inventory import service as inventory
from blueprints.inventory import store as shelves
from blueprints.orders import admission, service, store
from blueprints.orders.customer import Customer
from blueprints.orders.shapes import OrderView, PlaceOrder
from shared.contracts.event import Event, make_event
from shared.contracts.orders import OrderAuthorized, OrderPlaced
from shared.contracts.payments import PaymentAuthorized, PaymentDeclined
from shared.errors import LimitReached, Unprocessable
from shared.money import Money
from shared.persistence.outbox import event_of
from shared.web.auth import Principal
from tests.integration.services.conftest import told

ADDRESS = {"name": "A", "line1": "1 Street", "city": "London", "postal_code": "E1 6AN", "country": "GB"}
PRICE = 100
NO_ROLES: frozenset[str] = frozenset()


@pytest.fixture
async def sku() -> str:
    """A product that costs one pound, of which there are ten."""
    name = f"S{secrets.token_hex(5)}"
    document: dict[str, Any] = {"sku": name, "name": "thing", "price": {"amount": PRICE, "currency": "GBP"}}
    await store.keep_product(1, document)
    await inventory.set_on_hand(name, 10, None)
    return name


def someone(*roles: str) -> Principal:
    return Principal(f"c{secrets.token_hex(8)}", NO_ROLES, frozenset(roles))


async def place(caller: Principal, sku: str, lines: int = 1, key: str = "") -> OrderView:
    body = {
        "items": [{"sku": sku, "quantity": 1}] * lines,
        "shipping_address": ADDRESS,
        "payment_method": "pm_card_visa",
    }
    return await service.place(caller, key or secrets.token_hex(8), msgspec.convert(body, PlaceOrder))


async def authorized(order: OrderView) -> None:
    await _answered(order, PaymentAuthorized(order_id=order.id, amount=order.total))


async def declined(order: OrderView) -> None:
    await _answered(order, PaymentDeclined(order_id=order.id, code="card_declined"))
    await service.decide(order.id, timed_out=False)


async def _answered(order: OrderView, data: Any) -> None:
    event = make_event(
        data, source="payments", subject=order.id, version=2, time=order.placed_at,
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )  # fmt: skip
    await service.record_reply(event)


async def paid(caller: Principal, sku: str, lines: int = 1) -> None:
    order = await place(caller, sku, lines)
    await service.settle(order.id, "confirm")


async def events(order: OrderView) -> list[Event]:
    query = "SELECT * FROM c WHERE c.kind = 'outbox'"
    found = [event_of(document) async for document in store.ORDERS.query(query, {}, key=order.id)]
    return sorted(found, key=lambda event: event.version)


async def money_first(order: OrderView) -> bool:
    return msgspec.json.decode((await events(order))[0].data, type=OrderPlaced).money_first


async def held(sku: str) -> int:
    return (await inventory.get(sku))[0].reserved


async def hears(order: OrderView, kind: type[OrderPlaced | OrderAuthorized]) -> None:
    """Inventory hears the order's event of that kind."""
    for event in await events(order):
        if event.type.split(".")[2] == ("placed" if kind is OrderPlaced else "authorized"):
            await inventory.reserve(event, msgspec.json.decode(event.data, type=kind))


async def test_a_newcomers_order_holds_no_stock_until_its_money_is_authorised(sku: str) -> None:
    order = await place(someone(), sku)
    assert await money_first(order)
    await hears(order, OrderPlaced)
    assert (await held(sku), await told(shelves.RESERVATIONS, order.id)) == (0, [])
    await authorized(order)
    assert await service.ask_for_stock(order.id) == ("placed", {"payment": "authorized"})
    await hears(order, OrderAuthorized)
    assert (await held(sku), await told(shelves.RESERVATIONS, order.id)) == (1, ["stock.reserved"])


async def test_stock_is_asked_for_once_and_not_for_money_that_is_only_said_to_be_there(sku: str) -> None:
    order = await place(someone(), sku)
    assert await service.ask_for_stock(order.id) == ("placed", {})
    assert await told(store.ORDERS, order.id) == ["order.placed"]
    await authorized(order)
    await asyncio.gather(*(service.ask_for_stock(order.id) for _ in range(3)))
    assert await told(store.ORDERS, order.id) == ["order.placed", "order.authorized"]


async def test_no_stock_is_asked_for_an_order_that_was_cancelled_meanwhile(sku: str) -> None:
    order = await place(someone(), sku)
    await authorized(order)
    await service.settle(order.id, "cancel", "customer_request")
    assert (await service.ask_for_stock(order.id))[0] == "cancelled"
    assert await told(store.ORDERS, order.id) == ["order.placed", "order.cancelled"]


async def test_who_has_paid_has_stock_held_at_once_for_that_much_and_after_a_decline_no_more(sku: str) -> None:
    known = someone()
    await paid(known, sku, 2)
    within, beyond = await place(known, sku, 2), await place(known, sku, 1)
    assert (await money_first(within), await money_first(beyond)) == (False, True)
    await hears(within, OrderPlaced)
    assert await held(sku) == 2
    await declined(within)
    await declined(beyond)
    assert await money_first(await place(known, sku, 1))


async def test_many_orders_of_one_customer_at_the_same_moment_are_all_let_in(
    sku: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDER_MOST_OPEN", "1000")
    caller = someone()
    orders = await asyncio.gather(*(place(caller, sku) for _ in range(60)))
    customer, _ = await store.get_customer(caller.subject)
    assert customer.open.keys() == {order.id for order in orders}


async def test_orders_of_one_customer_in_several_processes_lose_no_other(
    sku: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission._turns, "of", lambda _: nullcontext())
    caller = someone()
    orders = await asyncio.gather(*(place(caller, sku) for _ in range(6)))
    customer, _ = await store.get_customer(caller.subject)
    assert customer.open.keys() == {order.id for order in orders}


async def test_too_many_lines_are_refused_until_the_time_that_is_told(sku: str) -> None:
    caller = someone()
    order = await place(caller, sku, 1_000)
    with pytest.raises(LimitReached) as refused:
        await place(caller, sku, 100)
    assert refused.value.code == "too-many-order-lines"
    assert refused.value.retry_after == pytest.approx(10, abs=2)
    await place(someone(), sku, 100)  # somebody else's
    await place(someone("partner"), sku, 1_000)
    customer, _ = await store.get_customer(caller.subject)
    assert customer.open.keys() == {order.id}


async def test_too_many_open_orders_are_refused_until_one_has_ended(sku: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDER_MOST_OPEN", "3")
    caller = someone()
    orders = [await place(caller, sku) for _ in range(3)]
    with pytest.raises(LimitReached) as refused:
        await place(caller, sku)
    assert refused.value.code == "too-many-open-orders"
    await service.settle(orders[1].id, "cancel", "customer_request")
    await place(caller, sku)


async def test_too_many_declined_orders_are_refused(sku: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDER_DECLINES_PER_HOUR", "2")
    caller = someone()
    for _ in range(2):
        await declined(await place(caller, sku))
    with pytest.raises(LimitReached) as refused:
        await place(caller, sku)
    assert refused.value.code == "too-many-declined-orders"
    assert refused.value.retry_after == pytest.approx(3600, abs=60)
    customer, _ = await store.get_customer(caller.subject)
    assert (customer.open, len(customer.declines)) == ({}, 2), "what a refusal has seen need not be looked at again"


async def test_a_repeat_gets_its_answer_whatever_the_limits_say_and_counts_for_nothing(
    sku: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDER_MOST_OPEN", "1")
    caller, key = someone(), secrets.token_hex(8)
    order = await place(caller, sku, key=key)
    with pytest.raises(LimitReached):
        await place(caller, sku)
    assert await place(caller, sku, key=key) == order
    await service.settle(order.id, "confirm")
    for _ in range(3):  # the order is over, and its place is free
        assert await place(caller, sku, key=key) == order
    last = await place(caller, sku)
    assert not await money_first(last)
    customer, _ = await store.get_customer(caller.subject)
    assert customer.paid == {"GBP": PRICE}


async def test_a_repeat_after_a_crash_before_the_order_was_written_is_the_same_admission(
    sku: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: Any) -> None:
        raise ConnectionError

    monkeypatch.setenv("ORDER_MOST_OPEN", "1")
    monkeypatch.setenv("ORDER_LINES_PER_MINUTE", "1")
    caller, key = someone(), secrets.token_hex(8)
    with monkeypatch.context() as crash:
        crash.setattr(store, "add", dies)
        with pytest.raises(ConnectionError):
            await place(caller, sku, 5, key)
    before, _ = await store.get_customer(caller.subject)
    order = await place(caller, sku, 5, key)
    after, _ = await store.get_customer(caller.subject)
    assert after == before
    assert order.placed_at == order.history[0].at == before.open[order.id].placed_at
    assert Money(5 * PRICE, "GBP") == order.total


async def test_a_record_that_another_process_has_changed_lets_nobody_in_and_refuses_nobody(
    sku: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDER_MOST_OPEN", "3")
    caller = someone()
    memories: Iterator[dict[str, Any]] = itertools.cycle(({}, {}))
    orders = []
    for _ in range(3):
        monkeypatch.setattr(admission, "_remembered", next(memories))
        orders.append(await place(caller, sku))
    for _ in range(2):
        monkeypatch.setattr(admission, "_remembered", next(memories))
        with pytest.raises(LimitReached):
            await place(caller, sku)
    await service.settle(orders[0].id, "cancel", "customer_request")
    monkeypatch.setattr(admission, "_remembered", next(memories))
    orders.append(await place(caller, sku))
    monkeypatch.setattr(admission, "_remembered", next(memories))
    with pytest.raises(LimitReached):
        await place(caller, sku)
    customer, _ = await store.get_customer(caller.subject)
    assert customer.open.keys() == {order.id for order in orders[1:]}


async def test_a_record_that_was_deleted_meanwhile_is_begun_anew(sku: str) -> None:
    caller = someone()
    await place(caller, sku)
    await store.CUSTOMERS._proxy().delete_item(caller.subject, partition_key=caller.subject)
    order = await place(caller, sku)
    customer, _ = await store.get_customer(caller.subject)
    assert customer.open.keys() == {order.id}


async def test_a_known_customers_order_is_let_in_with_one_write_and_no_read(
    sku: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = someone()
    await paid(caller, sku)
    await place(caller, sku)  # sees that the first is paid

    async def read(*_: Any) -> Any:
        raise AssertionError("the customer's record is read")

    monkeypatch.setenv("ORDER_CREDIT", "10000")
    monkeypatch.setattr(store, "get_customer", read)
    assert not await money_first(await place(caller, sku))


def test_what_is_remembered_of_customers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "REMEMBERED", 2)
    monkeypatch.setattr(admission, "_remembered", {})
    for number in range(5):
        admission._remember(str(number), Customer(str(number)), "etag")
    assert list(admission._remembered) == ["3", "4"]


async def test_a_product_that_is_sold_no_more_is_ordered_by_nobody_but_an_order_of_it_stays(sku: str) -> None:
    caller, key = someone(), secrets.token_hex(8)
    order = await place(caller, sku, key=key)
    document: dict[str, Any] = {"sku": sku, "name": "thing", "price": {"amount": PRICE, "currency": "GBP"}}
    await store.keep_product(2, {**document, "discontinued": True})
    with pytest.raises(Unprocessable, match="sold no more: the products of the lines 0,") as refused:
        await place(caller, sku)
    assert refused.value.code == "discontinued"
    assert await place(caller, sku, key=key) == order, "the repeat of an order that was placed before"
    assert (await service.settle(order.id, "confirm")).status == "confirmed"
    await store.keep_product(3, {**document, "discontinued": False})
    assert (await place(caller, sku)).status == "placed"
