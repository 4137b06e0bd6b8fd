"""The catalog against a real database: pages are whole and in order, and a version is told once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blueprints.catalog import service, store
from blueprints.catalog.service import PutProduct
from shared.errors import Contention, InvalidRequest, NotFound, PreconditionFailed, PreconditionRequired, Unprocessable
from shared.money import Money
from shared.persistence.cosmos import Container, Document, replace
from tests.integration.services.conftest import told

few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def request(name: str = "thing", amount: int = 100, category: str = "tests", **also: Any) -> PutProduct:
    return PutProduct(name=name, category=category, price=Money(amount, "GBP"), **also)


def new_sku() -> str:
    return f"K{secrets.token_hex(5)}"


@few
@given(st.lists(st.tuples(st.sampled_from(["tin", "lamp"]), st.integers(1, 2)), min_size=1, max_size=6))
async def test_a_product_is_what_was_put_last_and_only_a_change_is_told(puts: list[tuple[str, int]]) -> None:
    sku, versions, before = new_sku(), 0, None
    etag: str | None = None
    for name, amount in puts:
        view, etag, new = await service.put(sku, request(name, amount), etag)
        versions += (name, amount) != before
        assert new == (before is None)
        assert (view.name, view.price) == (name, Money(amount, "GBP"))
        assert await service.get(sku) == (view, etag)
        before = (name, amount)
    assert await told(store.PRODUCTS, sku) == ["product.changed"] * versions


@few
@given(size=st.integers(1, 4), count=st.integers(0, 9))
async def test_pages_together_hold_every_product_once_in_their_order(size: int, count: int) -> None:
    category = f"c-{secrets.token_hex(6)}"
    skus = sorted(new_sku() for _ in range(count))
    await asyncio.gather(*(service.put(sku, request(category=category), None) for sku in skus))
    found: list[str] = []
    cursor: str | None = None
    while True:
        page, _ = await service.browse(category, None, cursor, size)
        assert len(page.items) <= size
        found += [product.sku for product in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page.items) == size, "a page that is not the last is full"
    assert found == skus


class Twice(Container):
    """A container as the client shows it while a physical range splits."""

    async def query(
        self, query: str, parameters: Mapping[str, Any], key: str | None = None, limit: int | None = None
    ) -> AsyncIterator[Document]:
        async for document in super().query(query, parameters, key, limit):
            yield document
            yield document


async def test_a_product_that_the_client_gives_twice_is_listed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    category = f"c-{secrets.token_hex(6)}"
    skus = sorted(new_sku() for _ in range(3))
    for sku in skus:
        await service.put(sku, request(category=category), None)
    products = store.PRODUCTS
    monkeypatch.setattr(store, "PRODUCTS", Twice(products.database, products.name, products.partition_key))
    page, _ = await service.browse(category, None, None, 2)
    assert [product.sku for product in page.items] == skus[:2]
    page, _ = await service.browse(category, None, page.next_cursor, 2)
    assert [product.sku for product in page.items] == skus[2:]


async def test_a_search_finds_name_and_sku_in_any_letter_case() -> None:
    mark, category = secrets.token_hex(6), f"c-{secrets.token_hex(6)}"
    named, numbered, other = new_sku(), f"X{mark.upper()}", new_sku()
    await service.put(named, request(f"Lamp {mark.upper()}", category=category), None)
    await service.put(numbered, request(category=category), None)
    await service.put(other, request(category=category), None)
    page, _ = await service.browse(category, mark, None, 10)
    assert {product.sku for product in page.items} == {named, numbered}


async def test_a_cursor_serves_its_own_list_alone() -> None:
    category = f"c-{secrets.token_hex(6)}"
    for _ in range(2):
        await service.put(new_sku(), request(category=category), None)
    page, _ = await service.browse(category, None, None, 1)
    with pytest.raises(InvalidRequest):
        await service.browse(None, None, page.next_cursor, 1)


async def test_a_pages_etag_changes_with_what_is_on_it() -> None:
    category, sku = f"c-{secrets.token_hex(6)}", new_sku()
    await service.put(sku, request(category=category), None)
    _, first = await service.browse(category, None, None, 10)
    assert (await service.browse(category, None, None, 10))[1] == first
    await service.put(sku, request("another thing", category=category), None)
    assert (await service.browse(category, None, None, 10))[1] != first


async def test_of_many_who_change_a_product_at_once_each_writes_a_version_or_is_told_to_try_again() -> None:
    sku = new_sku()
    outcomes = await asyncio.gather(
        *(service.put(sku, request(f"thing {number}"), None) for number in range(1, 9)), return_exceptions=True
    )
    done = [outcome for outcome in outcomes if isinstance(outcome, tuple)]
    assert done and all(isinstance(outcome, tuple | Contention) for outcome in outcomes)
    document = await store.get(sku)
    assert document is not None and document["version"] == len(done)
    assert await told(store.PRODUCTS, sku) == ["product.changed"] * len(done)


async def test_what_an_etag_does_not_fit_is_refused_and_nothing_is_written() -> None:
    sku = new_sku()
    with pytest.raises(PreconditionFailed):
        await service.put(sku, request(), '"never"')
    with pytest.raises(NotFound):
        await service.get(sku)
    _, old, _ = await service.put(sku, request(), None)
    _, present, _ = await service.put(sku, request(amount=200), old)
    with pytest.raises(PreconditionFailed):
        await service.put(sku, request(amount=300), old)
    assert (await service.get(sku))[1] == present


async def test_a_price_is_changed_by_who_has_seen_the_product_and_anything_else_by_anyone() -> None:
    sku = new_sku()
    await service.put(sku, request(), None)
    await service.put(sku, request("another name"), None)
    with pytest.raises(PreconditionRequired):
        await service.put(sku, request("another name", amount=90), None)
    view, etag = await service.get(sku)
    assert view.price == Money(100, "GBP")
    view, _, _ = await service.put(sku, request("another name", amount=90), etag)
    assert view.price == Money(90, "GBP")


async def test_an_unlisted_product_is_found_by_its_sku_alone_until_it_is_listed_again() -> None:
    sku, category = new_sku(), f"c-{secrets.token_hex(6)}"
    view, etag, _ = await service.put(sku, request(category=category, listed=False), None)
    assert not view.listed and await service.get(sku) == (view, etag)
    assert (await service.browse(category, None, None, 10))[0].items == []
    assert (await service.browse(None, sku, None, 10))[0].items == []
    view, _, _ = await service.put(sku, request(category=category), None)
    assert view.listed
    assert [found.sku for found in (await service.browse(category, None, None, 10))[0].items] == [sku]
    assert await told(store.PRODUCTS, sku) == ["product.changed"] * 2


@few
@given(st.lists(st.tuples(st.sampled_from(["tin", "lamp"]), st.booleans()), min_size=1, max_size=6))
async def test_going_and_coming_back_are_told_once_each_and_nothing_that_is_off_the_shop_is_in_a_list(
    puts: list[tuple[str, bool]],
) -> None:
    sku, category = new_sku(), f"c-{secrets.token_hex(6)}"
    etag: str | None = None
    before: tuple[str, bool] | None = None
    expected: list[str] = []
    for name, off in puts:
        view, etag, _ = await service.put(sku, request(name, category=category, discontinued=off), etag)
        assert view.discontinued == off and await service.get(sku) == (view, etag), "it stays readable by its SKU"
        for found in (await service.browse(category, None, None, 10), await service.browse(None, sku, None, 10)):
            assert [product.sku for product in found[0].items] == [sku] * (not off)
        expected += ["product.changed"] * ((name, off) != before)
        if off != (before is not None and before[1]):
            expected.append("product.discontinued" if off else "product.reinstated")
        before = (name, off)
    assert sorted(await told(store.PRODUCTS, sku)) == sorted(expected)


@pytest.mark.parametrize("off", [True, False])
async def test_a_product_goes_and_comes_back_by_who_has_seen_it_and_stays_as_it_is_by_anyone(off: bool) -> None:
    sku = new_sku()
    _, etag, _ = await service.put(sku, request(discontinued=off), None)
    with pytest.raises(PreconditionRequired):
        await service.put(sku, request(discontinued=not off), None)
    assert (await service.put(sku, request("another name", discontinued=off), None))[0].discontinued == off
    with pytest.raises(PreconditionFailed):
        await service.put(sku, request(discontinued=not off), etag)
    _, etag = await service.get(sku)
    assert (await service.put(sku, request(discontinued=not off), etag))[0].discontinued != off


async def test_a_product_of_an_earlier_release_is_listed() -> None:
    sku, category = new_sku(), f"c-{secrets.token_hex(6)}"
    await service.put(sku, request(category=category), None)
    document = await store.get(sku)
    assert document is not None
    earlier = {name: value for name, value in document.items() if name not in ("listed", "discontinued")}
    await store.PRODUCTS.batch(sku, [replace(earlier, document["_etag"])])
    (found,) = (await service.browse(category, None, None, 10))[0].items
    assert found.sku == sku and found.listed and not found.discontinued


async def test_a_price_of_nothing_is_refused_unless_it_is_said_to_be_meant() -> None:
    sku = new_sku()
    with pytest.raises(Unprocessable) as refused:
        await service.put(sku, request(amount=0), None)
    assert refused.value.code == "price-zero"
    given_away = PutProduct("leaflet", "tests", Money(0, "GBP"), free=True)
    view, _, new = await service.put(sku, given_away, None)
    assert new and view.price == Money(0, "GBP")


@pytest.mark.parametrize(
    ("body", "place"),
    [(request(sku="another"), r"\$.sku"), (PutProduct("thing", "tests", Money(1, "XXX")), r"\$.price.currency")],
    ids=["sku", "currency"],
)
async def test_a_product_that_cannot_be_is_refused_where_it_is_wrong(body: PutProduct, place: str) -> None:
    with pytest.raises(InvalidRequest, match=place):
        await service.put(new_sku(), body, None)
