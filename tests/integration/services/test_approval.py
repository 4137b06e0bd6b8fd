"""Orders that wait for a person: marked once, held meanwhile, decided once, and by time where nobody does."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from blueprints.inventory import service as inventory
from blueprints.inventory import store as shelves
from blueprints.orders import approval_service, erasure, service, store
from blueprints.orders import sagas as order_sagas
from blueprints.orders.domain import Order
from blueprints.orders.shapes import OrderView, PlaceOrder
from blueprints.payments import service as payments
from blueprints.payments import store as purse
from shared.acting import Actor, acting
from shared.clock import parse_timestamp, timestamp, utc_now
from shared.contracts.accounts import ErasureStarted
from shared.contracts.event import EventData, make_event
from shared.contracts.inventory import StockReserved
from shared.contracts.orders import Line, OrderApprovalRequested, OrderConfirmed
from shared.contracts.payments import PaymentAuthorized, PaymentDeclined
from shared.errors import Conflict, Forbidden, NotFound
from shared.messaging import republish
from shared.persistence.outbox import event_of
from shared.sagas import Book
from shared.settings import settings
from shared.web.auth import Principal
from tests.integration.services.conftest import TRACEPARENT, Story, told
from tests.integration.services.test_admission import ADDRESS, place, sku, someone
from tests.integration.services.test_sagas import Durable, acts

LARGE = {"name": "large", "when": "total_above", "total": {"amount": 250, "currency": "GBP"}}
CARDS = {"name": "cards", "when": "new_payment_methods", "more_than": 2, "hours": 24}
RULES: list[dict[str, Any]] = [
    LARGE,
    CARDS,
    {"name": "abroad", "when": "country_outside", "currency": "GBP", "countries": ["IE"]},
]
STAFF = Principal("staff-1", frozenset(), frozenset({"staff"}))
ACTOR = Actor("staff-1", "console", ("staff",), "approvals_decide")
DAY = 24 * 3600
__all__ = ["sku"]


@pytest.fixture(autouse=True)
def marking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders above 2.50 wait, a day at most."""
    rules(monkeypatch, LARGE)


def rules(monkeypatch: pytest.MonkeyPatch, *table: dict[str, Any]) -> None:
    monkeypatch.setenv("APPROVAL_RULES", json.dumps(table))
    settings.cache_clear()


def later(monkeypatch: pytest.MonkeyPatch, seconds: float, *modules: Any) -> None:
    """The clock of these modules is that much ahead."""
    ahead = datetime.now(UTC) + timedelta(seconds=seconds)
    for module in modules:
        monkeypatch.setattr(module, "utc_now", lambda: ahead)


async def stored(order_id: str) -> Order:
    order = await store.get(order_id)
    assert order is not None
    return order


async def answered(order: OrderView, *data: EventData) -> None:
    for item in data:
        event = make_event(
            item, source="elsewhere", subject=order.id, version=1, time=timestamp(), traceparent=TRACEPARENT
        )
        await service.record_reply(event)


async def waiting(sku: str, caller: Principal | None = None) -> OrderView:
    """An order that waits for a person."""
    order = await place(caller or someone(), sku, 3)
    await answered(order, StockReserved(order_id=order.id), PaymentAuthorized(order_id=order.id, amount=order.total))
    assert (await service.decide(order.id, timed_out=False)).status == "awaiting_approval"
    return order


async def decide(order: OrderView, decision: Any, why: str = "looked at it") -> OrderView:
    with acting(ACTOR):
        return await approval_service.decide(STAFF, order.id, decision, why)


async def test_an_order_that_no_rule_marks_is_written_and_confirmed_as_ever(sku: str) -> None:
    order = await place(someone(), sku, 2)
    assert (await stored(order.id)).approval is None
    await answered(order, StockReserved(order_id=order.id), PaymentAuthorized(order_id=order.id, amount=order.total))
    assert (await service.decide(order.id, timed_out=False)).status == "confirmed"
    assert await told(store.ORDERS, order.id) == ["order.placed", "order.confirmed"]


async def test_a_marked_order_waits_and_is_confirmed_by_a_person_once(sku: str) -> None:
    order = await waiting(sku)
    with pytest.raises(NotFound):
        await approval_service.decide(STAFF, f"ord_{secrets.token_hex(13)}", "approve", "why not")
    first = await decide(order, "approve", "the customer has called")
    assert first.status == "confirmed" and first.approval is not None
    assert (first.approval.rules, first.approval.decided_by) == (("large",), "staff")
    assert await decide(order, "approve") == first
    with pytest.raises(Conflict) as refused:
        await decide(order, "refuse")
    assert refused.value.code == "approval-decided"
    assert sorted(await told(store.ORDERS, order.id)) == [
        "act.recorded", "order.approval_requested", "order.confirmed", "order.placed",
    ]  # fmt: skip
    (act,) = await acts(store.ORDERS, order.id)
    assert (act["subject"], act["reason"], act["after"]) == (
        "staff-1", "the customer has called", {"status": "confirmed"},
    )  # fmt: skip
    query = "SELECT * FROM c WHERE c.kind = 'outbox'"
    events = [event_of(item) async for item in store.ORDERS.query(query, {}, key=order.id)]
    (confirmed,) = (event for event in events if event.type == "commerce.order.confirmed.v1")
    assert msgspec.json.decode(confirmed.data, type=OrderConfirmed).approved


