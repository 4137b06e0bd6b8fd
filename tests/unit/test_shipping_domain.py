"""Shipments: no piece leaves twice, carriers' news move forward alone, and an order is as far as its shipments."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints.orders.domain import SHIPPING
from blueprints.orders.domain import TRANSITIONS as ORDER_MOVES
from blueprints.shipping import domain
from blueprints.shipping.domain import (
    MAX_SHIPMENTS,
    OUTCOMES,
    RANK,
    Fulfilment,
    NotToShip,
    Shipment,
    Stopped,
    Tracking,
)

AT, LATER = "2026-03-01T12:00:00.000Z", "2026-03-02T12:00:00.000Z"
ORDERED = st.dictionaries(st.sampled_from("ABCDE"), st.integers(1, 9), min_size=1)
WANTED = st.none() | st.dictionaries(st.sampled_from("ABCDEF"), st.integers(1, 9), min_size=1)
SHIPMENT = Shipment("shp_a", "ord_a", "shipped", (), "UPS", "PARCEL1", AT, AT, "hash")
NEWS = st.lists(st.sampled_from(get_args(Tracking)), max_size=12)


def fulfilment(ordered: dict[str, int]) -> Fulfilment:
    return Fulfilment("ord_a", "customer", ordered)


@given(ORDERED, st.lists(WANTED, max_size=12))
def test_no_piece_leaves_the_house_twice(ordered: dict[str, int], attempts: list[dict[str, int] | None]) -> None:
    record, left = fulfilment(ordered), Counter(ordered)
    for wanted in attempts:
        try:
            record, lines = domain.ship(record, wanted)
        except NotToShip:
            assert not +left if wanted is None else any(count > left[sku] for sku, count in wanted.items())
            continue
        left.subtract(domain.pieces(lines))
        assert min(left.values()) >= 0
        assert record.left == dict(+left)
        assert record.progress == ("partly_shipped" if +left else "shipped")
    assert record.version == 1 + record.shipments


@given(ORDERED, WANTED)
def test_what_is_stopped_ships_nothing_and_what_has_shipped_is_not_stopped(
    ordered: dict[str, int], wanted: dict[str, int] | None
) -> None:
    stopped = domain.stop(fulfilment(ordered))
    assert stopped is not None
    assert domain.stop(stopped) is stopped
    with pytest.raises(Stopped):
        domain.ship(stopped, wanted)
    assert domain.stop(domain.ship(fulfilment(ordered), None)[0]) is None


def test_an_order_has_so_many_shipments_at_most() -> None:
    record = fulfilment({"A": MAX_SHIPMENTS + 1})
    for _ in range(MAX_SHIPMENTS):
        record, _ = domain.ship(record, {"A": 1})
    with pytest.raises(NotToShip, match=str(MAX_SHIPMENTS)):
        domain.ship(record, {"A": 1})


@given(NEWS)
def test_a_carriers_news_move_a_shipment_forward_alone(news: list[Tracking]) -> None:
    shipment, highest = SHIPMENT, 0
    for said in news:
        before = shipment
        shipment = domain.hear(shipment, said, LATER, "trk_a")
        assert RANK[shipment.tracking] == max(highest, RANK[said])
        assert (before.status, shipment.status) not in {("delivered", "shipped"), ("delivered", "failed")}
        if RANK[said] <= highest:
            assert shipment == replace(before, tracker_id="trk_a")
        highest = max(highest, RANK[said])
    if shipment.tracking in OUTCOMES:
        assert shipment.status == ("delivered" if shipment.tracking == "delivered" else "failed")
    else:
        assert (shipment.status, shipment.reason) == ("shipped", None)


@given(NEWS)
def test_the_order_and_the_number_of_a_carriers_news_do_not_matter(news: list[Tracking]) -> None:
    def after(told: list[Tracking]) -> tuple[str, int]:
        shipment = SHIPMENT
        for said in told:
            shipment = domain.hear(shipment, said, LATER, "trk_a")
        return shipment.status, RANK[shipment.tracking]

    assert after(news) == after(news[::-1]) == after(sorted(news * 2))


def test_a_parcel_that_was_given_up_may_turn_up_and_one_that_arrived_is_never_lost() -> None:
    lost = domain.end(SHIPMENT, "fail", "not_heard_of")
    assert (lost.status, lost.reason) == ("failed", "not_heard_of")
    found = domain.hear(lost, "delivered", LATER, "trk_a")
    assert (found.status, found.reason) == ("delivered", None)
    assert domain.end(found, "fail", "not_heard_of") == found


@given(st.lists(st.sampled_from(["delivered", "failed"]), min_size=1, max_size=6), st.randoms())
def test_an_order_is_delivered_when_every_shipment_has_ended_and_one_has_arrived(
    ends: list[str], chance: object
) -> None:
    record = fulfilment({"A": len(ends)})
    for _ in ends:
        record, _ = domain.ship(record, {"A": 1})
    for place, end in enumerate(ends):
        assert record.progress == "shipped"
        record = domain.counted(record, "shipped", end)  # type: ignore[arg-type]  # one of the two
        if place + 1 < len(ends):
            assert record.progress == "shipped"
    assert record.progress == ("delivered" if "delivered" in ends else "shipped")
    if "failed" in ends:
        assert domain.counted(record, "failed", "delivered").progress == "delivered"


def test_orders_follows_what_shipping_tells_in_every_order_of_arrival() -> None:
    told = list(SHIPPING)
    for arrivals in itertools.permutations(told):
        status, best = "confirmed", 0
        for progress in arrivals:
            status = ORDER_MOVES.get((status, SHIPPING[progress]), status)  # type: ignore[arg-type]  # statuses
            best = max(best, told.index(progress))
            assert status == told[best]
