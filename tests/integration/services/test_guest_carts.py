"""A guest's cart against a real database: its secret is kept nowhere, and it is merged once, however often asked."""

from __future__ import annotations

import asyncio
import json
import secrets

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blueprints.carts import domain, service, store
from blueprints.carts.domain import Cart
from shared.errors import CommerceError, NotFound, PreconditionFailed, Unprocessable
from shared.persistence.cosmos import Document
from tests.integration.services.test_carts_service import change, lines, opened, someone, told

BASKETS = st.dictionaries(st.sampled_from(["A1", "B2", "C3"]), st.integers(1, domain.MAX_PIECES), max_size=3)


async def filled(basket: dict[str, int]) -> str:
    """The id of a guest's cart that holds so much."""
    guest = (await service.open_guest_cart())[0].id
    for sku, pieces in basket.items():
        await service.set_guest_line(guest, sku, pieces, None)
    return guest


async def items() -> list[Document]:
    return [item async for item in store.CARTS.query("SELECT * FROM c", {})]


async def test_the_secret_of_a_guests_cart_is_kept_nowhere() -> None:
    guest = await filled({"A1": 2})
    assert service.GUEST_CART_ID.fullmatch(guest)
    assert lines((await service.get_guest_cart(guest))[0]) == {"A1": 2}
    assert guest not in json.dumps(await items())


async def test_a_guests_cart_is_told_to_nobody_and_is_no_customers() -> None:
    guest = await filled({"A1": 2})
    stored = service._stored_id(guest)
    assert await told(stored) == []
    with pytest.raises(NotFound):
        await service.get(someone(), stored)


async def test_a_customers_cart_is_no_guests() -> None:
    cart_id = await opened(someone())
    for wrong in (cart_id, f"gst_{'a' * 52}"):
        with pytest.raises(NotFound):
            await service.get_guest_cart(wrong)


async def test_a_guests_cart_is_changed_by_who_has_seen_it() -> None:
    guest = await filled({})
    _, etag = await service.get_guest_cart(guest)
    await service.set_guest_line(guest, "A1", 1, etag)
    with pytest.raises(PreconditionFailed):
        await service.remove_guest_line(guest, "A1", etag)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BASKETS, BASKETS)
async def test_what_was_gathered_is_added_up_once(own: dict[str, int], gathered: dict[str, int]) -> None:
    caller = someone()
    cart_id, guest = await opened(caller), await filled(gathered)
    for sku, pieces in own.items():
        await change(caller, cart_id, sku, pieces)
    both = {sku: min(domain.MAX_PIECES, own.get(sku, 0) + gathered.get(sku, 0)) for sku in own.keys() | gathered.keys()}
    for _ in range(2):
        view, _etag = await service.merge(caller, cart_id, guest)
        assert lines(view) == both
    assert (await told(cart_id))[-1] == (view.version, both)
    with pytest.raises(NotFound):
        await service.get_guest_cart(guest)
    with pytest.raises(NotFound):
        await service.set_guest_line(guest, "A1", 1, None)


async def test_of_many_who_merge_one_guests_cart_one_has_it() -> None:
    guest = await filled({"A1": 2})
    callers = [someone() for _ in range(6)]
    carts = [await opened(caller) for caller in callers]
    asked = [service.merge(caller, cart, guest) for caller, cart in zip(callers, carts, strict=True) for _ in range(2)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(outcome, CommerceError | tuple) for outcome in outcomes), outcomes
    held = [lines((await service.get(caller, cart))[0]) for caller, cart in zip(callers, carts, strict=True)]
    assert sorted(held, key=len) == [{}] * 5 + [{"A1": 2}]


async def test_lines_put_in_while_it_is_merged_are_in_one_of_the_two_or_refused() -> None:
    caller, guest = someone(), await filled({"A1": 1})
    cart_id = await opened(caller)
    skus = [f"S{number}" for number in range(4)]
    outcomes = await asyncio.gather(
        service.merge(caller, cart_id, guest),
        *(service.set_guest_line(guest, sku, 1, None) for sku in skus),
        return_exceptions=True,
    )
    await service.merge(caller, cart_id, guest)
    put_in = {sku for sku, outcome in zip(skus, outcomes[1:], strict=True) if isinstance(outcome, tuple)}
    assert lines((await service.get(caller, cart_id))[0]) == dict.fromkeys({"A1", *put_in}, 1)


async def test_a_merge_that_was_interrupted_is_finished_by_asking_again(monkeypatch: pytest.MonkeyPatch) -> None:
    caller, guest = someone(), await filled({"A1": 2})
    cart_id = await opened(caller)
    with monkeypatch.context() as interrupted:
        interrupted.setattr(domain, "with_guest", lambda *_: (_ for _ in ()).throw(InterruptedError))
        with pytest.raises(InterruptedError):
            await service.merge(caller, cart_id, guest)
    assert lines((await service.merge(caller, cart_id, guest))[0]) == {"A1": 2}


async def test_two_carts_that_are_too_much_for_one_stay_two(monkeypatch: pytest.MonkeyPatch) -> None:
    caller, guest = someone(), await filled({"A1": 1, "B2": 1})
    cart_id = await opened(caller)
    await change(caller, cart_id, "C3", 1)
    monkeypatch.setattr(domain, "MAX_LINES", 2)
    with pytest.raises(Unprocessable, match="at most 2 lines"):
        await service.merge(caller, cart_id, guest)
    await change(caller, cart_id, "C3", None)
    assert lines((await service.merge(caller, cart_id, guest))[0]) == {"A1": 1, "B2": 1}


async def test_someone_elses_cart_takes_nothing_in() -> None:
    guest, cart_id = await filled({"A1": 1}), await opened(someone())
    with pytest.raises(NotFound):
        await service.merge(someone(), cart_id, guest)
    assert lines((await service.get_guest_cart(guest))[0]) == {"A1": 1}


def test_a_cart_does_not_take_in_carts_for_ever() -> None:
    cart = Cart("crt_own", "customer", 1, merged=tuple(secrets.token_hex(4) for _ in range(domain.MAX_MERGED)))
    with pytest.raises(domain.MergedTooOften):
        domain.with_guest(cart, Cart("crt_guest", "", 1, {"A1": 1}))
