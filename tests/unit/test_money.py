"""Money: whole minor units, one currency, no rounding anywhere."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.money import CurrencyMismatch, Money, minor_unit_digits, parse, total

CURRENCIES = st.sampled_from(["GBP", "EUR", "JPY", "KWD"])
AMOUNTS = st.integers(0, 99_999_999)


@given(AMOUNTS, CURRENCIES)
def test_what_is_written_out_is_read_back(amount: int, currency: str) -> None:
    money = Money(amount, currency)
    text, _, code = str(money).partition(" ")
    assert parse(text, code) == money


@given(st.lists(AMOUNTS, min_size=1), CURRENCIES)
def test_a_total_is_the_sum_of_the_minor_units(amounts: list[int], currency: str) -> None:
    assert total(Money(amount, currency) for amount in amounts) == Money(sum(amounts), currency)


@given(st.decimals(0, 1000, places=2), st.integers(1, 1000))
def test_a_line_costs_its_price_times_its_pieces_to_the_penny(price: Decimal, quantity: int) -> None:
    assert (parse(str(price), "GBP") * quantity).amount == int(price * 100) * quantity


def test_two_currencies_do_not_add_up() -> None:
    with pytest.raises(CurrencyMismatch, match="EUR"):
        Money(1, "GBP") + Money(1, "EUR")


def test_nothing_has_no_total() -> None:
    with pytest.raises(ValueError, match="nothing"):
        total([])


@pytest.mark.parametrize(("currency", "digits"), [("GBP", 2), ("JPY", 0), ("BHD", 3)])
def test_each_currency_has_its_own_minor_unit(currency: str, digits: int) -> None:
    assert minor_unit_digits(currency) == digits


@pytest.mark.parametrize("text", ["", "abc", "-1", "1.005", "NaN", "Infinity", "1e400"])
def test_what_is_no_whole_number_of_minor_units_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"amount of money|whole, non-negative"):
        parse(text, "GBP")


def test_a_currency_that_is_not_in_use_is_refused() -> None:
    with pytest.raises(ValueError, match="XYZ"):
        parse("1", "XYZ")
