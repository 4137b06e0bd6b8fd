"""Shipping under every order of its events, with repeats, at the same time, and with carriers that keep silent."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from blueprints.shipping import provider, service, store
from blueprints.shipping.provider import News
from blueprints.shipping.service import LineIn, Ship
from localazure.easypost.webhooks import signature
from shared import clock
from shared.acting import Actor, acting
from shared.contracts.orders import Line, OrderCancellationRequested, OrderConfirmed
from shared.errors import Conflict, InvalidRequest, NotFound, PayloadTooLarge, Rejected, Unprocessable
from shared.money import Money
from shared.web.auth import Principal
from shared.web.body import MAX_BODY
from tests.integration.services.conftest import Story, told

STAFF = Principal("staff", frozenset(), frozenset({"staff"}))
OWNER = Principal("customer", frozenset(), frozenset({"customer"}))
STRANGER = Principal("stranger", frozenset(), frozenset({"customer"}))


class Order(Story):
    """One order's events, as orders tells them to shipping."""

    def __init__(self, **pieces: int) -> None:
        lines = [Line(sku, quantity) for sku, quantity in (pieces or {"A": 3, "B": 1}).items()]
        super().__init__(f"ord_{secrets.token_hex(8)}", lines)
        self.requested = OrderCancellationRequested(order_id=self.order_id)

    async def confirm(self) -> None:
        await service.keep(self.event(self.confirmed, 2), self.confirmed)

    async def stop(self) -> None:
        await service.stop(self.event(self.requested, 3), self.requested)

    async def ship(self, key: str = "", number: str = "", **pieces: int) -> service.ShipmentView:
        items = [LineIn(sku, quantity) for sku, quantity in pieces.items()] or None
        request = Ship("UPS", number or f"P{secrets.token_hex(6)}", items)
        return await service.ship(STAFF, self.order_id, key or secrets.token_hex(4), request)

    async def told(self) -> list[str]:
        return await told(store.SHIPMENTS, self.order_id)


async def confirmed(**pieces: int) -> Order:
    order = Order(**pieces)
    await order.confirm()
    return order


class Carriers:
    """What exists only here: carriers that say something, or nothing."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def say(self, number: str, status: str) -> None:
        await self.post(f"trackers/{number}", {"status": status})

    async def post(self, path: str, body: dict[str, Any]) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self._address}/_local/{path}", json=body) as sent,
        ):
            assert sent.status < 300, await sent.text()


@pytest.fixture
def carriers(addresses: dict[str, str]) -> Carriers:
    return Carriers(addresses["easypost"])


def later(monkeypatch: pytest.MonkeyPatch, **ahead: float) -> None:
    """Turn the app's clock."""
    now = clock.utc_now() + timedelta(**ahead)
    monkeypatch.setattr(service, "utc_now", lambda: now)


async def test_an_order_is_shipped_whole_where_nothing_else_is_said() -> None:
    order = await confirmed(A=3, B=1)
    shipment = await order.ship()
    assert {line.sku: line.quantity for line in shipment.items} == {"A": 3, "B": 1}
    assert await order.told() == ["shipment.shipped"]
    with pytest.raises(Conflict, match="everything has been shipped"):
        await order.ship()


async def test_an_order_is_shipped_in_parts_and_no_piece_twice() -> None:
    order = await confirmed(A=3, B=1)
    await order.ship(A=2)
    with pytest.raises(Conflict):
        await order.ship(A=2)
    with pytest.raises(Conflict):
        await order.ship(C=1)
    rest = await order.ship()
    assert {line.sku: line.quantity for line in rest.items} == {"A": 1, "B": 1}
    page = await service.list_of_order(OWNER, order.order_id)
    assert sum(line.quantity for shipment in page.items for line in shipment.items) == 4


async def test_many_who_ship_the_same_order_at_once_ship_every_piece_once() -> None:
    order = await confirmed(A=5)
    done = await asyncio.gather(*(order.ship(A=1) for _ in range(8)), return_exceptions=True)
    shipped = [each for each in done if isinstance(each, service.ShipmentView)]
    page = await service.list_of_order(STAFF, order.order_id)
    assert {each.id for each in shipped} == {each.id for each in page.items}
    assert len(shipped) <= 5
    for _ in range(5 - len(shipped)):
        await order.ship(A=1)
    with pytest.raises(Conflict):
        await order.ship(A=1)


async def test_the_same_key_ships_once_and_another_request_under_it_is_refused() -> None:
    order = await confirmed(A=3)
    first = await order.ship("key", "PARCEL-1", A=1)
    again = await asyncio.gather(*(order.ship("key", "PARCEL-1", A=1) for _ in range(3)))
    assert again == [first] * 3
    with pytest.raises(Unprocessable) as refused:
        await order.ship("key", "PARCEL-2", A=1)
    assert refused.value.code == "idempotency-key-reused"
    assert await order.told() == ["shipment.shipped"]


