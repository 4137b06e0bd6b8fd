"""A functions host for each service: one after the other is taken away under load; the others go on, and in the end
everything adds up. How long each is away: SPLIT_OUTAGE seconds, 3 unless the environment says otherwise."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from blueprints import SERVICES
from scripts.declared import operations
from scripts.openapi import AUDIENCE
from shared.messaging.topology import SUBSCRIPTIONS
from shared.web.operation import Operation
from tests.e2e.conftest import ADDRESS, DEADLINE, PATIENCE, Client, System, started

OUTAGE = float(os.environ.get("SPLIT_OUTAGE", "3"))
PIECES, PRICE = 100_000, 250
PROBES = {operation.service: operation for operation in operations() if operation.method == "GET"}
"""An operation of each service that has one which only reads."""


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with started(tmp_path_factory.mktemp("split"), "--split", ",".join(SERVICES)) as running:
        yield running


@dataclass
class Story:
    """What was asked and what came of it: statuses by operation, and the orders that were accepted."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    orders: list[str] = field(default_factory=list)

    def failures(self) -> set[str]:
        """Services that answered with a server's error."""
        return {service for service, status in self.statuses if status >= 500}


async def _client(system: System, session: aiohttp.ClientSession, account: str, key: str) -> Client:
    form = {
        "grant_type": "password",
        "client_id": "scripts",
        "username": account,
        "password": f"local-{account}",
        "scope": f"{AUDIENCE}/.default",
    }
    async with session.post(
        f"{system.addresses['entra']}/durable-commerce.local/oauth2/v2.0/token", data=form
    ) as answer:
        token = (await answer.json())["access_token"]
    headers = {"Ocp-Apim-Subscription-Key": key}
    return Client(system, session, token, f"{system.addresses['apim']}/v1", headers)


@asynccontextmanager
async def _away(system: System, service: str) -> AsyncIterator[None]:
    """The service's host is killed, and not started again before the block ends."""
    name = f"functions-{service}"
    hold = system.state / "hold" / name
    hold.parent.mkdir(exist_ok=True)
    hold.touch()
    os.kill(system.processes[name], signal.SIGKILL)
    try:
        yield
    finally:
        hold.unlink()


