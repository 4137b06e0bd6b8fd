"""The catalog's cache, the backend's troubles, and what is counted."""

from __future__ import annotations

import re

from tests.gateway import world as w
from tests.gateway.promises.promise import case, operate
from tests.gateway.world import World, fine

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
    world.replies.append(fine(502))
    assert (await operate(world, "orders_place")).status == 200, "nothing answered for it"
    world.replies.append(w.died)
    assert (await operate(world, "orders_place")).status == 200, "its process died"
    assert len(world.seen) == 8
    world.replies.append(fine(500))
    assert (await operate(world, "orders_list")).status == 500, "it said so itself"
    assert len(world.seen) == 9
    world.replies += [fine(503), fine(503), fine(503)]
    assert (await operate(world, "orders_list")).status == 503, "once only"
    world.replies[:] = [w.died, w.died]
    answer = await operate(world, "orders_list")
    assert (answer.status, answer.problem) == (502, "backend-failed"), "once only"
    assert len(world.seen) == 13


@case
async def a_repeat_that_is_not_safe_is_not_made(world: World) -> None:
    names = ("orders_cancel", "stock_put", "carts_remove_line", "carts_open")
    for name in names:
        world.replies[:] = [fine(503, Retry_After="3")]
        answer = await operate(world, name)
        assert answer.status == 503 and answer.headers["retry-after"] == "3"
        world.replies[:] = [fine(502)]
        assert (await operate(world, name)).status == 502
        world.replies[:] = [w.died]
        assert (await operate(world, name)).problem == "backend-failed"
    assert len(world.seen) == 3 * len(names)


@case
async def a_silent_backend_is_given_up(world: World) -> None:
    world.replies.append(world.silent)
    answer = await operate(world, "orders_list")
    assert (answer.status, answer.problem) == (504, "backend-timeout")
    world.released.set()


@case
async def a_failing_backend_is_left_alone(world: World) -> None:
    world.replies += [fine(504)] * 10
    for _ in range(10):
        assert (await operate(world, "orders_list", token="shopper")).status == 504
    answer = await operate(world, "orders_get", token="shopper2")
    assert (answer.status, answer.problem) == (503, "temporarily-unavailable")
    assert 1 <= int(answer.headers["retry-after"]) <= 5
    assert len(world.seen) == 10
    assert (await operate(world, "payments_get", token="shopper2")).status == 200, "the other services go on"
    world.clock.ahead += 6
    assert (await operate(world, "orders_get", token="shopper2")).status == 200


@case
async def dead_processes_count_like_silence(world: World) -> None:
    world.replies += [w.page(502)] * 10
    for _ in range(10):
        assert (await operate(world, "orders_cancel", token="shopper")).status == 502
    assert (await operate(world, "orders_get", token="shopper2")).status == 503


@case
async def an_answer_that_a_caller_can_provoke_closes_no_service(world: World) -> None:
    for status in (500, 501, 400, 404, 409, 422):
        world.replies[:] = [fine(status)] * 12
        for _ in range(12):
            assert (await operate(world, "orders_place", token="shopper")).status == status
            world.clock.ahead += 0.5
        assert (await operate(world, "orders_get", token="shopper2")).status == 200
        world.clock.ahead += 61


@case
async def failures_far_apart_do_not_count(world: World) -> None:
    world.replies += [fine(504)] * 10
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
        (400, 400, "invalid-request"),
        (414, 400, "invalid-request"),
        (431, 400, "invalid-request"),
        (401, 502, "backend-failed"),
        (403, 502, "backend-failed"),
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
        "Operation ID": "orders-list",
        "Product ID": "partner",
        "Status": "200",
    }
    assert found["durable-commerce", "Errors"]["dimensions"] == {
        "Operation ID": "orders-list",
        "Reason": "TokenNotPresent",
    }
    assert all(metric["sum"] == metric["count"] == 1 for metric in found.values())
