"""Stories of orders that wait for a person."""

from __future__ import annotations

from tests.chaos.shop import order_of
from tests.chaos.stage import CONFIRMED, NOT_APPROVED, WISH, Stage, fresh_key
from tests.e2e.conftest import ADDRESS, Answer


async def approved(stage: Stage) -> None:
    """A rule has marked an order: it waits for a person, who lets it through, if its time is not over."""
    order_id = await _marked(stage, CONFIRMED, NOT_APPROVED)
    answer = await _decide(stage, order_id, "approve")
    assert answer.status == 200 or answer.problem == "approval-too-late", answer.text


async def doubted(stage: Stage) -> None:
    """The shopper does not wait for the person, who then has nothing to decide."""
    order_id = await _marked(stage, WISH, NOT_APPROVED)
    await stage.cancel(order_id)
    assert (await _decide(stage, order_id, "refuse")).status == 409


async def unapproved(stage: Stage) -> None:
    """Nobody decides, so time does."""
    order_id = await _marked(stage, NOT_APPROVED)
    await stage.until(f"/orders/{order_id}", lambda order: order["status"] == "cancelled")


async def _marked(stage: Stage, *ends: tuple[str, str]) -> str:
    """An order that goes abroad, once it waits for a person or has stopped waiting."""
    body = order_of({await stage.stocked(): 1}) | {"shipping_address": {**ADDRESS, "country": "FR"}}
    order_id = await stage.place(body, fresh_key(), *ends)
    await stage.until(f"/orders/{order_id}", lambda order: order["status"] != "placed")
    return order_id


async def _decide(stage: Stage, order_id: str, decision: str) -> Answer:
    return await stage.staff.call("POST", f"/orders/{order_id}/approval", {"decision": decision, "why": "a test"})
