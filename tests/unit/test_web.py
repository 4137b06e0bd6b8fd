"""The HTTP kit, without a server: bodies, cursors, limits, problem documents, trace context."""

from __future__ import annotations

import json
import string

import azure.functions as func
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints.orders.shapes import PlaceOrder
from shared.errors import CommerceError, InvalidRequest, PayloadTooLarge, UnsupportedMediaType
from shared.telemetry import span as spans
from shared.telemetry import trace
from shared.web.body import MAX_BODY, fingerprint, read_body
from shared.web.paging import decode_cursor, encode_cursor, read_limit
from shared.web.problem import problem

ORDER = {
    "items": [{"sku": "85123A", "quantity": 1}],
    "shipping_address": {
        "name": "A. Shopper",
        "line1": "1 Market Street",
        "city": "London",
        "postal_code": "EC1A 1AA",
        "country": "GB",
    },
    "payment_method": "pm_card_visa",
}


def request(body: bytes | str | object, content_type: str = "application/json") -> func.HttpRequest:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return func.HttpRequest("POST", "http://localhost/", headers={"content-type": content_type}, body=content)


def test_a_good_body_is_read() -> None:
    assert read_body(request(ORDER), PlaceOrder).payment_method == "pm_card_visa"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"coupon": "x"}, "coupon"),
        ({"items": []}, "items"),
        ({"items": [{"sku": "85123A", "quantity": 0}]}, "quantity"),
        ({"items": [{"sku": "85123A", "quantity": 10**9}]}, "quantity"),
        ({"items": [{"sku": "85123A", "quantity": 1.5}]}, "quantity"),
        ({"items": [{"sku": "85123A", "quantity": "1"}]}, "quantity"),
        ({"items": [{"sku": "../x", "quantity": 1}]}, "sku"),
        ({"items": [{"sku": "85123A", "quantity": 1, "price": 0}]}, "price"),
        ({"payment_method": "4242424242424242"}, "payment_method"),
        ({"shipping_address": {}}, "shipping_address"),
        ({"shipping_address": {**ORDER["shipping_address"], "country": "England"}}, "country"),  # type: ignore[dict-item]  # a JSON document
        ({"cart_id": "42"}, "cart_id"),
    ],
)
def test_a_bad_field_is_refused_and_named(change: dict[str, object], where: str) -> None:
    with pytest.raises(InvalidRequest, match=where):
        read_body(request({**ORDER, **change}), PlaceOrder)


def test_a_card_number_in_the_wrong_place_is_not_repeated_in_the_answer() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_body(request({**ORDER, "payment_method": "4242424242424242"}), PlaceOrder)
    assert "4242" not in caught.value.detail


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_a_bad_request(content: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_body(request(content), PlaceOrder)


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 40_000, b'{"items": ' + b"[" * 50_000])
def test_a_deep_document_is_a_bad_request(content: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_body(request(content), PlaceOrder)


def test_a_large_body_is_refused_before_it_is_read() -> None:
    with pytest.raises(PayloadTooLarge):
        read_body(request(b" " * (MAX_BODY + 1)), PlaceOrder)


def test_a_body_of_another_type_is_refused() -> None:
    with pytest.raises(UnsupportedMediaType):
        read_body(request(ORDER, "text/plain"), PlaceOrder)


def test_the_fingerprint_is_of_the_request_not_of_its_spelling() -> None:
    spaced = json.dumps(dict(reversed(ORDER.items())), indent=4).encode()
    other = {**ORDER, "payment_method": "pm_card_mastercard"}
    first, second, third = (fingerprint(read_body(request(body), PlaceOrder)) for body in (ORDER, spaced, other))
    assert first == second != third


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_cursor_leads_back_to_its_position(position: str, scope: str) -> None:
    assert decode_cursor(encode_cursor(position, scope), scope) == position


@given(st.text(string.printable, min_size=1, max_size=80))
def test_a_broken_cursor_is_a_bad_request(cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        decode_cursor(cursor, "scope")


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="other filters"):
        decode_cursor(encode_cursor("a", "one"), "two")


@pytest.mark.parametrize("text", ["0", "-1", "101", "x", "", "1.5", "١"])
def test_a_page_has_1_to_100_items(text: str) -> None:
    with pytest.raises(InvalidRequest, match="limit"):
        read_limit({"limit": text})


def _errors(kind: type[CommerceError]) -> list[type[CommerceError]]:
    return [kind, *(error for sub in kind.__subclasses__() for error in _errors(sub))]


@pytest.mark.parametrize("kind", _errors(CommerceError), ids=lambda kind: kind.__name__)
def test_every_error_is_a_problem_document(kind: type[CommerceError]) -> None:
    answer = problem(kind("what to do", retry_after=2), "trace")
    document = json.loads(answer.get_body())
    assert answer.mimetype == "application/problem+json"
    assert answer.status_code == document["status"] == kind.status
    assert document["type"].startswith("urn:durable-commerce:problem:")
    assert (document["detail"], document["trace_id"]) == ("what to do", "trace")
    assert answer.headers["Retry-After"] == "2"


PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_trace_goes_on_in_a_new_span() -> None:
    with spans.request("orders", "place", PARENT) as span:
        assert span.context.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
        assert span.context.span_id != span.parent_id == "00f067aa0ba902b7"
        assert trace.current() == span.context


@given(st.text(max_size=60))
def test_a_broken_traceparent_starts_a_new_trace(text: str) -> None:
    if trace.parse(text) is None:
        with spans.request("orders", "place", text) as span:
            assert trace.parse(span.context.traceparent) == span.context
