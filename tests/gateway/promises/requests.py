"""What the backend is told, and what a request must be."""

from __future__ import annotations

import json
import re
from typing import Any

from scripts.declared import example_service
from tests.gateway import world as w
from tests.gateway.promises.promise import ADDRESS, CART, DECLARED, KEYED, OPERATIONS, PLACE, PRODUCT, case, operate
from tests.gateway.world import World

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
        service = example_service(DECLARED[name])
        answer = await operate(world, name, **{f"{service}-url": "http://127.0.0.1:1/elsewhere"})
        assert (answer.status, answer.problem) == (502, "backend-unreachable"), name
        assert not world.seen
        # so many failures in a row would open the service's circuit
        await world.reset()


@case
async def what_all_services_have_alike_goes_to_the_one_that_is_named(world: World) -> None:
    shared = {name: operation for name, operation in DECLARED.items() if operation.owners}
    assert shared
    for name, operation in shared.items():
        method, path, body, _, who = OPERATIONS[name]
        for owner in operation.owners:
            named = path.replace(f"/{example_service(operation)}", f"/{owner}", 1)
            away: dict[str, Any] = {f"{owner}-url": "http://127.0.0.1:1/x"}
            answer = await world.call(method, named, token=who, body=body, **away)
            assert (answer.status, answer.problem) == (502, "backend-unreachable"), (name, owner)
            await world.reset()
        for stranger in ("nobody", "operations", "gateway", "orders%0A", "..%2Forders", "orders-url"):
            named = path.replace(f"/{example_service(operation)}", f"/{stranger}", 1)
            home: dict[str, Any] = {f"{operation.service}-url": "http://127.0.0.1:1/x"}
            answer = await world.call(method, named, token=who, body=body, **home)
            assert answer.status in (404, 502), (name, stranger, answer)
            assert not world.seen, "it reaches its home alone, which has no such path"
            await world.reset()


# bodies and parameters

WITH_BODY = [name for name, operation in DECLARED.items() if operation.takes_body and not operation.upload]
REDRIVE = OPERATIONS["operations_redrives_start"][2]


@case
async def a_body_must_fit_the_schema(world: World) -> None:
    wrong: dict[str, Any] = {
        "products_put": {**PRODUCT, "price": {"amount": -1, "currency": "GBP"}},
        "carts_set_line": {"quantity": 0},
        "orders_place": {**PLACE, "surprise": 1},
        "stock_put": {"on_hand": "5"},
        "me_change": {"language": "fr"},
        "addresses_add": {**ADDRESS, "country": "UK"},
        "addresses_change": {**ADDRESS, "city": ""},
        "accounts_find": {"email": 5},
        "orders_find": {"placed_from": "yesterday"},
        "carts_merge": {"guest_cart_id": CART},
        "guest_carts_set_line": {"quantity": 0},
        "payments_webhook": ["no object"],
        "operations_redrives_start": {**REDRIVE, "rate": 0},
        "operations_dead_letters_set_aside": {"why": ""},
        "operations_parked_retry": {"why": ""},
        "operations_parked_set_aside": {},
        "operations_sagas_end": {"why": " "},
        "operations_sagas_resume": {"why": "x" * 501},
        "payments_refund": {"amount": 0, "reason": "goodwill"},
        "shipments_ship": {"carrier": "UPS", "tracking_number": "a b"},
        "shipments_webhook": ["no object"],
        "returns_request": {"items": [], "reason": "unwanted"},
        "returns_decide": {"decision": "perhaps"},
        "approvals_decide": {"decision": "approve"},
        "returns_receive": {"items": [{"sku": "A", "restocked": -1}]},
        "operations_audit_verify": {"day": "today"},
    }
    for name, body in wrong.items():
        answer = await operate(world, name, body=body)
        assert (answer.status, answer.problem) == (400, "invalid-request"), (name, answer)
        assert "$" in answer.json["detail"]
    assert not world.seen


@case
async def a_body_that_is_no_json_is_malformed(world: World) -> None:
    headers = {"Content-Type": "application/json", **KEYED}
    for data in (b'{"items": [', b'{"a" 1}', b"nonsense", b'{"a": 1} {}'):
        for name in ("orders_place", "payments_webhook"):
            answer = await operate(world, name, body=None, data=data, headers=headers)
            assert (answer.status, answer.problem) == (400, "malformed-json"), (name, data, answer)
            assert answer.json["detail"] == "the body is not valid JSON"
    assert not world.seen


