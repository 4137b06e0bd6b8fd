"""Returns and shipments of orders, at the same time, twice and in every order, against the real store."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from blueprints.orders import domain, return_service, return_store, service, store
from blueprints.orders.domain import Address, Order, OrderLine
from blueprints.orders.return_service import CountedItem, CountReturn, RequestReturn, ReturnItem, ReturnView
from shared.acting import Actor, acting
from shared.clock import timestamp, utc_now
from shared.contracts.event import Event, EventData, make_event
from shared.contracts.orders import OrderConfirmed, OrderPlaced
from shared.contracts.payments import PaymentRefunded
from shared.contracts.shipping import ShipmentDelivered, ShipmentShipped, ShipmentStopped
from shared.errors import Conflict, NotFound, Unprocessable
from shared.money import Money
from shared.web.auth import Principal
from tests.integration.services.conftest import told

OWNER = Principal("customer", frozenset(), frozenset({"customer"}))
STRANGER = Principal("stranger", frozenset(), frozenset({"customer"}))
STAFF = Principal("staff", frozenset(), frozenset({"staff"}))
ADDRESS = Address("A. Shopper", "1 Market Street", "London", "EC1A 1AA", "GB")


async def sold(*commands: Any, at: str = "", **pieces: int) -> Order:
    """An order of those pieces at 1.00 each, after these commands."""
    at = at or timestamp()
    order = domain.place(
        order_id=f"ord_{secrets.token_hex(8)}",
        customer_id="customer",
        lines=tuple(OrderLine(sku, sku, quantity, Money(100, "GBP")) for sku, quantity in (pieces or {"A": 5}).items()),
        shipping_address=ADDRESS,
        at=at,
        request_hash="hash",
    )
    placed = OrderPlaced(order_id=order.id, customer_id="customer", lines=[], total=order.total, payment_method="pm_a")
    await store.add(order, placed)
    for command in ("confirm", *commands):
        moved = domain.transition(order, command, at)
        await store.advance(
            order, moved, OrderConfirmed(order_id=order.id, total=order.total) if command == "confirm" else None
        )
        order = moved
    return order


def event_of(order: Order, data: EventData, version: int = 1) -> Event:
    return make_event(
        data, source="elsewhere", subject=order.id, version=version, time=timestamp(),
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )  # fmt: skip


async def ask(order: Order, key: str = "", caller: Principal = OWNER, **pieces: int) -> ReturnView:
    items = [ReturnItem(sku, quantity) for sku, quantity in pieces.items()]
    return await return_service.request(caller, order.id, key or secrets.token_hex(4), RequestReturn(items, "unwanted"))


def count(**pieces: tuple[int, int]) -> CountReturn:
    return CountReturn([CountedItem(sku, restocked, gone) for sku, (restocked, gone) in pieces.items()])


async def outbox(order: Order) -> list[str]:
    return [name for name in await told(store.ORDERS, order.id) if name.startswith("return.")]


async def test_a_return_is_asked_for_decided_counted_and_paid() -> None:
    order = await sold("deliver", A=5, B=2)
    case = await ask(order, A=2, B=1)
    assert (case.status, case.value) == ("requested", Money(300, "GBP"))
    assert (await return_service.decide(order.id, case.id, "approve")).status == "approved"
    received = await return_service.receive(order.id, case.id, count(A=(1, 0), B=(0, 1)))
    assert received.status == "received"
    paid = PaymentRefunded(order_id=order.id, amount=Money(200, "GBP"), refund_id=case.id)
    for _ in range(2):
        await return_service.refunded(event_of(order, paid), paid)
    done = await return_service.get(OWNER, order.id, case.id)
    assert (done.status, done.refunded) == ("refunded", Money(200, "GBP"))
    assert await outbox(order) == ["return.requested", "return.approved", "return.received", "return.refunded"]


async def test_a_hundred_decisions_at_once_are_one() -> None:
    order = await sold("deliver")
    case = await ask(order, A=1)
    wanted: list[Any] = ["approve", "refuse"] * 50
    done = await asyncio.gather(
        *(return_service.decide(order.id, case.id, decision) for decision in wanted), return_exceptions=True
    )
    decided = {each.status for each in done if isinstance(each, ReturnView)}
    assert len(decided) == 1
    assert Counter(type(each) for each in done) == {ReturnView: 50, Conflict: 50}
    assert len(await outbox(order)) == 2


async def test_returns_that_are_asked_for_together_never_take_a_piece_twice() -> None:
    order = await sold("deliver", A=5)
    done = await asyncio.gather(*(ask(order, A=2) for _ in range(6)), return_exceptions=True)
    assert Counter(type(each) for each in done) == {ReturnView: 2, Conflict: 4}
    await ask(order, A=1)
    with pytest.raises(Conflict) as refused:
        await ask(order, A=1)
    assert refused.value.code == "nothing-left-to-return"


async def test_what_was_refused_or_did_not_come_can_be_asked_for_again() -> None:
    order = await sold("deliver", A=2)
    refused = await ask(order, A=2)
    await return_service.decide(order.id, refused.id, "refuse")
    case = await ask(order, A=2)
    await return_service.decide(order.id, case.id, "approve")
    await return_service.receive(order.id, case.id, count(A=(1, 0)))
    assert (await ask(order, A=1)).status == "requested"


async def test_the_same_key_asks_once_and_another_request_under_it_is_refused() -> None:
    order = await sold("deliver")
    first, again = await asyncio.gather(ask(order, "key", A=1), ask(order, "key", A=1))
    assert first == again
    await return_service.decide(order.id, first.id, "approve")
    assert await ask(order, "key", A=1) == first
    with pytest.raises(Unprocessable):
        await ask(order, "key", A=2)
    assert (await outbox(order)).count("return.requested") == 1


async def test_returns_are_the_owners_and_staffs_to_see() -> None:
    order = await sold("deliver")
    case = await ask(order, A=1)
    assert (await return_service.list_of_order(STAFF, order.id)).items == [case]
    for caller, order_id, return_id in (
        (STRANGER, order.id, case.id),
        (OWNER, "ord_none", case.id),
        (OWNER, order.id, "ret_none"),
    ):
        with pytest.raises(NotFound):
            await return_service.get(caller, order_id, return_id)
    with pytest.raises(NotFound):
        await ask(order, caller=STRANGER, A=1)
    with pytest.raises(NotFound):
        await return_service.get(OWNER, order.id, order.id.replace("ord_", "ret_"))


@pytest.mark.parametrize("commands", [(), ("ship_part",), ("ship",)])
async def test_what_is_not_delivered_cannot_be_returned(commands: tuple[str, ...]) -> None:
    with pytest.raises(Conflict) as refused:
        await ask(await sold(*commands), A=1)
    assert refused.value.code == "order-not-delivered"


async def test_a_month_after_its_delivery_an_order_is_kept() -> None:
    order = await sold("deliver", at=timestamp(utc_now() - timedelta(days=31)))
    with pytest.raises(Conflict) as refused:
        await ask(order, A=1)
    assert refused.value.code == "return-too-late"


async def test_a_count_is_taken_once_and_only_of_what_was_approved() -> None:
    order = await sold("deliver", A=3)
    case = await ask(order, A=2)
    with pytest.raises(Conflict) as refused:
        await return_service.receive(order.id, case.id, count(A=(1, 0)))
    assert refused.value.code == "return-not-approved"
    await return_service.decide(order.id, case.id, "approve")
    with pytest.raises(Unprocessable):
        await return_service.receive(order.id, case.id, count(A=(2, 1)))
    done = await asyncio.gather(
        *(return_service.receive(order.id, case.id, count(A=(1, 1))) for _ in range(5)),
        *(return_service.receive(order.id, case.id, count(A=(2, 0))) for _ in range(5)),
        return_exceptions=True,
    )
    assert Counter(type(each) for each in done) == {ReturnView: 5, Conflict: 5}
    assert (await outbox(order)).count("return.received") == 1


async def test_small_returns_approve_themselves_and_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    order = await sold("deliver", A=200)
    small, large = await ask(order, A=50), await ask(order, A=51)
    for _ in range(2):
        assert await return_service.begin(order.id, small.id) == "approved"
        assert await return_service.begin(order.id, large.id) == "requested"
    assert (await return_service.get(OWNER, order.id, small.id)).decided_by == "rule"
    with pytest.raises(Conflict):
        await return_service.decide(order.id, small.id, "refuse")


async def test_time_refuses_what_nobody_decides_and_a_late_decision_is_told_so() -> None:
    order = await sold("deliver")
    case = await ask(order, A=1)
    for _ in range(2):
        assert await return_service.remind(order.id, case.id) == "requested"
    for _ in range(2):
        assert await return_service.time_out(order.id, case.id) == "refused"
    with pytest.raises(Conflict) as refused:
        await return_service.decide(order.id, case.id, "approve")
    assert refused.value.code == "return-decided"
    with pytest.raises(Conflict):
        await return_service.decide(order.id, case.id, "refuse")
    assert await outbox(order) == ["return.requested", "return.overdue", "return.refused"]


async def test_what_was_approved_and_never_comes_is_closed() -> None:
    order = await sold("deliver")
    case = await ask(order, A=1)
    await return_service.decide(order.id, case.id, "approve")
    assert await return_service.time_out(order.id, case.id) == "expired"
    with pytest.raises(Conflict):
        await return_service.receive(order.id, case.id, count(A=(1, 0)))


async def test_a_refund_that_is_of_no_return_is_no_business_of_returns() -> None:
    order = await sold("deliver")
    for refund_id in ("ref_a", "re_1", "cancellation", ""):
        paid = PaymentRefunded(order_id=order.id, amount=Money(1, "GBP"), refund_id=refund_id)
        await return_service.refunded(event_of(order, paid), paid)
    assert await return_store.of_order(order.id) == []


@pytest.mark.parametrize("arrivals", list(itertools.permutations(range(3))), ids=str)
async def test_an_order_is_as_far_as_its_shipments_in_whatever_order_they_are_told(arrivals: tuple[int, ...]) -> None:
    order = await sold()
    events: list[Any] = [
        ShipmentShipped(order_id=order.id, shipment_id="shp_a", lines=[], progress="partly_shipped"),
        ShipmentShipped(order_id=order.id, shipment_id="shp_b", lines=[], progress="shipped"),
        ShipmentDelivered(order_id=order.id, shipment_id="shp_a", progress="delivered"),
    ]
    for place in (*arrivals, *arrivals):
        await service.follow_shipments(event_of(order, events[place], place + 2), events[place])
    found = await store.get(order.id)
    assert found is not None
    assert (found.status, len(found.history)) == ("delivered", found.version)
    with pytest.raises(Conflict):
        await service.cancel(OWNER, order.id)


async def test_a_confirmed_order_is_cancelled_when_shipping_has_stopped_and_not_before() -> None:
    order = await sold()
    for _ in range(2):
        asked = await service.cancel(OWNER, order.id)
        assert (asked.status, asked.cancel_requested) == ("confirmed", True)
    stopped = ShipmentStopped(order_id=order.id)
    for _ in range(2):
        await service.withdraw(event_of(order, stopped, 2), stopped)
    done = await service.cancel(OWNER, order.id)
    assert (done.status, done.history[-1].reason) == ("cancelled", "customer_request")
    names = [name for name in await told(store.ORDERS, order.id) if name.startswith("order.c")]
    assert names == ["order.confirmed", "order.cancellation_requested", "order.cancelled"]


async def test_an_order_that_was_shipped_before_it_could_be_stopped_is_not_cancelled() -> None:
    order = await sold()
    await service.cancel(OWNER, order.id)
    shipped = ShipmentShipped(order_id=order.id, shipment_id="shp_a", lines=[], progress="shipped")
    await service.follow_shipments(event_of(order, shipped, 2), shipped)
    with pytest.raises(Conflict) as refused:
        await service.cancel(OWNER, order.id)
    assert refused.value.code == "order-not-cancellable"


async def test_who_decides_a_return_is_recorded_once() -> None:
    order = await sold("deliver")
    case = await ask(order, A=1)
    with acting(Actor("staff-7", "", ("staff",), "returns_decide")):
        for _ in range(2):
            await return_service.decide(order.id, case.id, "approve")
    assert (await told(store.ORDERS, order.id)).count("act.recorded") == 1
