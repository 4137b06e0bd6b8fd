"""Orders: the table of legal moves, and what a new order must be."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints.orders import domain
from blueprints.orders.domain import CANCELLING, Address, Command, Order, ProductPrice, Status
from blueprints.orders.service import derive_order_id
from shared.money import MAX_AMOUNT, Money

ADDRESS = Address("A. Shopper", "1 Market Street", "London", "EC1A 1AA", "GB")


def placed(amount: int = 255) -> Order:
    return domain.place(
        order_id="ord_a",
        customer_id="customer",
        lines=(domain.OrderLine("A", "thing", 1, Money(amount, "GBP")),),
        shipping_address=ADDRESS,
        at="2010-12-01T08:26:00.000Z",
        request_hash="hash",
    )


@given(st.lists(st.sampled_from(get_args(Command)), max_size=6))
def test_no_sequence_of_commands_leaves_the_table_of_moves(commands: list[Command]) -> None:
    order = placed()
    for command in commands:
        legal = (order.status, command) in domain.TRANSITIONS
        before = order
        try:
            order = domain.transition(
                order, command, "2010-12-01T08:27:00.000Z", "timed_out" if command in CANCELLING else None
            )
        except domain.IllegalTransition as exc:
            assert not legal
            assert before.id in str(exc)
            assert before.status in str(exc)
            continue
        assert legal
        assert order.status == domain.TRANSITIONS[before.status, command]
        assert order.version == before.version + 1
        assert order.history[:-1] == before.history


@pytest.mark.parametrize("status", ["delivered", "cancelled"])
def test_a_settled_order_never_moves_again(status: Status) -> None:
    assert not any(before == status for before, _ in domain.TRANSITIONS)


@pytest.mark.parametrize("status", ["partly_shipped", "shipped", "delivered"])
def test_what_has_shipped_is_not_cancelled(status: Status) -> None:
    assert not any((status, command) in domain.TRANSITIONS for command in CANCELLING)


def test_a_confirmed_order_is_cancelled_by_nothing_that_decides_a_placed_one() -> None:
    assert ("confirmed", "cancel") not in domain.TRANSITIONS


def test_a_cancelled_order_says_why() -> None:
    assert domain.transition(placed(), "cancel", "2010-12-01T08:27:00.000Z", "out_of_stock").reason == "out_of_stock"


def test_the_first_answer_can_be_given_again_after_the_order_has_moved() -> None:
    order = placed()
    assert domain.transition(order, "confirm", "2010-12-01T08:27:00.000Z").as_placed() == order


def test_an_order_survives_being_written_and_read() -> None:
    order = domain.transition(placed(), "cancel", "2010-12-01T08:27:00.000Z", "timed_out")
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(order)), Order) == order


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 50)), min_size=1, max_size=20))
def test_lines_are_priced_one_by_one_and_the_total_is_theirs(wanted: list[tuple[str, int]]) -> None:
    products = {
        "A": ProductPrice("a", Money(1, "GBP")),
        "B": ProductPrice("b", Money(20, "GBP")),
        "C": ProductPrice("c", Money(300, "GBP")),
    }
    lines = domain.price_lines(wanted, products)
    assert [(line.sku, line.quantity) for line in lines] == wanted
    expected = sum(products[sku].price.amount * quantity for sku, quantity in wanted)
    assert domain.order_total(lines) == Money(expected, "GBP")


def test_the_place_of_every_unknown_sku_is_told() -> None:
    with pytest.raises(domain.UnknownSku) as caught:
        domain.price_lines([("X", 1), ("A", 1), ("Y", 1), ("X", 2)], {"A": ProductPrice("a", Money(1, "GBP"))})
    assert caught.value.lines == [0, 2, 3]


def test_the_place_of_every_product_that_is_sold_no_more_is_told() -> None:
    products = {"A": ProductPrice("a", Money(1, "GBP")), "B": ProductPrice("b", Money(1, "GBP"), discontinued=True)}
    with pytest.raises(domain.Discontinued, match="sold no more: the products of the lines 0, 2,") as caught:
        domain.price_lines([("B", 1), ("A", 1), ("B", 2)], products)
    assert caught.value.lines == [0, 2]


@pytest.mark.parametrize("amount", [0, MAX_AMOUNT + 1])
def test_a_total_no_payment_can_carry_is_refused(amount: int) -> None:
    with pytest.raises(domain.TotalOutOfRange):
        domain.order_total([domain.OrderLine("A", "a", 1, Money(amount, "GBP"))])


def test_an_order_in_two_currencies_is_refused() -> None:
    lines = [domain.OrderLine("A", "a", 1, Money(1, "GBP")), domain.OrderLine("B", "b", 1, Money(1, "EUR"))]
    with pytest.raises(domain.TotalOutOfRange, match="one currency"):
        domain.order_total(lines)


@given(st.text(max_size=50), st.text(max_size=50), st.text(max_size=50), st.text(max_size=50))
def test_one_order_id_belongs_to_one_caller_and_key(caller: str, key: str, other: str, other_key: str) -> None:
    if "\0" in caller + key + other + other_key:
        return
    same = (caller, key) == (other, other_key)
    assert (derive_order_id(caller, key) == derive_order_id(other, other_key)) == same
