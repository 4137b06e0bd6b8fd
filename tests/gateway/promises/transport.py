"""Each operation reaches its service and no further; traces, transport, cross-origin requests."""

from __future__ import annotations

import re

from tests.gateway.promises.promise import CART, OPERATIONS, TRACE, case, operate
from tests.gateway.world import World


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
    for method, path in (("GET", "/v1/nothing"), ("GET", "/other"), ("PATCH", "/v1/nothing")):
        answer = await world.call(method, path)
        assert (answer.status, answer.problem) == (404, "no-such-operation")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["traceparent"][3:35] == answer.json["trace_id"]
        assert not [name for name in answer.headers if name.lower().startswith("ratelimit")]
    assert not world.seen


# cross-origin requests

_ORIGIN = "http://localhost:3000"


@case
async def a_preflight_is_answered_here(world: World) -> None:
    for method, path in (
        ("GET", "/v1/orders"),
        ("PUT", "/v1/products/1"),
        ("PATCH", "/v1/me"),
        ("POST", "/v1/orders"),
        ("DELETE", f"/v1/carts/{CART}/items/1"),
    ):
        asked = {"Origin": _ORIGIN, "Access-Control-Request-Method": method}
        answer = await world.call("OPTIONS", path, headers=asked)
        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] == _ORIGIN
        assert answer.headers["access-control-allow-methods"] == "GET,PUT,PATCH,POST,DELETE"
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
