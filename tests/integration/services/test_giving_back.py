"""What a cancelled order held, or was sold, and what comes back: on the shelf again, once, whoever dies meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import secrets

import pytest

from blueprints.inventory import service, store
from shared.contracts.orders import Line, ReturnReceived
from shared.money import Money
from shared.persistence import cosmos
from tests.integration.services.conftest import Story
from tests.integration.services.shelves import clean, counts, deliver, stocked

BEFORE = [("placed",), ("placed", "confirmed"), ("placed", "confirmed", "clean")]


class Died(Exception):
    """A process did, right after a write."""


async def dies_cancelling(monkeypatch: pytest.MonkeyPatch, story: Story, writes: int) -> bool:
    """Whether the cancellation came to its so manieth write, and died after it."""
    left = itertools.count(writes, -1)

    def die(*_: str) -> None:
        if next(left) == 1:
            raise Died

    with monkeypatch.context() as patched:
        patched.setattr(cosmos, "crash_point", die)
        try:
            await deliver(story, "cancelled")
        except Died:
            return True
    return False


@pytest.mark.parametrize("late", [False, True], ids=["", "the confirmation comes late"])
@pytest.mark.parametrize(
    "before", [("placed",), ("placed", "confirmed"), ("placed", "confirmed", "clean")], ids="-".join
)
async def test_a_cancellation_that_dies_after_any_write_gives_everything_back_once(
    monkeypatch: pytest.MonkeyPatch, before: tuple[str, ...], late: bool
) -> None:
    for writes in itertools.count(1):
        skus = [await stocked(5) for _ in range(6)]
        story = Story(f"ord_{secrets.token_hex(13)}", [Line(sku, 2) for sku in skus])
        for name in before:
            await asyncio.gather(*map(clean, skus)) if name == "clean" else await deliver(story, name)
        died = await dies_cancelling(monkeypatch, story, writes)
        if late:
            await deliver(story, "confirmed")
        await deliver(story, "cancelled")
        assert {await counts(sku) for sku in skus} == {(5, 0)}
        if not died:
            break
    assert writes > len(store.by_shelf(story.placed.lines))


async def test_a_confirmation_beside_its_cancellation_leaves_nothing_held_and_nothing_doubled() -> None:
    for _ in range(20):
        skus = [await stocked(5) for _ in range(3)]
        story = Story(f"ord_{secrets.token_hex(13)}", [Line(sku, 2) for sku in skus])
        await deliver(story, "placed")
        await asyncio.gather(deliver(story, "confirmed"), deliver(story, "cancelled"), return_exceptions=True)
        await deliver(story, "cancelled")  # what failed is delivered again
        assert {await counts(sku) for sku in skus} == {(5, 0)}


WITHDRAWN = sorted(
    set(itertools.permutations(["placed", "confirmed", "cancelled", "cancelled"]))
    | set(itertools.permutations(["placed", "placed", "confirmed", "cancelled"]))
)


@pytest.mark.parametrize("cleaned", [False, True], ids=["on the shelf", "cleaned away"])
@pytest.mark.parametrize(
    "deliveries", [each for each in WITHDRAWN if each.index("placed") < each.index("confirmed")], ids="-".join
)
async def test_what_was_sold_and_taken_back_is_on_the_shelf_again_once(
    deliveries: tuple[str, ...], cleaned: bool
) -> None:
    skus = [await stocked(5) for _ in range(6)]
    story = Story(f"ord_{secrets.token_hex(13)}", [Line(sku, 2) for sku in skus])
    for name in deliveries:
        await deliver(story, name)
        if cleaned and name == "confirmed":
            for sku in skus:
                await clean(sku)
    assert {await counts(sku) for sku in skus} == {(5, 0)}
    reservation = await store.get_reservation(story.order_id)
    assert reservation is not None and reservation.status in ("released", "taken_back")


async def test_taking_back_while_the_shelf_is_cleaned_counts_every_piece_once() -> None:
    for _ in range(5):
        sku = await stocked(5)
        story = Story(f"ord_{secrets.token_hex(13)}", [Line(sku, 2)])
        await deliver(story, "placed")
        await deliver(story, "confirmed")
        both = (deliver(story, "cancelled"), deliver(story, "cancelled"))
        await asyncio.gather(clean(sku), *both, clean(sku), return_exceptions=True)
        await deliver(story, "cancelled")
        assert await counts(sku) == (5, 0)


async def test_what_comes_back_is_on_the_shelf_once_however_often_its_event_comes() -> None:
    skus = [await stocked(5) for _ in range(5)]
    story = Story(f"ord_{secrets.token_hex(13)}", [Line(sku, 3) for sku in skus])
    await deliver(story, "placed")
    await deliver(story, "confirmed")
    received = ReturnReceived(
        order_id=story.order_id,
        return_id="ret_a",
        amount=Money(1, "GBP"),
        restocked=[Line(sku, 1) for sku in skus[:3]] + [Line(skus[0], 1)],
    )
    event = story.event(received, 7)
    await asyncio.gather(*(service.restock(event, received) for _ in range(4)))
    await service.restock(event, received)
    assert [await counts(sku) for sku in skus] == [(4, 0), (3, 0), (3, 0), (2, 0), (2, 0)]
    again = story.event(received, 8)
    await service.restock(again, received)
    assert await counts(skus[0]) == (6, 0)
