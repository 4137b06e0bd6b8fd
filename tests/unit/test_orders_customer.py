"""What a customer may order: lines a minute, orders at a time, declines an hour, and credit. Time is an argument."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints.orders import customer, domain
from blueprints.orders.customer import ABANDONED, HOUR, Customer, Exceeded, Limits, Open
from blueprints.orders.domain import MAX_LINES, Address, Order, OrderLine
from shared.clock import timestamp
from shared.money import Money

LIMITS = Limits(lines_per_minute=600, open_orders=5, declines_per_hour=3)
NOBODY = Customer("c")
BEGAN = 1_800_000_000.0


def order(name: str, lines: int = 1, amount: int = 100, at: float = BEGAN, currency: str = "GBP") -> Order:
    return domain.place(
        order_id=name,
        customer_id="c",
        lines=(OrderLine("S", "Thing", 1, Money(amount, currency)),) * lines,
        shipping_address=Address("A", "1", "London", "N1", "GB"),
        at=timestamp(datetime.fromtimestamp(at, UTC)),
        request_hash="",
    )


def ended(placed: Order, reason: str | None, at: float) -> Order:
    moment = timestamp(datetime.fromtimestamp(at, UTC))
    return domain.transition(placed, "cancel" if reason else "confirm", moment, reason)  # type: ignore[arg-type]  # one of them


def bought(known: Customer, amount: int, at: float = BEGAN) -> Customer:
    return with_end(known, order(f"paid {amount} {at}", amount=amount, at=at), None, at)


def with_end(known: Customer, placed: Order, reason: str | None, at: float) -> Customer:
    admitted = customer.admit(known, placed, at, LIMITS)
    return customer.after(admitted, [placed.id], {placed.id: ended(placed, reason, at)}, at)


def test_lines_are_limited_in_the_long_run_and_the_largest_order_may_always_come_first() -> None:
    known = customer.admit(NOBODY, order("a", MAX_LINES), BEGAN, LIMITS)
    with pytest.raises(Exceeded) as refused:
        customer.check(known, 100, BEGAN, LIMITS)
    assert refused.value.limit == "order-lines"
    assert refused.value.wait == pytest.approx(10)
    customer.check(known, 100, BEGAN + 10.001, LIMITS)


@given(st.lists(st.tuples(st.integers(1, MAX_LINES), st.floats(0, 30)), max_size=60))
def test_whoever_waits_as_told_is_let_in_and_no_one_gets_more_than_burst_and_rate(
    orders: list[tuple[int, float]],
) -> None:
    known, now, total = NOBODY, BEGAN, 0
    limits = replace(LIMITS, open_orders=1_000)
    for number, (lines, pause) in enumerate(orders):
        now += pause
        try:
            customer.check(known, lines, now, limits)
        except Exceeded as exc:
            now += exc.wait + 0.001
        known = customer.admit(known, order(str(number), lines), now, limits)
        total += lines
        assert total <= MAX_LINES + (now - BEGAN) * 600 / 60 + 0.1


def test_orders_under_way_are_limited_and_make_room_when_they_end() -> None:
    known = NOBODY
    for number in range(LIMITS.open_orders):
        known = customer.admit(known, order(str(number)), BEGAN, LIMITS)
    with pytest.raises(Exceeded, match="open-orders"):
        customer.admit(known, order("more"), BEGAN, LIMITS)
    looked_at = customer.oldest(known, LIMITS)
    known = customer.after(known, looked_at, {"0": ended(order("0"), "customer_request", BEGAN + 1)} | {
        name: order(name) for name in looked_at[1:]}, BEGAN + 1)  # fmt: skip
    assert customer.admit(known, order("more"), BEGAN + 1, LIMITS).open.keys() == {"1", "2", "3", "4", "more"}


def test_an_order_that_is_let_in_twice_counts_once() -> None:
    known = customer.admit(NOBODY, order("a", 500), BEGAN, LIMITS)
    assert customer.admit(known, order("a", 500, at=BEGAN + 1), BEGAN + 1, LIMITS) == known


def test_an_order_that_was_let_in_and_never_written_is_forgotten_in_time() -> None:
    known = customer.admit(NOBODY, order("a"), BEGAN, LIMITS)
    assert customer.after(known, ["a"], {}, BEGAN + ABANDONED - 1) == known
    assert customer.after(known, ["a"], {}, BEGAN + ABANDONED + 1).open == {}


def test_declined_orders_are_limited_for_an_hour_and_other_ends_are_not() -> None:
    known = NOBODY
    for number, reason in enumerate(("payment_declined", "out_of_stock", "payment_declined", "payment_declined")):
        known = with_end(known, order(str(number), at=BEGAN + number), reason, BEGAN + number)
    with pytest.raises(Exceeded) as refused:
        customer.check(known, 1, BEGAN + 10, LIMITS)
    assert (refused.value.limit, refused.value.wait) == ("declined-orders", HOUR - 10)
    customer.check(known, 1, BEGAN + HOUR, LIMITS)


def test_who_has_not_paid_yet_has_no_credit_and_who_has_paid_has_that_much() -> None:
    assert not customer.admit(NOBODY, order("a"), BEGAN, LIMITS).open["a"].ahead
    known = bought(NOBODY, 500)
    assert customer.admit(known, order("a", amount=500), BEGAN, LIMITS).open["a"].ahead
    assert not customer.admit(known, order("a", amount=501), BEGAN, LIMITS).open["a"].ahead
    assert not customer.admit(known, order("a", amount=5, currency="EUR"), BEGAN, LIMITS).open["a"].ahead


def test_what_is_held_ahead_and_what_was_declined_within_the_hour_is_off_the_credit() -> None:
    known = customer.admit(bought(NOBODY, 500), order("a", amount=300), BEGAN, LIMITS)
    assert not customer.admit(known, order("b", amount=300), BEGAN, LIMITS).open["b"].ahead
    declined = customer.after(known, ["a"], {"a": ended(order("a", amount=300), "payment_declined", BEGAN)}, BEGAN)
    assert customer.credit(declined, "GBP", BEGAN + 1, LIMITS) == 200
    assert customer.credit(declined, "GBP", BEGAN + HOUR, LIMITS) == 500


def test_credit_may_be_given_to_everybody() -> None:
    assert customer.admit(NOBODY, order("a"), BEGAN, replace(LIMITS, credit=100)).open["a"].ahead


def test_a_repeated_key_neither_pays_twice_nor_hides_a_refusal() -> None:
    first = order("a", amount=500)
    known = with_end(NOBODY, first, None, BEGAN + 1)
    again = customer.admit(known, order("a", amount=500, at=BEGAN + 2), BEGAN + 2, LIMITS)
    assert customer.after(again, ["a"], {"a": ended(first, None, BEGAN + 1)}, BEGAN + 3).paid == {"GBP": 500}
    under_way = customer.admit(NOBODY, first, BEGAN, LIMITS)
    repeated = customer.admit(under_way, order("a", amount=500, at=BEGAN + 1), BEGAN + 1, LIMITS)
    assert customer.after(repeated, ["a"], {"a": ended(first, "payment_declined", BEGAN + 2)}, BEGAN + 2).declines


def test_few_orders_are_looked_at_the_oldest_first_and_all_where_there_is_no_room() -> None:
    known = replace(
        NOBODY, open={str(n): Open(order("a", at=BEGAN + n).placed_at, Money(1, "GBP"), False) for n in range(20)}
    )
    assert customer.oldest(known, replace(LIMITS, open_orders=21)) == [str(n) for n in range(customer.LOOKED_AT)]
    assert len(customer.oldest(known, replace(LIMITS, open_orders=20))) == 20


def test_a_partner_counts_as_many_customers_and_has_its_own_credit() -> None:
    assert Limits(600, 20, 10, 7).times(50) == Limits(30_000, 1_000, 500, 7)
