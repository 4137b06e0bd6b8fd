"""The whole system behind its front door: who may do what, one order's way, and what passing the door costs."""

from __future__ import annotations

import json
import secrets
import statistics
import time
from typing import Any

import pytest

from scripts.declared import example_call, operations
from shared.declaration import ROLES
from shared.web.operation import Operation
from tests.e2e.conftest import ADDRESS, Client, Login, Stocked, System

INTERNAL, PARTNER = "local-back-office-primary", "local-acme-primary"
NOBODYS = "ord_" + "a" * 26
CALLERS = ("anonymous", "wrong audience", *ROLES)


async def _token(client: Client, caller: str) -> str:
    if caller == "anonymous":
        return ""
    order: dict[str, Any] = {"account": {"customer": "shopper"}.get(caller, caller)}
    if caller == "wrong audience":
        order = {"account": "admin", "claims": {"aud": "api://elsewhere"}}
    if caller == "partner":
        order = {"client": "partner", "act_as_client": True}
    async with client.session.post(f"{client.system.addresses['entra']}/_local/tokens", json=order) as answer:
        return str((await answer.json())["access_token"])


def _expected(operation: Operation, caller: str) -> int | None:
    """401, 403, or `None` for whoever may."""
    if operation.scope is None:
        return None
    if caller in ("anonymous", "wrong audience"):
        return 401
    return None if caller in operation.roles else 403


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.id)
async def test_the_table_of_access_holds(anonymous: Client, operation: Operation) -> None:
    path, headers, body = example_call(operation)
    if operation.idempotency_key:
        headers |= {"Idempotency-Key": secrets.token_hex(8)}
    for caller in CALLERS:
        token = await _token(anonymous, caller)
        client = Client(anonymous.system, anonymous.session, token)
        for where in (client, client.at_gateway(), client.at_gateway(INTERNAL)):
            answer = await where.call(operation.method, path, body, headers)
            expected = _expected(operation, caller)
            if expected is None:
                assert answer.status not in (401, 403), (caller, answer)
                assert answer.status < 500
            else:
                assert answer.status == expected, (caller, answer)
                assert answer.problem


async def test_an_order_goes_through_the_door(shopper: Client, stocked: Stocked) -> None:
    sku, front = await stocked(1200, 5), shopper.at_gateway()
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    body = {"items": [{"sku": sku, "quantity": 2}], "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
    order = await front.placed(body)
    assert (await front.settled(order["id"]))["status"] == "confirmed"
    answer = await front.call("GET", f"/orders/{order['id']}", headers={"traceparent": trace})
    assert answer.headers["traceparent"] == trace
    assert answer.json["total"] == {"amount": 2400, "currency": "GBP"}


async def test_a_partner_orders_as_itself_in_its_own_dialect(anonymous: Client, stocked: Stocked) -> None:
    sku = await stocked(500, 5)
    token = await _token(anonymous, "partner")
    partner = Client(anonymous.system, anonymous.session, token).at_gateway(PARTNER)
    body = {
        "order_lines": [{"stock_code": sku, "qty": 1}],
        "ship_to": {"attention": "A", "street": "1", "town": "London", "zip": "N1", "country_code": "GB"},
        "payment_token": "pm_card_visa",
    }
    order = await partner.placed(body)
    assert order["items"][0]["sku"] == sku and order["shipping_address"]["postal_code"] == "N1"
    assert (await partner.settled(order["id"]))["status"] == "confirmed"


async def test_the_backend_believes_the_gateway_and_nobody_else(shopper: Client, system: System) -> None:
    forged = {"X-Client-Application": "forged-application", "X-Subscription-Id": "forged-subscription"}
    own = {**forged, "X-Gateway-Authorization": f"Bearer {shopper.token}"}
    for headers in (forged, own):
        assert (await shopper.call("GET", f"/orders/{NOBODYS}", headers=headers)).status == 404
    assert (await shopper.at_gateway(PARTNER).call("GET", f"/orders/{NOBODYS}", headers=forged)).status == 404
    log = (system.state / "logs" / "functions.log").read_text()
    assert "forged-" not in log
    told = [line for line in log.splitlines() if '"subscription": "acme"' in line]
    assert told and '"client_application": "8f7b2c15-4d3a-4e0b-a1c2-7d5e9f3b6a01"' in told[-1]


async def test_a_cached_product_is_faster_than_the_host(anonymous: Client, stocked: Stocked, login: Login) -> None:
    """Relative, in one run: how much the gateway adds is measured by `make bench`."""
    sku = await stocked(100, 1)
    direct, cached = anonymous, anonymous.at_gateway(INTERNAL)

    async def median(client: Client) -> float:
        times = []
        for _ in range(120):
            start = time.perf_counter()
            assert (await client.call("GET", f"/products/{sku}")).status == 200
            times.append(time.perf_counter() - start)
        return statistics.median(times[20:])

    assert await median(cached) < await median(direct)


async def test_the_portal_serves_the_document_of_this_gateway(anonymous: Client, system: System) -> None:
    base = system.addresses["apim"]
    async with anonymous.session.get(f"{base}/openapi.json") as answer:
        document = json.loads(await answer.text())
    flow = document["components"]["securitySchemes"]["oauth2"]["flows"]["authorizationCode"]
    assert document["servers"] == [{"url": f"{base}/v1"}]
    assert flow["authorizationUrl"].startswith(system.addresses["entra"])
    for path, kind in (
        ("/", "text/html"),
        ("/portal/swagger-ui-bundle.js", "text/javascript"),
        ("/oauth2-redirect.html", "text/html"),
    ):
        async with anonymous.session.get(base + path) as answer:
            assert answer.status == 200 and answer.content_type == kind
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
