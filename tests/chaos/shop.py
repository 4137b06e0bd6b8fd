"""Callers that do not give up: what fails because something is dead is asked for again, under the same key."""

from __future__ import annotations

import asyncio
import io
import secrets
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import jwt

from blueprints.orders.service import derive_order_id
from tests.chaos.system import System
from tests.e2e.conftest import ADDRESS, Answer

PATIENCE = 180.0
"""Seconds. While everything dies again and again, a slow machine is seldom whole for as long as a large order takes."""
_AGAIN = frozenset({502, 503})
"""502: nothing answers for the service. 503: a service that is needed does not answer."""
_NOT_YET = frozenset({"unknown-sku", "discontinued", "cart-not-found", "cart-version", "cart-empty", "total-changed"})
"""Why an order may be refused whose products or cart orders has not heard of yet."""


class Caller:
    """One caller of the API, with a token of its own."""

    def __init__(self, system: System, session: aiohttp.ClientSession, token: str) -> None:
        self._system, self._session, self.token = system, session, token
        claims = jwt.decode(token, options={"verify_signature": False})
        self.subject = str(claims["oid"])

    async def call(
        self, method: str, path: str, body: Any = None, key: str = "", etag: str = "", file: bytes = b""
    ) -> Answer:
        """The first answer that is one: not a lost connection, 502, 503 or a process that died. Raises AssertionError
        for any other 5xx."""
        headers = {"Authorization": f"Bearer {self.token}"} | ({"Idempotency-Key": key} if key else {})
        headers |= {"If-Match": etag} if etag else {}
        headers |= {"Content-Type": "text/csv"} if file else {}
        url = f"{self._system.addresses['functions']}/api/v1{path}"
        deadline, last = time.monotonic() + PATIENCE, ""
        while time.monotonic() < deadline:
            sent: dict[str, Any] = {"data": io.BytesIO(file)} if file else {"json": body}
            try:
                async with self._session.request(method, url, headers=headers, **sent) as response:
                    answer = Answer(response.status, response.headers, await response.text())
                again = answer.status in _AGAIN or _died(answer)
                assert again or answer.status < 500, f"{method} {path}: {answer.status} {answer.text}"
                if not again:
                    return answer
                last = answer.text
            except (aiohttp.ClientError, TimeoutError, OSError) as exc:
                last = repr(exc)
            await asyncio.sleep(0.05)
        raise AssertionError(f"{method} {path} had no answer in {PATIENCE:g} s: {last}")

    async def done(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """The document of a call that must succeed."""
        answer = await self.call(method, path, body, key)
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.text}"
        return answer.json

    async def place(self, body: Mapping[str, Any], key: str) -> str:
        """Place an order, waiting for the news of its products and cart to arrive; its id, once it is accepted."""
        deadline, pause = time.monotonic() + PATIENCE, 0.02
        while True:
            answer = await self.call("POST", "/orders", body, key)
            if answer.status == 202:
                assert answer.json["id"] == self.order_id(key)
                return str(answer.json["id"])
            assert answer.problem in _NOT_YET, answer.text
            assert time.monotonic() < deadline, answer.text
            await asyncio.sleep(pause)
            pause = min(0.5, pause * 2)

    def order_id(self, key: str) -> str:
        """The id that the order placed under `key` has, or is going to have."""
        return derive_order_id(self.subject, key)


async def sign_in(system: System, session: aiohttp.ClientSession, account: str, subject: str = "") -> Caller:
    """A seeded account, or someone else with the same rights."""
    claims = {"oid": subject, "sub": subject, "preferred_username": f"{subject}@example.com"} if subject else {}
    order = {"account": account, "claims": claims}
    async with session.post(f"{system.addresses['entra']}/_local/tokens", json=order) as answer:
        return Caller(system, session, (await answer.json())["access_token"])


async def offer(staff: Caller, price: int, pieces: int, *, sku: str = "", name: str = "") -> str:
    """Put a product (price in pence) and its stock into the shop; its SKU."""
    sku = sku or f"C{secrets.token_hex(5)}"
    body = {"name": name or f"Thing {sku}", "category": "tests", "price": {"amount": price, "currency": "GBP"}}
    await staff.done("PUT", f"/products/{sku}", body)
    await staff.done("PUT", f"/stock/{sku}", {"on_hand": pieces})
    return sku


def order_of(lines: Mapping[str, int], payment_method: str = "pm_card_visa") -> dict[str, Any]:
    """The body of an order of these pieces by SKU."""
    return {
        "items": [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()],
        "shipping_address": ADDRESS,
        "payment_method": payment_method,
    }


async def fault(system: System, session: aiohttp.ClientSession, order_id: str, operation: str, seconds: float) -> None:
    """Let the provider take its time over one call about this order; the call has its effect, whoever still waits."""
    order = {
        "operation": operation,
        "kind": "latency",
        "seconds": seconds,
        "count": 1,
        "match": {"metadata.order_id": order_id},
    }
    async with session.post(f"{system.addresses['stripe']}/_local/faults", json=order) as answer:
        assert answer.status < 300, await answer.text()


def _died(answer: Answer) -> bool:
    """Whether the worker process died, and nobody knows how far it got: the host says no more than 500 then."""
    return answer.status == 500 and "Content-Type" not in answer.headers
