"""One order is one trace: its edges are read back by KQL from what the app told Application Insights."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from localazure.insights.wire import DEFAULT_KEY
from tests.e2e.conftest import Client, Stocked, System, basket, started

PATIENCE = 90.0
"""Records are sent every five seconds, by each worker process for itself."""
EVERYTHING = (
    "union requests, dependencies | where operation_Id == '{trace}' "
    "| project itemType, role = cloud_RoleName, name, id, parent = operation_ParentId, success, resultCode, type"
)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One where everybody has credit: stock and money are asked for at once, whoever has paid before.

    The provider sends no webhooks of authorisations: who hears first, its caller or its listener, would be chance.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORDER_CREDIT", "1000000")
        with started(tmp_path_factory.mktemp("trace"), "--set", "stripe.webhook_events=charge.refunded") as running:
            yield running


class Trace:
    """The spans of one trace, each once: work that was done again is told again under the same id."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.spans = {row["id"]: row for row in rows}

    def label(self, span: str) -> str:
        row = self.spans.get(span)
        return "" if row is None else f"{row['role']}: {row['name']}"

    @property
    def roots(self) -> list[str]:
        return [self.label(span) for span, row in self.spans.items() if row["parent"] not in self.spans]

    @property
    def edges(self) -> Counter[tuple[str, str]]:
        """Parent → child between what was asked for; calls of the database are counted apart."""
        return Counter(
            (self.label(row["parent"]), self.label(span))
            for span, row in self.spans.items()
            if row["parent"] in self.spans and row["type"] != "Azure DocumentDB"
        )


async def asked(system: System, session: aiohttp.ClientSession, query: str) -> list[dict[str, Any]]:
    url = f"{system.addresses['insights']}/v1/apps/{DEFAULT_KEY}/query"
    async with session.post(url, json={"query": query}) as answer:
        assert answer.status == 200, await answer.text()
        table = (await answer.json())["tables"][0]
    names = [column["name"] for column in table["columns"]]
    return [dict(zip(names, row, strict=True)) for row in table["rows"]]


async def trace_of(
    system: System, session: aiohttp.ClientSession, trace: str, wanted: Counter[tuple[str, str]]
) -> Trace:
    """The trace once it has all the edges that are wanted, or as it is when patience is over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while True:
        found = Trace(await asked(system, session, EVERYTHING.format(trace=trace)))
        if (found.edges >= wanted and len(found.roots) == 1) or loop.time() > deadline:
            return found
        await asyncio.sleep(0.5)


def hop(publisher: str, told_by: str, *heard_by: str) -> Counter[tuple[str, str]]:
    """An event's way: from the work that told it, over feed and topic, to whoever hears it."""
    feed, send = f"{publisher}: {publisher}_feed", f"{publisher}: send {publisher}"
    return Counter(
        [(told_by, feed), (feed, send), *((send, f"{service}: {service}_on_{publisher}") for service in heard_by)]
    )


PLACE = "orders: POST /v1/orders"
SAGA = "orders: order_saga"
SETTLE = "orders: orders_settle"
START = "orders: start order_saga"
STARTED = Counter([("orders: orders_feed", START), (START, SAGA), (SAGA, SETTLE)])
PAYMENTS = "payments: payments_on_orders"
STEPS = [
    (SAGA, "orders: stock"),
    (SAGA, "orders: payment"),
    (SAGA, "orders: cancelled"),
    (SAGA, "orders: orders_look_up"),
]
BOTH = ("inventory", "payments")


def answered(service: str, event: str) -> Counter[tuple[str, str]]:
    """A service's answer to the order, which orders gives on to the saga."""
    heard = f"orders: orders_on_{service}"
    return hop(service, f"{service}: {service}_on_orders", "orders") + Counter([(heard, f"orders: raise {event}")])


CONFIRMED = (
    hop("orders", PLACE, *BOTH)
    + STARTED
    + answered("inventory", "stock")
    + answered("payments", "payment")
    + Counter([(SAGA, "orders: stock"), (SAGA, "orders: payment")])
    + Counter([(PAYMENTS, "payments: stripe create"), (PAYMENTS, "payments: stripe confirm")])
    + hop("orders", SETTLE, *BOTH)
    + Counter([(PAYMENTS, "payments: stripe capture")])
    + hop("payments", PAYMENTS, "orders")
)


