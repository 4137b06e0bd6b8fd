"""Clients that well-kept generators make of the API's document alone shop through the gateway: browse, cart, order,
confirmed, cancel, list. So the document says what is true, and in a way that generators understand."""

from __future__ import annotations

import asyncio
import importlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from scripts.shop import BACK_OFFICE
from tests.node import installed

from .conftest import ADDRESS, PATIENCE, ROOT, Client, Stocked

SPECIFICATION = ROOT / "apim" / "apis" / "commerce" / "specification.json"
CLIENTS = Path(__file__).parent / "clients"
T = TypeVar("T")


@pytest.fixture(scope="module")
def node() -> str:
    return installed(CLIENTS)


def tool(node: str, name: str, *arguments: str, folder: Path = CLIENTS) -> str:
    """What a program of the folder's packages prints. Raises AssertionError with what it says, where it fails."""
    command = [node, str(CLIENTS / "node_modules" / ".bin" / name), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, check=False)
    assert not done.returncode, f"{name}: {done.stdout}{done.stderr}"
    return done.stdout


def test_the_document_passes_a_linter(node: str) -> None:
    tool(node, "spectral", "lint", str(SPECIFICATION), "--fail-severity", "warn")


async def test_a_typescript_client(node: str, shopper: Client, stocked: Stocked, tmp_path: Path) -> None:
    for name in ("shop.ts", "tsconfig.json"):
        shutil.copy(CLIENTS / name, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node_modules").symlink_to(CLIENTS / "node_modules")
    tool(node, "openapi-ts", "-i", str(SPECIFICATION), "-o", str(tmp_path / "client"), "-c", "@hey-api/client-fetch")
    tool(node, "tsc", "--project", str(tmp_path))
    sku, gateway = await stocked(250, 10), f"{shopper.system.addresses['apim']}/v1"
    said = await asyncio.to_thread(
        tool, node, "tsx", "shop.ts", gateway, shopper.token, BACK_OFFICE, sku, folder=tmp_path
    )
    _check(json.loads(said))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Imports a module of the Python client."""
    program = Path(sys.executable).with_name("openapi-python-client")
    made = str(tmp_path / "shop_client")
    # of a body that is no text the generator knows one media type alone, and takes others for it where it is told
    config = tmp_path / "config.json"
    files = ("application/zip", "application/x-ndjson", "text/csv")
    config.write_text(json.dumps({"content_type_overrides": dict.fromkeys(files, "application/octet-stream")}))
    command = [str(program), "generate", "--path", str(SPECIFICATION), "--output-path", made, "--meta", "none"]
    command += ["--config", str(config)]
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert not done.returncode and "Warning" not in done.stdout + done.stderr, done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda name: importlib.import_module(f"shop_client.{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop_client"]:
        del sys.modules[name]


async def until(ask: Callable[[], Awaitable[T | None]]) -> T:
    """What `ask` gives in the end: news of a product or a cart take a moment from service to service."""
    deadline = time.monotonic() + PATIENCE
    while (found := await ask()) is None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.03)
    return found


async def test_a_python_client(package: Callable[[str], Any], shopper: Client, stocked: Stocked) -> None:
    sku, models = await stocked(250, 10), package("models")
    url = f"{shopper.system.addresses['apim']}/v1"
    async with package("client").AuthenticatedClient(
        base_url=url, token=shopper.token, raise_on_unexpected_status=True
    ) as caller:
        _check(await _shopped(package, models, caller, sku))


async def _shopped(package: Callable[[str], Any], models: Any, caller: Any, sku: str) -> dict[str, list[str]]:
    async def call(name: str, *path: str, expected: int = 200, **arguments: Any) -> Any:
        answer = await package(f"api.{name}").asyncio_detailed(*path, client=caller, **arguments)
        assert answer.status_code == expected, answer.content
        return answer.parsed

    async def place(key: str, **body: Any) -> Any:
        wanted = models.PlaceOrder(
            shipping_address=models.AddressIn.from_dict(ADDRESS), payment_method="pm_card_visa", **body
        )

        async def ask() -> Any:
            answer = await package("api.orders.orders_place").asyncio_detailed(
                client=caller, body=wanted, idempotency_key=key, ocp_apim_subscription_key=BACK_OFFICE
            )
            known = answer.status_code != 422 and answer.status_code != 404
            assert not known or answer.status_code == 202, answer.content
            return answer.parsed if known else None

        return await until(ask)

    product = await call("catalog.products_get", sku)
    cart = await call("carts.carts_open", expected=201)
    filled = await call("carts.carts_set_line", cart.id, sku, body=models.SetLine(quantity=2))
    total = models.Money(2 * product.price.amount, product.price.currency)
    placed = await place(f"cart-{cart.id}", cart_id=cart.id, cart_version=filled.version, expected_total=total)

    async def settled() -> Any:
        order = await call("orders.orders_get", placed.id)
        return None if order.status == "placed" else order

    confirmed = await until(settled)
    assert confirmed.placed_at.utcoffset() is not None, "times are times"
    direct = await place(f"direct-{cart.id}", items=[models.ItemIn(sku=sku, quantity=1)])
    answer = await package("api.orders.orders_cancel").asyncio_detailed(direct.id, client=caller)
    outcome = answer.parsed.type_ if isinstance(answer.parsed, models.Problem) else answer.parsed.status

    async def listed() -> Any:
        found = (await call("orders.orders_list", limit=100)).items
        return found if direct.id in [order.id for order in found] else None

    return {
        "confirmed": [confirmed.id, confirmed.status, confirmed.history[-1].status],
        "cancelled": [direct.id, outcome],
        "listed": [order.id for order in await until(listed)],
    }


def _check(found: dict[str, list[str]]) -> None:
    (order, *statuses), (direct, outcome) = found["confirmed"], found["cancelled"]
    assert statuses == ["confirmed", "confirmed"]
    # whoever cancels races the confirmation: either is told as the document says
    assert outcome in {"cancelled", "urn:durable-commerce:problem:order-not-cancellable"}
    assert {order, direct} <= set(found["listed"])
