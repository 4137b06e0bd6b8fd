"""The whole system as processes on ports of the operating system's choice, used over HTTP as anyone would.

With `COSMOS_RANGES=4` in the environment containers have four physical ranges, and are split while the tests run.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.browsing import browser as browser
from tests.splitting import RANGES, app_containers, splitting

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
DEADLINE = 10
"""Seconds that an order waits for stock and payment in these tests."""
ADDRESS = {
    "name": "A. Shopper",
    "line1": "1 Market Street",
    "city": "London",
    "postal_code": "EC1A 1AA",
    "country": "GB",
}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def problem(self) -> str:
        """The last part of a problem document's type. Raises AssertionError for an answer that is none."""
        assert self.headers["Content-Type"] == "application/problem+json", self.text
        document = self.json
        assert document["status"] == self.status
        return str(document["type"]).rpartition(":")[2]


@dataclass(frozen=True)
class System:
    """Where the running system is, and where it keeps its files."""

    state: Path
    addresses: Mapping[str, str]

    @property
    def processes(self) -> dict[str, int]:
        """Process ids of the parts as they are now."""
        return dict(json.loads((self.state / "processes.json").read_text()))


MANY_ORDERS = {"ORDER_LINES_PER_MINUTE": "100000", "ORDER_MOST_OPEN": "1000", "ORDER_DECLINES_PER_HOUR": "1000"}
"""A few accounts do here what many customers do elsewhere."""
APPROVED_ABOVE = 95_000_000
"""Minor units of GBP above which an order waits for a person: nothing else here costs as much."""
_LARGE = {"name": "large", "when": "total_above", "total": {"amount": APPROVED_ABOVE, "currency": "GBP"}}


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Everything `up` starts, once for all tests."""
    with started(tmp_path_factory.mktemp("system")) as running:
        yield running


@contextmanager
def started(
    folder: Path, *more: str, deadline: int = DEADLINE, root: Path = ROOT, app: Mapping[str, str] | None = None
) -> Iterator[System]:
    """A system of its own in a folder, with more arguments for `up`, where orders wait `deadline` seconds.

    `root`: the project that is started. `app`: more app settings.
    """
    settings = folder / "settings.json"
    shutil.copy(root / "local.settings.sample.json", settings)
    state = folder / "state"
    overrides = {
        "ORDER_DEADLINE_SECONDS": str(deadline),
        "STRIPE_TIMEOUT_SECONDS": "2",
        "PRODUCT_CACHE_SECONDS": "1",
        "APPROVAL_RULES": json.dumps([_LARGE]),
        **MANY_ORDERS,
        **(app or {}),
    }
    command = [sys.executable, "-m", "localazure", "up", "--state", str(state), "--port", "all=0"]
    process = subprocess.Popen(
        [
            *command,
            *_set(f"functions.settings={settings}", "functions.recovery=fast", f"cosmos.ranges={RANGES}"),
            *more,
        ],
        cwd=root,
        env={**os.environ, **overrides},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        addresses = _addresses(process, state)
        with splitting(addresses["cosmos"], app_containers() if RANGES > 1 else []):
            yield System(state, addresses)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def _set(*options: str) -> list[str]:
    """The options as arguments of the command line."""
    return [argument for option in options for argument in ("--set", option)]


def _addresses(process: subprocess.Popen[str], state: Path) -> dict[str, str]:
    file, deadline = state / "addresses.json", time.monotonic() + PATIENCE
    while not file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"the system does not start: {process.communicate()[0]}")
        time.sleep(0.05)
    return dict(json.loads(file.read_text()))


class Client:
    """One caller of the API."""

    def __init__(
        self,
        system: System,
        session: aiohttp.ClientSession,
        token: str,
        base: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.system, self.session, self.token = system, session, token
        self._base = base or f"{system.addresses.get('functions')}/api/v1"
        self._headers = dict(headers or {})

    def at_gateway(self, key: str | None = None) -> Client:
        """The same caller at the gateway, with a subscription key if one is given."""
        headers = {"Ocp-Apim-Subscription-Key": key} if key else {}
        return Client(self.system, self.session, self.token, f"{self.system.addresses['apim']}/v1", headers)

    async def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, data: Any = None
    ) -> Answer:
        """One request to `/v1{path}`, of the back-end itself or at the gateway; `data` is sent as it is."""
        sent = {"Authorization": f"Bearer {self.token}", **self._headers} if self.token else dict(self._headers)
        if data is not None:
            sent["Content-Type"] = "application/json"
        async with self.session.request(
            method, self._base + path, json=body, data=data, headers={**sent, **(headers or {})}
        ) as answer:
            return Answer(answer.status, answer.headers, await answer.text())

    async def order(self, body: Any, key: str | None = None) -> Answer:
        return await self.call("POST", "/orders", body, {"Idempotency-Key": key or secrets.token_hex(8)})

    async def placed(self, body: Any, key: str | None = None) -> Any:
        """The order; an answer that a product or a cart is unknown is asked again, until the news has arrived."""
        key, deadline, pause = key or secrets.token_hex(8), time.monotonic() + PATIENCE, 0.02
        while True:
            answer = await self.order(body, key)
            if answer.status == 202:
                return answer.json
            assert answer.problem in ("unknown-sku", "cart-not-found", "cart-version", "total-changed"), answer.text
            assert time.monotonic() < deadline, answer.text
            await asyncio.sleep(pause)
            pause = min(1.0, pause * 2)

    async def settled(self, order_id: str) -> Any:
        """The order once it is confirmed or cancelled."""
        return await self.until(f"/orders/{order_id}", lambda order: order["status"] != "placed")

    async def until(self, path: str, holds: Callable[[Any], bool]) -> Any:
        """The document at `path` once `holds` is true of it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                answer = await self.call("GET", path)
                if answer.status == 200 and holds(answer.json):
                    return answer.json
                await asyncio.sleep(0.03)

    async def timeline(self, order_id: str) -> list[str]:
        answer = await self.call("GET", f"/orders/{order_id}/timeline")
        return [entry["event"].removeprefix("commerce.").removesuffix(".v1") for entry in answer.json["items"]]


