"""Staff find orders by what they have at hand: by pages, the newest first, each once, while orders are added."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blueprints.orders import domain, events, search, service, store
from blueprints.orders.domain import Order
from blueprints.orders.shapes import FindOrders, FoundOrder
from shared import ids
from shared.clock import timestamp
from shared.errors import InvalidRequest
from shared.money import Money
from shared.web.auth import Principal

STAFF = Principal("staff-1", frozenset(), frozenset({"staff"}))
PRICE = Money(100, "GBP")
WHERE = domain.Address("A", "1 Street", "London", "E1 6AN", "GB")
STATUSES: list[domain.Status] = ["placed", "confirmed", "cancelled"]
few = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True)
class Shop:
    """Customers, products and an hour of long ago that no other test's orders are of."""

    mark: str
    opens: datetime

    @classmethod
    def new(cls) -> Shop:
        opened = datetime(1950, 1, 1, tzinfo=UTC) + timedelta(hours=secrets.randbelow(400_000))
        return cls(secrets.token_hex(6), opened)

    def at(self, millisecond: int) -> str:
        return timestamp(self.opens + timedelta(milliseconds=millisecond))

    def sku(self, number: int) -> str:
        return f"S{self.mark}-{number}"

    def customer(self, number: int) -> str:
        return f"c-{self.mark}-{number}"

    async def order(
        self, at: int, *, customer: int = 0, skus: tuple[int, ...] = (0,), status: domain.Status = "placed"
    ) -> Order:
        """An order of that moment that has come into that status, and into its customer's list."""
        order = domain.place(
            order_id=ids.drawn("ord"),
            customer_id=self.customer(customer),
            lines=tuple(domain.OrderLine(self.sku(number), "thing", 1, PRICE) for number in skus),
            shipping_address=WHERE,
            at=self.at(at),
            request_hash="",
        )
        await store.add(order, events.placed(order, "pm_card_visa"))
        if status != "placed":
            moves: dict[str, tuple[Any, Any]] = {"confirmed": ("confirm", None), "cancelled": ("cancel", "timed_out")}
            order = await service.settle(order.id, *moves[status])
        await store.enlist(order.customer_id, order.id, order.placed_at, (line.sku for line in order.lines))
        return order

    def wanted(self, **known: Any) -> FindOrders:
        """A search among this shop's orders alone."""
        return FindOrders(**{"placed_from": self.at(0), "placed_before": self.at(3_600_000), **known})


async def find(wanted: FindOrders, cursor: str | None = None, limit: int = 20) -> tuple[list[str], str | None]:
    page = await search.find(STAFF, wanted, cursor, limit)
    assert len(page.items) <= limit
    return [each.id for each in page.items], page.next_cursor


async def all_of(wanted: FindOrders, limit: int = 20) -> list[str]:
    found, cursor = await find(wanted, None, limit)
    return [*found, *await rest_of(wanted, cursor, limit)]


async def rest_of(wanted: FindOrders, cursor: str | None, limit: int) -> list[str]:
    """What the pages from `cursor` on hold; they come to an end."""
    found: list[str] = []
    for _ in range(50):
        if cursor is None:
            return found
        more, cursor = await find(wanted, cursor, limit)
        found += more
    raise AssertionError("pages without end")


TOLD = st.tuples(
    st.integers(0, 3),
    st.integers(0, 1),
    st.lists(st.integers(0, 1), min_size=1, max_size=2).map(tuple),
    st.sampled_from(STATUSES),
)
"""An order: its moment, its customer, its products, its status."""
KNOWN: dict[str, st.SearchStrategy[Any]] = {
    "status": st.sampled_from(STATUSES),
    "sku": st.integers(0, 1),
    "customer": st.integers(0, 1),
    "window": st.tuples(st.integers(0, 2), st.integers(2, 4)),
}
"""What is known of the orders that are looked for."""


@few
@given(
    before=st.lists(TOLD, min_size=2, max_size=8),
    added=st.lists(TOLD, max_size=4),
    limit=st.integers(1, 3),
    known=st.fixed_dictionaries({}, optional=KNOWN).filter(lambda known: len(known) < 3),
)
async def test_pages_together_are_the_orders_that_match_once_each_newest_first_while_orders_are_added(
    before: list[Any], added: list[Any], limit: int, known: dict[str, Any]
) -> None:
    status, sku, customer, window = map(known.get, KNOWN)
    shop = Shop.new()

    async def make(told: tuple[int, int, tuple[int, ...], domain.Status]) -> Order:
        at, whose, skus, become = told
        return await shop.order(at, customer=whose, skus=skus, status=become)

    def matches(order: Order) -> bool:
        return (
            status in (None, order.status)
            and (sku is None or any(line.sku == shop.sku(sku) for line in order.lines))
            and (customer is None or order.customer_id == shop.customer(customer))
            and (window is None or shop.at(window[0]) <= order.placed_at < shop.at(window[1]))
        )

    asked: dict[str, Any] = {"status": status}
    asked |= {} if sku is None else {"sku": shop.sku(sku)}
    asked |= {} if customer is None else {"customer_id": shop.customer(customer)}
    asked |= {} if window is None else {"placed_from": shop.at(window[0]), "placed_before": shop.at(window[1])}
    wanted = shop.wanted(**asked)
    there = [await make(told) for told in before]
    late: list[Order] = []
    found, cursor = await find(wanted, None, limit)
    for told in added:
        late.append(await make(told))
        if cursor is not None:
            more, cursor = await find(wanted, cursor, limit)
            found += more
    found += await rest_of(wanted, cursor, limit)
    every = {order.id: order for order in (*there, *late)}
    assert len(found) == len(set(found))
    assert {order.id for order in there if matches(order)} <= set(found)
    assert all(matches(every[order_id]) for order_id in found)
    placed = [(every[order_id].placed_at, order_id) for order_id in found]
    assert placed == sorted(placed, reverse=True)
    assert await all_of(wanted) == sorted(
        (order.id for order in every.values() if matches(order)),
        key=lambda order_id: (every[order_id].placed_at, order_id),
        reverse=True,
    )