DECLINED = (
    hop("orders", PLACE, *BOTH)
    + STARTED
    + answered("inventory", "stock")
    + Counter([(PAYMENTS, "payments: stripe create"), (PAYMENTS, "payments: stripe confirm")])
    + hop("orders", SETTLE, *BOTH)
    + Counter([("orders: orders_feed", "orders: raise cancelled")])
    + hop("inventory", "inventory: inventory_on_orders", "orders")
)
EITHER = {*STEPS, *answered("payments", "payment")}
"""The order of arrival decides how many steps the saga has."""


async def placed(shopper: Client, body: Any) -> tuple[str, str]:
    """Order id and trace id of an order; what orders has not heard of yet is asked for again."""
    async with asyncio.timeout(PATIENCE):
        while (answer := await shopper.order(body)).status != 202:  # noqa: ASYNC110 - events bring it about
            await asyncio.sleep(0.2)
    return answer.json["id"], answer.headers["traceparent"].split("-")[1]


async def test_a_confirmed_order_is_one_trace_with_exactly_these_edges(
    system: System, session: aiohttp.ClientSession, shopper: Client, stocked: Stocked
) -> None:
    order_id, trace_id = await placed(shopper, basket((await stocked(250, 5), 2)))
    await shopper.until(f"/orders/{order_id}/payment", lambda payment: payment["status"] == "captured")
    found = await trace_of(system, session, trace_id, CONFIRMED)
    assert found.roots == [PLACE]
    assert found.edges == CONFIRMED
    assert {row["role"] for row in found.spans.values()} == {"orders", "inventory", "payments"}


async def test_a_declined_order_is_one_trace_too(
    system: System, session: aiohttp.ClientSession, shopper: Client, stocked: Stocked
) -> None:
    body = basket((await stocked(250, 5), 2), payment_method="pm_card_chargeDeclined")
    order_id, trace_id = await placed(shopper, body)
    assert (await shopper.settled(order_id))["status"] == "cancelled"
    found = await trace_of(system, session, trace_id, DECLINED)
    assert found.roots == [PLACE]
    edges = Counter({edge: count for edge, count in found.edges.items() if edge not in EITHER})
    assert (edges - DECLINED, DECLINED - edges) == (Counter(), Counter())


async def test_spans_and_logs_say_what_an_operator_asks_for(
    system: System, session: aiohttp.ClientSession, shopper: Client, stocked: Stocked
) -> None:
    order_id, trace_id = await placed(shopper, basket((await stocked(250, 5), 2)))
    await shopper.settled(order_id)
    await trace_of(system, session, trace_id, CONFIRMED)
    charged = (
        f"dependencies | where operation_Id == '{trace_id}' and type == 'Azure DocumentDB' "
        "| summarize calls = count(), uncharged = countif(todouble(customDimensions.charge) <= 0), "
        "targets = dcount(target)"
    )
    (row,) = await asked(system, session, charged)
    assert row["calls"] >= 10
    assert (row["uncharged"], row["targets"]) == (0, 3)
    heard = (
        f"requests | where operation_Id == '{trace_id}' and source endswith '/inventory' "
        "| project event = tostring(customDimensions.event_id), subject = tostring(customDimensions.order_id), "
        "delivery = toint(customDimensions.delivery_count), waited = toint(customDimensions.queue_ms), operation_Name"
    )
    for row in await asked(system, session, heard):
        assert row["event"].startswith(("order.placed.v1:", "order.confirmed.v1:"))
        assert (row["subject"], row["delivery"], row["operation_Name"]) == (order_id, 1, "inventory_on_orders")
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
    assert {("orders", "order.placed"), ("payments", "payment.captured"), ("inventory", "stock.reserved")} <= lines
    assert not [line for line in lines if line[1].startswith("event.")], "the spans tell it already"


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
    await trace_of(system, session, trace_id, CONFIRMED)
    for table in ("requests", "dependencies", "traces", "exceptions"):
        rows = json.dumps(await asked(system, session, table))
        assert not [told for told in (marker, shopper.token[-20:], "pm_card_visa", "A. Shopper") if told in rows], table
