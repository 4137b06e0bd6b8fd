"""Durable entities in the functions host: called and signalled by the official library, read by its client."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import azure.durable_functions as df
import pytest
from azure.durable_functions import DurableOrchestrationClient as Client

from localazure.durable.entities import MAX_BATCH
from localazure.functions.wire import Host
from tests.conformance.durable.conftest import Hosts, client_of, entity_state, finished, until

MINE = df.EntityId("counter", "mine")


async def run(client: Client, name: str, input_: Any = None) -> df.DurableOrchestrationStatus:
    return await finished(client, await client.start_new(name, None, input_))


async def entities(host: Host, path: str = "", token: str = "", **query: str) -> tuple[list[dict[str, Any]], str]:
    """A page of the list of entities, and what leads to the next one."""
    url = f"{host.url}/runtime/webhooks/durabletask/entities{path}"
    headers = {"x-ms-continuation-token": token} if token else {}
    async with aiohttp.ClientSession() as session, session.get(url, params=query, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json(), answer.headers.get("x-ms-continuation-token", "")


async def test_an_orchestration_calls_an_entity_and_gets_its_answers(client: Client) -> None:
    status = await run(client, "calls", [["add", 2], ["add", 3], ["get", None]])
    assert status.output == [2, 5, 5], status.output


async def test_state_outlives_the_orchestration_and_the_host(hosts: Hosts) -> None:
    await run(client_of(await hosts.start()), "calls", [["add", 2]])
    await hosts.stop()
    client = client_of(await hosts.start())
    assert (await client.read_entity_state(MINE)).entity_state == 2
    assert (await run(client, "calls", [["add", 1]])).output == [3]


async def test_an_orchestration_signals_an_entity_and_goes_on(client: Client) -> None:
    assert (await run(client, "signals", [1, 2, 3])).output == 6


async def test_calls_at_once_are_done_one_after_the_other(client: Client) -> None:
    assert (await run(client, "calls_at_once", 60)).output == list(range(1, 61))


async def test_many_orchestrations_share_one_entity_without_losing_a_change(client: Client) -> None:
    ids = [await client.start_new("calls_at_once", None, 5) for _ in range(10)]
    statuses = [await finished(client, instance_id) for instance_id in ids]
    assert sorted(answer for status in statuses for answer in status.output) == list(range(1, 51))


async def test_signals_of_a_client_are_done_in_their_order_more_than_one_batch_of_them(client: Client) -> None:
    journal, count = df.EntityId("Journal", "j"), 2 * MAX_BATCH + 1
    for number in range(count):
        await client.signal_entity(journal, "write", f"word {number}")
    state = await entity_state(client, journal, lambda state: state and len(state["words"]) == count)
    assert state == {"words": [f"word {number}" for number in range(count)], "meetings": 0}


async def test_signals_of_many_clients_at_once_never_meet_inside_an_entity(client: Client) -> None:
    journal = df.EntityId("journal", "busy")
    await asyncio.gather(*(client.signal_entity(journal, "write", str(number)) for number in range(40)))
    state = await entity_state(client, journal, lambda state: state and len(state["words"]) == 40)
    assert (sorted(map(int, state["words"])), state["meetings"]) == (list(range(40)), 0)


async def test_an_operation_that_raises_fails_its_caller_and_loses_no_state(client: Client) -> None:
    assert (await run(client, "survives_an_error", "jump")).output == ["a counter cannot jump", 5]


async def test_what_an_operation_set_before_it_raised_stays_as_the_package_has_it(client: Client) -> None:
    assert (await run(client, "survives_an_error", "stumble")).output == ["stumbled", -1]


async def test_an_entity_function_that_fails_as_a_whole_fails_its_caller_and_loses_no_state(client: Client) -> None:
    reason, state = (await run(client, "survives_an_error", "spoil")).output
    assert "Entity function 'counter' failed" in reason
    assert state == 5


async def test_an_entity_that_deletes_itself_exists_no_more_and_starts_afresh(client: Client) -> None:
    assert (await run(client, "calls", [["add", 2], ["delete", None], ["add", 1]])).output == [2, None, 1]
    await run(client, "calls", [["delete", None]])
    assert not (await client.read_entity_state(MINE)).entity_exists


async def test_an_entity_nobody_has_asked_anything_does_not_exist(client: Client) -> None:
    answer = await client.read_entity_state(df.EntityId("counter", "never"))
    assert (answer.entity_exists, answer.entity_state) == (False, None)


async def test_a_call_to_an_entity_that_no_function_is_never_ends_and_the_log_names_it(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    await client.start_new("calls_nobody", "one")
    told = "The function 'nobody' doesn't exist, is disabled, or is not an entity function"
    await until(client, "one", lambda _: told in caplog.text)
    assert (await client.get_status("one")).runtime_status.name == "Running"


async def test_a_signal_to_an_entity_that_no_function_is_is_refused(client: Client) -> None:
    with pytest.raises(Exception, match="400"):
        await client.signal_entity(df.EntityId("nobody", "x"), "add", 1)


async def test_the_package_has_no_locks_and_the_instance_says_so(client: Client) -> None:
    status = await run(client, "locks")
    assert (status.runtime_status.name, "no attribute 'lock'" in status.output) == ("Failed", True)


async def test_an_entity_that_signals_another_is_refused_by_name_and_changes_nothing(client: Client) -> None:
    status = await run(client, "asks_the_meddler")
    assert status.runtime_status.name == "Failed"
    assert "an entity that signals another entity is not supported" in status.output
    assert not (await client.read_entity_state(df.EntityId("meddler", "x"))).entity_exists
    assert not (await client.read_entity_state(MINE)).entity_exists


async def test_entities_are_listed_by_name_and_time_with_their_state_when_asked(host: Host, client: Client) -> None:
    await run(client, "calls", [["add", 2]])
    await client.signal_entity(df.EntityId("journal", "j"), "write", "word")
    await entity_state(client, df.EntityId("journal", "j"), bool)
    everything, token = await entities(host)
    assert [item["entityId"]["name"] for item in everything] == ["counter", "journal"]
    assert token == ""
    [counter], _ = await entities(host, "/Counter", fetchState="true")
    assert (counter["entityId"], counter["state"]) == ({"name": "counter", "key": "mine"}, 2)
    later, _ = await entities(host, lastOperationTimeFrom=everything[1]["lastOperationTime"])
    assert [item["entityId"]["name"] for item in later] == ["journal"]


async def test_a_list_of_entities_goes_on_where_its_page_ended(host: Host, client: Client) -> None:
    for number in range(5):
        await client.signal_entity(df.EntityId("counter", str(number)), "add", number + 1)
        await entity_state(client, df.EntityId("counter", str(number)), bool)
    keys, token = [], ""
    for _ in range(3):
        page, token = await entities(host, token=token, top="2")
        keys.append([item["entityId"]["key"] for item in page])
    assert (keys, token) == ([["0", "1"], ["2", "3"], ["4"]], "")


async def test_delete_over_http_is_the_operation_delete(host: Host, client: Client) -> None:
    await run(client, "calls", [["add", 2]])
    url = f"{host.url}/runtime/webhooks/durabletask/entities/counter/mine"
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as answer:
            assert (answer.status, await answer.json()) == (200, 2)
        async with session.delete(url) as answer:
            assert answer.status == 202
        await entity_state(client, MINE, lambda state: state is None)
        async with session.get(url) as answer:
            assert answer.status == 404


async def test_a_call_is_in_the_history_as_the_event_sent_and_the_event_that_answered(client: Client) -> None:
    instance_id = await client.start_new("calls", None, [["add", 2]])
    await finished(client, instance_id)
    history = (await client.get_status(instance_id, show_history=True)).historyEvents
    assert [item["EventType"] for item in history] == [
        "ExecutionStarted", "EventSent", "EventRaised", "ExecutionCompleted",
    ]  # fmt: skip
