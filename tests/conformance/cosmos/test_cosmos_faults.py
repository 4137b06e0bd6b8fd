"""Faults by order of a test, felt through the official clients and their retries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen

import aiohttp
import pytest
from azure.core.exceptions import AzureError
from azure.cosmos import exceptions

from localazure.clock import ManualClock
from localazure.cosmos.wire import CosmosServer

CUP = {"id": "cup", "kind": "china", "pieces": 5}


def order(address: str, **fault: Any) -> None:
    request = Request(f"{address}/_local/faults", json.dumps(fault).encode(), method="POST")
    with urlopen(request, timeout=10) as answer:
        assert answer.status == 204


def pending(address: str) -> list[Any]:
    with urlopen(f"{address}/_local/faults", timeout=10) as answer:
        found: list[Any] = json.load(answer)
        return found


def clear(address: str) -> None:
    with urlopen(Request(f"{address}/_local/faults", method="DELETE"), timeout=10) as answer:
        assert answer.status == 204


@pytest.fixture
def cup(things: Any) -> Any:
    things.create_item(CUP)
    return things


def ask(things: Any, operation: str) -> Any:
    """One request of the operation."""
    change = [{"op": "incr", "path": "/pieces", "value": 1}]
    asked: dict[str, Callable[[], Any]] = {
        "create": lambda: things.create_item({**CUP, "id": "other"}),
        "upsert": lambda: things.upsert_item(CUP),
        "replace": lambda: things.replace_item("cup", CUP),
        "patch": lambda: things.patch_item("cup", "china", change),
        "delete": lambda: things.delete_item("cup", "china"),
        "delete-partition": lambda: things.delete_all_items_by_partition_key("china"),
        "batch": lambda: things.execute_item_batch([("upsert", (CUP,))], "china"),
        "read": lambda: things.read_item("cup", "china"),
        "query": lambda: list(things.query_items("SELECT * FROM c", partition_key="china")),
        "read-all": lambda: list(things.read_all_items()),
        "feed": lambda: list(things.query_items_change_feed(start_time="Beginning")),
        "metadata": things.read,
    }
    return asked[operation]()


OPERATIONS = [
    "create", "upsert", "replace", "patch", "delete", "delete-partition", "batch", "read", "query", "read-all", "feed",
    "metadata",
]  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_client_waits_out_throttling_of_an_operation(address: str, cup: Any, operation: str) -> None:
    for first in ("read", "upsert"):
        ask(cup, first)  # the client asks for the container's ranges once
    order(address, status=429, retry_after_ms=2, count=3, operation=operation, container="things", database="shop")
    for other in ("read", "upsert"):
        if other != operation:
            ask(cup, other)
    assert pending(address)[0]["count"] == 3
    ask(cup, operation)
    assert pending(address) == []


def test_throttling_that_does_not_end_reaches_the_caller_and_changes_nothing(address: str, cup: Any) -> None:
    order(address, status=429, substatus=3200, retry_after_ms=1, count=None, operation="upsert")
    with pytest.raises(exceptions.CosmosHttpResponseError) as caught:
        cup.upsert_item({**CUP, "pieces": 6})
    assert (caught.value.status_code, caught.value.sub_status) == (429, 3200)
    assert caught.value.headers["x-ms-retry-after-ms"] == "1"
    clear(address)
    assert cup.read_item("cup", "china")["pieces"] == 5
    assert cup.upsert_item({**CUP, "pieces": 6})["pieces"] == 6


@pytest.mark.parametrize("operation", ["read", "query", "upsert", "patch", "batch"])
def test_the_client_tries_an_unavailable_service_once_more(address: str, cup: Any, operation: str) -> None:
    order(address, status=503, operation=operation)
    ask(cup, operation)
    order(address, status=503, operation=operation, count=None)
    with pytest.raises(exceptions.CosmosHttpResponseError) as caught:
        ask(cup, operation)
    assert caught.value.status_code == 503


async def test_the_same_by_the_asynchronous_client(server: CosmosServer, athings: Any) -> None:
    await athings.create_item(CUP)
    async with aiohttp.ClientSession() as session:
        for fault in (
            {"status": 429, "retry_after_ms": 1, "count": 2, "operation": "patch"},
            {"status": 503, "operation": "read"},
        ):
            async with session.post(f"{server.url}/_local/faults", json=fault) as answer:
                assert answer.status == 204
        patched = await athings.patch_item("cup", "china", [{"op": "incr", "path": "/pieces", "value": 1}])
        assert patched["pieces"] == 6
        assert (await athings.read_item("cup", "china"))["pieces"] == 6
        async with session.get(f"{server.url}/_local/faults") as answer:
            assert await answer.json() == []
        await session.post(f"{server.url}/_local/faults", json={"status": 503, "count": None, "method": "PATCH"})
        with pytest.raises(exceptions.CosmosHttpResponseError) as caught:
            await athings.patch_item("cup", "china", [{"op": "incr", "path": "/pieces", "value": 1}])
        assert caught.value.status_code == 503
    assert (await athings.read_item("cup", "china"))["pieces"] == 6


def test_a_fault_may_let_some_requests_pass(address: str, cup: Any) -> None:
    order(address, status=500, operation="read", skip=2)
    cup.read_item("cup", "china")
    cup.read_item("cup", "china")
    assert pending(address)[0]["skip"] == 0
    cup.read_item("cup", "china")
    assert pending(address) == []


@pytest.mark.parametrize("fault", [{"status": 408}, {"disconnect": True}])
def test_a_write_may_be_carried_out_although_its_answer_is_lost(address: str, things: Any, fault: Any) -> None:
    order(address, operation="create", carried_out=True, **fault)
    with pytest.raises(AzureError):
        things.create_item(CUP)
    assert things.read_item("cup", "china")["pieces"] == 5
    order(address, operation="create", **fault)
    with pytest.raises(AzureError):
        things.create_item({**CUP, "id": "other"})
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        things.read_item("other", "china")


async def test_an_answer_may_be_late_by_the_clock(server: CosmosServer, athings: Any, clock: ManualClock) -> None:
    async with aiohttp.ClientSession() as session:
        await session.post(f"{server.url}/_local/faults", json={"latency": 30, "operation": "create"})
    writing = asyncio.ensure_future(athings.create_item(CUP))
    while not writing.done():
        await clock.advance(10)
        await asyncio.sleep(0)
    assert (await writing)["id"] == "cup"


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ({"statsu": 429}, "statsu"),
        ({}, "needs a status"),
        ({"status": 200}, "one of an error"),
        ({"status": 429, "count": 0}, "count"),
        ({"status": 429, "operation": "reed"}, "'reed'"),
        ({"status": "429"}, "status"),
        ({"latency": -1}, "latency"),
        ({"status": 503, "disconnect": True}, "not both"),
        ([], "object"),
    ],
)
async def test_a_fault_that_means_nothing_is_refused(server: CosmosServer, fault: Any, named: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/_local/faults", json=fault) as answer,
    ):
        assert answer.status == 400
        assert named in await answer.text()


async def test_what_is_injected_costs_nothing(server: CosmosServer, athings: Any) -> None:
    async with aiohttp.ClientSession() as session:
        await session.delete(f"{server.url}/_local/charges")
        fault = {"status": 429, "retry_after_ms": 1, "operation": "create", "count": 3}
        await session.post(f"{server.url}/_local/faults", json=fault)
        await athings.create_item(CUP)
        async with session.get(f"{server.url}/_local/charges") as answer:
            rows = (await answer.json())["operations"]
    assert [(row["operation"], row["operations"]) for row in rows] == [("create", 1)]