async def _ask(shopper: Client, staff: Client, sku: str, known: str, story: Story, stop: asyncio.Event) -> None:
    """One person's requests to every service, one after the other, until `stop`."""
    while not stop.is_set():
        body = {"items": [{"sku": sku, "quantity": 1}], "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
        requests: list[tuple[str, Client, str, str, Any]] = [
            ("orders", shopper, "POST", "/orders", body),
            *((service, staff, "GET", _path(probe, sku, known), None) for service, probe in PROBES.items()),
        ]
        for service, client, method, path, content in requests:
            headers = {"Idempotency-Key": secrets.token_hex(8)} if path == "/orders" else {}
            answer = await client.call(method, path, content, headers)
            story.statuses[service, answer.status] += 1
            if path == "/orders" and answer.status == 202:
                story.orders.append(answer.json["id"])
        await asyncio.sleep(0.1)


async def test_each_service_may_be_away(split: System) -> None:
    connector = aiohttp.TCPConnector(limit=100)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session:
        shopper = await _client(split, session, "shopper", "local-back-office-primary")
        staff = await _client(split, session, "staff", "local-back-office-primary")
        sku = f"T{secrets.token_hex(5)}"
        product = {"name": "Thing", "category": "tests", "price": {"amount": PRICE, "currency": "GBP"}}
        assert (await staff.call("PUT", f"/products/{sku}", product)).status == 201
        assert (await staff.call("PUT", f"/stock/{sku}", {"on_hand": PIECES})).status == 201
        body = {"items": [{"sku": sku, "quantity": 1}], "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
        known = (await shopper.placed(body))["id"]
        assert (await shopper.settled(known))["status"] == "confirmed"
        accepted = [known]
        for service in SERVICES:
            story, stop = Story(), asyncio.Event()
            people = [asyncio.create_task(_ask(shopper, staff, sku, known, story, stop)) for _ in range(3)]
            async with _away(split, service):
                await asyncio.sleep(OUTAGE)
            stop.set()
            await asyncio.gather(*people)
            print(service, dict(story.statuses))
            assert story.failures() == {service} & ({"orders"} | PROBES.keys()), story.statuses
            accepted += story.orders
            if service in PROBES:
                await _back(staff, _path(PROBES[service], sku, known))
        await _adds_up(split, session, shopper, staff, sku, accepted)


def _path(operation: Operation, sku: str, order_id: str) -> str:
    """A call of the operation, of what is known where it asks for that."""
    known = {"sku": sku, "order_id": order_id}
    return operation.path.format(**{part.name: known.get(part.name, part.example) for part in operation.parts})


async def _back(client: Client, path: str) -> None:
    """The gateway's circuit breaker has closed again, and the service answers."""
    async with asyncio.timeout(PATIENCE):
        while (await client.call("GET", path)).status >= 500:  # noqa: ASYNC110 - another process comes back
            await asyncio.sleep(0.2)


async def _adds_up(
    system: System, session: aiohttp.ClientSession, shopper: Client, staff: Client, sku: str, accepted: list[str]
) -> None:
    assert len(set(accepted)) == len(accepted) > 5 * len(SERVICES)
    async with asyncio.timeout(PATIENCE + DEADLINE + 10 * OUTAGE):
        orders = [await shopper.settled(order_id) for order_id in accepted]
        confirmed = {order["id"] for order in orders if order["status"] == "confirmed"}
        await staff.until(
            f"/stock/{sku}", lambda stock: stock["reserved"] == 0 and stock["on_hand"] == PIECES - len(confirmed)
        )
        wanted = dict.fromkeys(confirmed, (0, PRICE))
        while await _money(system, session, set(accepted)) != wanted:  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.5)
    print(f"{len(accepted)} orders: {len(confirmed)} confirmed, {len(accepted) - len(confirmed)} cancelled")


async def _money(system: System, session: aiohttp.ClientSession, orders: set[str]) -> dict[str, tuple[int, int]]:
    """What the provider holds and has taken, net of refunds, for each of the orders where that is anything."""
    async with session.get(f"{system.addresses['stripe']}/_local/ledger") as answer:
        intents = (await answer.json())["intents"]
    found: dict[str, tuple[int, int]] = {}
    for intent in intents:
        order_id = intent["metadata"].get("order_id")
        state = (intent["held"], intent["captured"] - intent["refunded"])
        if order_id in orders and state != (0, 0):
            assert order_id not in found, "one order, one payment"
            found[order_id] = state
    return found


async def test_operations_looks_into_every_queue_by_its_own_identity(split: System) -> None:
    connector = aiohttp.TCPConnector(limit=10)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session:
        admin = await _client(split, session, "admin", "local-back-office-primary")
        answer = await admin.call("GET", "/operations/queues")
        assert answer.status == 200, answer
        assert {(queue["topic"], queue["service"]) for queue in answer.json["items"]} == set(SUBSCRIPTIONS)
        asked = {"topic": "orders", "service": "payments", "why": "a test"}
        key = {"Idempotency-Key": secrets.token_hex(8)}
        task = (await admin.call("POST", "/operations/redrives", asked, key)).json
        ended = await admin.until(f"/operations/tasks/{task['id']}", lambda found: found["status"] == "completed")
        assert ended["result"]["matched"] == 0


async def test_e_mail_goes_out_by_the_identity_of_notifications(split: System) -> None:
    connector = aiohttp.TCPConnector(limit=10)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session:
        shopper = await _client(split, session, "shopper", "local-back-office-primary")
        address = (await shopper.call("GET", "/me")).json["email"]
        wish = await shopper.call("POST", "/me/erasure")
        assert wish.status == 202, wish
        url = f"{split.addresses['email']}/_local/messages?to={address}"
        async with asyncio.timeout(PATIENCE):
            while not (await (await session.get(url)).json())["messages"]:  # noqa: ASYNC110 - another process sends
                await asyncio.sleep(0.1)
        assert (await shopper.call("DELETE", f"/me/erasure/{wish.json['id']}")).json["status"] == "withdrawn"
