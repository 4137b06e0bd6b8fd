"""Stories of products: one that changes, one that goes and comes back, and one whose events are hard to publish."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from azure.cosmos.aio import CosmosClient

from shared.clock import timestamp
from shared.contracts.catalog import ProductChanged
from shared.contracts.event import make_event
from shared.money import Money
from shared.persistence.cosmos import Container
from shared.persistence.outbox import outbox_document
from tests.chaos.stage import CONFIRMED, Stage, fresh_key
from tests.e2e.conftest import ADDRESS


async def discontinued(stage: Stage) -> None:
    """A product is taken off the shop while it lies in a cart, comes back, and is bought out of it."""
    sku = await stage.stocked(price=300)
    cart = await stage.shopper.done("POST", "/carts", key=fresh_key())
    cart = await stage.shopper.done("PUT", f"/carts/{cart['id']}/items/{sku}", {"quantity": 1})
    for off in (True, False):
        await change(stage, sku, discontinued=off)
        await _said(stage, f"/carts/{cart['id']}", [sku] * off)
    body = {"cart_id": cart["id"], "cart_version": cart["version"], "shipping_address": ADDRESS}
    body |= {"expected_total": {"amount": 300, "currency": "GBP"}, "payment_method": "pm_card_visa"}
    await stage.place(body, fresh_key(), CONFIRMED)


async def _said(stage: Stage, cart: str, discontinued: list[str]) -> None:
    async with asyncio.timeout(60):
        while (await stage.shopper.call("GET", cart)).json.get("discontinued") != discontinued:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def change(stage: Stage, sku: str, **wanted: Any) -> None:
    """Change a product at the version that was read. A change whose answer was lost is found when it is read again."""
    while True:
        read = await stage.staff.call("GET", f"/products/{sku}")
        body = {"discontinued": False, **read.json} | wanted
        if body == {"discontinued": False, **read.json}:
            return
        answer = await stage.staff.call("PUT", f"/products/{sku}", body, etag=read.headers["ETag"])
        assert answer.status in (200, 412), answer.text


async def poison(stage: Stage) -> None:
    """The outbox holds an event that nobody knows, between others that are too many for one message batch."""
    sku = f"P{secrets.token_hex(5)}"
    events = [
        make_event(
            ProductChanged(sku=sku, name=f"{version}" * 100_000, category="tests", price=Money(100, "GBP")),
            source="catalog", subject=sku, version=version, time=timestamp(),
            traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
        for version in (1, 2, 3)
    ]  # fmt: skip
    outbox = [outbox_document(Container("catalog", "products", "sku"), sku, event) for event in events]
    unknown = {**outbox[0], "id": f"outbox:unknown:{sku}"}
    unknown["event"] = {**outbox[0]["event"], "id": f"unknown:{sku}", "type": "commerce.unknown.v1"}
    product = {
        "id": sku, "sku": sku, "kind": "product", "name": "3", "category": "tests", "search_text": sku.lower(),
        "price": {"amount": 100, "currency": "GBP"}, "version": 3,
    }  # fmt: skip
    stage.told.parked.add(f"unknown:{sku}")
    async with CosmosClient.from_connection_string(stage.system.settings["COSMOS_CONNECTION"]) as client:
        products = client.get_database_client("catalog").get_container_client("products")
        documents = [product, outbox[0], unknown, *outbox[1:]]
        operations: Any = [("create", (document,)) for document in documents]
        await products.execute_item_batch(operations, partition_key=sku)
