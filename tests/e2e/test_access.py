"""Who may do what: tokens that prove nothing, scopes and roles that are missing, and rows that are someone else's."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from scripts.declared import example_call, operations
from shared.web.operation import Operation
from tests.e2e.conftest import Client, Stocked, System, basket

FORGED: dict[str, dict[str, Any]] = {
    "expired": {"lifetime": -60},
    "signed by another key": {"key": "other"},
    "alg=none": {"algorithm": "none"},
    "signed with the public key as a secret": {"algorithm": "HS256"},
    "for another audience": {"claims": {"aud": "api://somewhere-else"}},
    "from another issuer": {"claims": {"iss": "http://localhost:1/elsewhere/v2.0"}},
    "without expiry": {"claims": {"exp": None}},
    "without subject": {"claims": {"sub": None}},
    "not valid yet": {"claims": {"nbf": 4_000_000_000}},
    "with malformed roles": {"claims": {"roles": "admin"}},
}

PROTECTED = [operation for operation in operations() if operation.scope]


async def mint(client: Client, order: dict[str, Any]) -> Client:
    async with client.session.post(f"{client.system.addresses['entra']}/_local/tokens", json=order) as answer:
        assert answer.status == 200, await answer.text()
        return Client(client.system, client.session, (await answer.json())["access_token"])


@pytest.mark.parametrize("order", FORGED.values(), ids=FORGED)
async def test_a_token_that_proves_nothing_gets_401(anonymous: Client, order: dict[str, Any]) -> None:
    answer = await (await mint(anonymous, order)).call("GET", "/orders")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.problem in ("unauthenticated", "invalid-token", "token-expired")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer x", "Basic eDp5", "Bearer " + "a" * 10_000])
async def test_what_is_no_token_gets_401(anonymous: Client, header: str) -> None:
    answer = await anonymous.call("GET", "/orders", headers={"Authorization": header})
    assert answer.status == 401


@pytest.mark.parametrize("operation", PROTECTED, ids=lambda operation: operation.id)
async def test_a_missing_scope_gets_403(anonymous: Client, operation: Operation) -> None:
    assert operation.scope is not None
    others = {other.scope.name for other in PROTECTED if other.scope} - {operation.scope.name}
    path, headers, body = example_call(operation)
    weak = await mint(anonymous, {"account": "admin", "scopes": sorted(others)})
    answer = await weak.call(operation.method, path, body, headers)
    assert (answer.status, answer.problem) == (403, "insufficient-scope")
    assert operation.scope.name in answer.json["detail"]


@pytest.mark.parametrize(
    "operation", [operation for operation in PROTECTED if operation.privileged], ids=lambda operation: operation.id
)
async def test_staff_work_is_not_a_customers_even_with_the_scope(anonymous: Client, operation: Operation) -> None:
    assert operation.scope is not None
    path, headers, body = example_call(operation)
    customer = await mint(anonymous, {"scopes": [operation.scope.name]})
    answer = await customer.call(operation.method, path, body, headers)
    assert (answer.status, answer.problem) == (403, "insufficient-role")


ALSO = (("GET", "/shipments"), ("GET", "/returns"))


async def test_someone_elses_order_does_not_exist(shopper: Client, other_shopper: Client, stocked: Stocked) -> None:
    sku = await stocked(100, 5)
    order = await shopper.placed(basket((sku, 1)))
    await shopper.settled(order["id"])
    for method, path in (("GET", ""), ("POST", "/cancel"), ("GET", "/timeline"), ("GET", "/payment"), *ALSO):
        own = await shopper.call("GET", f"/orders/{order['id']}")
        answer = await other_shopper.call(method, f"/orders/{order['id']}{path}")
        missing = await other_shopper.call(method, f"/orders/ord_{'a' * 26}{path}")
        assert answer.status == missing.status == 404
        assert answer.json["detail"] == missing.json["detail"]
        assert own.status == 200
    listed = await other_shopper.call("GET", "/orders?limit=100")
    assert order["id"] not in listed.text


async def test_someone_elses_cart_does_not_exist(shopper: Client, other_shopper: Client) -> None:
    cart = (await shopper.call("POST", "/carts")).json
    assert (await other_shopper.call("GET", f"/carts/{cart['id']}")).status == 404
    assert (await other_shopper.call("PUT", f"/carts/{cart['id']}/items/A", {"quantity": 1})).status == 404


async def test_staff_may_read_and_cancel_any_order(shopper: Client, staff: Client, stocked: Stocked) -> None:
    sku = await stocked(100, 5)
    order = await shopper.placed(basket((sku, 1)))
    await shopper.settled(order["id"])
    assert (await staff.call("GET", f"/orders/{order['id']}")).status == 200
    assert (await staff.call("POST", f"/orders/{order['id']}/cancel")).status == 202
    await shopper.until(f"/orders/{order['id']}", lambda found: found["status"] == "cancelled")


async def test_only_staff_may_list_the_orders_of_others(shopper: Client, staff: Client) -> None:
    assert (await shopper.call("GET", "/orders?customer_id=someone")).status == 403
    assert (await staff.call("GET", "/orders?customer_id=someone")).json == {"items": [], "next_cursor": None}


async def test_anyone_may_browse(anonymous: Client, stocked: Stocked) -> None:
    sku = await stocked(100, 5)
    assert (await anonymous.call("GET", f"/products/{sku}")).json["price"] == {"amount": 100, "currency": "GBP"}


async def test_a_webhook_that_its_provider_did_not_sign_is_refused(anonymous: Client) -> None:
    event = {"type": "payment_intent.amount_capturable_updated", "data": {"object": {"id": "pi_1", "metadata": {}}}}
    for headers in ({}, {"Stripe-Signature": "t=1,v1=00"}):
        answer = await anonymous.call("POST", "/payments/webhooks/stripe", event, headers)
        assert (answer.status, answer.problem) == (400, "invalid-signature")
    event = {"object": "Event", "result": {"object": "Tracker", "id": "trk_1", "status": "delivered"}}
    for headers in ({}, {"X-Hmac-Signature": "hmac-sha256-hex=00"}):
        answer = await anonymous.call("POST", "/shipments/webhooks/easypost", event, headers)
        assert (answer.status, answer.problem) == (400, "invalid-signature")


async def test_no_token_no_address_and_no_card_is_in_any_log_and_no_token_in_any_file(
    system: System, shopper: Client, stocked: Stocked
) -> None:
    sku = await stocked(100, 5)
    street = f"Secret Street {secrets.token_hex(8)}"
    request = basket((sku, 1))
    request["shipping_address"] = {**request["shipping_address"], "line1": street}
    order = await shopper.placed(request)
    card = {**basket((sku, 1)), "payment_method": "4242424242424242"}
    assert (await shopper.order(card)).status == 400
    await shopper.settled(order["id"])
    await shopper.until(f"/orders/{order['id']}/payment", lambda payment: payment["status"] == "captured")
    logs = "".join(path.read_text() for path in (system.state / "logs").iterdir())
    for secret in (
        shopper.token,
        street,
        "4242424242424242",
        "pm_card_visa",
        "whsec_local",
        "sk_test_local",
        "EZTK_local",
    ):
        assert secret not in logs
    for path in system.state.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert shopper.token.encode() not in content, path
            assert b"4242424242424242" not in content, path
