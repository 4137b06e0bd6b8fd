"""Reservations and payments: their tables of legal moves."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints.inventory import domain as inventory
from blueprints.payments import domain as payments
from shared.contracts.orders import Line
from shared.money import Money

RESERVATION_COMMANDS = st.sampled_from(get_args(inventory.Command))
PAYMENT_COMMANDS = st.sampled_from(get_args(payments.Command))


@given(st.sampled_from(get_args(inventory.Status)), RESERVATION_COMMANDS)
def test_a_reservation_moves_stays_or_refuses(status: inventory.Status, command: inventory.Command) -> None:
    reservation = inventory.Reservation("ord_a", status, (), 1)
    if status in inventory.SETTLED[command]:
        assert inventory.next_status(reservation, command) is None
    elif (status, command) in inventory.TRANSITIONS:
        assert inventory.next_status(reservation, command) in inventory.SETTLED[command]
    else:
        with pytest.raises(inventory.IllegalTransition, match="ord_a"):
            inventory.next_status(reservation, command)


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 9)), max_size=12))
def test_pieces_of_one_sku_are_held_once_and_none_is_lost(wanted: list[tuple[str, int]]) -> None:
    pieces = inventory.pieces_by_sku(Line(sku, quantity) for sku, quantity in wanted)
    assert len({line.sku for line in pieces}) == len(pieces)
    for sku in "ABC":
        asked = sum(quantity for name, quantity in wanted if name == sku)
        assert sum(line.quantity for line in pieces if line.sku == sku) == asked


@given(st.lists(PAYMENT_COMMANDS, max_size=8))
def test_money_is_held_at_most_once_and_never_taken_after_it_was_given_back(commands: list[payments.Command]) -> None:
    payment = payments.Payment("ord_a", "customer", "authorizing", 1, Money(1, "GBP"), "pi_1")
    seen = [payment.status]
    for command in commands:
        try:
            status = payments.next_status(payment, command)
        except payments.IllegalTransition:
            continue
        payment = payments.Payment("ord_a", "customer", status, payment.version + 1, payment.amount, payment.intent_id)
        seen.append(status)
    assert seen.count("authorized") <= 1
    assert seen.count("captured") <= 1
    for final in ("voided", "refunded", "declined"):
        assert final not in seen[:-1]


def test_whatever_holds_money_can_give_it_back() -> None:
    for status, command in payments.COMPENSATION.items():
        assert payments.TRANSITIONS[status, command] in ("voided", "refunded")
    for status in ("declined", "voided", "refunded"):
        assert status not in payments.COMPENSATION
