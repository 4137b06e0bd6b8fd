"""Privileged acts: written with what they change, once in a chain that nobody can change unnoticed."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy

from blueprints.catalog import service as catalog
from blueprints.catalog.service import PutProduct
from blueprints.inventory import service as inventory
from blueprints.inventory import store as stock
from blueprints.operations import audit, chain, reading
from blueprints.operations.audit import AUDIT, Entry
from blueprints.operations.shapes import HeadView, Verify
from shared.acting import Actor, acting
from shared.contracts.audit import ActRecorded
from shared.errors import PreconditionFailed
from shared.messaging.relay import relay_waiting
from shared.messaging.republish import republish_last
from shared.money import Money
from shared.persistence.cosmos import Container
from tests.integration.services.conftest import told

STAFF = Actor("staff-7", "scripts", ("staff",), "products_put", "Christmas prices")
PRODUCTS = Container("catalog", "products", "sku")
_days = itertools.count(1)


@pytest.fixture
def day() -> str:
    """A day that no other test writes on."""
    number = next(_days)
    return f"19{number // 28 % 100:02}-{secrets.randbelow(12) + 1:02}-{number % 28 + 1:02}"


def entry(day: str, number: int) -> Entry:
    act = ActRecorded(
        act="products_put", target=f"S{number}", subject="staff-7", client="", roles=["staff"], reason="",
        before={}, after={"number": number},
    )  # fmt: skip
    return Entry(
        id=f"catalog/act.recorded.v1:S{number}:1", source="catalog", at=f"{day}T08:26:00.000Z", trace_id="", act=act
    )


def product(amount: int) -> PutProduct:
    return PutProduct(name="Thing", category="tests", price=Money(amount, "GBP"))


async def recorded(container: Container, key: str) -> list[Any]:
    query = "SELECT VALUE c.event FROM c WHERE c.kind = 'outbox' AND c.event.type = 'commerce.act.recorded.v1'"
    return [event async for event in container.query(query, {}, key=key)]


async def test_a_change_of_a_price_and_its_record_are_one_write() -> None:
    sku = f"A{secrets.token_hex(5)}"
    _, _, _ = await catalog.put(sku, product(100), None)
    assert await told(PRODUCTS, sku) == ["product.changed"], "nobody with special rights has acted"
    _, etag = await catalog.get(sku)
    with acting(STAFF):
        await catalog.put(sku, product(200), etag)
        with pytest.raises(PreconditionFailed):
            await catalog.put(sku, product(300), etag)
    (event,) = await recorded(PRODUCTS, sku)
    assert event["version"] == 2 and f'"target":"{sku}"' in event["data"]
    for told_ in (
        '"subject":"staff-7"',
        '"reason":"Christmas prices"',
        '"before":{"price":{"amount":100',
        '"amount":200',
    ):
        assert told_ in event["data"]
    assert '"name"' not in event["data"], "what did not change is not recorded"


async def test_who_asks_again_hears_the_event_and_not_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    sku = f"A{secrets.token_hex(5)}"
    with acting(STAFF):
        await catalog.put(sku, product(100), None)
    published: list[str] = []

    async def publish(topic: str, events: Any, **_: Any) -> None:
        published.extend(event.type for event in events)

    monkeypatch.setattr("shared.messaging.republish.publish", publish)
    await republish_last(PRODUCTS, sku)
    assert published == ["commerce.product.changed.v1"]


async def test_a_count_of_stock_is_recorded_and_told_by_the_timer_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sku = f"A{secrets.token_hex(5)}"
    with acting(STAFF):
        await inventory.set_on_hand(sku, 5, None)
        await inventory.set_on_hand(sku, 7, None)
    mine = [event for event in await recorded(stock.STOCK, stock.shelf_of(sku)) if sku in event["data"]]
    assert sorted(event["data"].partition('"before":')[2] for event in mine) == [
        '{"on_hand":5},"after":{"on_hand":7}}', '{},"after":{"on_hand":5}}',
    ]  # fmt: skip
    sent: list[str] = []

    async def publish(topic: str, events: Any, **_: Any) -> None:
        sent.extend(event.id for event in events)

    monkeypatch.setattr("shared.messaging.relay.publish", publish)
    await relay_waiting(stock.STOCK)
    await relay_waiting(stock.STOCK)
    for event in mine:
        assert sent.count(event["id"]) == 1


async def test_a_thousand_acts_of_many_writers_are_one_chain_each_once(day: str) -> None:
    """Writers in processes of their own do not see each other's turns."""
    writers = [audit._Appending() for _ in range(4)]
    entries = [entry(day, number) for number in range(1_000)]
    # each act comes twice, from different processes
    given = [(writers[number % 4], each) for number, each in enumerate(entries)]
    given += [(writers[(number + 1) % 4], each) for number, each in enumerate(entries)]
    await asyncio.gather(*(writer.append(day, each) for writer, each in given))
    count, head, findings = await audit.verified(day)
    assert (count, findings) == (1_000, []) and head is not None and head.number == 1_000
    page = await reading.entries(day, None, 100)
    assert [each.number for each in page.items] == list(range(1, 101)) and page.next_cursor is not None
    assert (await reading.entries(day, page.next_cursor, 100)).items[0].number == 101