async def test_what_is_not_confirmed_is_not_there_to_be_shipped() -> None:
    with pytest.raises(NotFound):
        await Order().ship()


@pytest.mark.parametrize(
    "deliveries", sorted(set(itertools.permutations(["confirm", "confirm", "stop", "stop"]))), ids="-".join
)
async def test_what_is_stopped_is_never_shipped_in_whatever_order_its_events_come(deliveries: tuple[str, ...]) -> None:
    order = Order()
    for name in deliveries:
        deliver: Callable[[], Awaitable[None]] = getattr(order, name)
        await deliver()
    with pytest.raises(Conflict) as refused:
        await order.ship()
    assert refused.value.code == "order-being-cancelled"
    assert await order.told() == ["shipment.stopped"]


async def test_what_has_shipped_is_not_stopped() -> None:
    order = await confirmed(A=2)
    await order.ship(A=1)
    await order.stop()
    await order.ship(A=1)
    assert await order.told() == ["shipment.shipped", "shipment.shipped"]


async def test_shipping_and_stopping_at_once_is_one_of_them() -> None:
    for _ in range(5):
        order = await confirmed()
        await asyncio.gather(order.ship(), order.stop(), return_exceptions=True)
        await order.stop()
        assert await order.told() in (["shipment.shipped"], ["shipment.stopped"])


async def test_a_confirmation_of_a_release_before_shipping_can_never_be_handled() -> None:
    order = Order()
    old = OrderConfirmed(order_id=order.order_id, total=Money(500, "GBP"))
    with pytest.raises(Rejected):
        await service.keep(order.event(old, 2), old)


async def test_shipments_are_the_owners_and_staffs_to_see() -> None:
    order = await confirmed()
    shipment = await order.ship()
    assert await service.get(OWNER, order.order_id, shipment.id) == shipment
    assert (await service.list_of_order(STAFF, order.order_id)).items == [shipment]
    for caller, order_id, shipment_id in (
        (STRANGER, order.order_id, shipment.id),
        (OWNER, "ord_none", shipment.id),
        (OWNER, order.order_id, "shp_none"),
    ):
        with pytest.raises(NotFound):
            await service.get(caller, order_id, shipment_id)
    with pytest.raises(NotFound):
        await service.list_of_order(STRANGER, order.order_id)


async def test_a_parcel_is_followed_once_and_what_its_carrier_says_is_written_down(carriers: Carriers) -> None:
    order = await confirmed()
    shipment = await order.ship(number="TRACKED1")
    assert await service.poll(order.order_id, shipment.id) == "shipped"
    await carriers.say("TRACKED1", "in_transit")
    assert await service.poll(order.order_id, shipment.id) == "shipped"
    assert (await service.get(OWNER, order.order_id, shipment.id)).tracking.status == "in_transit"
    await carriers.say("TRACKED1", "delivered")
    for _ in range(2):
        assert await service.poll(order.order_id, shipment.id) == "delivered"
    assert await order.told() == ["shipment.shipped", "shipment.delivered"]


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        ("EZ4000000004", "delivered", None),
        ("EZ5000000005", "failed", "returned_to_sender"),
        ("EZ6000000006", "failed", "undeliverable"),
        ("EZ2000000002", "shipped", None),
    ],
)
async def test_a_test_code_comes_to_its_end_at_the_first_poll(code: str, status: str, reason: str | None) -> None:
    order = await confirmed()
    shipment = await order.ship(number=code)
    assert await service.poll(order.order_id, shipment.id) == status
    assert (await service.get(OWNER, order.order_id, shipment.id)).reason == reason


async def test_news_late_repeated_and_at_once_come_to_the_same(carriers: Carriers) -> None:
    order = await confirmed()
    shipment = await order.ship(number="TRACKED2")
    await service.poll(order.order_id, shipment.id)
    found = await store.get_shipment(order.order_id, shipment.id)
    assert found is not None
    tracker = found.shipment.tracker_id
    news = [News(tracker, said) for said in ("delivered", "in_transit", "delivered", "out_for_delivery", "unknown")]
    await asyncio.gather(*(service.handle_webhook(each) for each in news * 2))
    assert await service.poll(order.order_id, shipment.id) == "delivered"
    assert await order.told() == ["shipment.shipped", "shipment.delivered"]


async def test_two_orders_in_one_parcel_both_hear_of_it() -> None:
    first, second = await confirmed(), await confirmed()
    shipments = [await first.ship(number="TRACKED3"), await second.ship(number="TRACKED3")]
    for shipment in shipments:
        await service.poll(shipment.order_id, shipment.id)
    found = await store.get_shipment(first.order_id, shipments[0].id)
    assert found is not None
    await service.handle_webhook(News(found.shipment.tracker_id, "delivered"))
    assert await first.told() == await second.told() == ["shipment.shipped", "shipment.delivered"]


