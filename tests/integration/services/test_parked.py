"""Parked events: listed, read without what may be personal, published again, set aside; each act recorded with it."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import msgspec
import pytest

from blueprints.inventory import store as inventory
from shared.acting import Actor, acting
from shared.contracts.catalog import ProductChanged
from shared.contracts.event import Event, make_event
from shared.errors import CommerceError, Conflict, NotFound
from shared.messaging.parked import Parked, ParkedSummary
from shared.messaging.relay import relay
from shared.money import Money
from shared.persistence.cosmos import Container, Document
from shared.persistence.outbox import event_of, outbox_document
from tests.integration.services.conftest import TRACEPARENT, told

PRODUCTS = Container("catalog", "products", "sku", outbox=True)
PARKED = Parked("catalog", (PRODUCTS, Container("catalog", "products", "sku")))
ADMIN = Actor("admin-1", "scripts", ("admin",), "operations_parked_retry")


def event_about(sku: str, name: str = "thing", version: int = 1) -> Event:
    data = ProductChanged(sku=sku, name=name, category="tests", price=Money(1, "GBP"))
    return make_event(
        data, source="catalog", subject=sku, version=version, time="2010-12-01T08:26:00.000Z", traceparent=TRACEPARENT
    )


async def outbox(sku: str) -> list[Document]:
    query = "SELECT * FROM c WHERE c.kind = 'outbox' AND c.event.type = 'commerce.product.changed.v1'"
    return [document async for document in PRODUCTS.query(query, {}, key=sku)]


async def parked(sku: str, name: str = "x" * 300_000, version: int = 1) -> ParkedSummary:
    """An event that the broker does not take, parked by the relay."""
    await PRODUCTS.batch(sku, [("upsert", (outbox_document(PRODUCTS, sku, event_about(sku, name, version)),), {})])
    await relay(PRODUCTS, await outbox(sku))
    (found,) = [each for each in await listed() if each.event_id.endswith(f":{sku}:{version}")]
    return found


async def listed(status: str = "parked", limit: int = 100) -> list[ParkedSummary]:
    parked_alone, cursor, found = Parked("catalog", (PRODUCTS,)), None, []
    while True:
        page = await parked_alone.page(status, cursor, limit)
        assert len(page.items) <= limit
        found += page.items
        if (cursor := page.next_cursor) is None:
            return found


async def acts(sku: str) -> list[dict[str, Any]]:
    query = "SELECT * FROM c WHERE c.kind = 'outbox' AND c.event.type = 'commerce.act.recorded.v1'"
    return [msgspec.json.decode(event_of(document).data) async for document in PRODUCTS.query(query, {}, key=sku)]


async def test_a_parked_event_is_listed_with_its_reason_and_read_without_what_may_be_personal() -> None:
    sku = f"S{secrets.token_hex(5)}"
    summary = await parked(sku)
    assert (summary.service, summary.status, summary.subject, summary.why) == ("catalog", "parked", sku, None)
    assert summary.event_type == "commerce.product.changed.v1" and summary.reason
    view = await PARKED.read(summary.id)
    assert (view.container, view.trace_id) == ("products", TRACEPARENT.split("-")[1])
    assert view.data is not None
    assert view.data["sku"] == sku and view.data["name"] == "[redacted]"


async def test_what_is_retried_is_in_the_outbox_again_and_on_record_in_one_write() -> None:
    sku = f"S{secrets.token_hex(5)}"
    summary = await parked(sku)
    (before,) = await outbox(sku)
    with acting(ADMIN):
        assert (await PARKED.retry(summary.id, "larger messages")).event_id == summary.event_id
    (after,) = await outbox(sku)
    assert event_of(after) == event_of(before) and after["_etag"] != before["_etag"], "the feed shows it once more"
    assert summary.id not in {each.id for each in await listed()}
    (act,) = await acts(sku)
    assert (act["subject"], act["target"], act["reason"]) == ("admin-1", summary.event_id, "larger messages")
    with pytest.raises(NotFound):
        await PARKED.retry(summary.id, "again")


async def test_what_still_cannot_be_published_is_parked_anew_and_what_can_is_gone() -> None:
    sku = f"S{secrets.token_hex(5)}"
    summary = await parked(sku)
    await PARKED.retry(summary.id, "perhaps")
    await relay(PRODUCTS, await outbox(sku))
    assert (await PARKED.read(summary.id)).status == "parked"
    # the cause is gone: a later release tells less
    small = outbox_document(PRODUCTS, sku, event_about(sku))
    await PRODUCTS.batch(sku, [("upsert", ({**small, "id": f"parked:{summary.event_id}", "kind": "parked",
        "outbox_id": small["id"], "reason": "too large", "ttl": -1},), {})])  # fmt: skip
    await PARKED.retry(summary.id, "now")
    await relay(PRODUCTS, await outbox(sku))
    with pytest.raises(NotFound):
        await PARKED.read(summary.id)


async def test_an_event_outlives_its_outbox_item() -> None:
    sku = f"S{secrets.token_hex(5)}"
    summary = await parked(sku)
    await PRODUCTS.delete(f"outbox:{summary.event_id}", sku)
    await PARKED.retry(summary.id, "after a month")
    assert [event_of(document).id for document in await outbox(sku)] == [summary.event_id]


async def test_what_is_set_aside_is_kept_with_the_reason_and_may_still_be_published() -> None:
    sku = f"S{secrets.token_hex(5)}"
    summary = await parked(sku)
    with acting(ADMIN):
        first = await PARKED.set_aside(summary.id, "a test", "admin-1")
        again = await PARKED.set_aside(summary.id, "another reason", "admin-2")
    assert first == again
    assert (first.status, first.why, first.by) == ("set-aside", "a test", "admin-1")
    assert summary.id not in {each.id for each in await listed()}
    assert summary.id in {each.id for each in await listed("set-aside")}
    assert [act["reason"] for act in await acts(sku)] == ["a test"]
    await PARKED.retry(summary.id, "wanted after all")
    assert summary.id not in {each.id for each in await listed("set-aside")}


async def test_two_who_mend_at_once_do_it_once() -> None:
    sku = f"S{secrets.token_hex(5)}"
    summary = await parked(sku)
    with acting(ADMIN):
        done = await asyncio.gather(
            PARKED.retry(summary.id, "one"),
            PARKED.retry(summary.id, "two"),
            PARKED.set_aside(summary.id, "three", "admin-1"),
            return_exceptions=True,
        )
    failed = [each for each in done if isinstance(each, BaseException)]
    assert all(isinstance(each, CommerceError) for each in failed), failed
    assert len(await acts(sku)) == len(done) - len(failed)
    assert len(await outbox(sku)) == 1


async def test_a_list_has_each_once_whatever_the_page_and_however_many_a_second() -> None:
    for _ in range(7):
        await parked(f"S{secrets.token_hex(5)}")
    wanted = sorted(each.id for each in await listed())
    assert len(wanted) == len(set(wanted)) >= 7
    for limit in (1, 3):
        assert sorted(each.id for each in await listed(limit=limit)) == wanted


async def test_a_timers_outbox_is_looked_into_as_well() -> None:
    sku = f"S{secrets.token_hex(5)}"
    both = Parked("inventory", (inventory.RESERVATIONS, inventory.STOCK))
    shelf = inventory.shelf_of(sku)
    poison = {"id": f"outbox:{sku}", "shelf": shelf, "kind": "outbox", "event": {"id": sku, "type": "nonsense"}}
    await relay(inventory.STOCK, [poison])
    (found,) = [each for each in (await both.page("parked", None, 100)).items if each.event_id == sku]
    assert (await both.read(found.id)).container == "stock"


@pytest.mark.parametrize(
    "parked_id",
    ["", "x", "W10", "WyJwcm9kdWN0cyJd", "eyJhIjoxfQ", "AAAA", "_" * 1000],
)
async def test_what_no_list_gave_out_is_not_there(parked_id: str) -> None:
    with pytest.raises(NotFound):
        await PARKED.read(parked_id)


@pytest.mark.parametrize("event_id", ["../x", "a/b", "a?b", "a#b", "", "x" * 300, "a\nb", "b ", "\ud7ff" * 200])
async def test_an_id_reaches_nothing_but_parked_items(event_id: str) -> None:
    from shared.messaging.parked import _encoded

    sku = f"S{secrets.token_hex(5)}"
    await parked(sku)
    for container in ("products", "leases", "nothing"):
        with pytest.raises(NotFound):
            await PARKED.read(_encoded(container, sku, event_id))
    assert "product.changed" in await told(PRODUCTS, sku)


async def test_what_was_parked_without_an_event_can_only_be_set_aside() -> None:
    sku = f"S{secrets.token_hex(5)}"
    await PRODUCTS.upsert({"id": f"parked:{sku}", "sku": sku, "kind": "parked", "outbox_id": "x", "reason": "old"})
    (found,) = [each for each in await listed() if each.event_id == sku]
    with pytest.raises(Conflict) as refused:
        await PARKED.retry(found.id, "now")
    assert refused.value.code == "no-event"
    assert (await PARKED.set_aside(found.id, "nobody knows", "a")).data is None
