"""Ids of ours: those that are derived never change, for orders and carts of earlier releases are found by them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from shared import ids


def test_a_derived_id_is_what_it_always_was() -> None:
    assert ids.derived("ord", "customer", "key") == "ord_kbs7f3b5gmocrvefqtgb3d44cb"


@given(st.lists(st.text(max_size=20), min_size=1, max_size=3))
def test_a_derived_id_follows_from_its_parts_alone(parts: list[str]) -> None:
    found = ids.derived("crt", *parts)
    assert re.fullmatch(r"crt_[a-z2-7]{26}", found)
    assert found == ids.derived("crt", *parts) != ids.derived("crt", *parts, "")


def test_no_two_drawn_ids_are_the_same() -> None:
    drawn = {ids.drawn("gst", 52) for _ in range(100)}
    assert len(drawn) == 100
    assert all(re.fullmatch(r"gst_[a-z2-7]{52}", each) for each in drawn)