async def test_news_of_a_parcel_that_nobody_knows_change_nothing() -> None:
    await service.handle_webhook(News("trk_of_somebody_else", "delivered"))
    await service.handle_webhook(None)


async def test_a_provider_that_does_not_answer_has_told_nothing_new(carriers: Carriers) -> None:
    order = await confirmed()
    shipment = await order.ship(number="TRACKED4")
    for kind in ("status", "drop_after_effect"):
        await carriers.post("faults", {"operation": "create", "kind": kind, "tracking_code": "TRACKED4"})
        assert await service.poll(order.order_id, shipment.id) == "shipped"
    assert (await service.get(OWNER, order.order_id, shipment.id)).tracking.status == "unknown"
    assert await service.poll(order.order_id, shipment.id) == "shipped"


async def test_silence_is_told_once_and_forgotten_by_nobody(
    carriers: Carriers, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await confirmed()
    shipment = await order.ship(number="TRACKED5")
    await service.poll(order.order_id, shipment.id)
    later(monkeypatch, days=6.9)
    await service.poll(order.order_id, shipment.id)
    assert await order.told() == ["shipment.shipped"]
    later(monkeypatch, days=7.1)
    await asyncio.gather(*(service.poll(order.order_id, shipment.id) for _ in range(3)))
    assert (await service.get(OWNER, order.order_id, shipment.id)).delayed
    assert await order.told() == ["shipment.shipped", "shipment.delayed"]
    await carriers.say("TRACKED5", "delivered")
    assert await service.poll(order.order_id, shipment.id) == "delivered"


async def test_a_parcel_that_is_given_up_may_still_turn_up(carriers: Carriers) -> None:
    order = await confirmed()
    shipment = await order.ship(number="TRACKED6")
    await service.poll(order.order_id, shipment.id)
    for _ in range(2):
        assert await service.give_up(order.order_id, shipment.id) == "failed"
    found = await store.get_shipment(order.order_id, shipment.id)
    assert found is not None
    assert found.shipment.reason == "not_heard_of"
    await service.handle_webhook(News(found.shipment.tracker_id, "delivered"))
    assert await service.give_up(order.order_id, shipment.id) == "delivered"
    assert await order.told() == ["shipment.shipped", "shipment.failed", "shipment.delivered"]


def webhook(result: Any = None, **more: Any) -> bytes:
    result = {"object": "Tracker", "id": "trk_1", "status": "delivered"} if result is None else result
    return json.dumps({"object": "Event", "description": "tracker.updated", "result": result, **more}).encode()


def test_a_webhook_of_the_provider_is_read() -> None:
    body = webhook()
    assert provider.read_webhook(body, signature(body, "easypost_local")) == News("trk_1", "delivered")
    body = webhook({"object": "Tracker", "id": "trk_1", "status": "a new word"})
    assert provider.read_webhook(body, signature(body, "easypost_local")) == News("trk_1", "unknown")
    body = webhook({"object": "Batch", "id": "batch_1"})
    assert provider.read_webhook(body, signature(body, "easypost_local")) is None


@pytest.mark.parametrize("header", ["", "hmac-sha256-hex=", "hmac-sha256-hex=00", "é", "hmac-sha256-hex=" + "0" * 64])
def test_a_webhook_of_somebody_else_is_refused(header: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        provider.read_webhook(webhook(), header)
    assert refused.value.code == "invalid-signature"


def test_a_signature_is_that_of_the_very_bytes_and_of_our_secret() -> None:
    body = webhook()
    for given, header in ((body + b" ", signature(body, "easypost_local")), (body, signature(body, "another"))):
        with pytest.raises(InvalidRequest):
            provider.read_webhook(given, header)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"1",
        b'{"result": []}',
        b'{"result": {"object": "Tracker"}}',
        b"[" * 100_000,
        b'{"result": {"object": 5}}',
    ],
    ids=lambda body: str(body[:20]),
)
def test_a_signed_webhook_of_another_shape_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        provider.read_webhook(body, signature(body, "easypost_local"))


def test_a_webhook_that_is_too_large_is_not_even_verified() -> None:
    with pytest.raises(PayloadTooLarge):
        provider.read_webhook(b" " * (MAX_BODY + 1), "")


async def test_who_ships_is_recorded_beside_the_shipment() -> None:
    order = await confirmed(A=3)
    with acting(Actor("staff-7", "", ("staff",), "shipments_ship")):
        shipment = await order.ship("key", A=2)
    query = "SELECT VALUE c.event.data FROM c WHERE c.kind = 'outbox' AND c.event.type = 'commerce.act.recorded.v1'"
    (told_,) = [data async for data in store.SHIPMENTS.query(query, {}, key=order.order_id)]
    act = json.loads(str(told_))
    assert (act["subject"], act["target"], act["after"]) == (
        "staff-7", shipment.id, {"order_id": order.order_id, "pieces": 2},
    )  # fmt: skip
