"""Returns: no piece comes back twice, and what is paid back is what came back, to the penny."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints.orders import domain, returns
from blueprints.orders.domain import Address, Order, OrderLine
from blueprints.orders.returns import WINDOW, Miscounted, NotReturnable, Return
from blueprints.payments.domain import NotRefundable, Payment, Refund, decide_refund, settle_refund
from shared.clock import parse_timestamp, timestamp
from shared.money import Money

AT = "2026-03-01T12:00:00.000Z"
ADDRESS = Address("A. Shopper", "1 Market Street", "London", "EC1A 1AA", "GB")
PRICES = {"A": 1, "B": 199, "C": 3_333, "D": 100_000}
LINES = st.lists(st.tuples(st.sampled_from("ABCD"), st.integers(1, 9)), min_size=1, max_size=8)
WANTED = st.dictionaries(st.sampled_from("ABCDE"), st.integers(1, 9), min_size=1)


def delivered(*lines: tuple[str, int]) -> Order:
    order = domain.place(
        order_id="ord_a",
        customer_id="customer",
        lines=tuple(OrderLine(sku, sku, quantity, Money(PRICES[sku], "GBP")) for sku, quantity in lines),
        shipping_address=ADDRESS,
        at=AT,
        request_hash="hash",
    )
    for command in ("confirm", "deliver"):
        order = domain.transition(order, command, AT)
    return order


def asked(order: Order, before: list[Return], wanted: dict[str, int], at: str = AT) -> Return:
    return returns.request(
        order, before, wanted, return_id=f"ret_{len(before)}", reason="unwanted", at=at, request_hash="hash"
    )


@given(LINES, st.lists(st.tuples(WANTED, st.sampled_from(["refuse", "expire", "receive"]), st.randoms()), max_size=10))
def test_no_piece_comes_back_twice_and_what_is_paid_is_what_came_back(
    lines: list[tuple[str, int]], attempts: list[tuple[dict[str, int], str, Any]]
) -> None:
    order, cases, back = delivered(*lines), list[Return](), Counter[str]()
    sold = Counter[str]()
    for sku, quantity in lines:
        sold[sku] += quantity
    payment = Payment("ord_a", "customer", "captured", 1, order.total, "pi_1")
    for wanted, end, chance in attempts:
        try:
            case = asked(order, cases, wanted)
        except NotReturnable:
            assert any(count > sold[sku] - back[sku] for sku, count in wanted.items())
            continue
        if end == "refuse":
            case = returns.transition(case, "refuse", AT)
        else:
            case = returns.transition(case, "approve", AT)
            counted = {sku: (chance.randint(0, count), 0) for sku, count in wanted.items()}
            counted = {sku: (pieces, chance.randint(0, wanted[sku] - pieces)) for sku, (pieces, _) in counted.items()}
            if end == "expire" or not any(map(sum, counted.values())):
                case = returns.transition(case, "expire", AT)
            else:
                case = returns.receive(case, counted, AT)
                back.update({sku: sum(pieces) for sku, pieces in counted.items()})
                payment = decide_refund(payment, Refund(case.id, case.due, "returned"))
                payment = settle_refund(payment, payment.refunds[case.id], "made")
        cases.append(case)
        assert all(back[sku] <= sold[sku] for sku in back)
    assert payment.refunded == sum(PRICES[sku] * pieces for sku, pieces in back.items())
    assert payment.refunded + sum(PRICES[sku] * (sold[sku] - back[sku]) for sku in sold) == order.total.amount
    assert (payment.status == "refunded") == (back == sold)


@given(LINES, st.randoms())
def test_an_order_that_comes_back_piece_by_piece_is_paid_back_whole(lines: list[tuple[str, int]], chance: Any) -> None:
    order, cases = delivered(*lines), list[Return]()
    pieces = [sku for sku, quantity in lines for _ in range(quantity)]
    chance.shuffle(pieces)
    payment = Payment("ord_a", "customer", "captured", 1, order.total, "pi_1")
    while pieces:
        wanted = Counter(pieces.pop() for _ in range(min(len(pieces), chance.randint(1, 5))))
        if len(cases) == returns.MAX_RETURNS - 1:
            wanted += Counter(pieces)
            pieces = []
        case = returns.transition(asked(order, cases, dict(wanted)), "approve", AT)
        case = returns.receive(case, {sku: (0, count) for sku, count in wanted.items()}, AT)
        assert case.due == case.value
        payment = decide_refund(payment, Refund(case.id, case.due, "returned"))
        payment = settle_refund(payment, payment.refunds[case.id], "made")
        cases.append(case)
    assert (payment.refunded, payment.refundable, payment.status) == (order.total.amount, 0, "refunded")


REFUNDS = st.lists(st.tuples(st.integers(0, 700), st.sampled_from(["made", "failed", "pending"])), max_size=12)


@given(REFUNDS)
def test_refunds_never_exceed_what_was_taken_whatever_is_under_way_or_fails(wanted: list[tuple[int, Any]]) -> None:
    payment = Payment("ord_a", "customer", "captured", 1, Money(1_000, "GBP"), "pi_1")
    for place, (amount, status) in enumerate(wanted):
        refund = Refund(f"ref_{place}", Money(amount, "GBP"), "goodwill")
        left = payment.refundable
        try:
            payment = decide_refund(payment, refund)
        except NotRefundable:
            assert amount == 0 or amount > left
            continue
        assert 0 < amount <= left
        if status != "pending":
            payment = settle_refund(payment, payment.refunds[refund.id], status)
        promised = sum(each.amount.amount for each in payment.refunds.values() if each.status != "failed")
        assert promised <= 1_000
        assert payment.pending == sum(each.status == "pending" for each in payment.refunds.values())
        assert payment.refundable == (1_000 - promised if payment.status == "captured" else 0)


def test_a_refund_in_another_currency_is_refused() -> None:
    payment = Payment("ord_a", "customer", "captured", 1, Money(1_000, "GBP"), "pi_1")
    with pytest.raises(NotRefundable, match="GBP"):
        decide_refund(payment, Refund("ref_a", Money(1, "EUR"), "goodwill"))


@given(st.lists(st.sampled_from(get_args(returns.Command)), max_size=6))
def test_no_sequence_of_commands_leaves_the_table_of_moves(commands: list[returns.Command]) -> None:
    case = asked(delivered(("A", 1)), [], {"A": 1})
    for command in commands:
        status = returns.TRANSITIONS.get((case.status, command))
        if status is None:
            with pytest.raises(returns.IllegalTransition, match=case.id):
                returns.transition(case, command, AT)
        else:
            case = returns.transition(case, command, AT)
            assert (case.status, case.history[-1].status) == (status, status)


def test_an_order_can_be_returned_until_thirty_days_after_its_delivery() -> None:
    order = delivered(("A", 1))
    last = parse_timestamp(AT) + WINDOW
    assert asked(order, [], {"A": 1}, timestamp(last)).status == "requested"
    with pytest.raises(NotReturnable) as refused:
        asked(order, [], {"A": 1}, timestamp(last + timedelta(milliseconds=1)))
    assert refused.value.code == "return-too-late"


@pytest.mark.parametrize("commands", [(), ("confirm",), ("confirm", "ship_part"), ("confirm", "ship")])
def test_what_is_not_delivered_is_not_returned(commands: tuple[Any, ...]) -> None:
    order = replace(delivered(("A", 1)), status="placed", history=delivered(("A", 1)).history[:1])
    for command in commands:
        order = domain.transition(order, command, AT)
    with pytest.raises(NotReturnable) as refused:
        asked(order, [], {"A": 1})
    assert refused.value.code == "order-not-delivered"


def test_an_order_has_so_many_returns_at_most() -> None:
    order, cases = delivered(("A", 100)), list[Return]()
    for _ in range(returns.MAX_RETURNS):
        cases.append(returns.transition(asked(order, cases, {"A": 1}), "refuse", AT))
    with pytest.raises(NotReturnable) as refused:
        asked(order, cases, {"A": 1})
    assert refused.value.code == "too-many-returns"


@pytest.mark.parametrize("counted", [{"A": (2, 1)}, {"B": (1, 0)}, {"A": (0, 0)}, {}])
def test_a_count_of_more_than_was_to_come_or_of_nothing_is_refused(counted: dict[str, tuple[int, int]]) -> None:
    case = returns.transition(asked(delivered(("A", 2)), [], {"A": 2}), "approve", AT)
    with pytest.raises(Miscounted):
        returns.receive(case, counted, AT)


@pytest.mark.parametrize(("limit", "itself"), [(1_990, True), (1_989, False), (0, False)])
def test_a_return_approves_itself_up_to_a_limit(limit: int, itself: bool) -> None:
    assert returns.approves_itself(asked(delivered(("B", 10)), [], {"B": 10}), limit) is itself
