"""Inventory under every order of its events, with repeats, and with many buyers at once."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blueprints.inventory import domain, service, store
from shared.contracts.orders import Line
from shared.errors import Conflict, NotFound, PreconditionFailed, Transient
from shared.persistence.cosmos import Container, Document, Operation
from tests.integration.services.conftest import Story, told
from tests.integration.services.shelves import clean, counts, deliver, stocked

ORDERS_WITH_A_CANCELLATION = sorted(set(itertools.permutations(["placed", "placed", "cancelled", "cancelled"])))


@pytest.mark.parametrize("deliveries", ORDERS_WITH_A_CANCELLATION, ids="-".join)
async def test_a_cancelled_order_holds_nothing_in_whatever_order_its_events_come(deliveries: tuple[str, ...]) -> None:
    first, second = await stocked(5), await stocked(5)
    story = Story(f"ord_{secrets.token_hex(8)}", [Line(first, 2), Line(second, 5), Line(first, 1)])
    for name in deliveries:
        await deliver(story, name)
    assert await counts(first) == await counts(second) == (5, 0)
    assert Counter(await told(store.RESERVATIONS, story.order_id)).most_common(1) in ([], [("stock.reserved", 1)])


@pytest.mark.parametrize(
    "deliveries", [("placed", "confirmed"), ("placed", "placed", "confirmed", "confirmed", "placed")]
)
async def test_a_confirmed_order_takes_its_pieces_once(deliveries: tuple[str, ...]) -> None:
    sku = await stocked(5)
    story = Story(f"ord_{secrets.token_hex(8)}", [Line(sku, 2)])
    for name in deliveries:
        await deliver(story, name)
    assert await counts(sku) == (3, 0)
    assert await told(store.RESERVATIONS, story.order_id) == ["stock.reserved"]


async def test_an_order_that_cannot_be_filled_holds_nothing_and_says_what_is_short() -> None:
    plenty, scarce = await stocked(5), await stocked(1)
    story = Story(f"ord_{secrets.token_hex(8)}", [Line(plenty, 1), Line(scarce, 2), Line("unknown", 1)])
    await deliver(story, "placed")
    await deliver(story, "placed")
    assert (await counts(plenty), await counts(scarce)) == ((5, 0), (1, 0))
    assert await told(store.RESERVATIONS, story.order_id) == ["stock.rejected"]


async def test_a_confirmation_that_comes_before_its_order_is_to_be_tried_again() -> None:
    with pytest.raises(Transient):
        await deliver(Story(f"ord_{secrets.token_hex(8)}", []), "confirmed")


async def test_fifty_pieces_go_to_fifty_of_two_hundred_buyers() -> None:
    sku = await stocked(50)
    stories = [Story(f"ord_{secrets.token_hex(8)}", [Line(sku, 1)]) for _ in range(200)]
    await asyncio.gather(*(deliver(story, "placed") for story in stories))
    outcomes = Counter([(await store.get_reservation(story.order_id)).status for story in stories])  # type: ignore[union-attr]  # it exists
    assert outcomes == {"reserved": 50, "rejected": 150}
    assert await counts(sku) == (50, 50)


async def test_the_same_delivery_twice_at_once_holds_once() -> None:
    sku = await stocked(5)
    for _ in range(10):
        story = Story(f"ord_{secrets.token_hex(8)}", [Line(sku, 1)])
        await asyncio.gather(*(deliver(story, "placed") for _ in range(4)), return_exceptions=True)
        assert (await counts(sku))[1] == 1
        await deliver(story, "cancelled")
        assert await counts(sku) == (5, 0)


async def test_a_cancellation_beside_its_order_leaves_nothing_held() -> None:
    sku = await stocked(5)
    for _ in range(20):
        story = Story(f"ord_{secrets.token_hex(8)}", [Line(sku, 1)])
        await asyncio.gather(deliver(story, "placed"), deliver(story, "cancelled"))
        assert await counts(sku) == (5, 0)


async def test_a_crash_between_holding_and_deciding_is_repaired_by_the_next_delivery() -> None:
    sku = await stocked(5)
    story = Story(f"ord_{secrets.token_hex(8)}", [Line(sku, 2)])
    holding = await store.hold(story.order_id, [Line(sku, 2)])
    assert holding is not None and (len(holding[0]), holding[1]) == (1, [])
    await deliver(story, "placed")
    assert await counts(sku) == (5, 2)
    await deliver(story, "confirmed")
    await deliver(story, "placed")
    assert await counts(sku) == (3, 0)


async def test_stock_cannot_be_set_below_what_is_reserved() -> None:
    sku = await stocked(5)
    await deliver(Story(f"ord_{secrets.token_hex(8)}", [Line(sku, 3)]), "placed")
    with pytest.raises(Conflict, match="3 pieces are reserved"):
        await service.set_on_hand(sku, 2, None)
    with pytest.raises(PreconditionFailed):
        await service.set_on_hand(sku, 9, '"outdated"')
    assert await counts(sku) == (5, 3)
    with pytest.raises(NotFound):
        await service.get("nothing")


@pytest.mark.parametrize("end", ["confirmed", "cancelled"])
async def test_who_was_slow_holds_nothing_once_another_delivery_is_through(end: str) -> None:
    sku = await stocked(5)
    story = Story(f"ord_{secrets.token_hex(13)}", [Line(sku, 2)])
    await deliver(story, "placed")
    await deliver(story, end)
    await clean(sku)
    left = await counts(sku)
    # a delivery that was under way all the time goes on, and dies; its message was completed by the other
    assert await store.hold(story.order_id, [Line(sku, 2)]) is None
    assert await counts(sku) == left == ((3, 0) if end == "confirmed" else (5, 0))


async def test_who_was_slow_holds_nothing_of_an_order_that_was_refused_when_there_is_stock_again() -> None:
    plenty, scarce = await stocked(5), await stocked(1)
    story = Story(f"ord_{secrets.token_hex(13)}", [Line(plenty, 2), Line(scarce, 2)])
    await deliver(story, "placed")
    await service.set_on_hand(scarce, 5, None)
    for part in store.by_shelf(story.placed.lines):
        assert await store.hold(story.order_id, part) is None
    await deliver(story, "placed")
    assert (await counts(plenty), await counts(scarce)) == ((5, 0), (5, 0))
    assert await told(store.RESERVATIONS, story.order_id) == ["stock.rejected"]


async def test_a_hold_that_an_earlier_release_took_is_the_orders() -> None:
    sku, other = await stocked(5), await stocked(5)
    story = Story(f"ord_{secrets.token_hex(13)}", [Line(sku, 2), Line(other, 1)])
    taken: list[dict[str, Any]] = [
        {"op": "incr", "path": "/reserved", "value": 2},
        {"op": "add", "path": f"/holds/{story.order_id}", "value": {"pieces": 2, "attempt": "1f2e3d4c"}},
    ]
    await store.STOCK.patch(sku, store.shelf_of(sku), taken)
    await deliver(story, "placed")
    assert (await counts(sku), await counts(other)) == ((5, 2), (5, 1))
    await deliver(story, "confirmed")
    await clean(sku)
    assert (await counts(sku), await counts(other)) == ((3, 0), (4, 0))


async def test_a_dead_letter_of_long_ago_that_is_sent_again_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sku = await stocked(5)
    story = Story(f"ord_{secrets.token_hex(13)}", [Line(sku, 2)])
    await deliver(story, "placed")
    await deliver(story, "confirmed")
    await clean(sku)
    later = datetime.now(UTC) + timedelta(days=40)
    monkeypatch.setattr(service, "utc_now", lambda: later)
    # as its time to live does after thirty days
    await store.STOCK.delete(f"inbox:{story.order_id}:{sku}", store.shelf_of(sku))
    await deliver(story, "placed")
    assert await counts(sku) == (3, 0)


async def test_a_repeat_amid_a_cancellation_leaves_nothing_held() -> None:
    sku = await stocked(5)
    story = Story(f"ord_{secrets.token_hex(13)}", [Line(sku, 2)])
    await deliver(story, "placed")
    reservation = await store.get_reservation(story.order_id)
    assert reservation is not None
    await store.advance(reservation, "released", None)  # what a cancellation does first
    await deliver(story, "placed")
    await store.release(story.order_id, reservation.lines)  # and last
    assert await counts(sku) == (5, 0)


async def test_a_line_of_a_confirmed_order_is_written_once() -> None:
    skus = [await stocked(5) for _ in range(3)]
    story = Story(f"ord_{secrets.token_hex(13)}", [Line(sku, 2) for sku in skus])
    await deliver(story, "placed")
    held = [await store.get_stock(sku) for sku in skus]
    await deliver(story, "confirmed")
    assert [await store.get_stock(sku) for sku in skus] == held
    assert {await counts(sku) for sku in skus} == {(3, 0)}


async def test_holds_of_confirmed_orders_are_cleaned_away_many_at_a_time() -> None:
    sku = await stocked(100)
    for number in range(1, 3 * service.CROWDED):
        story = Story(f"ord_{secrets.token_hex(13)}", [Line(sku, 1)])
        await deliver(story, "placed")
        await deliver(story, "confirmed")
        assert await counts(sku) == (100 - number, 0)
        document = await store.get_stock(sku)
        assert document is not None and len(document["holds"]) <= service.CROWDED


async def test_a_large_order_looks_once_at_what_is_sold_and_never_has_two_batches_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    skus = [await stocked(100) for _ in range(3 * store.TOGETHER)]
    looks, under_way, most = 0, 0, 0
    look, batch = store.get_reservations, Container.batch

    async def counted_look(order_ids: Iterable[str]) -> dict[str, domain.Reservation]:
        nonlocal looks
        looks += 1
        return await look(order_ids)

    async def counted_batch(self: Container, key: str, operations: Sequence[Operation]) -> list[Document]:
        nonlocal under_way, most
        if self is not store.STOCK:
            return await batch(self, key, operations)
        assert len(operations) <= store.TOGETHER + 1
        under_way += 1
        most = max(most, under_way)
        try:
            return await batch(self, key, operations)
        finally:
            under_way -= 1

    monkeypatch.setattr(store, "get_reservations", counted_look)
    monkeypatch.setattr(Container, "batch", counted_batch)
    stories = [Story(f"ord_{secrets.token_hex(13)}", [Line(sku, 1) for sku in skus]) for _ in range(service.CROWDED)]
    await asyncio.gather(*(deliver(story, "placed") for story in stories[:-1]))
    for story in stories[:-1]:
        await deliver(story, "confirmed")
    assert looks == 0
    await deliver(stories[-1], "placed")
    assert (looks, most) == (1, 1)
    documents = [await store.get_stock(sku) for sku in skus]
    assert {(document["on_hand"], len(document["holds"])) for document in documents if document} == {(93, 1)}


async def test_two_that_clean_the_same_shelf_count_a_piece_once() -> None:
    sku = await stocked(50)
    stories = [Story(f"ord_{secrets.token_hex(13)}", [Line(sku, 1)]) for _ in range(service.CROWDED - 1)]
    for story in stories:
        await deliver(story, "placed")
        await deliver(story, "confirmed")
    await asyncio.gather(*(clean(sku) for _ in range(4)))
    document = await store.get_stock(sku)
    assert document is not None and (document["on_hand"], document["holds"]) == (50 - len(stories), {})


async def test_a_count_leaves_out_what_is_sold_and_its_etag_changes_when_something_is() -> None:
    sku = await stocked(5)
    first, second = (Story(f"ord_{secrets.token_hex(13)}", [Line(sku, 2)]) for _ in range(2))
    await deliver(first, "placed")
    await deliver(second, "placed")
    _, etag = await service.get(sku)
    await deliver(first, "confirmed")
    view, after = await service.get(sku)
    assert (view.on_hand, view.reserved) == (3, 2)
    with pytest.raises(PreconditionFailed):
        await service.set_on_hand(sku, 9, etag)
    assert (await service.set_on_hand(sku, 9, after))[0] == (await service.get(sku))[0]
    assert await counts(sku) == (9, 2)
    await deliver(second, "confirmed")
    assert await counts(sku) == (7, 0)
    await service.set_on_hand(sku, 0, None)
    await clean(sku)
    assert await counts(sku) == (0, 0)


STEPS = ("placed", "placed", "confirmed", "cancelled", "dies", "clean")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    baskets=st.lists(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), min_size=1), min_size=1, max_size=4),
    steps=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(STEPS)), max_size=20),
)
async def test_whatever_happens_in_whatever_order_the_shelves_are_exact_at_rest(
    baskets: list[list[tuple[int, int]]], steps: list[tuple[int, str]]
) -> None:
    skus = [await stocked(6) for _ in range(3)]
    stories = [
        Story(f"ord_{secrets.token_hex(13)}", [Line(skus[sku], pieces) for sku, pieces in basket]) for basket in baskets
    ]
    through = set[str]()
    for which, step in steps:
        story = stories[which % len(stories)]
        if step == "dies":  # after it has held something; the broker may have given its message to another before
            for part in store.by_shelf(domain.pieces_by_sku(story.placed.lines))[:1]:
                await store.hold(story.order_id, part)
        elif step == "clean":
            for sku in skus:
                await clean(sku)
        else:
            reservation = await store.get_reservation(story.order_id)
            if step == "confirmed" and (reservation is None or reservation.status not in ("reserved", "committed")):
                continue
            if step == "cancelled" and reservation is not None and reservation.status == "committed":
                continue
            await deliver(story, step)
            through |= {story.order_id} if step == "placed" else set()
        for sku in skus:
            await counts(sku)
    gone, kept = Counter[str](), Counter[str]()
    for story in stories:
        if story.order_id not in through:
            await deliver(story, "placed")  # the message of one that died comes again until one delivery is through
        reservation = await store.get_reservation(story.order_id)
        assert reservation is not None
        into = {"committed": gone, "reserved": kept}.get(reservation.status, Counter[str]())
        for line in story.placed.lines:
            into[line.sku] += line.quantity
    assert [await counts(sku) for sku in skus] == [(6 - gone[sku], kept[sku]) for sku in skus]
