"""What the spans and logs of an order say, read back by KQL from what the app told Application Insights."""

from __future__ import annotations

import json
from collections.abc import Iterator

import aiohttp
import pytest

from tests.e2e.conftest import Client, Provider, Stocked, System, basket, started
from tests.e2e.order_traces import HEARD
from tests.e2e.traces import CREDIT, Trace, asked, placed, trace_of


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with started(tmp_path_factory.mktemp("trace"), app=CREDIT) as running:
        yield running


LAST = {
    "orders: POST /v1/orders",
    "orders: order_saga",
    "inventory: inventory_on_orders order.confirmed",
    "payments: payments_on_orders order.confirmed",
    "orders: orders_on_payments payment.captured",
}


def confirmed(found: Trace) -> bool:
    """Whether all of a confirmed order has been told: the last of each service, and the parents of everything."""
    return found.labels >= LAST and len(found.roots) == 1


async def test_what_the_providers_webhook_tells_is_in_the_orders_trace(
    system: System, session: aiohttp.ClientSession, shopper: Client, stocked: Stocked, provider: Provider
) -> None:
    await provider.fault(operation="confirm", kind="hang_after_effect")
    body = basket((await stocked(250, 5), 2), payment_method="pm_card_chargeDeclined")
    order_id, trace_id = await placed(shopper, body)
    assert (await shopper.settled(order_id))["status"] == "cancelled"
    asking, released = "payments: payments_on_orders order.placed", "orders: orders_on_inventory stock.released"
    found = await trace_of(
        system, session, trace_id, lambda found: found.below(asking) == HEARD and released in found.labels
    )
    assert found.below(asking) == HEARD
    assert found.roots == ["orders: POST /v1/orders"]
    links = (
        f"requests | where operation_Id == '{trace_id}' and name == 'payments_hear' "
        "| extend link = parse_json(tostring(customDimensions['_MS.links']))[0] "
        "| project trace = tostring(link.operation_Id), span = tostring(link.id)"
    )
    (link,) = await asked(system, session, links)
    (webhook,) = await asked(
        system, session, f"requests | where operation_Id == '{link['trace']}' and id == '{link['span']}'"
    )
    assert webhook["name"] == "POST /v1/payments/webhooks/stripe"


async def test_spans_and_logs_say_what_an_operator_asks_for(
    system: System, session: aiohttp.ClientSession, shopper: Client, stocked: Stocked
) -> None:
    order_id, trace_id = await placed(shopper, basket((await stocked(250, 5), 2)))
    await shopper.settled(order_id)
    await trace_of(system, session, trace_id, confirmed)
    charged = (
        f"dependencies | where operation_Id == '{trace_id}' and type == 'Azure DocumentDB' "
        "| summarize calls = count(), uncharged = countif(todouble(customDimensions.charge) <= 0), "
        "targets = dcount(target)"
    )
    (row,) = await asked(system, session, charged)
    assert row["calls"] >= 10
    assert row["uncharged"] == 0
    assert row["targets"] >= 3, "orders, inventory and payments, and who else has heard by now"
    heard = (
        f"requests | where operation_Id == '{trace_id}' and source endswith '/inventory' "
        "| project event = tostring(customDimensions.event_id), subject = tostring(customDimensions.order_id), "
        "delivery = toint(customDimensions.delivery_count), waited = toint(customDimensions.queue_ms), operation_Name"
    )
    for row in await asked(system, session, heard):
        assert row["event"].startswith(("order.placed.v1:", "order.confirmed.v1:"))
        assert (row["subject"], row["operation_Name"]) == (order_id, "inventory_on_orders")
        assert row["delivery"] is None, "the first is not told"
        assert 0 <= row["waited"] < 60_000
    (placing,) = await asked(
        system, session, f"requests | where operation_Id == '{trace_id}' and name startswith 'POST'"
    )
    assert (placing["url"], placing["resultCode"], placing["success"]) == ("/v1/orders", "202", "True")
    logged = (
        f"traces | join kind=inner (requests | project span = id) on $left.operation_ParentId == $right.span "
        f"| where operation_Id == '{trace_id}' | project cloud_RoleName, message"
    )
    lines = {(row["cloud_RoleName"], row["message"]) for row in await asked(system, session, logged)}
    assert lines == {("orders", "order.placed"), ("orders", "order.confirmed")}, "the spans tell the rest"


async def test_nothing_personal_is_told(
    system: System, session: aiohttp.ClientSession, shopper: Client, stocked: Stocked
) -> None:
    marker = "Zebrafish"
    body = basket((await stocked(250, 5), 2))
    body["shipping_address"] |= dict.fromkeys(("name", "line1", "city"), marker)
    order_id, trace_id = await placed(shopper, body)
    await shopper.settled(order_id)
    await shopper.call("GET", f"/products?q={marker}", headers={"X-Other": marker})
    await shopper.call("POST", "/orders", {"shipping_address": marker, marker: marker}, {"Idempotency-Key": marker})
    await trace_of(system, session, trace_id, confirmed)
    for table in ("requests", "dependencies", "traces", "exceptions"):
        rows = json.dumps(await asked(system, session, table))
        assert not [told for told in (marker, shopper.token[-20:], "pm_card_visa", "A. Shopper") if told in rows], table