class Crash(BaseException):
    """The process is gone."""


async def test_a_crash_after_the_write_leaves_the_act_once(day: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await audit.append(entry(day, 1))

    def crash(name: str, *_: str) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr("shared.persistence.cosmos.crash_point", crash)
        with pytest.raises(Crash):
            await audit._write(day, [entry(day, 2)])
    await audit.append(entry(day, 2))
    await audit.append(entry(day, 3))
    assert await audit.verified(day) == (3, await audit.head_of(day), [])


KINDS = {
    "altered": (5, "altered"),
    "made anew": (5, "altered"),
    "removed": (5, "missing"),
    "inserted": (13, "inserted"),
    "reordered": (5, "reordered"),
    "cut off": (12, "missing"),
    "written anew": (9, "rewritten"),
}


@pytest.fixture
def raw() -> Iterator[ContainerProxy]:
    yield AUDIT._proxy()


@pytest.mark.parametrize("kind", KINDS)
async def test_whatever_is_done_to_the_store_is_found_and_named(day: str, kind: str, raw: ContainerProxy) -> None:
    for number in range(12):
        await audit.append(entry(day, number))
    head = await audit.head_of(day)
    assert head is not None
    stored = {each.number: each async for each in audit.entries(day)}
    noted = [HeadView(day, number, stored[number].hash) for number in (9,)]
    assert (await reading.verify(Verify(day, noted))).findings == []
    await _tampered(kind, day, stored, raw)
    found = (await reading.verify(Verify(day, noted))).findings
    assert KINDS[kind] in {(finding.number, finding.what) for finding in found}, found


async def _tampered(kind: str, day: str, stored: dict[int, Any], raw: ContainerProxy) -> None:
    async def put(item_id: str, link: chain.Link) -> None:
        await raw.upsert_item({**audit._document(link), "id": item_id})

    five, place = stored[5].link, chain.place
    if kind == "altered":
        await raw.patch_item(place(5), day, [{"op": "set", "path": "/text", "value": "{}"}])
    elif kind == "made anew":
        await put(place(5), chain.link(day, 5, five.previous, "{}"))
    elif kind == "removed":
        await raw.delete_item(place(5), day)
    elif kind == "inserted":
        await put(place(13), chain.link(day, 13, stored[12].hash, "{}"))
    elif kind == "reordered":
        await put(place(5), stored[6].link)
        await put(place(6), five)
    elif kind == "cut off":
        await raw.delete_item(place(12), day)
    else:
        texts = ["{}", *(stored[number].text for number in range(6, 13))]
        anew = chain.chained(day, chain.Head(day, 4, stored[4].hash), texts)
        for link in anew:
            await put(place(link.number), link)
        moved = {"id": "head", "day": day, "type": "head", "number": 12, "hash": anew[-1].hash}
        await raw.upsert_item(moved)
        assert (await reading.verify(Verify(day))).findings == [], "in itself it is whole"
