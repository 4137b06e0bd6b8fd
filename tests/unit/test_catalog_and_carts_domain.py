"""Products get a new version for a real change alone; carts hold what was put into them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints.carts.domain import MAX_LINES, Cart, CartFull, remove_line, set_line
from blueprints.catalog.domain import Product, revised
from shared.money import Money

PRODUCT = Product("A", "thing", "gifts", Money(100, "GBP"))


def test_a_product_that_does_not_change_keeps_its_version() -> None:
    assert revised(PRODUCT, PRODUCT) is None


def test_a_change_is_the_next_version() -> None:
    changed = revised(
        Product("A", "thing", "gifts", Money(100, "GBP"), version=7), Product("A", "thing", "gifts", Money(99, "GBP"))
    )
    assert changed is not None
    assert (changed.price.amount, changed.version) == (99, 8)


@given(st.lists(st.tuples(st.sampled_from("ABCDE"), st.integers(0, 5)), max_size=30))
def test_a_cart_is_what_the_last_word_on_each_sku_said(changes: list[tuple[str, int]]) -> None:
    cart, expected = Cart("crt", "customer", 1), dict[str, int]()
    for sku, quantity in changes:
        before = cart
        cart = set_line(cart, sku, quantity) if quantity else remove_line(cart, sku)
        if quantity:
            expected[sku] = quantity
        else:
            expected.pop(sku, None)
        assert cart.version == before.version + (0 if cart is before else 1)
        assert (cart is before) == (cart.lines == before.lines)
    assert cart.lines == expected


def test_a_full_cart_takes_no_further_line_but_lets_lines_change() -> None:
    full = Cart("crt", "customer", 1, {f"S{number}": 1 for number in range(MAX_LINES)})
    assert set_line(full, "S0", 2).lines["S0"] == 2
    with pytest.raises(CartFull):
        set_line(full, "another", 1)