Login = Callable[[str], Awaitable[Client]]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=100)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=PATIENCE)) as made:
        yield made


@pytest.fixture
def login(system: System, session: aiohttp.ClientSession) -> Login:
    """Signs a seeded account in."""

    async def sign_in(account: str) -> Client:
        form = {
            "grant_type": "password",
            "client_id": "scripts",
            "username": account,
            "password": f"local-{account}",
            "scope": "api://durable-commerce/.default",
        }
        url = f"{system.addresses['entra']}/durable-commerce.local/oauth2/v2.0/token"
        async with session.post(url, data=form) as answer:
            return Client(system, session, (await answer.json())["access_token"])

    return sign_in


@pytest.fixture
async def shopper(login: Login) -> Client:
    return await login("shopper")


@pytest.fixture
async def other_shopper(login: Login) -> Client:
    return await login("shopper2")


@pytest.fixture
async def staff(login: Login) -> Client:
    return await login("staff")


@pytest.fixture
def anonymous(system: System, session: aiohttp.ClientSession) -> Client:
    return Client(system, session, "")


Stocked = Callable[[int, int], Awaitable[str]]


@pytest.fixture
def stocked(staff: Client) -> Stocked:
    """Makes a product of a given price (pence) with so many pieces; answers its SKU."""

    async def make(price: int, pieces: int) -> str:
        sku = f"T{secrets.token_hex(5)}"
        body = {"name": f"Thing {sku}", "category": "tests", "price": {"amount": price, "currency": "GBP"}}
        assert (await staff.call("PUT", f"/products/{sku}", body)).status == 201
        assert (await staff.call("PUT", f"/stock/{sku}", {"on_hand": pieces})).status == 201
        return sku

    return make


class Provider:
    """The payment provider's own books, and its moods."""

    def __init__(self, address: str, session: aiohttp.ClientSession) -> None:
        self._address, self._session = address, session

    async def intent(self, order_id: str) -> dict[str, Any] | None:
        """What the provider holds, has captured and refunded for an order; `None`: it was never asked."""
        async with self._session.get(f"{self._address}/_local/ledger") as answer:
            intents = (await answer.json())["intents"]
        found = [intent for intent in intents if intent["metadata"].get("order_id") == order_id]
        assert len(found) <= 1, f"{order_id} has {len(found)} intents"
        return found[0] if found else None

    async def money(self, order_id: str) -> tuple[int, int]:
        """Held, and captured less refunded."""
        intent = await self.intent(order_id)
        return (0, 0) if intent is None else (intent["held"], intent["captured"] - intent["refunded"])

    async def fault(self, **fault: Any) -> None:
        async with self._session.post(f"{self._address}/_local/faults", json=fault) as answer:
            assert answer.status < 300, await answer.text()

    async def behave(self) -> None:
        async with self._session.delete(f"{self._address}/_local/faults"):
            pass


@pytest.fixture
async def provider(system: System, session: aiohttp.ClientSession) -> AsyncIterator[Provider]:
    made = Provider(system.addresses["stripe"], session)
    yield made
    await made.behave()


def basket(*lines: tuple[str, int], payment_method: str = "pm_card_visa") -> dict[str, Any]:
    """The body of an order of these (sku, pieces)."""
    return {
        "items": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
        "shipping_address": ADDRESS,
        "payment_method": payment_method,
    }


@pytest.fixture
async def on_sale(staff: Client, shopper: Client) -> None:
    """The product that the examples of the documents order, of which orders has heard."""
    sku = "85123A"
    product = {"name": "Holder", "category": "home", "price": {"amount": 255, "currency": "GBP"}}
    known = await staff.call("GET", f"/products/{sku}")  # whoever plays the documents' examples sets a price, too
    match = {"If-Match": known.headers["ETag"]} if known.status == 200 else {}
    assert (await staff.call("PUT", f"/products/{sku}", product, match)).status in (200, 201)
    assert (await staff.call("PUT", f"/stock/{sku}", {"on_hand": 60})).status in (200, 201)
    await shopper.placed(basket((sku, 1)))
