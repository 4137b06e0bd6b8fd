"""Instances listed, purged and looked into: through the client, and over HTTP where the client has no call for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import aiohttp
import azure.durable_functions as df
import pytest
from azure.durable_functions import DurableOrchestrationClient as Client
from yarl import URL

from localazure.clock import ManualClock
from localazure.functions.wire import Host
from tests.conformance.durable.conftest import Hosts, client_of, finished

Status = df.OrchestrationRuntimeStatus
START = 1_700_000_000.0


async def ask(host: Host, method: str, path: str, token: str = "", **query: str) -> tuple[int, Any, str]:
    """Status, document and continuation token of an answer of the HTTP API."""
    url = f"{host.url}/runtime/webhooks/durabletask/{path}"
    headers = {"x-ms-continuation-token": token} if token else {}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, params=query, headers=headers) as answer,
    ):
        return answer.status, await answer.json(), answer.headers.get("x-ms-continuation-token", "")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
async def host(hosts: Hosts, clock: ManualClock) -> Host:
    """Five instances, a minute apart: three have completed, one failed, one runs."""
    host = await hosts.start(clock)
    client = client_of(host)
    hosts.module.broken.add("bad")
    for name, words in (("done-0", ["a"]), ("done-1", ["b"]), ("bad-2", ["bad"]), ("done-3", ["c"])):
        await client.start_new("all_at_once", name, words)
        await finished(client, name)
        await clock.advance(60)
    await client.start_new("collects", "open-4", [1, []])
    return host


def at(minute: float) -> datetime:
    return datetime.fromtimestamp(START + 60 * minute, UTC)


async def ids(client: Client, **filters: Any) -> list[str]:
    return [status.instance_id for status in await client.get_status_by(**filters)]


async def test_all_instances_are_listed_in_the_order_of_their_ids(client: Client) -> None:
    assert [status.instance_id for status in await client.get_status_all()] == [
        "bad-2", "done-0", "done-1", "done-3", "open-4",
    ]  # fmt: skip


async def test_instances_are_found_by_status(client: Client) -> None:
    assert await ids(client, runtime_status=[Status.Failed, Status.Completed]) == [
        "bad-2", "done-0", "done-1", "done-3",
    ]  # fmt: skip
    assert await ids(client, runtime_status=[Status.Canceled]) == []


async def test_instances_are_found_by_time_with_both_ends_included(client: Client) -> None:
    assert await ids(client, created_time_from=at(1), created_time_to=at(3)) == ["bad-2", "done-1", "done-3"]
    assert await ids(client, created_time_from=at(3.5)) == ["open-4"]


async def test_instances_are_found_by_prefix_and_all_filters_together(client: Client) -> None:
    assert await ids(client, instance_id_prefix="done") == ["done-0", "done-1", "done-3"]
    assert await ids(client, instance_id_prefix="done", created_time_from=at(1), runtime_status=[Status.Completed]) == [
        "done-1", "done-3",
    ]  # fmt: skip


@pytest.mark.parametrize("written", ["2023-11-14T22:14:20Z", "2023-11-14T22:14:20", "2023-11-14T23:14:20+01:00"])
async def test_a_moment_may_be_written_in_any_way_of_rfc_3339(host: Host, written: str) -> None:
    _, found, _ = await ask(host, "GET", "instances", createdTimeFrom=written, createdTimeTo=written)
    assert [item["instanceId"] for item in found] == ["done-1"]


async def test_a_list_goes_on_where_its_page_ended_also_when_instances_are_gone_meanwhile(
    host: Host, client: Client
) -> None:
    _, first, token = await ask(host, "GET", "instances", top="2")
    await client.purge_instance_history("done-1")  # with which the next page was to begin
    _, second, end = await ask(host, "GET", "instances", token, top="2")
    pages = [[item["instanceId"] for item in page] for page in (first, second)]
    assert (pages, end) == ([["bad-2", "done-0"], ["done-3", "open-4"]], "")


@pytest.mark.parametrize(
    "query",
    [
        {"runtimeStatus": "Sleeping"}, {"runtimeStatus": "failed"}, {"createdTimeFrom": "yesterday"},
        {"createdTimeTo": ""}, {"top": "x"}, {"top": "99999999999999999999"}, {"showInput": "perhaps"},
    ],
)  # fmt: skip
async def test_a_filter_that_makes_no_sense_is_left_out(host: Host, query: dict[str, str]) -> None:
    status, found, _ = await ask(host, "GET", "instances", **query)
    assert (status, len(found), found[1]["input"]) == (200, 5, '["a"]')


async def test_several_statuses_may_be_given_one_by_one(host: Host) -> None:
    url = URL(f"{host.url}/runtime/webhooks/durabletask/instances?runtimeStatus=Failed&runtimeStatus=Running")
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert [item["instanceId"] for item in await answer.json()] == ["bad-2", "open-4"]


async def test_a_page_of_no_rows_leads_to_the_first(host: Host) -> None:
    status, found, token = await ask(host, "GET", "instances", top="0")
    assert (status, found) == (200, [])
    _, found, _ = await ask(host, "GET", "instances", token, top="1")
    assert [item["instanceId"] for item in found] == ["bad-2"]


async def test_a_page_of_less_than_no_rows_is_refused(host: Host) -> None:
    status, document, _ = await ask(host, "GET", "instances", top="-1")
    assert (status, document["ExceptionMessage"]) == (400, "top must not be negative")


async def test_a_token_that_was_not_given_out_is_refused(host: Host) -> None:
    status, _, _ = await ask(host, "GET", "instances", "nonsense")
    assert status == 400


async def test_one_instance_is_purged_with_its_history(client: Client) -> None:
    assert (await client.purge_instance_history("done-0")).instances_deleted == 1
    assert not await client.get_status("done-0")
    assert (await client.purge_instance_history("done-0")).instances_deleted == 0


async def test_an_instance_that_runs_is_not_purged(client: Client) -> None:
    with pytest.raises(Exception, match="412"):
        await client.purge_instance_history("open-4")
    assert (await client.get_status("open-4")).runtime_status == Status.Running


async def test_instances_are_purged_by_time_and_status(client: Client) -> None:
    purged = await client.purge_instance_history_by(at(0), at(2), [Status.Completed])
    assert purged.instances_deleted == 2
    assert await ids(client) == ["bad-2", "done-3", "open-4"]
    assert (await client.purge_instance_history_by(at(0))).instances_deleted == 2
    assert await ids(client) == ["open-4"]
    assert (await client.purge_instance_history_by(at(0))).instances_deleted == 0


async def test_a_purge_by_filter_needs_the_moment_to_begin_with(host: Host, client: Client) -> None:
    status, document, _ = await ask(host, "DELETE", "instances", runtimeStatus="Completed")
    assert (status, document) == (400, "Please provide value for 'createdTimeFrom' parameter.")
    assert len(await ids(client)) == 5


async def test_a_history_shows_each_task_once_with_what_went_in_and_came_out(client: Client) -> None:
    shown = await client.get_status("done-0", show_history=True, show_history_output=True, show_input=True)
    started, task, completed = shown.historyEvents
    assert (started["EventType"], started["FunctionName"], started["Input"]) == (
        "ExecutionStarted", "all_at_once", '"[\\"a\\"]"',
    )  # fmt: skip
    assert (task["EventType"], task["FunctionName"], task["Input"], task["Result"]) == (
        "TaskCompleted", "unsteady", None, "A",
    )  # fmt: skip
    assert task["ScheduledTime"] <= task["Timestamp"]
    assert (completed["EventType"], completed["OrchestrationStatus"], completed["Result"]) == (
        "ExecutionCompleted", "Completed", ["A"],
    )  # fmt: skip


async def test_a_history_keeps_inputs_and_outputs_to_itself_unless_asked(host: Host) -> None:
    _, document, _ = await ask(host, "GET", "instances/done-0", showHistory="true", showInput="false")
    assert document["input"] is None
    assert not [item for item in document["historyEvents"] if "Result" in item or "Input" in item]
    _, document, _ = await ask(host, "GET", "instances/done-0")
    assert (document["input"], "historyEvents" in document) == ('["a"]', False)


async def test_a_history_shows_why_a_task_failed(client: Client) -> None:
    _, task, completed = (await client.get_status("bad-2", show_history=True)).historyEvents
    assert (task["EventType"], "bad is broken" in task["Reason"]) == ("TaskFailed", True)
    assert completed["OrchestrationStatus"] == "Failed"


@pytest.mark.parametrize("identifier", ["@counter@x", "x" * 513, "a%0Ab"])
async def test_an_id_that_no_instance_can_have_is_refused(host: Host, identifier: str) -> None:
    url = f"{host.url}/runtime/webhooks/durabletask/orchestrators/picky/{identifier}"
    async with aiohttp.ClientSession() as session, session.post(URL(url, encoded=True)) as answer:
        document = await answer.json()
    assert (answer.status, document["ExceptionType"]) == (400, "System.ArgumentException")


@pytest.mark.parametrize(
    ("written", "identifier"),
    [("@x", "@x"), ("a%5Cb", "a\\b"), ("a%23b", "a#b"), ("a%2Bb", "a b"), ("a%252Fb", "a/b"), ("%C3%A9~'%22", "é~'\"")],
)
async def test_an_id_in_a_path_is_decoded_twice(host: Host, written: str, identifier: str) -> None:
    url = f"{host.url}/runtime/webhooks/durabletask/orchestrators/picky/{written}"
    async with aiohttp.ClientSession() as session, session.post(URL(url, encoded=True)) as answer:
        document = await answer.json()
    assert (answer.status, document["id"]) == (202, identifier)
    assert answer.headers["Location"] == document["statusQueryGetUri"]
    assert document["statusQueryGetUri"].isascii()
    async with (
        aiohttp.ClientSession() as session,
        session.get(URL(document["statusQueryGetUri"], encoded=True)) as answer,
    ):
        assert (await answer.json())["instanceId"] == identifier
