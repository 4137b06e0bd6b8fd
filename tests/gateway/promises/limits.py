"""Subscriptions, rates and quotas."""

from __future__ import annotations

from itertools import cycle
from typing import Any

from tests.gateway import world as w
from tests.gateway.promises.promise import PLACE, case, operate
from tests.gateway.world import LINES, World

# subscriptions, rates and quotas


@case
async def a_key_must_be_valid(world: World) -> None:
    for key in ("nonsense", "cancelled"):
        answer = await operate(world, "products_list", key=key)
        assert (answer.status, answer.problem) == (401, "invalid-subscription-key")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["traceparent"][3:35] == answer.json["trace_id"]
        assert not [name for name in answer.headers if name.lower().startswith("ratelimit")]
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


def _lines(count: int) -> dict[str, Any]:
    return {**PLACE, "items": [{"sku": f"S{number}", "quantity": 1} for number in range(count)]}


@case
async def orders_are_limited_by_their_lines(world: World) -> None:
    for _ in range(3):
        assert (await operate(world, "orders_place", body=_lines(100))).status == 200
    answer = await operate(world, "orders_place", body=_lines(1))
    assert (answer.status, answer.problem) == (429, "too-many-requests"), "what a call weighs is known at its end"
    assert 55 <= int(answer.headers["retry-after"]) <= 60
    assert len(world.seen) == 3
    assert (await operate(world, "orders_place", token="shopper2", body=_lines(1))).status == 200, "another user"
    assert (await operate(world, "orders_place", token="partner", key="partner", body=_lines(1))).status == 200
    assert (await operate(world, "orders_list")).status == 200, "only orders weigh"
    world.clock.ahead += 61
    assert (await operate(world, "orders_place", body=_lines(1))).status == 200


@case
async def the_lines_of_a_cart_and_of_other_dialects_weigh_as_well(world: World) -> None:
    cart = {**PLACE, "cart_id": "crt_" + "a" * 26, "expected_total": {"amount": 1, "currency": "GBP"}}
    del cart["items"]
    assert (await operate(world, "orders_place", body=cart)).status == 200
    lines = [{"stock_code": "S", "qty": 1}] * (LINES + 1)
    other = {name: value for name, value in PLACE.items() if name != "items"} | {"order_lines": lines}
    assert (await operate(world, "orders_place", body=other)).status == 200
    assert (await operate(world, "orders_place", body=cart)).status == 429


@case
async def who_is_told_to_wait_by_the_back_end_and_does_not_is_refused_at_the_door(world: World) -> None:
    world.replies += [w.fine(429)] * 10
    calls = [(await operate(world, "orders_place")).status for _ in range(5)]
    assert calls == [429] * 5
    assert len(world.seen) == 3


FORGED = "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.e30.AAAA"


@case
async def refused_calls_are_limited_by_address_and_use_up_no_quota(world: World) -> None:
    for left in range(w.ANONYMOUS - 1, -1, -1):
        answer = await operate(world, "orders_list", token=None, headers={"Authorization": FORGED})
        assert answer.status == 401
        assert left - 1 <= int(answer.headers["ratelimit-remaining"]) <= left + 1
    answer = await operate(world, "orders_list", token=None, headers={"Authorization": FORGED})
    assert answer.status == 401, "what a call counts for is known at its end: this one passes the limit"
    answer = await operate(world, "orders_list", token=None, headers={"Authorization": FORGED})
    assert (answer.status, answer.problem) == (429, "too-many-requests")
    assert not world.seen
    for _ in range(w.PUBLIC_QUOTA):
        world.clock.ahead += 61
        answer = await operate(world, "orders_list", token=None, headers={"Authorization": FORGED})
        assert answer.status == 401
    assert (await operate(world, "orders_list")).status == 200, "the address has its whole quota"


@case
async def calls_with_a_good_token_are_not_counted_by_address(world: World) -> None:
    for user in ("shopper", "shopper2"):
        for _ in range(w.USER - 3):
            assert (await operate(world, "orders_list", token=user)).status == 200
    assert (await operate(world, "products_get")).status == 200


@case
async def the_providers_webhooks_have_a_limit_of_their_own_and_no_quota(world: World) -> None:
    for _ in range(w.ANONYMOUS):
        assert (await operate(world, "products_get")).status == 200
    assert (await operate(world, "products_get")).status == 429
    for left, name in zip(range(w.WEBHOOK - 1, -1, -1), cycle(("payments_webhook", "shipments_webhook"))):
        answer = await operate(world, name)
        assert (answer.status, answer.headers["ratelimit-remaining"]) == (200, str(left))
        assert answer.headers["ratelimit-limit"] == str(w.WEBHOOK)
    assert (await operate(world, "payments_webhook")).status == 429
    world.clock.ahead += 61
    assert (await operate(world, "products_get")).status == 200, "a webhook is none of the address's calls"


@case
async def every_answer_tells_how_many_calls_are_left(world: World) -> None:
    world.replies += [w.fine(404), w.page(500), w.fine(409)]
    calls = [
        await operate(world, "orders_list"),
        await operate(world, "orders_get"),
        await operate(world, "orders_get"),
        await operate(world, "orders_list", token=None),
        await operate(world, "orders_list", token=None, headers={"Authorization": FORGED}),
        await operate(world, "orders_place", body={"no": "order"}),
        await operate(world, "products_put", token="shopper"),
        await operate(world, "orders_list", query="?surprise=1"),
        await operate(world, "products_get"),
        await operate(world, "products_get", headers={"If-None-Match": '"v1"'}),
    ]
    assert {200, 304, 400, 401, 403, 404} <= {answer.status for answer in calls}
    for answer in calls:
        assert answer.headers["ratelimit-limit"] in (str(w.USER), str(w.ANONYMOUS)), answer
        assert 0 <= int(answer.headers["ratelimit-remaining"]) < w.USER, answer
        assert answer.headers["x-content-type-options"] == "nosniff", answer


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