@case
async def a_number_that_json_does_not_have_is_the_callers_mistake(world: World) -> None:
    headers = {"Content-Type": "application/json", **KEYED}
    for number in (b"NaN", b"Infinity", b"-Infinity"):
        for data in (b'{"items": %b}' % number, b'{"items": [%b]}' % number, b'{"other": {"a": %b}}' % number):
            answer = await operate(world, "orders_place", body=None, data=data, headers=headers)
            assert (answer.status, answer.problem) == (400, "invalid-request"), (data, answer)
    assert not world.seen


@case
async def an_undeclared_method_is_told_which_are_declared(world: World) -> None:
    document = json.loads((w.ROOT / "apim" / "apis" / "commerce" / "specification.json").read_text())
    for template, operations in document["paths"].items():
        path = "/v1" + re.sub(r"\{[^}]+\}", "x1", template)
        declared = {method.upper() for method in operations} & {"GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"}
        for method in {"GET", "PUT", "POST", "DELETE", "PATCH"} - declared:
            answer = await world.call(method, path, token="shopper")
            assert (answer.status, answer.problem) == (405, "method-not-allowed"), (method, path)
            assert set(answer.headers["allow"].split(", ")) == declared, (method, path)
            assert not [name for name in answer.headers if name.lower().startswith("ratelimit")]
    for path in ("/v1", "/v1/nothing", "/v1/orders/x/y/z", "/v2/orders", "/v1/products/a/b"):
        assert (await world.call("PATCH", path, token="shopper")).problem == "no-such-operation", path
    assert not world.seen


MARK = "4242424242424242"


@case
async def no_refusal_repeats_a_value(world: World) -> None:
    for name, (_, _, body, _, _) in OPERATIONS.items():
        for field in body if isinstance(body, dict) else {}:
            for wrong in (MARK, {"card": MARK, "cvc": "123"}, [MARK], int(MARK), {MARK: 1}, f"\x00{MARK}"):
                for sent in ({**body, field: wrong}, {**body, MARK: wrong}, {**body, f"at $.{MARK}": wrong}):
                    answer = await operate(world, name, body=sent)
                    assert MARK not in answer.body.decode() or answer.status == 200, answer
                    assert "cvc" not in answer.body.decode(), answer
        await world.reset()
    for query in (f"?{MARK}=1", f"?limit={MARK}", f"?limit=x{MARK}", f"?q={MARK * 10}", f"?limit=1&limit={MARK}"):
        answer = await operate(world, "products_list", query=query)
        assert (answer.status, MARK in answer.body.decode()) == (400, False), answer
    answer = await operate(world, "orders_place", headers={"Idempotency-Key": f"a {MARK}"})
    assert (answer.status, MARK in answer.body.decode()) == (400, False), answer


@case
async def a_body_must_be_json(world: World) -> None:
    for name in WITH_BODY:
        for data, kind, status in (
            (b'{"a": ', "application/json", 400),
            (b"\xff\xfe", "application/json", 400),
            (b"[" * 50_000, "application/json", 400),
            (b"a=1", "application/x-www-form-urlencoded", 415),
            (b"{}", "", 415),
        ):
            answer = await operate(world, name, body=None, data=data, headers={"Content-Type": kind} if kind else {})
            assert answer.status == status, (name, kind, answer)
            assert (
                answer.problem in {400: ("invalid-request", "malformed-json"), 415: ("unsupported-media-type",)}[status]
            )
        await world.reset()
    assert not world.seen


@case
async def a_body_has_a_largest_size(world: World) -> None:
    for name in WITH_BODY:
        for size in (102_401, 3_000_000):
            data = b'{"a": "' + b"x" * (size - 9) + b'"}'
            answer = await operate(world, name, body=None, data=data, headers={"Content-Type": "application/json"})
            assert (answer.status, answer.problem) == (413, "payload-too-large"), (name, size)
        assert not world.seen
        await world.reset()


@case
async def a_call_that_is_refused_before_its_body_is_read_says_why(world: World) -> None:
    data, headers = b'{"a": "' + b"x" * 3_000_000 + b'"}', {"Content-Type": "application/json", **KEYED}
    answer = await operate(world, "orders_place", token=None, body=None, data=data, headers=headers)
    assert (answer.status, answer.problem) == (401, "unauthenticated"), answer
    answers = [await operate(world, "orders_place", body=None, data=data, headers=headers) for _ in range(w.USER + 1)]
    assert {answer.problem for answer in answers} == {"payload-too-large", "too-many-requests"}
    assert answers[-1].problem == "too-many-requests"
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
    "expectedTotal": {"amount": 1530, "currency": "GBP"},
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
        "expected_total": {"amount": 1530, "currency": "GBP"},
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
