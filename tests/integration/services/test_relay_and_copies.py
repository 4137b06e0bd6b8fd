"""The relay publishes an outbox in its order, at least once; copies keep the latest version, whatever comes when."""

from __future__ import annotations

import itertools
import secrets
from typing import Any

import pytest
from azure.servicebus.aio import ServiceBusClient

from blueprints.orders import store
from shared.contracts.catalog import ProductChanged
from shared.contracts.event import Event, EventData
from shared.errors import Transient
from shared.messaging.relay import relay
from shared.money import Money
from shared.persistence.cosmos import Container, Document
from shared.persistence.outbox import enqueue_event, outbox_document

PRODUCTS = Container("catalog", "products", "sku")


def changed(sku: str, name: str = "thing") -> ProductChanged:
    return ProductChanged(sku=sku, name=name, category="tests", price=Money(1, "GBP"))


async def outbox(sku: str, *versions: int) -> list[Document]:
    """The items a change feed would show for these versions of a product."""
    for version in versions:
        await PRODUCTS.batch(sku, [enqueue_event(PRODUCTS, sku, changed(sku), version=version)])
    query = "SELECT * FROM c WHERE c.kind = 'outbox'"
    return [document async for document in PRODUCTS.query(query, {}, key=sku)]


async def received(address: str) -> list[str]:
    """The ids of what waits in orders' subscription to the catalog, completed."""
    found: list[str] = []
    async with (
        ServiceBusClient.from_connection_string(address) as bus,
        bus.get_subscription_receiver("catalog", "orders") as receiver,
    ):
        while messages := await receiver.receive_messages(50, max_wait_time=0.3):
            for message in messages:
                await receiver.complete_message(message)
            found += [str(message.message_id) for message in messages]
    return found


async def test_what_is_relayed_twice_arrives_once_and_in_order(addresses: dict[str, str]) -> None:
    sku = f"S{secrets.token_hex(5)}"
    documents = await outbox(sku, 1, 2, 3)
    await relay(PRODUCTS, documents)
    await relay(PRODUCTS, [{"id": sku, "sku": sku, "kind": "product"}, *documents])
    found = [event for event in await received(addresses["servicebus"]) if sku in event]
    assert found == [f"product.changed.v1:{sku}:{version}" for version in (1, 2, 3)]


async def test_an_event_of_a_version_beyond_32_bits_is_sent_like_any_other(addresses: dict[str, str]) -> None:
    sku, versions = f"S{secrets.token_hex(5)}", (2**31 - 1, 2**31, 1_795_820_120_183_280)
    await relay(PRODUCTS, await outbox(sku, *versions))
    found = [event for event in await received(addresses["servicebus"]) if sku in event]
    assert found == [f"product.changed.v1:{sku}:{version}" for version in versions]


async def test_a_poison_item_is_parked_with_its_reason_and_the_rest_flows_on(addresses: dict[str, str]) -> None:
    sku = f"S{secrets.token_hex(5)}"
    good = await outbox(sku, 1, 2)
    poison = {"id": "outbox:poison", "sku": sku, "kind": "outbox", "event": {"id": "poison", "type": "nonsense"}}
    huge = outbox_document(PRODUCTS, sku, await _event(sku, "x" * 300_000))
    await relay(PRODUCTS, [good[0], poison, huge, good[1]])
    found = [event for event in await received(addresses["servicebus"]) if sku in event]
    assert found == [f"product.changed.v1:{sku}:{version}" for version in (1, 2)]
    parked = [d async for d in PRODUCTS.query("SELECT * FROM c WHERE c.kind = 'parked'", {}, key=sku)]
    assert {document["outbox_id"] for document in parked} == {"outbox:poison", f"outbox:product.changed.v1:{sku}:9"}
    assert all(document["reason"] for document in parked)


async def _event(sku: str, name: str) -> Event:
    from shared.contracts.event import make_event

    return make_event(
        changed(sku, name), source="catalog", subject=sku, version=9, time="t",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )  # fmt: skip


async def test_a_relay_whose_first_step_fails_publishes_nothing_and_asks_for_the_batch_again(
    addresses: dict[str, str],
) -> None:
    sku = f"S{secrets.token_hex(5)}"
    documents = await outbox(sku, 1)

    async def fail(event: Event, data: EventData) -> None:
        raise Transient("not now")

    with pytest.raises(Transient):
        await relay(PRODUCTS, documents, fail)
    assert not [event for event in await received(addresses["servicebus"]) if sku in event]
    await relay(PRODUCTS, documents)
    assert [event for event in await received(addresses["servicebus"]) if sku in event]


@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])))
async def test_a_copy_keeps_the_latest_version_in_whatever_order_they_come(order: tuple[int, ...]) -> None:
    sku = f"S{secrets.token_hex(5)}"
    for version in (*order, *order):
        document: dict[str, Any] = {"sku": sku, "name": f"v{version}", "price": {"amount": version, "currency": "GBP"}}
        await store.keep_product(version, document)
    found = await store.product_cache.find([sku])
    assert (found[sku].name, found[sku].price.amount) == ("v3", 3)
