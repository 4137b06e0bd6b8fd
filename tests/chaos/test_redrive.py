"""Many dead letters are listed and redriven at a stated rate, and the host is killed twice: none is lost or sent twice.

DEAD_LETTERS=10000 makes it many; the gate has fewer.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from shared.clock import timestamp
from shared.contracts.catalog import ProductChanged
from shared.contracts.event import make_event
from shared.money import Money
from tests.chaos.shop import Caller, sign_in
from tests.chaos.stores import PRODUCT_COPIES
from tests.chaos.system import System, running

COUNT = int(os.environ.get("DEAD_LETTERS", "400"))
RATE = max(50, COUNT // 40)
KILLS = (0.25, 0.6)
"""The host dies when so much of it is done."""
PATIENCE = 600.0
LABEL = "commerce.product.changed.v1"
DEAD = "catalog/Subscriptions/orders/$DeadLetterQueue"


async def test_a_host_that_dies_twice_loses_no_dead_letter_and_sends_none_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    skus = [f"D{secrets.token_hex(3)}{number}" for number in range(COUNT)]
    async with running(tmp_path / "system") as system, aiohttp.ClientSession() as session:
        admin = await sign_in(system, session, "admin")
        await system.kill("functions")
        await _die(system, skus)
        await system.restart("functions")

        began = time.monotonic()
        listed = await _listed(admin)
        seconds_listing = time.monotonic() - began
        assert sorted(listed) == sorted(skus)

        asked = {"topic": "catalog", "service": "orders", "why": "a test", "rate": RATE, "dry_run": False}
        began = time.monotonic()
        task = await admin.done("POST", "/operations/redrives", asked, key="many")
        seen = []
        for part in KILLS:
            seen.append(await _until_done(admin, task["id"], part))
            await system.kill("functions")
            await system.restart("functions")
        task = await _until_done(admin, task["id"], 2)
        seconds = time.monotonic() - began
        snapshot = await system.stores.at_rest(PATIENCE)

    assert task["status"] == "completed", task
    names = ("matched", "sent", "handled", "came_back", "waiting")
    assert [task["result"][name] for name in names] == [COUNT, COUNT, COUNT, 0, 0]
    assert all(part["progress"]["total"] == COUNT for part in seen)
    copies = [document["sku"] for document in snapshot.documents[PRODUCT_COPIES] if document["sku"] in set(skus)]
    assert sorted(copies) == sorted(skus), "each product arrived"
    again = [message_id for message_id in snapshot.sent["catalog"] if f"#{task['id']}:" in message_id]
    assert len(again) == COUNT, "each dead letter has one message more"
    assert sum(sum(states.values()) for states in snapshot.queues.values()) == 0
    assert seconds >= COUNT / RATE - 1, "no faster than was said"
    with capsys.disabled():
        print(
            f"\n{COUNT} dead letters: listed in {seconds_listing:.1f} s, redriven in {seconds:.0f} s, {RATE}/s stated"
        )


async def _die(system: System, skus: list[str]) -> None:
    """News of these products, which orders' subscription holds among its dead letters."""
    connection = system.settings["SERVICEBUS_CONNECTION"]
    async with ServiceBusClient.from_connection_string(connection) as bus:
        async with bus.get_topic_sender("catalog") as sender:
            for start in range(0, len(skus), 100):
                await sender.send_messages([_message(sku) for sku in skus[start : start + 100]])
        left = len(skus)
        async with bus.get_subscription_receiver("catalog", "orders", prefetch_count=200) as receiver:
            while left:
                messages = await receiver.receive_messages(200, max_wait_time=10)
                assert messages, f"{left} are missing"
                await asyncio.gather(*(receiver.dead_letter_message(each, "TestReason", "dead") for each in messages))
                left -= len(messages)


def _message(sku: str) -> ServiceBusMessage:
    event = make_event(
        ProductChanged(sku=sku, name=sku, category="tests", price=Money(100, "GBP")),
        source="catalog", subject=sku, version=1, time=timestamp(),
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )  # fmt: skip
    return ServiceBusMessage(msgspec.json.encode(event), message_id=event.id, session_id=event.subject, subject=LABEL)


async def _listed(admin: Caller) -> list[str]:
    """The subjects of all dead letters, page by page."""
    found: list[str] = []
    cursor = ""
    while True:
        path = f"/operations/dead-letters?topic=catalog&reason=TestReason&limit=100{cursor}"
        page = await admin.done("GET", path)
        found += [letter["subject"] for letter in page["items"]]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


async def _until_done(admin: Caller, task_id: str, part: float) -> Any:
    """The task once so much of it is done, or it has ended."""
    async with asyncio.timeout(PATIENCE):
        while True:
            task = await admin.done("GET", f"/operations/tasks/{task_id}")
            done, total = task["progress"]["done"], task["progress"]["total"]
            if task["status"] not in ("pending", "running") or (total and done >= part * total):
                return task
            await asyncio.sleep(0.1)
