"""The app under Microsoft's Python worker library: the same functions and answers as in localazure's host."""

from __future__ import annotations

import json
import secrets
from typing import Any

from shared.clock import timestamp
from shared.contracts.event import make_event
from shared.contracts.orders import Line, OrderPlaced
from shared.money import Money
from tests.conformance.runtime.conftest import Worker
from tests.e2e.conftest import Client

MESSAGE = {"UserProperties": {}, "ApplicationProperties": {}, "DeliveryCount": 1, "MessageId": "x"}
PRODUCT = {"name": "Thing", "category": "tests", "price": {"amount": 250, "currency": "GBP"}}


def test_it_finds_the_same_functions(worker: Worker, indexed: dict[str, list[dict[str, Any]]]) -> None:
    def sorted_(bindings: list[dict[str, Any]]) -> list[str]:
        return sorted(json.dumps(binding, sort_keys=True) for binding in bindings)

    assert set(worker.functions) == set(indexed)
    for name, bindings in worker.functions.items():
        assert sorted_(bindings) == sorted_(indexed[name]), name
    kinds = {binding["type"] for bindings in worker.functions.values() for binding in bindings}
    assert kinds == set(
        "httpTrigger http cosmosDBTrigger serviceBusTrigger timerTrigger orchestrationTrigger activityTrigger "
        "durableClient".split()
    )


async def test_http_answers_are_the_same(worker: Worker, staff: Client, anonymous: Client) -> None:
    sku = f"R{secrets.token_hex(4)}"
    put = worker.http("products_put", "PUT", f"/products/{sku}", staff.token, PRODUCT, sku=sku)
    assert put["status"] == 201
    for function, path, params, client in (
        ("products_get", f"/products/{sku}", {"sku": sku}, anonymous),
        ("products_get", "/products/none", {"sku": "none"}, anonymous),
        ("stock_get", f"/stock/{sku}", {"sku": sku}, staff),
        ("orders_list", "/orders", {}, anonymous),
        ("orders_list", "/orders", {}, staff),
        ("carts_get", "/carts/x", {"cart_id": "x"}, staff),
    ):
        here = worker.http(function, "GET", path, client.token, **params)
        there = await client.call("GET", path)
        assert here["status"] == there.status, path
        assert _comparable(json.loads(here["body"])) == _comparable(there.json), path
        for name in ("content-type", "etag", "cache-control", "www-authenticate"):
            given = there.headers.get(name)
            assert here["headers"].get(name) == (given and given.partition(";")[0]), (path, name)


def _comparable(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "trace_id"}


def _placed(order_id: str, sku: str) -> str:
    data = OrderPlaced(
        order_id=order_id,
        customer_id="customer",
        lines=[Line(sku, 2)],
        total=Money(500, "GBP"),
        payment_method="pm_card_visa",
    )
    trace = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    event = make_event(data, source="orders", subject=order_id, version=1, time=timestamp(), traceparent=trace)
    import msgspec

    return msgspec.json.encode(event).decode()


async def test_a_message_has_its_effect_once(worker: Worker, staff: Client) -> None:
    sku, order_id = f"R{secrets.token_hex(4)}", "ord_" + secrets.token_hex(13).translate(str.maketrans("0189", "abcd"))
    assert (await staff.call("PUT", f"/stock/{sku}", {"on_hand": 5})).status == 201
    body = _placed(order_id, sku)
    metadata = {**MESSAGE, "MessageId": json.loads(body)["id"], "Label": "commerce.order.placed.v1"}
    for _ in range(2):
        answer = worker.invoke("inventory_on_orders", metadata, message=("bytes", body))
        assert answer["status"] == "Success", answer
        stock = (await staff.call("GET", f"/stock/{sku}")).json
        assert (stock["on_hand"], stock["reserved"]) == (5, 2)


def test_a_message_that_can_never_be_handled_fails(worker: Worker) -> None:
    answer = worker.invoke("inventory_on_orders", MESSAGE, message=("bytes", "no event"))
    assert answer["status"] == "Failure" and "not a valid event" in answer["error"]


def test_the_change_feed_relays(worker: Worker) -> None:
    order_id = "ord_" + "a" * 26
    outbox = {"id": "outbox:x", "order_id": order_id, "kind": "outbox", "event": json.loads(_placed(order_id, "S"))}
    reservation = {"id": order_id, "order_id": order_id, "kind": "reservation"}
    answer = worker.invoke("inventory_feed", documents=("json", json.dumps([reservation, outbox])))
    assert answer == {"status": "Success", "value": None}


def test_the_timer_runs(worker: Worker) -> None:
    timer = {"IsPastDue": False, "Schedule": {"AdjustForDST": True}, "ScheduleStatus": {}}
    for function in ("orders_reconcile", "inventory_reconcile", "payments_reconcile"):
        answer = worker.invoke(function, timer=("json", json.dumps(timer)))
        assert answer["status"] == "Success", answer


def _history(order_id: str) -> str:
    """What the Durable extension gives an orchestrator that begins."""
    moment = "2026-11-02T09:00:00.000000Z"
    common = {"EventId": -1, "IsPlayed": False, "Timestamp": moment}
    given = json.dumps({"order_id": order_id, "deadline": "2026-11-02T09:01:00.000Z"})
    return json.dumps(
        {
            "history": [
                {**common, "EventType": 12},
                {**common, "EventType": 0, "Name": "order_saga", "Input": given, "Version": "", "Tags": None},
            ],
            "instanceId": order_id,
            "isReplaying": False,
            "parentInstanceId": None,
            "input": given,
            "upperSchemaVersion": 0,
        }
    )


def test_the_orchestrator_decides_the_same(worker: Worker) -> None:
    order_id = "ord_" + "b" * 26
    answer = worker.invoke("order_saga", context=("string", _history(order_id)))
    assert answer["status"] == "Success", answer
    state = json.loads(answer["value"])
    kinds = sorted(action["actionType"] for batch in state["actions"] for action in batch)
    assert kinds == [5, 6, 6, 6], "one timer, three external events"
    assert state["isDone"] is False


def test_the_activity_fails_with_the_use_cases_own_error(worker: Worker) -> None:
    unknown = {"order_id": "ord_" + "c" * 26, "command": "confirm"}
    answer = worker.invoke("orders_settle", decision=("json", json.dumps(unknown)))
    assert answer["status"] == "Failure" and "there is no order" in answer["error"], answer
