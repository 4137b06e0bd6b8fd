"""What the provider, or somebody who pretends to be it, may say: nothing of it is more than a refusal."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints.payments import provider, service, store
from blueprints.payments.domain import Payment
from blueprints.payments.provider import Intent
from blueprints.payments.webhook import WebhookEvent, read_webhook
from shared.errors import InvalidRequest, Rejected, Transient
from shared.money import Money
from shared.settings import settings
from tests.integration.services.conftest import Story, intents, told

SECRET = "whsec_test"
ORDER_ID = "ord_" + "a" * 26
HELD = "payment_intent.amount_capturable_updated"
GOOD: dict[str, Any] = {
    "id": "evt_1",
    "type": HELD,
    "data": {
        "object": {
            "id": "pi_1", "amount": 500, "currency": "gbp", "status": "requires_capture",
            "metadata": {"order_id": ORDER_ID}, "last_payment_error": None,
        }
    },
}  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", SECRET)
    settings.cache_clear()


def signed(payload: bytes) -> str:
    moment = int(time.time())
    digest = hmac.new(SECRET.encode(), f"{moment}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def heard(document: Any) -> WebhookEvent:
    payload = json.dumps(document).encode()
    return read_webhook(payload, signed(payload))


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good event with another value at a dotted path; `...` takes it away."""
    document = json.loads(json.dumps(GOOD))
    *way, last = path.split(".")
    place = document
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return document  # type: ignore[no-any-return]  # JSON


def test_a_good_event_says_what_is_held_for_whom() -> None:
    assert heard(GOOD) == WebhookEvent(HELD, ORDER_ID, Intent("pi_1", "authorized", "", Money(500, "GBP")))


@pytest.mark.parametrize(
    "signature",
    [
        "t=9999999999,v1=é", "t=1,v1=" + "0" * 64, "t=,v1=", "t=" + "9" * 5_000 + ",v1=a", "t=x,v1=a", "v1=a",
        "=", ",,,", "", "t=1,t=2,v1=\ud800", "\xff\xfe", "t=9999999999,v1=" + "f" * 64,
    ],
)  # fmt: skip
def test_a_signature_that_is_not_the_providers_is_a_bad_request(signature: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_webhook(json.dumps(GOOD).encode(), signature)
    assert refused.value.code == "invalid-signature"


@given(st.text(max_size=80))
def test_no_signature_is_more_than_a_bad_request(signature: str) -> None:
    with pytest.raises(InvalidRequest):
        read_webhook(json.dumps(GOOD).encode(), signature)


@pytest.mark.parametrize(
    "document",
    [
        changed("type", ...), changed("type", None), changed("type", 5), changed("data", ...), changed("data", None),
        changed("data", []), changed("data.object", None), changed("data.object", []), changed("data.object.id", ...),
        changed("data.object.id", None), changed("data.object.amount", "500"), changed("data.object.amount", None),
        changed("data.object.amount", 10**30), changed("data.object.currency", None),
        changed("data.object.metadata", []), changed("data.object.metadata", "x"),
        changed("data.object.last_payment_error", "no"), [], None, 5, "text",
    ],
    ids=lambda document: json.dumps(document)[:60],
)  # fmt: skip
def test_a_well_signed_event_of_another_shape_is_a_bad_request(document: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        heard(document)
    assert refused.value.code == "malformed-webhook"


@pytest.mark.parametrize("order_id", [..., None, 5, "", "ord_x", "ord_" + "a" * 26 + "\n", "é", {}, []])
def test_an_intent_of_no_order_of_ours_says_nothing(order_id: Any) -> None:
    assert heard(changed("data.object.metadata.order_id", order_id)) == WebhookEvent(HELD, None, None)
    assert heard(changed("data.object.metadata", None)) == WebhookEvent(HELD, None, None)


@given(JSON)
def test_whatever_is_well_signed_is_read_or_refused(document: Any) -> None:
    payload = json.dumps(document).encode()
    with contextlib.suppress(InvalidRequest):
        read_webhook(payload, signed(payload))


@pytest.mark.parametrize("payload", [b"[" * 50_000, b"\xff\xfe", b"", b"{", b'{"type": "\\ud800"}'])
def test_bytes_that_are_no_json_are_a_bad_request(payload: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_webhook(payload, signed(payload))


async def test_a_hold_that_neither_we_nor_the_provider_know_is_noted_and_no_fault() -> None:
    stranger = Intent("pi_nobody", "authorized", "", Money(500, "GBP"))
    await service.handle_webhook(WebhookEvent(HELD, f"ord_{secrets.token_hex(13)}", stranger))


async def test_asking_for_an_intent_that_does_not_exist_can_never_succeed() -> None:
    with pytest.raises(Rejected, match="refuses") as refused:
        await provider.retrieve("pi_nobody")
    assert refused.value.code == "provider-refused"


@pytest.mark.parametrize(("amount", "currency"), [(100, "gbp"), (500, "usd"), (499, "gbp"), (50_000, "gbp")], ids=str)
async def test_money_of_another_amount_or_currency_than_was_asked_for_is_no_authorisation(
    addresses: dict[str, str], amount: int, currency: str
) -> None:
    order = Story(f"ord_{secrets.token_hex(8)}", [])
    intent = await provider.create(order.order_id, Money(amount, currency.upper()))
    held = await provider.confirm(order.order_id, intent.id, "pm_card_visa")
    assert held.amount == Money(amount, currency.upper())
    await store.add(Payment(order.order_id, "customer", "authorizing", 1, Money(500, "GBP"), intent.id))
    await service.authorize(order.event(order.placed), order.placed)
    assert await told(store.PAYMENTS, order.order_id) == ["payment.declined"]
    [books] = await intents(addresses["stripe"], order.order_id)
    assert (books["held"], books["captured"]) == (0, 0)


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "pi_1", "amount": 500, "currency": "gbp", "status": "partially_funded"},
        {"id": "pi_1", "amount": 500, "currency": "gbp"},
        {"id": "pi_1", "status": "requires_capture"},
        {"id": None, "amount": 500, "currency": "gbp", "status": "requires_capture"},
        {},
    ],
)
def test_an_answer_that_is_not_understood_decides_nothing(answer: dict[str, Any]) -> None:
    with pytest.raises(Transient):
        provider._intent(answer)
