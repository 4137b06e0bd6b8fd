"""An order by a saved address: the gateway asks accounts as the caller, and orders hears what is kept there."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tests.gateway.promises.promise import ADDRESS, PLACE, case, operate
from tests.gateway.world import Answer, Reply, World, page

SAVED = "adr_5m2q7xk4d3h6w2n5r7t4y2u6i3"
BY_ID: dict[str, Any] = {"items": PLACE["items"], "payment_method": PLACE["payment_method"], "address_id": SAVED}


def kept(status: int = 200) -> Reply:
    """What accounts says of an address."""
    return lambda _: web.json_response({"id": SAVED, **ADDRESS, "line2": None}, status=status)


async def _refused(world: World, reply: Reply, **more: Any) -> Answer:
    world.replies.append(reply)
    answer = await operate(world, "orders_place", body=BY_ID, **more)
    assert [seen.method for seen in world.seen] == ["GET"], "orders hears nothing of it"
    return answer


@case
async def a_saved_address_goes_with_the_order(world: World) -> None:
    token = await world.token()
    for body in (
        BY_ID,
        {**BY_ID, "shipping_address": None},
        {"addressId": SAVED, **{k: v for k, v in BY_ID.items() if k != "address_id"}},
    ):
        await world.reset()
        world.replies.append(kept())
        answer = await operate(world, "orders_place", token=token, body=body)
        assert answer.status == 200, answer
        asked, placed = world.seen
        assert (asked.method, asked.path, asked.body) == ("GET", f"/api/v1/me/addresses/{SAVED}", b"")
        assert asked.headers["authorization"] == f"Bearer {token}", "accounts shows what is the caller's"
        assert asked.headers["traceparent"] == placed.headers["traceparent"]
        assert placed.json == {**BY_ID, "shipping_address": {**ADDRESS, "line2": None}}


@case
async def nobody_is_asked_where_the_order_says_its_address(world: World) -> None:
    await operate(world, "orders_place", body={**PLACE, "address_id": None})
    assert [seen.method for seen in world.seen] == ["POST"]


@case
async def an_address_that_is_not_there_is_for_orders_to_refuse(world: World) -> None:
    world.replies.append(kept(404))
    answer = await operate(world, "orders_place", body=BY_ID)
    assert answer.status == 200
    assert world.last.json == BY_ID, "a repeat of an order finds it, though the address is gone"


@case
async def two_addresses_are_one_too_many(world: World) -> None:
    answer = await operate(world, "orders_place", body={**BY_ID, "shipping_address": ADDRESS})
    assert (answer.status, answer.problem) == (400, "invalid-request")
    assert "either" in answer.json["detail"]
    assert not world.seen


@case
async def an_address_must_be_the_id_of_one(world: World) -> None:
    several: tuple[Any, ...] = ("../../orders", f"{SAVED}/x", SAVED.upper(), "adr_", 5, {})
    for wrong in several:
        answer = await operate(world, "orders_place", body={**BY_ID, "address_id": wrong})
        assert (answer.status, answer.problem) == (400, "invalid-request"), wrong
    assert not world.seen


@case
async def a_token_that_may_not_read_addresses_is_told_so(world: World) -> None:
    answer = await _refused(world, kept(403))
    assert (answer.status, answer.problem) == (403, "insufficient-scope")
    assert answer.json["title"] == "The access token does not allow this"
    assert "accounts.read" in answer.json["detail"]


@case
async def nothing_is_ordered_while_addresses_cannot_be_read(world: World) -> None:
    for reply in (page(500), page(503), kept(401), kept(429)):
        answer = await _refused(world, reply)
        assert (answer.status, answer.problem) == (503, "address-unavailable"), answer
        assert answer.headers["retry-after"] == "5"
        assert answer.json["title"] == "Temporarily unavailable"
        await world.reset()
    answer = await operate(world, "orders_place", body=BY_ID, **{"accounts-url": "http://127.0.0.1:1/elsewhere"})
    assert (answer.status, answer.problem) == (503, "address-unavailable")
    assert not world.seen
