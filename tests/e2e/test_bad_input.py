"""Bad input gets a problem document with a 4xx, never a 500, and nothing is written."""

from __future__ import annotations

import asyncio
import io
import json
import secrets
from typing import Any

import aiohttp
import pytest

from tests.e2e.conftest import ADDRESS, Client, Stocked, basket

GOOD = basket(("A", 1))
HUGE = 10 * 1024 * 1024


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("{", 400),
        ("null", 400),
        ("[]", 400),
        ("\x00", 400),
        ('{"items": ' + "[" * 50_000, 400),
        (json.dumps({**GOOD, "coupon": "x"}), 400),
        (json.dumps({**GOOD, "items": [{"sku": "A", "quantity": -1}]}), 400),
        (json.dumps({**GOOD, "items": [{"sku": "A", "quantity": 10**30}]}), 400),
        (json.dumps({**GOOD, "items": [{"sku": "A", "quantity": 1e308}]}), 400),
        (json.dumps({**GOOD, "items": [{"sku": "A", "quantity": 1}] * 1001}), 400),
        (json.dumps({**GOOD, "items": [{"sku": "A' OR 1=1", "quantity": 1}]}), 400),
        (json.dumps({**GOOD, "cart_id": f"crt_{'a' * 26}"}), 400),
        (json.dumps({"shipping_address": ADDRESS, "payment_method": "pm_card_visa"}), 400),
        (json.dumps({**GOOD, "shipping_address": {**ADDRESS, "country": "Britain"}}), 400),
        (json.dumps({**GOOD, "items": [{"sku": "no-such-thing", "quantity": 1}]}), 422),
    ],
)
async def test_a_bad_order_is_refused(shopper: Client, body: str, status: int) -> None:
    before = (await shopper.call("GET", "/orders?limit=1")).json
    answer = await shopper.call(
        "POST", "/orders", data=body.encode(), headers={"Idempotency-Key": secrets.token_hex(8)}
    )
    assert (answer.status, answer.problem != "") == (status, True)
    assert (await shopper.call("GET", "/orders?limit=1")).json == before


async def test_a_body_of_ten_megabytes_is_refused(shopper: Client, staff: Client) -> None:
    data = b'{"name": "' + b"x" * HUGE + b'"}'
    for client, method, path in (
        (shopper, "POST", "/orders"),
        (staff, "PUT", "/products/A"),
        (staff, "PUT", "/stock/A"),
    ):
        answer = await client.call(method, path, data=io.BytesIO(data), headers={"Idempotency-Key": "big"})
        assert (answer.status, answer.problem) == (413, "payload-too-large")


async def test_a_body_of_another_type_is_refused(shopper: Client) -> None:
    form = aiohttp.FormData({"items": "x"})
    answer = await shopper.call(
        "POST", "/orders", data=form, headers={"Idempotency-Key": "k", "Content-Type": "text/plain"}
    )
    assert (answer.status, answer.problem) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "limit=-1", "cursor=broken", "cursor=" + "A" * 4000, "page=2",
     "q=" + "x" * 101],
)  # fmt: skip
async def test_a_bad_query_is_refused(anonymous: Client, query: str) -> None:
    answer = await anonymous.call("GET", f"/products?{query}")
    assert (answer.status, answer.problem) in [(400, "invalid-request"), (400, "invalid-cursor")]


@pytest.mark.parametrize("query", ["cursor=", "category=", "cursor", "page="])
async def test_a_parameter_without_a_value_counts_as_not_given(anonymous: Client, query: str) -> None:
    """Azure's host leaves it out before the app sees it."""
    assert (await anonymous.call("GET", f"/products?{query}")).status == 200


