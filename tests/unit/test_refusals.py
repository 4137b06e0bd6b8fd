"""No refusal repeats a value of the request; patterns are of whole texts; operations demand what their kind demands."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import azure.functions as func
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints.orders.shapes import PlaceOrder
from scripts.declared import example_body, operations
from shared.declaration import CUSTOMER, STAFF, Scope
from shared.errors import CommerceError, InvalidRequest, Unauthenticated
from shared.patterns import END, NOT_BLANK, Country
from shared.web import auth, gateway
from shared.web import endpoint as web_endpoint
from shared.web.auth import Principal, authenticate
from shared.web.body import SKU, read_body
from shared.web.endpoint import Request, Response, framed
from shared.web.operation import Operation
from tests.unit.test_web import ORDER, request

ALSO: dict[str, dict[str, Any]] = {
    "orders_place": {"expected_total": {"amount": 1, "currency": "GBP"}},
    "products_put": {"description": "d", "sku": "S"},
}
"""Fields that the example of an operation does without."""
BODIES: dict[str, tuple[Operation, dict[str, Any]]] = {
    operation.id: (operation, example_body(operation) | ALSO.get(operation.id, {}))
    for operation in operations()
    if operation.body
}
MARK = "4242424242424242"
WRONG: tuple[Any, ...] = (
    MARK, MARK + "\n", f"GB{MARK}", {"card": MARK, "cvc": "123"}, [MARK], [[MARK]], int(MARK), float(MARK), {MARK: 1},
    {"a": {"b": [MARK]}}, f"\x00{MARK}", MARK * 20, f"`{MARK}` - at `$.x`",
)  # fmt: skip


def places(document: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value of a document."""
    yield way
    if isinstance(document, dict):
        for name, member in document.items():
            yield from places(member, (*way, name))
    if isinstance(document, list):
        for place, item in enumerate(document):
            yield from places(item, (*way, place))


def put(document: Any, way: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(document))
    if not way:
        return value
    place = copy
    for step in way[:-1]:
        place = place[step]
    place[way[-1]] = value
    return copy


@pytest.mark.parametrize("name", BODIES)
def test_a_value_in_the_wrong_place_never_comes_back(name: str) -> None:
    operation, good = BODIES[name]
    assert operation.body is not None
    tried = 0
    for way in places(good):
        for wrong in WRONG:
            named = [put(good, (*way, MARK), wrong)] if isinstance(_at(good, way), dict) else []
            bodies = [put(good, way, wrong), *named]
            for body in bodies:
                tried += 1
                try:
                    read_body(request(body), operation.body)
                except InvalidRequest as exc:
                    assert MARK not in exc.detail, body
    assert tried > 20


def _at(document: Any, way: tuple[Any, ...]) -> Any:
    for step in way:
        document = document[step]
    return document


@given(st.text(min_size=4, max_size=30))
def test_the_name_of_an_unknown_field_comes_back_only_if_it_is_a_name(name: str) -> None:
    try:
        read_body(request({**ORDER, name: 1}), PlaceOrder)
    except InvalidRequest as exc:
        assert re.fullmatch(r"[A-Za-z_]+", name) or exc.detail == "Object contains an unknown field"


TYPES = [operation.body for operation in operations() if operation.body is not None]


def patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for member in schema.values():
            yield from patterns(member)
    if isinstance(schema, list | tuple):
        for item in schema:
            yield from patterns(item)


def test_every_pattern_of_a_whole_text_refuses_a_trailing_line_feed() -> None:
    found = set(patterns(msgspec.json.schema_components(TYPES)))
    whole = {pattern for pattern in found if pattern.startswith("^")}
    assert whole
    assert all(pattern.endswith(END) for pattern in whole), whole
    assert found - whole <= {NOT_BLANK, r"[^\x00-\x20\x7f]"}, "what asks for a sign somewhere"


@pytest.mark.parametrize(
    "change",
    [
        {"payment_method": "pm_card_visa\n"},
        {"shipping_address": {**ORDER["shipping_address"], "country": "GB\n"}},  # type: ignore[dict-item]  # JSON
        {"shipping_address": {**ORDER["shipping_address"], "country": "XX"}},  # type: ignore[dict-item]  # JSON
        {"shipping_address": {**ORDER["shipping_address"], "country": "UK"}},  # type: ignore[dict-item]  # JSON
        {"items": [{"sku": "85123A\n", "quantity": 1}]},
        {"items": [{"sku": "85123A ", "quantity": 1}]},
        {"items": None, "cart_id": f"crt_{'a' * 26}\n"},
        {"expected_total": {"amount": 1, "currency": "GBP\n"}},
    ],
)
def test_a_trailing_line_feed_or_an_unassigned_country_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        read_body(request({**ORDER, **change}), PlaceOrder)


