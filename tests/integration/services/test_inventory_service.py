"""Inventory under every order of its events, with repeats, and with many buyers at once."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import Counter

import pytest

from blueprints.inventory import service, store
from shared.contracts.orders import Line
from shared.errors import Conflict, NotFound, PreconditionFailed, Transient
from tests.integration.services.conftest import Story, told


async def stocked(pieces: int) -> str:
    sku = f"S{secrets.token_hex(5)}"
    await service.set_on_hand(sku, pieces, None)
    return sku


async def counts(sku: str) -> tuple[int, int]:
    document = await store.get_stock(sku)
    assert document is not None
    assert document["reserved"] == sum(document["holds"].values())
    return document["on_hand"], document["reserved"]


async def deliver(story: Story, name: str) -> None:
    handlers = {"placed": service.reserve, "confirmed": service.commit, "cancelled": service.release}
    data = getattr(story, name)
    await handlers[name](story.event(data), data)  # type: ignore[operator]  # each takes its own event


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
    assert await store.hold(story.order_id, Line(sku, 2))
    await deliver(story, "placed")
    assert await counts(sku) == (5, 2)


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


async def test_what_a_slow_repeat_takes_after_the_order_was_settled_is_given_back() -> None:
    sku, order_id = f"T{secrets.token_hex(4)}", f"ord_{secrets.token_hex(13)}"
    await store.set_on_hand(sku, 5, None)
    story = Story(order_id, [Line(sku, 2)])
    await service.reserve(story.event(story.placed), story.placed)
    await service.commit(story.event(story.confirmed, 2), story.confirmed)
    assert await store.hold(order_id, Line(sku, 2)), "a delivery that was under way all the time goes on"
    await service.reserve(story.event(story.placed), story.placed)
    document = await store.get_stock(sku)
    assert document is not None and (document["on_hand"], document["reserved"], document["holds"]) == (3, 0, {})
