"""What the gateway's policies promise, one function a promise. Tests run them all; the mutation check runs them again
against policies from which one element is missing."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from tests.gateway import world as w
from tests.gateway.world import Answer, World, fine

Case = Callable[[World], Awaitable[None]]
CASES: dict[str, Case] = {}

ORDER = "ord_7x3kq5n2w4m6r5t3y2u7i4o6p5"
CART = "crt_4q2n5xk7d6h3w2m5r7t2y4u6i3"
ADDRESS = {"name": "A. Shopper", "line1": "1 High Street", "city": "London", "postal_code": "N1 1AA", "country": "GB"}
PLACE = {"items": [{"sku": "85123A", "quantity": 6}], "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
PRODUCT = {"name": "HEART", "category": "home", "price": {"amount": 255, "currency": "GBP"}}
KEYED = {"Idempotency-Key": "k1"}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

OPERATIONS: dict[str, tuple[str, str, Any, dict[str, str], str]] = {
    "products_list": ("GET", "/v1/products", None, {}, ""),
    "products_get": ("GET", "/v1/products/85123A", None, {}, ""),
    "products_put": ("PUT", "/v1/products/85123A", PRODUCT, {}, "staff"),
    "carts_open": ("POST", "/v1/carts", None, {}, "shopper"),
    "carts_get": ("GET", f"/v1/carts/{CART}", None, {}, "shopper"),
    "carts_set_line": ("PUT", f"/v1/carts/{CART}/items/85123A", {"quantity": 2}, {}, "shopper"),
    "carts_remove_line": ("DELETE", f"/v1/carts/{CART}/items/85123A", None, {}, "shopper"),
    "orders_place": ("POST", "/v1/orders", PLACE, KEYED, "shopper"),
    "orders_list": ("GET", "/v1/orders", None, {}, "shopper"),
    "orders_get": ("GET", f"/v1/orders/{ORDER}", None, {}, "shopper"),
    "orders_timeline": ("GET", f"/v1/orders/{ORDER}/timeline", None, {}, "shopper"),
    "orders_cancel": ("POST", f"/v1/orders/{ORDER}/cancel", None, {}, "shopper"),
    "payments_get": ("GET", f"/v1/orders/{ORDER}/payment", None, {}, "shopper"),
    "payments_webhook": ("POST", "/v1/payments/webhooks/stripe", {"id": "evt"}, {"Stripe-Signature": "t=1,v1=a"}, ""),
    "stock_get": ("GET", "/v1/stock/85123A", None, {}, "staff"),
    "stock_put": ("PUT", "/v1/stock/85123A", {"on_hand": 5}, {}, "staff"),
}
"""Operation → method, path, a good body, headers it needs, and who may call it."""


def case(function: Case) -> Case:
    """Enter a promise in the table."""
    CASES[function.__name__] = function
    return function


async def operate(world: World, name: str, **more: Any) -> Answer:
    """A good call of an operation, with something changed."""
    method, path, body, headers, who = OPERATIONS[name]
    given: dict[str, Any] = {"token": who or None, "body": body, "headers": headers}
    given |= {**more, "headers": {**headers, **more.get("headers", {})}}
    return await world.call(method, path + more.pop("query", ""), **{k: v for k, v in given.items() if k != "query"})


def _each_operation() -> None:
    for name in OPERATIONS:

        async def passes(world: World, name: str = name) -> None:
            answer = await operate(world, name)
            assert answer.status == 200, answer
            assert world.last.path == "/api" + OPERATIONS[name][1]
            assert not {"server", "x-powered-by", "request-context"} & answer.headers.keys()
            assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", answer.headers["traceparent"])

        async def refuses(world: World, name: str = name) -> None:
            answer = await operate(world, name, query="?surprise=1")
            assert (answer.status, answer.problem) == (400, "invalid-request")
            assert "surprise" in answer.json["detail"]
            assert not world.seen

        for kind in (passes, refuses):
            kind.__name__ = f"{name}_{kind.__name__}"
            case(kind)


_each_operation()


# correlation and transport


@case
async def a_trace_is_kept(world: World) -> None:
    answer = await world.call("GET", "/v1/products", headers={"traceparent": TRACE})
    assert answer.headers["traceparent"] == TRACE == world.last.headers["traceparent"]


@case
async def a_broken_trace_is_replaced(world: World) -> None:
    for broken in ("x", TRACE.upper(), "00-" + "0" * 32 + TRACE[35:], TRACE + "-01"):
        answer = await world.call("GET", "/v1/products", headers={"traceparent": broken})
        assert answer.headers["traceparent"] == world.last.headers["traceparent"] != broken
        await world.reset()


@case
async def plain_http_is_refused(world: World) -> None:
    answer = await world.call("GET", "/v1/products", require_https="true")
    assert (answer.status, answer.problem) == (403, "https-required")
    assert not world.seen


@case
async def the_backend_learns_how_the_request_came(world: World) -> None:
    await world.call(
        "GET",
        "/v1/products",
        headers={"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "evil"},
    )
    seen = world.last.headers
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"], seen["x-forwarded-host"]) == (
        "127.0.0.1",
        "http",
        "localhost",
    )


@case
async def what_is_no_operation_is_a_problem(world: World) -> None:
    for method, path in (("GET", "/v1/nothing"), ("GET", "/other"), ("PATCH", "/v1/products")):
        answer = await world.call(method, path)
        assert (answer.status, answer.problem) == (404, "no-such-operation")
    assert not world.seen


# cross-origin requests

_ORIGIN = "http://localhost:3000"


@case
async def a_preflight_is_answered_here(world: World) -> None:
    for method, path in (
        ("GET", "/v1/orders"),
        ("PUT", "/v1/products/1"),
        ("POST", "/v1/orders"),
        ("DELETE", f"/v1/carts/{CART}/items/1"),
    ):
        asked = {"Origin": _ORIGIN, "Access-Control-Request-Method": method}
        answer = await world.call("OPTIONS", path, headers=asked)
        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] == _ORIGIN
        assert answer.headers["access-control-allow-methods"] == "GET,PUT,POST,DELETE"
        assert answer.headers["access-control-max-age"] == "600"
    assert not world.seen


@case
async def a_preflight_allows_the_headers_the_api_uses(world: World) -> None:
    asked = {"Origin": _ORIGIN, "Access-Control-Request-Method": "GET"}
    for name in (
        "Authorization",
        "Content-Type",
        "Idempotency-Key",
        "If-Match",
        "If-None-Match",
        "Ocp-Apim-Subscription-Key",
        "traceparent",
    ):
        answer = await world.call("OPTIONS", "/v1/orders", headers={**asked, "Access-Control-Request-Headers": name})
        assert answer.headers.get("access-control-allow-headers") == name.lower()
    answer = await world.call("OPTIONS", "/v1/orders", headers={**asked, "Access-Control-Request-Headers": "X-Other"})
    assert answer.status == 200 and "access-control-allow-origin" not in answer.headers


@case
async def another_origin_gets_no_permission(world: World) -> None:
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "GET"}
    answer = await world.call("OPTIONS", "/v1/orders", headers=asked)
    assert answer.status == 200 and not answer.body and "access-control-allow-origin" not in answer.headers
    answer = await world.call("GET", "/v1/products", headers={"Origin": "http://evil.example"})
    assert answer.status == 200 and "access-control-allow-origin" not in answer.headers


@case
async def a_browser_may_read_the_answers_it_needs(world: World) -> None:
    for path, status in (("/v1/products", 200), ("/v1/orders", 401)):
        answer = await world.call("GET", path, headers={"Origin": _ORIGIN})
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == _ORIGIN
        assert (
            answer.headers["access-control-expose-headers"]
            == "ETag,Location,Retry-After,RateLimit-Limit,RateLimit-Remaining,traceparent"
        )
        assert "access-control-allow-credentials" not in answer.headers


# tokens


async def _unauthenticated(world: World, token: str | None, code: str, **more: Any) -> None:
    answer = await operate(world, "orders_list", token=token, **more)
    assert (answer.status, answer.problem) == (401, code), answer
    assert answer.headers["www-authenticate"] == f'Bearer error="invalid_token", error_description="{code}"'
    assert not world.seen


@case
async def no_token(world: World) -> None:
    await _unauthenticated(world, None, "unauthenticated")
    await _unauthenticated(world, None, "unauthenticated", headers={"Authorization": "Basic c2hvcHBlcjpz"})


@case
async def another_scheme_does_not_carry_a_token(world: World) -> None:
    token = await world.token()
    await _unauthenticated(world, None, "unauthenticated", headers={"Authorization": token})


@case
async def a_token_that_has_expired(world: World) -> None:
    await _unauthenticated(world, await world.token(lifetime=-60), "token-expired")
    answer = await operate(world, "orders_list", token=await world.token(lifetime=-10))
    assert answer.status == 200, "clocks may differ by 30 seconds"


@case
async def a_token_that_is_not_the_issuers(world: World) -> None:
    for order in (
        {"key": "other"},
        {"algorithm": "none"},
        {"algorithm": "HS256"},
        {"headers": {"kid": "x"}},
        {"claims": {"iss": "http://evil.example"}},
        {"claims": {"nbf": 9_999_999_999}},
    ):
        await _unauthenticated(world, await world.token(**order), "invalid-token")
    await _unauthenticated(world, "x" * 50, "invalid-token")


@case
async def a_token_for_another_audience(world: World) -> None:
    await _unauthenticated(world, await world.token(claims={"aud": "api://other"}), "invalid-token")


@case
async def a_token_of_nobody(world: World) -> None:
    await _unauthenticated(world, await world.token(claims={"sub": None, "oid": None}), "invalid-token")


@case
async def a_token_without_expiry(world: World) -> None:
    await _unauthenticated(world, await world.token(claims={"exp": None}), "invalid-token")


async def _forbidden(world: World, name: str, token: str, code: str) -> None:
    answer = await operate(world, name, token=token)
    assert (answer.status, answer.problem) == (403, code), answer
    assert "www-authenticate" not in answer.headers
    assert not world.seen


def _each_demand() -> None:
    for name, (_, _, _, _, who) in OPERATIONS.items():
        if not who:
            continue

        async def needs_scope(world: World, name: str = name, who: str = who) -> None:
            others = [scope for scope in SCOPES.values() if scope != SCOPES[name]]
            await _forbidden(world, name, await world.token(who, scopes=others), "insufficient-scope")

        async def needs_role(world: World, name: str = name) -> None:
            stranger = await world.token("shopper", scopes=[SCOPES[name]], claims={"roles": ["stranger"]})
            await _forbidden(world, name, stranger, "insufficient-role")
            for role in ("customer", "partner", "staff", "admin"):
                token = await world.token("shopper", scopes=[SCOPES[name]], claims={"roles": [role]})
                answer = await operate(world, name, token=token)
                assert answer.status == (200 if role in ROLES[name] else 403), (role, answer)

        for kind in (needs_scope, needs_role):
            kind.__name__ = f"{name}_{kind.__name__}"
            case(kind)


STAFF = {"staff", "admin"}
ANY = {"customer", "partner", *STAFF}
SCOPES = {
    "products_put": "catalog.write",
    "carts_open": "carts.write",
    "carts_get": "carts.read",
    "carts_set_line": "carts.write",
    "carts_remove_line": "carts.write",
    "orders_place": "orders.write",
    "orders_list": "orders.read",
    "orders_get": "orders.read",
    "orders_timeline": "orders.read",
    "orders_cancel": "orders.write",
    "payments_get": "payments.read",
    "stock_get": "stock.read",
    "stock_put": "stock.write",
}
ROLES = {name: STAFF if name in {"products_put", "stock_get", "stock_put"} else ANY for name in SCOPES}
_each_demand()


@case
async def an_application_acts_as_itself(world: World) -> None:
    answer = await operate(world, "orders_place", token="partner", key="partner")
    assert answer.status == 200
    await world.reset()
    await _forbidden(world, "stock_get", await world.token("partner"), "insufficient-scope")
    roles = {"claims": {"roles": ["orders.read"]}}
    await _forbidden(world, "orders_list", await world.token("partner", **roles), "insufficient-role")


# subscriptions, rates and quotas


@case
async def a_key_must_be_valid(world: World) -> None:
    for key in ("nonsense", "cancelled"):
        answer = await operate(world, "products_list", key=key)
        assert (answer.status, answer.problem) == (401, "invalid-subscription-key")
    assert not world.seen


@case
async def a_key_may_stand_in_the_query(world: World) -> None:
    answer = await operate(world, "orders_list", query=f"?subscription-key={w.KEYS['partner']}&limit=5")
    assert answer.status == 200
    assert answer.headers["ratelimit-limit"] == str(w.PARTNER)
    assert world.last.query == "limit=5"


@case
async def a_secondary_key_is_as_good(world: World) -> None:
    answer = await operate(world, "orders_list", key="local-acme-secondary")
    assert answer.headers["ratelimit-limit"] == str(w.PARTNER)


async def _rate(world: World, most: int, **given: Any) -> None:
    for left in range(most - 1, -1, -1):
        answer = await operate(world, "orders_list" if "token" in given else "products_get", **given)
        assert answer.status == 200, answer
        assert (answer.headers["ratelimit-limit"], answer.headers["ratelimit-remaining"]) == (str(most), str(left))
    answer = await operate(world, "orders_list" if "token" in given else "products_get", **given)
    assert (answer.status, answer.problem) == (429, "too-many-requests")
    assert answer.headers["ratelimit-remaining"] == "0"
    wait = int(answer.headers["retry-after"])
    assert 55 <= wait <= 60
    assert f"{wait} seconds" in answer.json["detail"]
    assert len(world.seen) <= most
    world.clock.ahead += wait + 1
    answer = await operate(world, "orders_list" if "token" in given else "products_get", **given)
    assert answer.status == 200, "the window has moved on"


@case
async def the_rate_without_a_token_is_by_address(world: World) -> None:
    await _rate(world, w.ANONYMOUS)
    assert (await operate(world, "orders_list")).status == 200, "someone with a token is counted elsewhere"


@case
async def the_rate_with_a_token_is_by_user(world: World) -> None:
    await _rate(world, w.USER, token="shopper")
    assert (await operate(world, "orders_list", token="shopper2")).status == 200, "another user"


@case
async def the_rate_with_a_key_is_by_subscription(world: World) -> None:
    await _rate(world, w.PARTNER, token="partner", key="partner")
    await world.reset()
    await _rate(world, w.INTERNAL, token="staff", key="internal")


@case
async def the_window_slides(world: World) -> None:
    for _ in range(w.ANONYMOUS - 2):
        await operate(world, "products_get")
    world.clock.ahead += 40
    for _ in range(2):
        assert (await operate(world, "products_get")).status == 200
    assert (await operate(world, "products_get")).status == 429
    world.clock.ahead += 21  # the first calls are more than a minute old, the last two are not
    for _ in range(w.ANONYMOUS - 2):
        assert (await operate(world, "products_get")).status == 200
    assert (await operate(world, "products_get")).status == 429


async def _quota(world: World, most: int, **given: Any) -> None:
    for count in range(most):
        if count % 11 == 10:
            world.clock.ahead += 61
        assert (await operate(world, "orders_list", **given)).status == 200, count
    answer = await operate(world, "orders_list", **given)
    assert (answer.status, answer.problem) == (403, "quota-exceeded")
    assert "Quota will be replenished in " in answer.json["detail"]
    world.clock.ahead += int(answer.headers["retry-after"]) + 1
    assert (await operate(world, "products_get", key=given.get("key"))).status == 200


@case
async def the_public_quota_is_by_address(world: World) -> None:
    await _quota(world, w.PUBLIC_QUOTA, token="staff")


@case
async def the_partner_quota_is_by_subscription(world: World) -> None:
    await _quota(world, w.PARTNER_QUOTA, token="staff", key="partner")


@case
async def the_internal_quota_is_by_subscription(world: World) -> None:
    await _quota(world, w.INTERNAL_QUOTA, token="staff", key="internal")


def _each_product() -> None:
    for key in ("partner", "internal"):

        async def product_passes(world: World, key: str = key) -> None:
            answer = await operate(world, "stock_get", key=key)
            assert answer.status == 200 and world.seen
            assert "server" not in answer.headers and answer.headers["traceparent"]
            assert world.last.headers["x-subscription-id"] == {"partner": "acme", "internal": "back-office"}[key]
            answer = await operate(world, "stock_get", key=key, query="?surprise=1")
            assert (answer.status, answer.problem) == (400, "invalid-request")

        product_passes.__name__ = f"product_{key}_passes"
        case(product_passes)


_each_product()


# what the backend is told


@case
async def the_caller_is_named_with_proof(world: World) -> None:
    forged = {"X-Client-Application": "root", "X-Subscription-Id": "root", "X-Gateway-Authorization": "Bearer x"}
    await operate(world, "orders_list", key="partner", headers=forged)
    seen = world.last.headers
    assert seen["x-client-application"] == "8f7b2c15-4d3a-4e0b-a1c2-7d5e9f3b6a01"
    assert seen["x-subscription-id"] == "acme"
    assert "ocp-apim-subscription-key" not in seen
    import jwt

    claims = jwt.decode(seen["x-gateway-authorization"].removeprefix("Bearer "), options={"verify_signature": False})
    assert claims["roles"] == ["gateway"] and claims["aud"] == "api://durable-commerce"
    await operate(world, "products_get", headers=forged)
    assert world.last.headers["x-client-application"] == world.last.headers["x-subscription-id"] == ""


@case
async def the_callers_token_goes_on(world: World) -> None:
    token = await world.token()
    await operate(world, "orders_list", token=token)
    assert world.last.headers["authorization"] == f"Bearer {token}", "the backend verifies it again"


@case
async def each_service_has_its_backend(world: World) -> None:
    for name in OPERATIONS:
        answer = await operate(world, name, **{f"{_SERVICE[name]}-url": "http://127.0.0.1:1/elsewhere"})
        assert (answer.status, answer.problem) == (502, "backend-unreachable"), name
    assert not world.seen


_SERVICE = {
    name: {"products": "catalog", "stock": "inventory"}.get(name.partition("_")[0], name.partition("_")[0])
    for name in OPERATIONS
}


# bodies and parameters


@case
async def a_body_must_fit_the_schema(world: World) -> None:
    wrong: dict[str, Any] = {
        "products_put": {**PRODUCT, "price": {"amount": -1, "currency": "GBP"}},
        "carts_set_line": {"quantity": 0},
        "orders_place": {**PLACE, "surprise": 1},
        "stock_put": {"on_hand": "5"},
        "payments_webhook": ["no object"],
    }
    for name, body in wrong.items():
        answer = await operate(world, name, body=body)
        assert (answer.status, answer.problem) == (400, "invalid-request"), (name, answer)
        assert "$" in answer.json["detail"]
    assert not world.seen


@case
async def a_body_must_be_json(world: World) -> None:
    for name in ("products_put", "carts_set_line", "orders_place", "stock_put", "payments_webhook"):
        for data, kind, status in (
            (b'{"a": ', "application/json", 400),
            (b"\xff\xfe", "application/json", 400),
            (b"[" * 50_000, "application/json", 400),
            (b"a=1", "application/x-www-form-urlencoded", 415),
            (b"{}", "", 415),
        ):
            answer = await operate(world, name, body=None, data=data, headers={"Content-Type": kind} if kind else {})
            assert answer.status == status, (name, kind, answer)
            assert answer.problem == {400: "invalid-request", 415: "unsupported-media-type"}[status]
        await world.reset()
    assert not world.seen


@case
async def a_body_has_a_largest_size(world: World) -> None:
    for name in ("products_put", "carts_set_line", "orders_place", "stock_put", "payments_webhook"):
        for size in (102_401, 3_000_000):
            data = b'{"a": "' + b"x" * (size - 9) + b'"}'
            answer = await operate(world, name, body=None, data=data, headers={"Content-Type": "application/json"})
            assert (answer.status, answer.problem) == (413, "payload-too-large"), (name, size)
    assert not world.seen


@case
async def an_order_of_a_thousand_lines_fits(world: World) -> None:
    items = [{"sku": f"SKU-{number:05}", "quantity": 3} for number in range(1_000)]
    assert (await operate(world, "orders_place", body={**PLACE, "items": items})).status == 200


@case
async def parameters_must_fit_the_schema(world: World) -> None:
    for query in ("?limit=0", "?limit=101", "?limit=ten", "?limit=1&limit=2", "?q="):
        answer = await operate(world, "products_list", query=query)
        assert (answer.status, answer.problem) == (400, "invalid-request"), query
    answer = await operate(world, "orders_place", headers={"Idempotency-Key": "a b"})
    assert answer.problem == "invalid-request"
    answer = await world.call("POST", "/v1/orders", token="shopper", body=PLACE)
    assert answer.problem == "invalid-request" and "Idempotency-Key" in answer.json["detail"]
    assert not world.seen


@case
async def other_headers_go_through(world: World) -> None:
    assert (await operate(world, "products_get", headers={"X-Other": "1"})).status == 200
    assert world.last.headers["x-other"] == "1"


# dialects

CAMEL = {
    "cartId": CART,
    "cartVersion": 3,
    "shippingAddress": {"name": "A", "line1": "1", "line2": "2", "city": "London", "postalCode": "N1", "country": "GB"},
    "paymentMethod": "pm_card_visa",
}
FORMER = {
    "order_lines": [{"stock_code": "85123A", "qty": 6}, {"stock_code": "71053", "qty": 1}],
    "ship_to": {"attention": "A", "street": "1", "street2": "2", "town": "London", "zip": "N1", "country_code": "GB"},
    "payment_token": "pm_card_visa",
}
_SAME = {"name": "A", "line1": "1", "line2": "2", "city": "London", "postal_code": "N1", "country": "GB"}


@case
async def dialects_become_one(world: World) -> None:
    await operate(world, "orders_place", body=CAMEL)
    expected: dict[str, Any] = {
        "cart_id": CART,
        "cart_version": 3,
        "shipping_address": _SAME,
        "payment_method": "pm_card_visa",
    }
    assert world.last.json == expected
    await operate(world, "orders_place", body=FORMER)
    lines = [{"sku": "85123A", "quantity": 6}, {"sku": "71053", "quantity": 1}]
    assert world.last.json == {"items": lines, "shipping_address": _SAME, "payment_method": "pm_card_visa"}
    await operate(world, "orders_place", body=PLACE)
    assert world.last.json == PLACE
    await operate(world, "orders_place", body={**PLACE, "cart_id": None, "cart_version": None})
    assert world.last.json == {**PLACE, "cart_id": None, "cart_version": None}


@case
async def a_name_in_two_dialects_is_refused(world: World) -> None:
    address = {**ADDRESS, "postalCode": "N2"}
    doubled: tuple[dict[str, Any], ...] = (
        {**PLACE, "paymentMethod": "pm_card_mastercard"},
        {**FORMER, "items": PLACE["items"]},
        {**PLACE, "shipping_address": address},
        {**PLACE, "items": [{"sku": "1", "stock_code": "2", "quantity": 1}]},
        {**CAMEL, "ship_to": FORMER["ship_to"]},
    )
    for body in doubled:
        answer = await operate(world, "orders_place", body=body)
        assert (answer.status, answer.problem) == (400, "invalid-request"), body
    for name, value in (("items", [1]), ("shipping_address", 5), ("items", {})):
        assert (await operate(world, "orders_place", body={**PLACE, name: value})).status == 400
    assert not world.seen


# the catalog's cache


@case
async def the_catalog_is_cached(world: World) -> None:
    for path in ("/v1/products/85123A", "/v1/products?limit=5"):
        first = await world.call("GET", path)
        again = await world.call("GET", path)
        assert first.body == again.body and len(world.seen) == 1
        assert again.headers["etag"] == '"v1"' and "server" not in again.headers
        assert again.headers["cache-control"] == f"public, must-revalidate, max-age={w.CACHE_SECONDS}"
        assert again.headers["traceparent"] != first.headers["traceparent"]
        world.clock.ahead += w.CACHE_SECONDS + 1
        await world.call("GET", path)
        assert len(world.seen) == 2, "it is kept for a while only"
        await world.reset()


@case
async def each_list_is_cached_by_itself(world: World) -> None:
    for name in ("category", "q", "limit", "cursor"):
        for value in ("1", "2"):
            await world.call("GET", f"/v1/products?{name}={value}")
        assert len(world.seen) == 2, name
        await world.reset()
    await world.call("GET", "/v1/products?limit=1&q=a")
    await world.call("GET", "/v1/products?q=a&limit=1")
    assert len(world.seen) == 1, "the order of the parameters does not matter"


@case
async def a_request_with_a_token_is_not_cached(world: World) -> None:
    for name in ("products_get", "products_list"):
        await operate(world, name)
        await operate(world, name, token="shopper")
        await operate(world, name, token="shopper")
        assert len(world.seen) == 3
        await world.reset()


@case
async def only_good_answers_are_kept(world: World) -> None:
    world.replies += [fine(404), fine(404)]
    for _ in range(2):
        assert (await operate(world, "products_get")).status == 404
    assert len(world.seen) == 2


@case
async def what_the_caller_has_is_not_sent_again(world: World) -> None:
    for name in ("products_get", "products_list"):
        for known in ('"v1"', 'W/"v1"', '"v0", "v1"', "*"):
            answer = await operate(world, name, headers={"If-None-Match": known})
            assert answer.status == 304 and not answer.body, (name, known, answer)
            assert answer.headers["etag"] == '"v1"'
            assert answer.headers["cache-control"].endswith(f"max-age={w.CACHE_SECONDS}")
            assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", answer.headers["traceparent"])
        assert len(world.seen) == 1, "and the backend is asked once"
        assert "if-none-match" not in world.last.headers
        assert (await operate(world, name, headers={"If-None-Match": '"v2"'})).status == 200
        await world.reset()


# the backend's troubles


@case
async def a_repeat_that_is_safe_is_made(world: World) -> None:
    world.replies.append(fine(503))
    assert (await operate(world, "orders_list")).status == 200
    assert len(world.seen) == 2
    world.replies.append(fine(503))
    assert (await operate(world, "orders_place")).status == 200
    assert world.seen[-1].body == world.seen[-2].body and len(world.seen) == 4
    world.replies += [fine(503), fine(503), fine(503)]
    assert (await operate(world, "orders_list")).status == 503, "once only"
    assert len(world.seen) == 6


@case
async def a_repeat_that_is_not_safe_is_not_made(world: World) -> None:
    for name in ("orders_cancel", "stock_put", "carts_remove_line", "carts_open"):
        world.replies[:] = [fine(503, Retry_After="3")]
        answer = await operate(world, name)
        assert answer.status == 503 and answer.headers["retry-after"] == "3"
    assert len(world.seen) == 4


@case
async def a_silent_backend_is_given_up(world: World) -> None:
    world.replies.append(world.silent)
    answer = await operate(world, "orders_list")
    assert (answer.status, answer.problem) == (504, "backend-timeout")
    world.released.set()


@case
async def a_failing_backend_is_left_alone(world: World) -> None:
    world.replies += [fine(500)] * 10
    for _ in range(10):
        assert (await operate(world, "orders_list", token="shopper")).status == 500
    answer = await operate(world, "orders_get", token="shopper2")
    assert (answer.status, answer.problem) == (503, "temporarily-unavailable")
    assert 1 <= int(answer.headers["retry-after"]) <= 5
    assert len(world.seen) == 10
    assert (await operate(world, "payments_get", token="shopper2")).status == 200, "the other services go on"
    world.clock.ahead += 6
    assert (await operate(world, "orders_get", token="shopper2")).status == 200


@case
async def failures_far_apart_do_not_count(world: World) -> None:
    world.replies += [fine(500)] * 10
    for _ in range(10):
        await operate(world, "orders_list")
        world.clock.ahead += 2
    assert (await operate(world, "orders_list", token="shopper2")).status == 200


@case
async def a_dead_backend_is_left_alone(world: World) -> None:
    dead = {"orders-url": "http://127.0.0.1:1"}
    for _ in range(10):
        answer = await operate(world, "orders_list", **dead)
        assert (answer.status, answer.problem) == (502, "backend-unreachable")
    assert (await operate(world, "orders_list", **dead)).status == 503
    await world.forget_gateways()


@case
async def what_the_host_says_of_itself_becomes_a_problem(world: World) -> None:
    for status, given, code in (
        (404, 404, "not-found"),
        (503, 503, "temporarily-unavailable"),
        (500, 502, "backend-failed"),
    ):
        world.replies.append(w.page(status))
        answer = await operate(world, "carts_open")
        assert (answer.status, answer.problem) == (given, code)
        assert answer.headers["retry-after"] == "9"
    world.replies.append(fine(409))
    assert (await operate(world, "carts_open")).json == {"path": "/api/v1/carts"}, (
        "a service's own problem goes through"
    )


# figures


@case
async def requests_and_errors_are_counted(world: World) -> None:
    await operate(world, "orders_list", key="partner")
    await operate(world, "orders_list", token=None)
    found = {(metric["namespace"], metric["name"]): metric for metric in await world.metrics()}
    assert found["durable-commerce", "Requests"]["dimensions"] == {
        "Operation ID": "orders_list",
        "Product ID": "partner",
        "Status": "200",
    }
    assert found["durable-commerce", "Errors"]["dimensions"] == {
        "Operation ID": "orders_list",
        "Reason": "TokenNotPresent",
    }
    assert all(metric["sum"] == metric["count"] == 1 for metric in found.values())
