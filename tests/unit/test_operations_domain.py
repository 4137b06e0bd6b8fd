"""Which dead letters are meant, and what of one may be seen."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from blueprints.operations.domain import Chosen
from shared.redaction import HIDDEN, SHOWN, redacted

TEXTS = st.sampled_from(["", "a", "b"])


@dataclass(frozen=True)
class Letter:
    number: int
    event_type: str
    reason: str
    subject: str
    enqueued_at: str


LETTERS = st.builds(
    Letter,
    number=st.integers(1, 5),
    event_type=TEXTS,
    reason=TEXTS,
    subject=TEXTS,
    enqueued_at=st.sampled_from(["2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"]),
)


@given(LETTERS)
def test_every_dead_letter_is_meant_where_nothing_is_said(letter: Letter) -> None:
    assert Chosen().has(letter)


@given(LETTERS, TEXTS, TEXTS, TEXTS, st.frozensets(st.integers(1, 5)), st.none() | st.integers(1, 5))
def test_each_condition_narrows(
    letter: Letter, event_type: str, reason: str, subject: str, numbers: frozenset[int], bound: int | None
) -> None:
    chosen = Chosen(event_type, reason, subject, "2026-01-02T00:00:00.000Z", numbers, bound)
    assert chosen.has(letter) == all(
        (
            not event_type or event_type == letter.event_type,
            not reason or reason == letter.reason,
            not subject or subject == letter.subject,
            letter.enqueued_at.startswith("2026-01-01"),
            not numbers or letter.number in numbers,
            bound is None or letter.number <= bound,
        )
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.just("secret 4242") | st.just(4242),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "email", "customer_id"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["customer_id", "name", "payment_method"]), JSON))
def test_no_value_of_a_field_that_is_not_shown_is_seen(data: dict[str, Any]) -> None:
    seen = redacted(json.dumps({"data": data}).encode())
    assert seen is not None and seen.keys() == data.keys()
    assert set(seen.values()) <= {HIDDEN}


def test_values_of_shown_fields_are_seen_however_deep() -> None:
    data = {"order_id": "ord_1", "lines": [{"sku": "A", "quantity": 2, "note": "for Anna"}]}
    seen = redacted(json.dumps({"data": data}).encode())
    assert seen == {"order_id": "ord_1", "lines": [{"sku": "A", "quantity": 2, "note": HIDDEN}]}
    assert not SHOWN & {"customer_id", "name", "email", "address", "payment_method", "token"}


@given(st.binary(max_size=50) | st.just(b"[" * 100_000) | st.just(b'{"data": 5}') | st.just(b"5"))
def test_what_is_no_event_has_nothing_to_show(body: bytes) -> None:
    assert redacted(body) is None