async def test_the_rules_are_staffs_to_see_and_the_customer_sees_that_the_order_waits(sku: str) -> None:
    caller = someone("customer")
    order = await waiting(sku, caller)
    seen = await service.get(caller, order.id)
    assert (seen.status, seen.approval) == ("awaiting_approval", None)
    by_staff = await service.get(STAFF, order.id)
    assert by_staff.approval is not None and by_staff.approval.rules == ("large",)


async def test_a_refused_order_is_cancelled_as_not_approved(sku: str) -> None:
    order = await waiting(sku)
    refused = await decide(order, "refuse")
    assert (refused.status, refused.history[-1].reason) == ("cancelled", "not_approved")
    assert await decide(order, "refuse") == refused
    with pytest.raises(Conflict):
        await decide(order, "approve")


async def test_a_hundred_decisions_at_once_are_one(sku: str) -> None:
    order = await waiting(sku)
    wanted = ["approve", "refuse"] * 50
    done = await asyncio.gather(*(decide(order, decision) for decision in wanted), return_exceptions=True)
    assert Counter(type(each) for each in done) == {OrderView: 50, Conflict: 50}
    assert len({each.status for each in done if isinstance(each, OrderView)}) == 1
    assert len(await told(store.ORDERS, order.id)) == 4


async def test_nobody_decides_about_an_order_of_their_own(sku: str) -> None:
    order = await waiting(sku, STAFF)
    with pytest.raises(Forbidden) as refused:
        await decide(order, "approve")
    assert refused.value.code == "own-order"
    assert (await stored(order.id)).status == "awaiting_approval"


async def test_what_does_not_wait_is_not_decided(sku: str) -> None:
    plain, unanswered, declined = [await place(someone(), sku, lines) for lines in (1, 3, 3)]
    await answered(declined, PaymentDeclined(order_id=declined.id, code="no"))
    assert (await service.decide(declined.id, timed_out=False)).reason == "payment_declined"
    for order in (plain, unanswered, declined):
        with pytest.raises(Conflict) as refused:
            await decide(order, "approve")
        assert refused.value.code == "order-not-waiting"


async def test_the_customer_may_cancel_an_order_that_waits(sku: str) -> None:
    caller = someone("customer")
    order = await waiting(sku, caller)
    for _ in range(2):
        cancelled = await service.cancel(caller, order.id)
        assert (cancelled.status, cancelled.history[-1].reason) == ("cancelled", "customer_request")
    with pytest.raises(Conflict) as refused:
        await decide(order, "approve")
    assert refused.value.code == "order-not-waiting"


async def test_a_cancellation_and_a_decision_at_once_are_one_of_them(sku: str) -> None:
    for _ in range(5):
        caller = someone("customer")
        order = await waiting(sku, caller)
        await asyncio.gather(service.cancel(caller, order.id), decide(order, "approve"), return_exceptions=True)
        found = await stored(order.id)
        # approved first, the customer's wish is asked of shipping
        assert found.reason == "customer_request" or (found.status == "confirmed" and found.cancel_requested)