async def test_a_cursor_of_another_list_is_refused(anonymous: Client, stocked: Stocked) -> None:
    await stocked(1, 1)
    await stocked(1, 1)
    cursor = (await anonymous.call("GET", "/products?limit=1&category=tests")).json["next_cursor"]
    answer = await anonymous.call("GET", f"/products?limit=1&category=other&cursor={cursor}")
    assert (answer.status, answer.problem) == (400, "invalid-cursor")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "x", "category": "Tests!", "price": {"amount": 1, "currency": "GBP"}}, 400),
        ({"name": " ", "category": "tests", "price": {"amount": 1, "currency": "GBP"}}, 400),
        ({"name": "x", "category": "tests", "price": {"amount": -1, "currency": "GBP"}}, 400),
        ({"name": "x", "category": "tests", "price": {"amount": 1.5, "currency": "GBP"}}, 400),
        ({"name": "x", "category": "tests", "price": {"amount": 1, "currency": "XYZ"}}, 400),
        ({"name": "x", "category": "tests", "price": {"amount": 1, "currency": "GBP"}, "sku": "other"}, 400),
    ],
)
async def test_a_bad_product_is_refused(staff: Client, anonymous: Client, body: dict[str, Any], status: int) -> None:
    sku = f"T{secrets.token_hex(5)}"
    answer = await staff.call("PUT", f"/products/{sku}", body)
    assert (answer.status, answer.problem) == (status, "invalid-request")
    assert (await anonymous.call("GET", f"/products/{sku}")).status == 404


@pytest.mark.parametrize(
    "path", ["/orders/x", "/orders/ord_x", "/products/%20", "/products/..%2f..", "/carts/1", "/nowhere"]
)
async def test_what_is_no_id_names_nothing(shopper: Client, path: str) -> None:
    assert (await shopper.call("GET", path)).status == 404


async def test_an_order_that_costs_more_than_a_payment_can_carry_is_refused(shopper: Client, stocked: Stocked) -> None:
    sku = await stocked(99_999_999, 5)
    async with asyncio.timeout(30):
        while (answer := await shopper.order(basket((sku, 2)))).problem == "unknown-sku":
            pass
    assert (answer.status, answer.problem) == (422, "total-out-of-range")


async def test_an_empty_cart_cannot_be_ordered(shopper: Client) -> None:
    cart = (await shopper.call("POST", "/carts")).json
    async with asyncio.timeout(30):
        while True:
            answer = await shopper.order(
                {
                    "cart_id": cart["id"],
                    "expected_total": {"amount": 100, "currency": "GBP"},
                    "shipping_address": ADDRESS,
                    "payment_method": "pm_card_visa",
                }
            )
            if answer.problem != "cart-not-found":
                break
    assert (answer.status, answer.problem) == (422, "cart-empty")


async def test_an_outdated_etag_is_refused_and_changes_nothing(staff: Client, stocked: Stocked) -> None:
    sku = await stocked(100, 5)
    product = await staff.call("GET", f"/products/{sku}")
    etag = product.headers["ETag"]
    body = {"name": "New", "category": "tests", "price": {"amount": 200, "currency": "GBP"}}
    assert (await staff.call("PUT", f"/products/{sku}", body, {"If-Match": etag})).status == 200
    again = await staff.call("PUT", f"/products/{sku}", {**body, "name": "Newer"}, {"If-Match": etag})
    assert (again.status, again.problem) == (412, "precondition-failed")
    assert (await staff.call("GET", f"/products/{sku}")).json["name"] == "New"
    stock = await staff.call("GET", f"/stock/{sku}")
    assert (await staff.call("PUT", f"/stock/{sku}", {"on_hand": 6}, {"If-Match": stock.headers["ETag"]})).status == 200
    outdated = await staff.call("PUT", f"/stock/{sku}", {"on_hand": 7}, {"If-Match": stock.headers["ETag"]})
    assert outdated.status == 412


async def test_a_known_etag_is_answered_with_304(anonymous: Client, stocked: Stocked) -> None:
    sku = await stocked(100, 5)
    for path in (f"/products/{sku}", f"/products?q={sku}"):
        first = await anonymous.call("GET", path)
        again = await anonymous.call("GET", path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status, again.text) == (304, "")
