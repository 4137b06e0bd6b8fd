"""What a request must be: its key, its parameters, its amounts, its address."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st
from stripe._encode import _api_encode

from localazure.stripe.errors import InvalidRequest
from localazure.stripe.form import decode
from tests.conformance.stripe.conftest import ORDER, Ask, AsyncClient, Provider, SyncClient, held

KEY = {"Authorization": "Bearer sk_test_local"}


@pytest.mark.parametrize("client", [SyncClient, AsyncClient])
async def test_another_key_is_401_and_is_not_shown(
    provider: Provider, client: type[SyncClient] | type[AsyncClient]
) -> None:
    stranger = client(provider.url, "sk_test_of_a_stranger_1234")
    with pytest.raises(stripe.AuthenticationError) as refused:
        await stranger("payment_intents.list")
    await stranger.close()
    assert refused.value.http_status == 401
    assert "sk_test_of_a_stranger" not in str(refused.value)


async def test_no_key_at_all_is_401(provider: Provider) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{provider.url}/v1/payment_intents") as answer:
        assert answer.status == 401
        assert "did not provide an API key" in (await answer.json())["error"]["message"]


async def test_every_answer_has_a_request_id_of_its_own(ask: Ask) -> None:
    first, second = await ask("payment_intents.list"), await ask("payment_intents.list")
    assert first.last_response.request_id.startswith("req_")
    assert first.last_response.request_id != second.last_response.request_id
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await ask("payment_intents.retrieve", "pi_missing")
    assert refused.value.request_id is not None


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"amount": None}, "parameter_missing", "amount"),
        ({"currency": None}, "parameter_missing", "currency"),
        ({"amount": "12.50"}, "parameter_invalid_integer", "amount"),
        ({"amount": -5}, "amount_too_small", "amount"),
        ({"amount": 29}, "amount_too_small", "amount"),
        ({"amount": 100_000_000}, "amount_too_large", "amount"),
        ({"amount": 10**30}, "parameter_invalid_integer", "amount"),
        ({"currency": "xxx"}, "parameter_invalid_string_enum", "currency"),
        ({"currency": "jpy", "amount": 49}, "amount_too_small", "amount"),
        ({"currency": "kwd", "amount": 1001}, "parameter_invalid_integer", "amount"),
        ({"capture_method": "later"}, "parameter_invalid_string_enum", "capture_method"),
        ({"confirm": "maybe"}, "parameter_invalid_boolean", "confirm"),
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"automatic_payment_methods": {"colour": "red"}}, "parameter_unknown", "automatic_payment_methods[colour]"),
        ({"payment_method_types": ["card"]}, "payment_method_types_no_longer_supported", "payment_method_types"),
        ({"allowed_payment_method_types": ["klarna"]}, "unsupported_feature", "allowed_payment_method_types"),
        ({"customer": "cus_1"}, "unsupported_feature", "customer"),
        ({"payment_method_data": {"type": "card"}}, "unsupported_feature", "payment_method_data"),
        ({"payment_method": "pm_card_amex"}, "resource_missing", "payment_method"),
        ({"payment_method": "pm_card_threeDSecure2Required"}, "resource_missing", "payment_method"),
        ({"description": ""}, "parameter_invalid_empty", "description"),
        ({"confirm": True}, "payment_intent_unexpected_state", None),
    ],
)
async def test_a_parameter_that_is_wrong_is_named_and_nothing_is_made(
    ask: Ask, provider: Provider, change: dict[str, Any], code: str, param: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await ask("payment_intents.create", ORDER | change)
    assert (refused.value.http_status, refused.value.code, refused.value.param) == (400, code, param)
    assert (await provider.ledger())["intents"] == []


@pytest.mark.parametrize(
    "metadata",
    [
        {f"key-{index}": "x" for index in range(51)},
        {"k" * 41: "x"},
        {"key": "x" * 501},
        {"key": {"nested": "x"}},
    ],
)
async def test_metadata_has_stripes_limits(ask: Ask, metadata: dict[str, Any]) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await ask("payment_intents.create", ORDER | {"metadata": metadata})
    assert refused.value.param == "metadata"


async def test_metadata_up_to_the_limits_is_kept(ask: Ask) -> None:
    metadata = {f"{index:040d}": "x" * 500 for index in range(50)}
    intent = await ask("payment_intents.create", ORDER | {"metadata": metadata})
    assert intent.metadata.to_dict() == metadata


@pytest.mark.parametrize(
    ("currency", "amount"), [("gbp", 30), ("gbp", 99_999_999), ("jpy", 50), ("kwd", 1010), ("GBP", 1250)]
)
async def test_amounts_at_the_edge_of_a_currency_are_taken(ask: Ask, currency: str, amount: int) -> None:
    intent = await ask("payment_intents.create", ORDER | {"currency": currency, "amount": amount})
    assert (intent.currency, intent.amount) == (currency.lower(), amount)


CARD_NUMBER = "4242 4242 4242 4242"


@pytest.mark.parametrize(
    "parameters",
    [
        ORDER | {"payment_method": CARD_NUMBER.replace(" ", "")},
        ORDER | {"metadata": {"note": CARD_NUMBER}},
        ORDER | {"payment_method_data": {"type": "card", "card": {"number": CARD_NUMBER.replace(" ", "-")}}},
        ORDER | {"description": "5555555555554444"},
    ],
)
async def test_a_card_number_is_refused_wherever_it_stands_and_never_repeated(
    ask: Ask, parameters: dict[str, Any]
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="card number") as refused:
        await ask("payment_intents.create", parameters)
    assert "4242" not in str(refused.value)
    assert "4444" not in str(refused.value)


@pytest.mark.parametrize("text", ["1780000000000", "4242424242424241", "order 4242424242424242x"])
async def test_other_numbers_are_not_taken_for_cards(ask: Ask, text: str) -> None:
    assert (await ask("payment_intents.create", ORDER | {"description": text})).description == text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/customers"),
        ("POST", "/v1/payment_intents/pi_1"),
        ("POST", "/v1/payment_intents/pi_1/increment_authorization"),
        ("GET", "/v2/core/events"),
        ("DELETE", "/v1/refunds/re_1"),
    ],
)
async def test_an_address_that_does_not_exist_here_is_refused_by_name(
    provider: Provider, method: str, path: str
) -> None:
    async with (
        aiohttp.ClientSession(headers=KEY) as session,
        session.request(method, f"{provider.url}{path}") as answer,
    ):
        assert answer.status == 404
        assert f"({method}: {path})" in (await answer.json())["error"]["message"]


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ({"Stripe-Account": "acct_1"}, "Stripe-Account"),
        ({"Stripe-Version": "2020-08-27"}, "2020-08-27"),
        ({"Content-Type": "application/json"}, "application/json"),
    ],
)
async def test_a_header_that_asks_for_more_is_refused_by_name(
    provider: Provider, header: dict[str, str], named: str
) -> None:
    async with (
        aiohttp.ClientSession(headers=KEY) as session,
        session.post(f"{provider.url}/v1/payment_intents", data=b"{}", headers=header) as answer,
    ):
        assert answer.status == 400
        assert named in (await answer.json())["error"]["message"]


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("payment_intents.capture", {"final_capture": False}),
        ("payment_intents.capture", {"amount_to_capture": 0}),
        ("payment_intents.capture", {"statement_descriptor": "SHOP"}),
        ("payment_intents.confirm", {"payment_method_options": {"card": {"request_three_d_secure": "any"}}}),
        ("payment_intents.cancel", {"cancellation_reason": "bored"}),
        ("payment_intents.cancel", {"colour": "red"}),
        ("payment_intents.retrieve", {"expand": ["customer"]}),
        ("payment_intents.retrieve", {"client_secret": "x"}),
    ],
)
async def test_what_a_call_does_not_take_is_refused_and_has_no_effect(
    ask: Ask, call: str, arguments: dict[str, Any]
) -> None:
    intent = await held(ask)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await ask(call, intent.id, arguments)
    assert refused.value.http_status == 400
    assert (await ask("payment_intents.retrieve", intent.id)).status == "requires_capture"


names = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=8)
values = st.recursive(
    st.text("abcxyz é&=%+ /", max_size=8),
    lambda below: st.lists(below, min_size=1, max_size=3) | st.dictionaries(names, below, min_size=1, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(names, values, max_size=4))
def test_what_the_official_client_encodes_is_decoded_to_the_same(parameters: dict[str, Any]) -> None:
    encoded = urlencode(list(_api_encode(parameters))).replace("%5B", "[").replace("%5D", "]")
    assert decode(encoded) == parameters


@pytest.mark.parametrize("text", ["a[b=1", "[a]=1", "a]b=1", "=1", "a=1&a=2", "a=1&a[b]=2", "nonsense", "a[b]=1&a=2"])
def test_what_no_client_would_send_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        decode(text)