async def test_after_the_deadline_a_decision_is_refused_and_time_has_decided(
    sku: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await waiting(sku)
    until = (await stored(order.id)).approval
    assert until is not None and until.until is not None
    left = (parse_timestamp(until.until) - utc_now()).total_seconds()
    assert DAY - 60 < left <= DAY
    later(monkeypatch, DAY + 1, approval_service)
    for _ in range(2):
        with pytest.raises(Conflict) as refused:
            await decide(order, "approve")
        assert refused.value.code == "approval-too-late"
        await approval_service.time_out(order.id)
        with pytest.raises(Conflict) as refused:
            await decide(order, "refuse")
        assert refused.value.code == "approval-too-late"
    found = await stored(order.id)
    assert found.approval is not None
    assert (found.reason, found.approval.decided_by) == ("not_approved", "time")


async def test_an_order_that_no_saga_follows_is_decided_by_the_reconciler_and_not_before_its_time(
    sku: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(republish, "AT_MOST", 1000)
    order = await waiting(sku)
    later(monkeypatch, DAY + 1000, republish)
    await approval_service.reconcile()
    assert (await stored(order.id)).status == "awaiting_approval"
    later(monkeypatch, DAY + 1000, approval_service)
    await approval_service.reconcile()
    assert (await stored(order.id)).reason == "not_approved"


async def test_the_rules_mark_an_order_when_it_is_placed_and_never_after(
    sku: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked, plain = await place(someone(), sku, 3), await place(someone(), sku, 2)
    rules(monkeypatch, *RULES)
    approvals = [(await stored(order.id)).approval for order in (marked, plain)]
    assert [each.rules if each else None for each in approvals] == [("large",), None]
    found = (await stored((await place(someone(), sku, 3)).id)).approval
    assert found is not None and found.rules == ("large", "abroad")


async def test_the_third_new_way_to_pay_is_marked_and_forgotten_with_the_customer(
    sku: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules(monkeypatch, CARDS)
    caller, partner = someone("customer"), someone("partner")
    for who, expected in ((caller, [None, None, None, ("cards",)]), (partner, [None] * 4)):
        found = []
        for method in ("pm_one", "pm_two", "pm_one", "pm_three"):
            order = await paying(who, sku, method)
            approval = (await stored(order.id)).approval
            found.append(approval.rules if approval else None)
        assert found == expected
    known, _ = await store.get_customer(caller.subject)
    assert len(known.methods) == 3 and "pm_" not in str(known.methods)
    assert not (await store.get_customer(partner.subject))[0].methods
    started = ErasureStarted(erasure_id=f"ers_{secrets.token_hex(13)}", account_id=caller.subject)
    event = make_event(
        started, source="accounts", subject=caller.subject, version=1, time=timestamp(), traceparent=TRACEPARENT
    )
    for order_id in known.open:
        await service.settle(order_id, "cancel", "customer_request")
    await erasure.erase(event, started)
    assert not (await store.get_customer(caller.subject))[0].methods


async def paying(caller: Principal, sku: str, method: str) -> OrderView:
    body = {"items": [{"sku": sku, "quantity": 1}], "shipping_address": ADDRESS, "payment_method": method}
    return await service.place(caller, secrets.token_hex(8), msgspec.convert(body, PlaceOrder))


async def test_the_list_has_those_that_wait_the_oldest_first_page_by_page(sku: str) -> None:
    orders = [await waiting(sku) for _ in range(3)]
    done = await waiting(sku)
    await decide(done, "refuse")
    found: list[str] = []
    cursor = None
    while True:
        page = await approval_service.list_waiting(cursor, 2)
        assert len(page.items) <= 2 and all(each.rules and each.until > each.placed_at for each in page.items)
        found += [each.id for each in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert {order.id for order in orders} <= set(found) and done.id not in found
    assert len(found) == len(set(found))


async def test_what_is_held_for_a_person_is_not_overdue_before_its_time(
    sku: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(republish, "AT_MOST", 1000)
    later(monkeypatch, 3600, republish)
    order = await place(someone(), sku, 3)
    await money_and_stock(order, sku)

    async def overdue() -> list[bool]:
        return [
            order.id in await republish.unfinished(shelves.RESERVATIONS, "reservation", "reserved", 1),
            order.id in await republish.unfinished(purse.PAYMENTS, "payment", "authorized", 1),
        ]

    assert await overdue() == [True, True]
    data = OrderApprovalRequested(order_id=order.id, until=timestamp(utc_now() + timedelta(days=1)))
    event = make_event(data, source="orders", subject=order.id, version=2, time=timestamp(), traceparent=TRACEPARENT)
    for _ in range(2):
        await inventory.wait(event, data)
        await payments.wait(event, data)
    assert await overdue() == [False, False]
    later(monkeypatch, 2 * DAY, republish)
    assert await overdue() == [True, True]
    nothing = OrderApprovalRequested(order_id=f"ord_{secrets.token_hex(13)}", until=data.until)
    await inventory.wait(event, nothing)
    await payments.wait(event, nothing)


async def money_and_stock(order: OrderView, sku: str) -> None:
    story = Story(order.id, [Line(sku, 3)])
    await inventory.reserve(story.event(story.placed), story.placed)
    await payments.authorize(story.event(story.placed), story.placed)


async def test_operators_see_it_wait_resume_it_and_end_it(sku: str) -> None:
    book = Book("orders", order_sagas.KINDS)
    order = await waiting(sku)
    view = await book.read(Durable(None), order.id)
    assert (view.status, view.runtime) == ("awaiting_approval", "missing")
    assert view.waits_for.startswith("a decision of staff, until 2")
    client = Durable(None)
    await book.resume(client, order.id, "nobody followed it")
    assert [name for name, _, _ in client.started] == ["order_saga"]
    with acting(Actor("admin-1", "scripts", ("admin",), "operations_sagas_end")):
        ended = await book.end(Durable(), order.id, "the customer has called")
    assert ended.status == "cancelled"
    assert (await stored(order.id)).reason == "not_approved"
