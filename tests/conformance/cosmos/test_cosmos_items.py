"""Items: reads, writes, ETags, patches, batches, expiry, and what is refused. Both clients."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.cosmos import CosmosClient, exceptions
from azure.cosmos.aio import CosmosClient as AsyncCosmosClient
from hypothesis import given, settings
from hypothesis import strategies as st

from localazure.clock import ManualClock, SystemClock
from localazure.cosmos import EMULATOR_KEY, PART
from localazure.cosmos.changes import Operation
from localazure.cosmos.engine import Account
from localazure.cosmos.model import FeedRange
from localazure.cosmos.wire import CosmosServer
from localazure.part import Config

CUP = {"id": "cup", "kind": "china", "pieces": 5, "tags": ["red"]}


def test_an_item_is_created_read_replaced_and_deleted(things: Any) -> None:
    created = things.create_item(CUP)
    assert things.read_item("cup", "china") == created
    replaced = things.replace_item("cup", {**CUP, "pieces": 6})
    assert replaced["_etag"] != created["_etag"]
    assert things.read_item("cup", "china")["pieces"] == 6
    things.delete_item("cup", "china")
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        things.read_item("cup", "china")


async def test_the_same_by_the_asynchronous_client(athings: Any) -> None:
    created = await athings.create_item(CUP)
    assert await athings.read_item("cup", "china") == created
    await athings.upsert_item({**CUP, "pieces": 7})
    assert (await athings.read_item("cup", "china"))["pieces"] == 7
    await athings.delete_item("cup", "china")
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await athings.delete_item("cup", "china")


def test_identity_is_partition_key_and_id(things: Any) -> None:
    things.create_item(CUP)
    things.create_item({**CUP, "kind": "glass"})
    with pytest.raises(exceptions.CosmosResourceExistsError):
        things.create_item(CUP)
    assert things.read_item("cup", "glass")["kind"] == "glass"


def test_an_outdated_etag_changes_nothing(things: Any) -> None:
    old = things.create_item(CUP)
    things.upsert_item({**CUP, "pieces": 6})
    match = {"etag": old["_etag"], "match_condition": MatchConditions.IfNotModified}
    with pytest.raises(exceptions.CosmosAccessConditionFailedError):
        things.replace_item("cup", CUP, **match)
    with pytest.raises(exceptions.CosmosAccessConditionFailedError):
        things.patch_item("cup", "china", [{"op": "set", "path": "/pieces", "value": 0}], **match)
    with pytest.raises(exceptions.CosmosAccessConditionFailedError):
        things.delete_item("cup", "china", **match)
    assert things.read_item("cup", "china")["pieces"] == 6


def test_what_must_be_new_or_changed(things: Any) -> None:
    created = things.create_item(CUP)
    unchanged = things.read_item("cup", "china", etag=created["_etag"], match_condition=MatchConditions.IfModified)
    assert not unchanged
    assert things.client_connection.last_response_headers["etag"] == created["_etag"]
    replaced = things.upsert_item({**CUP, "pieces": 6})
    changed = things.read_item("cup", "china", etag=created["_etag"], match_condition=MatchConditions.IfModified)
    assert changed == replaced
    same = {"etag": replaced["_etag"], "match_condition": MatchConditions.IfModified}
    with pytest.raises(exceptions.CosmosAccessConditionFailedError):
        things.upsert_item({**CUP, "pieces": 7}, **same)


def test_an_upsert_that_matches_an_absent_item_makes_it(things: Any) -> None:
    match = {"etag": '"some-etag"', "match_condition": MatchConditions.IfNotModified}
    assert things.upsert_item(CUP, **match)["id"] == "cup"
    with pytest.raises(exceptions.CosmosAccessConditionFailedError):
        things.upsert_item(CUP, **match)


async def test_a_write_may_be_answered_without_the_item(athings: Any) -> None:
    assert not await athings.create_item(CUP, no_response=True)
    assert not await athings.patch_item(
        "cup", "china", [{"op": "incr", "path": "/pieces", "value": 1}], no_response=True
    )
    assert (await athings.read_item("cup", "china"))["pieces"] == 6


def test_a_batch_is_carried_out_whole(things: Any) -> None:
    cup = things.create_item(CUP)
    results = things.execute_item_batch(
        [
            ("create", ({"id": "a", "kind": "china"},)),
            ("upsert", ({"id": "b", "kind": "china"},)),
            ("replace", ("cup", {**CUP, "pieces": 1}), {"if_match_etag": cup["_etag"]}),
            ("patch", ("cup", [{"op": "incr", "path": "/pieces", "value": 1}])),
            ("read", ("cup",)),
            ("delete", ("a",)),
        ],
        "china",
    )
    assert [result["statusCode"] for result in results] == [201, 201, 200, 200, 200, 204]
    assert results[4]["resourceBody"]["pieces"] == 2
    assert {item["id"] for item in things.read_all_items()} == {"b", "cup"}


async def test_a_failed_batch_leaves_nothing_behind_and_says_which_operation(athings: Any) -> None:
    await athings.create_item(CUP)
    operations = [
        ("create", ({"id": "a", "kind": "china"},)),
        ("create", (CUP,)),
        ("create", ({"id": "b", "kind": "china"},)),
    ]
    with pytest.raises(exceptions.CosmosBatchOperationError) as caught:
        await athings.execute_item_batch(operations, "china")
    assert (caught.value.error_index, caught.value.status_code) == (1, 409)
    assert [result["statusCode"] for result in caught.value.operation_responses] == [424, 409, 424]
    assert [item["id"] async for item in athings.read_all_items()] == ["cup"]


def test_a_batch_has_at_most_a_hundred_operations(things: Any) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError, match="100"):
        things.execute_item_batch([("create", ({"id": str(n), "kind": "china"},)) for n in range(101)], "china")
    assert list(things.read_all_items()) == []


def test_all_items_of_a_partition_key_are_deleted_and_no_others(things: Any) -> None:
    for kind in ("china", "glass"):
        for number in range(3):
            things.create_item({"id": str(number), "kind": kind})
    things.delete_all_items_by_partition_key("china")
    assert [(item["kind"], item["id"]) for item in things.read_all_items()] == [("glass", str(n)) for n in range(3)]
    assert [item["kind"] for item in things.query_items_change_feed(start_time="Beginning")] == ["glass"] * 3
    things.create_item({"id": "1", "kind": "china"})
    things.delete_all_items_by_partition_key("nothing")
    assert things.read_item("1", "china")["kind"] == "china"


async def test_what_was_deleted_by_partition_key_stays_deleted(
    server: CosmosServer, athings: Any, tmp_path: Path, declared: Path
) -> None:
    await athings.create_item(CUP)
    await athings.create_item({"id": "none"})
    charges: list[float] = []
    await athings.delete_all_items_by_partition_key(
        "china", response_hook=lambda headers, _: charges.append(float(headers["x-ms-request-charge"]))
    )
    assert charges[0] > 5
    again = await PART.start(Config(state=tmp_path / "state", options={"containers": str(declared)}))
    try:
        async with AsyncCosmosClient(again.url, EMULATOR_KEY) as client:
            container = client.get_database_client("shop").get_container_client("things")
            assert [item["id"] async for item in container.read_all_items()] == ["none"]
    finally:
        await again.stop()


def test_an_item_of_more_than_two_megabytes_is_refused(things: Any) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError) as caught:
        things.create_item({**CUP, "text": "x" * 2_200_000})
    assert caught.value.status_code == 413


@pytest.mark.parametrize("bad", ["a/b", "a?b", "a#b", "a\\b", ""])
def test_an_id_with_a_forbidden_character_is_refused(things: Any, bad: str) -> None:
    with pytest.raises((exceptions.CosmosHttpResponseError, ValueError)):
        things.create_item({"id": bad, "kind": "china"})


def test_a_unique_key_is_kept_within_a_partition(address: str) -> None:
    with CosmosClient(address, EMULATOR_KEY) as client:
        unique = client.get_database_client("shop").get_container_client("unique")
        unique.create_item({"id": "1", "kind": "a", "code": "x"})
        unique.create_item({"id": "1", "kind": "b", "code": "x"})
        with pytest.raises(exceptions.CosmosResourceExistsError):
            unique.create_item({"id": "2", "kind": "a", "code": "x"})


async def test_an_item_lives_as_long_as_its_ttl(athings: Any, clock: ManualClock) -> None:
    await athings.create_item({**CUP, "ttl": 60})
    await athings.create_item({"id": "kept", "kind": "china"})
    await clock.advance(59)
    assert (await athings.read_item("cup", "china"))["ttl"] == 60
    await clock.advance(2)
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await athings.read_item("cup", "china")
    assert [item["id"] async for item in athings.read_all_items()] == ["kept"]
    await athings.create_item(CUP)


def test_every_answer_carries_its_charge(things: Any) -> None:
    charges: list[float] = []

    def note(headers: Any, _: Any) -> None:
        charges.append(float(headers["x-ms-request-charge"]))

    things.create_item(CUP, response_hook=note)
    things.read_item("cup", "china", response_hook=note)
    things.upsert_item(CUP, response_hook=note)
    created, read, upserted = charges
    assert read == 1
    assert created > 5
    assert upserted == pytest.approx(2 * created, rel=0.1)


async def test_what_was_answered_is_there_after_a_restart(
    server: CosmosServer, athings: Any, tmp_path: Path, declared: Path
) -> None:
    written = await athings.create_item(CUP)
    await athings.create_item({"id": "gone", "kind": "china"})
    await athings.delete_item("gone", "china")
    feed = athings.query_items_change_feed(start_time="Beginning").by_page()
    assert [item["id"] async for page in feed async for item in page] == ["cup"]
    again = await PART.start(Config(state=tmp_path / "state", options={"containers": str(declared)}))
    try:
        async with AsyncCosmosClient(again.url, EMULATOR_KEY) as client:
            container = client.get_database_client("shop").get_container_client("things")
            assert await container.read_item("cup", "china") == written
            assert [item["id"] async for item in container.read_all_items()] == ["cup"]
    finally:
        await again.stop()


NAMES = st.sampled_from("abc")
OPERATIONS = st.one_of(
    st.builds(lambda i, n: Operation("Create", i, {"id": i, "kind": "k", "n": n}), NAMES, st.integers(0, 3)),
    st.builds(lambda i, n: Operation("Upsert", i, {"id": i, "kind": "k", "n": n}), NAMES, st.integers(0, 3)),
    st.builds(lambda i, n: Operation("Replace", i, {"id": i, "kind": "k", "n": n}), NAMES, st.integers(0, 3)),
    st.builds(lambda i: Operation("Delete", i), NAMES),
    st.builds(
        lambda i, n: Operation("Patch", i, {"operations": [{"op": "incr", "path": "/n", "value": n}]}),
        NAMES,
        st.integers(0, 3),
    ),
)


def _model(state: dict[str, int], operation: Operation) -> dict[str, int] | None:
    """What the operation makes of `state`; `None`: it fails."""
    name = str(operation.id)
    there = name in state
    if (operation.kind == "Create") == there and operation.kind != "Upsert":
        return None
    if operation.kind == "Delete":
        return {key: value for key, value in state.items() if key != name}
    if operation.kind == "Patch":
        return {**state, name: state[name] + operation.body["operations"][0]["value"]}
    return {**state, name: operation.body["n"]}


@settings(deadline=None)
@given(st.lists(st.lists(OPERATIONS, min_size=1, max_size=4), max_size=8))
def test_any_sequence_of_batches_does_what_a_dictionary_does(batches: list[list[Operation]]) -> None:
    account = Account(None, SystemClock())
    account.create_database("d")
    container = account.create_container("d", {"id": "c", "partitionKey": {"paths": ["/kind"]}})
    state: dict[str, int] = {}
    for batch in batches:
        after: dict[str, int] | None = copy.copy(state)
        for operation in batch:
            after = None if after is None else _model(after, operation)
        done, _ = account.batch(container, '["k"]', batch)
        assert done == (after is not None)
        state = state if after is None else after
        found = {item.id: item.document["n"] for item in container.visible(FeedRange('["k"]'), 0)}
        assert found == state
    account.close()


def test_a_size_is_counted_in_bytes(things: Any) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError) as caught:
        things.create_item({**CUP, "text": "é" * 1_200_000})
    assert caught.value.status_code == 413