def test_there_are_249_countries() -> None:
    assert len(set(get_args(Country))) == 249


@pytest.mark.parametrize("sku", ["A ", "A\n", " A", "", "A" * 41, "é"])
def test_a_sku_that_the_database_would_not_take_is_none(sku: str) -> None:
    assert SKU.fullmatch(sku) is None


@pytest.mark.parametrize("sku", ["A", "A B", "85123A", "gift_0001_20", "DCGS0003", "A.", "A" * 40])
def test_a_sku_of_the_shop_is_one(sku: str) -> None:
    assert SKU.fullmatch(sku) is not None


ODD = (
    "Bearer \xff\xfe", "Bearer \udcff\udcfe", "Bearer a.b.c", "Bearer ..", "Bearer é.é.é", "Bearer " + "[" * 5_000,
    "Bearer eyJhbGciOiAiXHVkODAwIn0.e30.AA", "Bearer eyJhbGciOiAiUlMyNTYiLCAia2lkIjogNX0.e30.AA",
    "Bearer eyJhbGciOiAiUlMyNTYiLCAia2lkIjogW119.e30.AA", "Bearer W10.W10.W10", "Bearer bnVsbA.bnVsbA.AA",
    "Bearer " + "W1tbW1tbW1tb" * 600 + ".e30.AA", "\xff", "Basic YTpi", "Bearer  ",
)  # fmt: skip


@pytest.mark.parametrize("header", ODD, ids=ascii)
async def test_an_odd_authorization_header_is_a_refusal(header: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoKeys:
        async def get(self, key_id: str) -> Any:
            raise Unauthenticated("no such key")

    monkeypatch.setattr(auth, "_issuer_keys", NoKeys)
    with pytest.raises(CommerceError) as refused:
        await authenticate(header)
    assert refused.value.status == 401


NOTHING = Operation(
    id="nothing", service="orders", name="nothing", method="POST", path="/nothing", summary="", returns=dict[str, bool]
)


async def answered(
    headers: dict[str, str], body: bytes = b"", method: str = "POST", **declared: Any
) -> func.HttpResponse:
    """What an operation answers that does nothing."""

    async def nothing(request: Request[Any]) -> Response:
        """Do nothing."""
        return Response({"done": True})

    trigger = framed(replace(NOTHING, method=method, **declared), nothing)
    answer: func.HttpResponse = await trigger(func.HttpRequest(method, "http://localhost/", headers=headers, body=body))
    return answer


@pytest.mark.parametrize("header", [gateway.PROOF, "authorization", "traceparent", "x-client-application"])
@pytest.mark.parametrize("value", ["\xff\xfe", "\udcff", "é", "a.b.c", "\ud800"], ids=ascii)
async def test_odd_bytes_in_any_header_are_no_fault_of_ours(header: str, value: str) -> None:
    response = await answered({header: value})
    assert response.status_code == 200
    assert response.headers["traceparent"]


async def test_an_answer_to_a_caller_is_kept_by_nobody_and_no_answer_is_sniffed() -> None:
    public, private = await asyncio.gather(answered({}), answered({}, scope=Scope("orders.read", "")))
    assert (public.headers.get("Cache-Control"), private.headers["Cache-Control"]) == (None, "no-store")
    for response in (public, private):
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_an_unknown_query_parameter_is_refused_without_its_name() -> None:
    async def nothing(request: Request[Any]) -> Response:
        """Do nothing."""
        return Response({})

    trigger = framed(NOTHING, nothing)
    response = await trigger(func.HttpRequest("GET", "http://localhost/", params={MARK: "1"}, body=b""))
    assert response.status_code == 400
    assert MARK.encode() not in response.get_body()


@pytest.mark.parametrize(("method", "roles", "told"), [("POST", STAFF, 1), ("GET", STAFF, 0), ("POST", CUSTOMER, 0)])
async def test_a_privileged_act_is_logged_with_who_did_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, method: str, roles: tuple[str, ...], told: int
) -> None:
    async def somebody(_: str | None) -> Principal:
        return Principal(subject="sub-7", scopes=frozenset({"stock.write"}), roles=frozenset(roles))

    monkeypatch.setattr(web_endpoint, "authenticate", somebody)
    with caplog.at_level("INFO"):
        await answered({"authorization": "Bearer x"}, method=method, scope=Scope("stock.write", "", roles))
    acts = [record for record in caplog.records if "act.privileged" in record.getMessage()]
    assert len(acts) == told
    assert all("sub-7" in f"{act.getMessage()} {vars(act)}" for act in acts)
