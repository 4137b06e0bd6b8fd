"""The sagas of services as operators see them: what waits and why, resumed from whatever became of the instance, and
ended by the saga's own way to give up, on record. Durable's client is played; the stores are real."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from blueprints.accounts import forget, gather
from blueprints.accounts import sagas as account_sagas
from blueprints.accounts import store as accounts
from blueprints.orders import domain, return_service, return_store, service, store
from blueprints.orders import sagas as order_sagas
from blueprints.shipping import sagas as shipping_sagas
from blueprints.shipping import service as shipping
from blueprints.shipping import store as shipments
from blueprints.shipping.service import Ship
from shared import ids
from shared.acting import Actor, acting
from shared.clock import parse_timestamp, timestamp
from shared.contracts.event import EventData, make_event
from shared.contracts.inventory import StockReserved
from shared.contracts.orders import Line, OrderConfirmed, OrderPlaced
from shared.contracts.payments import PaymentAuthorized
from shared.errors import Conflict, InvalidRequest, NotFound, Transient
from shared.money import Money
from shared.persistence.cosmos import Container
from shared.persistence.outbox import event_of
from shared.recovery import LATE_START_SECONDS
from shared.sagas import Book
from shared.web.auth import Principal
from tests.integration.services.conftest import TRACEPARENT, told
from tests.integration.services.test_returns_service import ADDRESS, OWNER, STAFF, ask, count, sold

ADMIN = Actor("admin-1", "scripts", ("admin",), "operations_sagas_end")
ORDERS = Book("orders", order_sagas.KINDS)
SHIPPING = Book("shipping", shipping_sagas.KINDS)
ACCOUNTS = Book("accounts", account_sagas.KINDS)


@dataclass
class Durable:
    """Durable's client, as far as operators' acts ask it."""

    status: str | None = "Running"
    fails: bool = False
    started: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    raised: list[tuple[str, str]] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)

    async def start_new(self, name: str, instance_id: str, given: Any) -> None:
        self._answer()
        self.started.append((name, instance_id, given))
        self.status = "Pending"

    async def raise_event(self, instance_id: str, name: str, data: Any) -> None:
        self._answer()
        self.raised.append((instance_id, name))

    async def resume(self, instance_id: str, reason: str) -> None:
        self._answer()
        self.resumed.append(instance_id)
        self.status = "Running"

    async def get_status(self, instance_id: str) -> Any:
        return SimpleNamespace(runtime_status=SimpleNamespace(name=self.status)) if self.status else None

    def _answer(self) -> None:
        if self.fails:
            raise Exception("no answer")


async def placed(*replies: EventData) -> domain.Order:
    order = domain.place(
        order_id=ids.drawn("ord"),
        customer_id="customer",
        lines=(domain.OrderLine("A", "A", 2, Money(100, "GBP")),),
        shipping_address=ADDRESS,
        at=timestamp(),
        request_hash="hash",
    )
    data = OrderPlaced(order_id=order.id, customer_id="customer", lines=[], total=order.total, payment_method="pm_a")
    await store.add(order, data)
    for reply in replies:
        await service.record_reply(
            make_event(
                msgspec.structs.replace(reply, order_id=order.id), source="elsewhere", subject=order.id, version=1,
                time=timestamp(), traceparent=TRACEPARENT,
            )
        )  # fmt: skip
    return order


STOCK = StockReserved(order_id="")
MONEY = PaymentAuthorized(order_id="", amount=Money(200, "GBP"))


async def acts(container: Container, key: str) -> list[dict[str, Any]]:
    query = "SELECT * FROM c WHERE c.kind = 'outbox' AND c.event.type = 'commerce.act.recorded.v1'"
    return [msgspec.json.decode(event_of(document).data) async for document in container.query(query, {}, key=key)]


async def test_why_an_order_waits_is_told_by_what_has_been_answered() -> None:
    for replies, waits_for in (
        ((), "an answer about stock and payment"),
        ((STOCK,), "an answer about payment"),
        ((MONEY,), "an answer about stock"),
        ((STOCK, MONEY), "its decision: everything is known"),
    ):
        order = await placed(*replies)
        view = await ORDERS.read(Durable(), order.id)
        assert (view.kind, view.about, view.status, view.runtime) == ("order_saga", order.id, "placed", "running")
        assert view.waits_for == waits_for
    assert (await ORDERS.read(Durable(None), order.id)).runtime == "missing"


async def test_the_list_has_what_is_open_by_kind_status_and_age() -> None:
    waiting, done = await placed(), await placed()
    await service.settle(done.id, "cancel", "customer_request")
    case = await ask(await sold("deliver"), A=1)

    async def listed(**asked: Any) -> set[str]:
        found, cursor = set(), None
        wanted = (asked.get("kind"), asked.get("status"), asked.get("age"))
        while True:
            page = await ORDERS.page(Durable(), *wanted, cursor, asked.get("limit", 100))
            found |= {each.id for each in page.items}
            if (cursor := page.next_cursor) is None:
                return found

    everything = await listed()
    assert {waiting.id, case.id} <= everything and done.id not in everything
    assert await listed(limit=3) == everything
    assert waiting.id not in await listed(kind="return_saga")
    assert await listed(status="requested") <= await listed(kind="return_saga")
    assert waiting.id not in await listed(age=3600)
    for wrong in ({"kind": "nothing"}, {"status": "delivered"}, {"kind": "order_saga", "status": "requested"}):
        with pytest.raises(InvalidRequest):
            await listed(**wrong)


@pytest.mark.parametrize("status", [None, "Failed", "Terminated", "Completed"])
async def test_a_saga_that_is_no_more_begins_anew_with_what_is_stored(status: str | None) -> None:
    order, client = await placed(STOCK), Durable(status)
    with acting(ADMIN):
        view = await ORDERS.resume(client, order.id, "the database is back")
    ((name, instance, given),) = client.started
    assert (name, instance, view.runtime) == ("order_saga", order.id, "pending")
    assert given["order_id"] == order.id and given["deadline"] > order.placed_at
    late = parse_timestamp(order.placed_at) - parse_timestamp(given["placed_at"])
    assert late.total_seconds() >= LATE_START_SECONDS, "it looks up what is recorded before it waits"
    assert "money_first" not in given
    (act,) = await acts(store.ORDERS, order.id)
    assert (act["subject"], act["target"], act["reason"]) == ("admin-1", order.id, "the database is back")


async def test_one_that_lives_is_woken_and_one_that_is_suspended_goes_on() -> None:
    order = await placed()
    live, suspended = Durable(), Durable("Suspended")
    await ORDERS.resume(live, order.id, "looks stuck")
    assert (live.started, live.raised) == ([], [(order.id, "cancelled")])
    await ORDERS.resume(suspended, order.id, "go on")
    assert (suspended.started, suspended.resumed) == ([], [order.id])
    with pytest.raises(Transient):
        await ORDERS.resume(Durable(fails=True), order.id, "go on")


@pytest.mark.parametrize("status", [None, "Failed", "Running", "Suspended"])
async def test_an_order_is_ended_by_its_cancellation_whose_event_gives_everything_back(status: str | None) -> None:
    order, client = await placed(STOCK, MONEY), Durable(status)
    with acting(ADMIN):
        view = await ORDERS.end(client, order.id, "the customer has called")
    assert (view.status, view.waits_for) == ("cancelled", "")
    assert sorted(await told(store.ORDERS, order.id)) == ["act.recorded", "order.cancelled", "order.placed"]
    assert client.resumed == ([order.id] if status == "Suspended" else [])
    assert bool(client.raised) == (status in ("Running", "Suspended"))
    (act,) = await acts(store.ORDERS, order.id)
    assert (act["act"], act["after"]) == ("operations_sagas_end", {"status": "cancelled"})
    with pytest.raises(Conflict) as refused:
        await ORDERS.end(client, order.id, "again")
    assert refused.value.code == "saga-over"
    with pytest.raises(Conflict):
        await ORDERS.resume(client, order.id, "again")


async def test_an_order_that_is_decided_while_it_is_ended_stays_decided_once() -> None:
    order = await placed(STOCK, MONEY)
    ended, _ = await asyncio.gather(
        ORDERS.end(Durable(), order.id, "enough"), service.decide(order.id, timed_out=False), return_exceptions=True
    )
    status = (await service.get(STAFF, order.id)).status
    assert isinstance(ended, Conflict) == (status == "confirmed"), ended
    decisions = [name for name in await told(store.ORDERS, order.id) if name in ("order.confirmed", "order.cancelled")]
    assert decisions == [f"order.{status}"]


async def test_the_timeline_tells_staff_what_was_done_and_why_and_the_customer_that_it_was() -> None:
    order = await placed()
    with acting(ADMIN):
        await ORDERS.resume(Durable(None), order.id, "nobody followed it")
        await ORDERS.end(Durable(None), order.id, "the customer has called")
    for caller, whys in ((STAFF, {"nobody followed it", "the customer has called"}), (OWNER, set())):
        entries = (await service.timeline(caller, order.id)).items
        assert {entry.why for entry in entries if entry.why} == whys
        assert [entry.event for entry in entries].count("commerce.act.recorded.v1") == 2


async def test_a_return_ends_as_time_would_end_it_and_never_where_money_is_owed() -> None:
    first, second, third = [await sold("deliver") for _ in range(3)]
    asked = await ask(first, A=1)
    assert (await ORDERS.end(Durable(), asked.id, "not ours")).status == "refused"
    approved = await ask(second, A=1)
    await return_service.decide(second.id, approved.id, "approve")
    assert (await ORDERS.read(Durable(), approved.id)).waits_for == "what is to come back, and its count"
    assert (await ORDERS.end(Durable(), approved.id, "never came")).status == "expired"
    owed = await ask(third, A=1)
    await return_service.decide(third.id, owed.id, "approve")
    await return_service.receive(third.id, owed.id, count(A=(1, 0)))
    with pytest.raises(Conflict) as refused:
        await ORDERS.end(Durable(), owed.id, "too long")
    assert refused.value.code == "refund-owed"
    read = await return_store.get(third.id, owed.id)
    assert read is not None and read.case.status == "received"
    client = Durable("Failed")
    await ORDERS.resume(client, owed.id, "payments is back")
    assert [(name, given["order_id"]) for name, _, given in client.started] == [("return_saga", third.id)]


async def test_a_monitor_ends_with_its_parcel_counted_as_lost() -> None:
    order_id = ids.drawn("ord")
    data = OrderConfirmed(order_id=order_id, total=Money(100, "GBP"), customer_id="customer", lines=[Line("A", 1)])
    await shipping.keep(
        make_event(data, source="orders", subject=order_id, version=2, time=timestamp(), traceparent=TRACEPARENT), data
    )
    shipment = await shipping.ship(STAFF, order_id, "k", Ship(carrier="UPS", tracking_number="PARCEL-9"))
    view = await SHIPPING.read(Durable(), shipment.id)
    assert (view.kind, view.about, view.status) == ("shipping_tracking_monitor", order_id, "shipped")
    assert view.waits_for.startswith("news of UPS")
    client = Durable(None)
    await SHIPPING.resume(client, shipment.id, "gone")
    ((_, _, given),) = client.started
    assert given["shipment_id"] == shipment.id and given["until"] > shipment.shipped_at
    with acting(ADMIN):
        assert (await SHIPPING.end(Durable(), shipment.id, "the carrier says lost")).status == "failed"
    assert "shipment.failed" in await told(shipments.SHIPMENTS, order_id)
    assert [act["reason"] for act in await acts(shipments.SHIPMENTS, order_id)] == ["the carrier says lost"]


async def test_an_export_begins_anew_where_its_instance_is_gone_and_ends_with_what_was_told() -> None:
    caller = Principal(f"acc-{secrets.token_hex(8)}", frozenset(), frozenset({"customer"}))
    asked = await gather.request(caller)
    client = Durable(status=None)
    await ACCOUNTS.resume(client, asked.id, "look")
    ((name, instance, given),) = client.started
    assert (name, instance, given["account_id"]) == ("accounts_export", asked.id, caller.subject)
    client.status = "Running"
    await ACCOUNTS.resume(client, asked.id, "look")
    assert client.raised == [(asked.id, "answered")]
    assert "carts" in (await ACCOUNTS.read(client, asked.id)).waits_for
    with acting(ADMIN):
        assert (await ACCOUNTS.end(client, asked.id, "a week is over")).status == "incomplete"
        with pytest.raises(Conflict):
            await ACCOUNTS.end(client, asked.id, "again")
    assert (await gather.get(caller, asked.id)).status == "incomplete"
    assert [act["reason"] for act in await acts(accounts.ACCOUNTS, caller.subject)] == ["a week is over"]


async def test_an_erasure_ends_with_a_certificate_that_names_the_silent_and_only_once_it_has_begun() -> None:
    caller = Principal(secrets.token_hex(8), frozenset(), frozenset())
    asked = await forget.request(caller)
    with pytest.raises(Conflict) as refused:
        await ACCOUNTS.end(Durable(), asked.id, "now")
    assert refused.value.code == "erasure-not-begun"
    client = Durable()
    await ACCOUNTS.resume(client, asked.id, "look")
    await forget.begin(caller.subject, asked.id)
    await ACCOUNTS.resume(client, asked.id, "look")
    assert client.raised == [(asked.id, "dropped"), (asked.id, "answered")]
    assert "carts" in (await ACCOUNTS.read(client, asked.id)).waits_for
    with acting(ADMIN):
        assert (await ACCOUNTS.end(client, asked.id, "a month is over")).status == "incomplete"
    # whatever its instance does next, nobody is asked again
    assert await forget.ask(caller.subject, asked.id, 5) == ("incomplete", [])
    certificate = (await forget.get(caller, asked.id)).result
    assert certificate is not None and "carts" in certificate.silent
    assert [act["reason"] for act in await acts(accounts.ACCOUNTS, caller.subject)] == ["a month is over"]


async def test_what_a_service_does_not_follow_is_not_there() -> None:
    order = await placed()
    for book in (SHIPPING, ACCOUNTS):
        with pytest.raises(NotFound):
            await book.read(Durable(), order.id)
    with pytest.raises(NotFound):
        await ORDERS.end(Durable(), ids.drawn("ord"), "none")