async def test_what_is_found_says_whose_it_is_and_what_became_of_it() -> None:
    shop = Shop.new()
    order = await shop.order(5, skus=(0, 0, 1), status="confirmed")
    page = await search.find(STAFF, shop.wanted(sku=shop.sku(1)), None, 1)
    assert page.items == [
        FoundOrder(order.id, order.customer_id, "confirmed", order.total, order.placed_at),
    ]
    assert page.next_cursor is None
    await service.settle(order.id, "withdraw", "customer_request")
    assert (await search.find(STAFF, shop.wanted(), None, 1)).items[0].status == "cancelled", "as the order itself is"


async def test_an_order_is_found_by_its_id_before_it_is_in_any_list_and_only_where_the_rest_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = Shop.new()

    async def nothing(*_: Any) -> None:
        """The change feed has not come so far."""

    monkeypatch.setattr(store, "enlist", nothing)
    order = await shop.order(5)
    assert await find(FindOrders(order_id=order.id)) == ([order.id], None)
    assert await find(shop.wanted()) == ([], None)
    held: dict[str, tuple[Any, Any]] = {
        "customer_id": (order.customer_id, shop.customer(1)),
        "status": ("placed", "shipped"),
        "sku": (shop.sku(0), shop.sku(1)),
        "placed_from": (shop.at(5), shop.at(6)),
        "placed_before": (shop.at(6), shop.at(5)),
    }
    for name, (right, wrong) in held.items():
        assert await find(FindOrders(order_id=order.id, **{name: right})) == ([order.id], None), name
        assert await find(FindOrders(order_id=order.id, **{name: wrong})) == ([], None), name
    assert await find(FindOrders(order_id=f"ord_{'a' * 26}")) == ([], None)


async def test_a_page_reads_so_many_orders_at_most_and_the_next_goes_on_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_READ", 5)
    shop = Shop.new()
    rare = {at: await shop.order(at, status="confirmed" if at in (0, 7) else "placed") for at in range(9)}
    wanted = shop.wanted(status="confirmed")
    first, cursor = await find(wanted, None, 2)
    assert first == [rare[7].id] and cursor is not None, "five were looked at, of nine"
    assert await find(wanted, cursor, 2) == ([rare[0].id], None)
    assert await all_of(shop.wanted(status="shipped"), 2) == []


async def test_a_cursor_is_of_one_search() -> None:
    shop = Shop.new()
    for at in range(3):
        await shop.order(at)
    _, cursor = await find(shop.wanted(), None, 2)
    assert cursor is not None
    for other in (shop.wanted(sku=shop.sku(0)), shop.wanted(placed_from=shop.at(1)), FindOrders()):
        with pytest.raises(InvalidRequest) as refused:
            await find(other, cursor)
        assert refused.value.code == "invalid-cursor"


@pytest.mark.parametrize("name", ["placed_from", "placed_before"])
@pytest.mark.parametrize("moment", ["2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"])
async def test_a_day_that_no_month_has_is_told(name: str, moment: str) -> None:
    wanted = msgspec.convert({name: moment}, FindOrders)
    with pytest.raises(InvalidRequest) as refused:
        await find(wanted)
    assert name in refused.value.detail


async def test_times_are_of_any_offset() -> None:
    shop = Shop.new()
    order = await shop.order(1_000)
    elsewhere = datetime.fromisoformat(shop.at(1_000)).astimezone(
        datetime.fromisoformat("2000-01-01T00:00+05:30").tzinfo
    )
    known = {"placed_from": elsewhere.isoformat(timespec="milliseconds"), "placed_before": shop.at(1_001)}
    assert await find(msgspec.convert(known, FindOrders)) == ([order.id], None)


@pytest.mark.parametrize(
    "body",
    [
        {"placed_from": "2026-11-28"},
        {"placed_from": "2026-11-28T00:00:00"},
        {"sku": "' OR true"},
        {"order_id": "ord_1"},
        {"customer_id": ""},
        {"customer_id": "c" * 101},
        {"status": "lost"},
        {"email": "a@example.com"},
    ],
)
def test_what_is_not_known_in_that_way_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, FindOrders)


async def test_a_customers_id_is_a_value_and_no_part_of_the_query() -> None:
    shop = Shop.new()
    await shop.order(1)
    assert await find(shop.wanted(customer_id="x' OR true OR '")) == ([], None)


async def test_who_looked_is_told_and_not_for_whom(caplog: pytest.LogCaptureFixture) -> None:
    shop = Shop.new()
    await shop.order(1)
    with caplog.at_level(logging.INFO, "commerce.orders"):
        await find(shop.wanted(customer_id=shop.customer(0)))
    (said,) = (record.message for record in caplog.records if "orders.found" in record.message)
    assert "staff-1" in said and shop.mark not in said


async def test_a_page_reads_the_orders_that_it_shows_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop.new()
    for at in range(6):
        await shop.order(at, skus=(at % 2,))
    read: list[str] = []
    whole = store.get_many

    async def get_many(order_ids: Iterable[str]) -> dict[str, Order]:
        asked = list(order_ids)
        read.extend(asked)
        return await whole(asked)

    monkeypatch.setattr(store, "get_many", get_many)
    found, cursor = await find(shop.wanted(sku=shop.sku(1)), None, 2)
    assert read == found and len(found) == 2 and cursor is not None
