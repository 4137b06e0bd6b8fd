"""Carts against a real database: they hold what was put in, by many at the same time, and every change is told."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blueprints.carts import domain, service, store
from shared.errors import Contention, NotFound, PreconditionFailed, Unprocessable
from shared.persistence.outbox import event_of
from shared.web.auth import Principal

SKUS = ["A1", "B2", "C3"]
STEPS = st.tuples(st.sampled_from(SKUS), st.none() | st.integers(1, 3))
"""A SKU, and so many pieces of it in the cart; `None`: none of it."""


def someone() -> Principal:
    return Principal(secrets.token_hex(8), frozenset(), frozenset())


async def opened(caller: Principal) -> str:
    return (await service.open_cart(caller, secrets.token_hex(8)))[0].id


async def change(caller: Principal, cart_id: str, sku: str, pieces: int | None, etag: str | None = None) -> Any:
    if pieces is None:
        return await service.remove_line(caller, cart_id, sku, etag)
    return await service.set_line(caller, cart_id, sku, pieces, etag)


def lines(view: service.CartView) -> dict[str, int]:
    return {line.sku: line.quantity for line in view.items}


async def told(cart_id: str) -> list[tuple[int, dict[str, int]]]:
    """The versions of the cart that were told of, oldest first, each with what was in the cart."""
    query = "SELECT * FROM c WHERE c.kind = 'outbox'"
    events = [event_of(document) async for document in store.CARTS.query(query, {}, key=cart_id)]
    found = []
    for event in sorted(events, key=lambda event: event.version):
        data = msgspec.json.decode(event.data)
        assert data["cart_id"] == cart_id
        found.append((event.version, {line["sku"]: line["quantity"] for line in data["lines"]}))
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, max_size=8))
async def test_a_cart_holds_what_was_put_in_and_tells_every_change_once(steps: list[tuple[str, int | None]]) -> None:
    caller = someone()
    cart_id = await opened(caller)
    model: dict[str, int] = {}
    versions: list[tuple[int, dict[str, int]]] = [(1, {})]
    for sku, pieces in steps:
        before = dict(model)
        if pieces is None:
            model.pop(sku, None)
        else:
            model[sku] = pieces
        view, etag = await change(caller, cart_id, sku, pieces)
        if model != before:
            versions.append((versions[-1][0] + 1, dict(model)))
        assert (lines(view), view.version) == (model, versions[-1][0])
        assert await service.get(caller, cart_id) == (view, etag)
    assert await told(cart_id) == versions


async def test_changes_at_the_same_time_are_all_in_the_cart() -> None:
    caller = someone()
    cart_id = await opened(caller)
    skus = [f"S{number}" for number in range(service.MAX_ATTEMPTS)]
    await asyncio.gather(*(service.set_line(caller, cart_id, sku, 1, None) for sku in skus))
    view, _ = await service.get(caller, cart_id)
    assert (lines(view), view.version) == (dict.fromkeys(skus, 1), len(skus) + 1)
    assert [version for version, _ in await told(cart_id)] == list(range(1, len(skus) + 2))


async def test_of_two_who_change_the_same_version_one_is_refused() -> None:
    caller = someone()
    cart_id = await opened(caller)
    _, etag = await service.get(caller, cart_id)
    outcomes = await asyncio.gather(
        *(service.set_line(caller, cart_id, sku, 1, etag) for sku in SKUS), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, PreconditionFailed | Contention)]
    assert len(refused) == len(SKUS) - 1
    assert len(lines((await service.get(caller, cart_id))[0])) == 1


async def test_one_key_opens_one_cart_and_no_key_a_new_one_each_time() -> None:
    caller, key = someone(), secrets.token_hex(8)
    views = await asyncio.gather(*(service.open_cart(caller, key) for _ in range(5)))
    assert len({view.id for view, _ in views}) == 1
    await service.set_line(caller, views[0][0].id, "A1", 2, None)
    again, _ = await service.open_cart(caller, key)
    assert lines(again) == {"A1": 2}, "a repeat shows the cart as it is"
    assert (await service.open_cart(someone(), key))[0].id != again.id, "a key is the caller's own"
    assert (await service.open_cart(caller, ""))[0].id != (await service.open_cart(caller, ""))[0].id


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations([2, 3, 4, 2, 3, 4]))
async def test_a_cart_says_what_is_sold_no_more_by_the_latest_news_in_whatever_order_and_how_often_it_comes(
    order: list[int],
) -> None:
    caller, gone, back, kept = someone(), *(f"S{secrets.token_hex(5)}" for _ in range(3))
    cart_id = await opened(caller)
    for sku in (back, gone, kept):
        view, _ = await service.set_line(caller, cart_id, sku, 1, None)
    assert view.discontinued == []
    for version in order:
        for sku, off in ((gone, version != 3), (back, version == 3)):
            await store.keep_discontinued(sku, version, discontinued=off)
    assert (await service.get(caller, cart_id))[0].discontinued == [gone]
    assert (await service.set_line(caller, cart_id, gone, 2, None))[0].discontinued == [gone]
    assert (await service.remove_line(caller, cart_id, gone, None))[0].discontinued == []


async def test_what_a_cart_says_of_its_products_is_asked_again_in_time_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caller, sku, now = someone(), f"S{secrets.token_hex(5)}", 1000.0
    monkeypatch.setattr("shared.persistence.memory.time.monotonic", lambda: now)
    cart_id = await opened(caller)
    await service.set_line(caller, cart_id, sku, 1, None)
    document = {"id": sku, "sku": sku, "version": 2, "discontinued": True}
    await store.DISCONTINUED.create(document)  # as another process hears of it
    assert (await service.get(caller, cart_id))[0].discontinued == []
    now += store.KNOWN_SECONDS
    assert (await service.get(caller, cart_id))[0].discontinued == [sku]


async def test_someone_elses_cart_does_not_exist() -> None:
    owner, other = someone(), someone()
    cart_id = await opened(owner)
    with pytest.raises(NotFound):
        await service.get(other, cart_id)
    for pieces in (1, None):
        with pytest.raises(NotFound):
            await change(other, cart_id, "A1", pieces)
    assert await told(cart_id) == [(1, {})]


async def test_a_full_cart_takes_no_other_product_but_more_of_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "MAX_LINES", 2)
    caller = someone()
    cart_id = await opened(caller)
    for sku in SKUS[:2]:
        await service.set_line(caller, cart_id, sku, 1, None)
    with pytest.raises(Unprocessable, match="at most 2 lines"):
        await service.set_line(caller, cart_id, SKUS[2], 1, None)
    view, _ = await service.set_line(caller, cart_id, SKUS[0], 5, None)
    assert lines(view) == {SKUS[0]: 5, SKUS[1]: 1}
