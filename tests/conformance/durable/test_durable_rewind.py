"""Rewinding what failed, and restarting what has ended, through the client of the official library."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from azure.durable_functions import DurableOrchestrationClient as Client

from localazure.functions.wire import Host
from tests.conformance.durable.conftest import Hosts, client_of, finished


async def failed(client: Client, name: str, input_: Any, instance_id: str) -> None:
    await client.start_new(name, instance_id, input_)
    assert (await finished(client, instance_id)).runtime_status.name == "Failed"


async def output(client: Client, instance_id: str) -> Any:
    status = await finished(client, instance_id)
    assert status.runtime_status.name == "Completed", status.output
    return status.output


async def test_a_rewound_instance_repeats_what_failed_and_nothing_else(client: Client, module: Any) -> None:
    module.broken.add("b")
    await failed(client, "one_after_the_other", ["a", "b", "c"], "one")
    module.broken.clear()
    await client.rewind("one", "mended")
    assert await output(client, "one") == ["A", "B", "C"]
    assert module.done == ["a", "b", "b", "c"]


async def test_the_history_of_a_rewound_instance_keeps_what_was_taken_back(client: Client, module: Any) -> None:
    module.broken.add("b")
    await failed(client, "one_after_the_other", ["a", "b"], "one")
    module.broken.clear()
    await client.rewind("one", "mended")
    await output(client, "one")
    history = (await client.get_status("one", show_history=True, show_history_output=True)).historyEvents
    told = [(item["EventType"], item.get("Reason") or item.get("Data")) for item in history]
    assert told == [
        ("ExecutionStarted", None), ("TaskCompleted", None), ("GenericEvent", None), ("GenericEvent", None),
        ("GenericEvent", None), ("GenericEvent", "mended"), ("TaskCompleted", None), ("ExecutionCompleted", None),
    ]  # fmt: skip


async def test_a_rewind_can_be_repeated_until_all_is_well(client: Client, module: Any) -> None:
    module.broken.update("ab")
    await failed(client, "one_after_the_other", ["a", "b"], "one")
    for mended in "ab":
        module.broken.discard(mended)
        await client.rewind("one", "again")
        status = await finished(client, "one")
    assert (status.runtime_status.name, status.output) == ("Completed", ["A", "B"])


async def test_all_failures_of_a_fan_out_are_repeated_and_its_successes_kept(client: Client, module: Any) -> None:
    module.broken.update("bd")
    await failed(client, "all_at_once", list("abcde"), "one")
    await client.rewind("one", "too early")
    assert (await finished(client, "one")).runtime_status.name == "Failed"
    module.broken.clear()
    await client.rewind("one", "mended")
    assert await output(client, "one") == list("ABCDE")
    assert (module.done.count("a"), module.done.count("c"), module.done.count("e")) == (1, 1, 1)


async def test_the_failed_sub_orchestrations_of_an_instance_are_rewound_with_it(client: Client, module: Any) -> None:
    module.broken.add("b")
    await failed(client, "family", [["x", "y"], ["a", "b"]], "one")
    module.broken.clear()
    await client.rewind("one", "mended")
    assert await output(client, "one") == ["A", "B"]
    assert await output(client, "one-x-y-child") == ["A", "B"]
    assert module.done == ["a", "b", "b"]


async def test_a_sub_orchestration_that_is_gone_is_started_again(client: Client, module: Any) -> None:
    module.broken.add("b")
    await failed(client, "family", [[], ["a", "b"]], "one")
    assert (await client.purge_instance_history("one-child")).instances_deleted == 1
    module.broken.clear()
    await client.rewind("one", "mended")
    assert await output(client, "one") == ["A", "B"]
    assert module.done == ["a", "b", "a", "b"]


async def test_a_child_that_was_rewound_alone_answers_its_parent_when_that_is_rewound(
    client: Client, module: Any
) -> None:
    module.broken.add("b")
    await failed(client, "family", [[], ["a", "b"]], "one")
    module.broken.clear()
    await client.rewind("one-child", "mended")
    await output(client, "one-child")
    await client.rewind("one", "mended too")
    assert await output(client, "one") == ["A", "B"]
    assert module.done == ["a", "b", "b"]


async def test_an_orchestrator_that_raised_by_itself_runs_again(client: Client, module: Any) -> None:
    module.broken.add("this")
    await failed(client, "picky", "this", "one")
    module.broken.clear()
    await client.rewind("one", "mended")
    assert await output(client, "one") == "fine"


@pytest.mark.filterwarnings("ignore:Potential duplicate Task completion")
async def test_an_orchestrator_that_went_on_after_the_failure_is_non_deterministic_then(
    client: Client, module: Any
) -> None:
    module.broken.add("first")
    await failed(client, "compensates", None, "one")
    module.broken.clear()
    await client.rewind("one", "mended")
    status = await finished(client, "one")
    assert status.runtime_status.name == "Failed"
    assert status.output.startswith("Non-Deterministic workflow detected: ")


async def test_what_failed_in_one_process_is_rewound_in_the_next(hosts: Hosts, client: Client, module: Any) -> None:
    module.broken.add("b")
    await failed(client, "one_after_the_other", ["a", "b"], "one")
    await hosts.stop()
    client = client_of(await hosts.start())
    await client.rewind("one", "the new process knows nothing of what was broken")
    assert await output(client, "one") == ["A", "B"]
    assert hosts.module.done == ["b"]


async def test_tasks_that_were_retried_cannot_be_rewound_and_the_refusal_says_so(client: Client, module: Any) -> None:
    module.broken.add("b")
    await failed(client, "retries", "b", "one")
    with pytest.raises(Exception, match="rewind of an instance whose tasks were retried is not supported"):
        await client.rewind("one", "mended")
    assert (await client.get_status("one")).runtime_status.name == "Failed"


async def test_the_parent_of_a_rewound_child_goes_on_with_its_answer_alone(client: Client, module: Any) -> None:
    module.broken.add("b")
    await failed(client, "family", [[], ["b"]], "one")
    module.broken.clear()
    await client.rewind("one", "mended")
    await output(client, "one")
    history = (await client.get_status("one", show_history=True)).historyEvents
    assert [item["EventType"] for item in history] == [
        "ExecutionStarted", "GenericEvent", "GenericEvent", "SubOrchestrationInstanceCompleted", "ExecutionCompleted",
    ]  # fmt: skip


async def test_only_what_failed_can_be_rewound(client: Client) -> None:
    await client.start_new("all_at_once", "one", ["a"])
    await output(client, "one")
    with pytest.raises(Exception, match='only orchestrations in the "Failed" state can be rewound'):
        await client.rewind("one", "why not")
    with pytest.raises(Exception, match="No instance with ID nobody found"):
        await client.rewind("nobody", "why not")


async def test_an_instance_restarts_under_its_own_id_or_a_new_one(host: Host, client: Client, module: Any) -> None:
    await client.start_new("all_at_once", "one", ["a"])
    await output(client, "one")
    await client.restart("one", restart_with_new_instance_id=False)
    assert await output(client, "one") == ["A"]
    url = f"{host.url}/runtime/webhooks/durabletask/instances/one/restart"
    async with aiohttp.ClientSession() as session, session.post(url) as answer:
        assert answer.status == 202
        other = (await answer.json())["id"]
    assert other != "one"
    assert await output(client, other) == ["A"]
    assert module.done == ["a", "a", "a"]


async def test_what_does_not_exist_cannot_be_restarted(client: Client) -> None:
    with pytest.raises(Exception, match="unexpected status code 400"):
        await client.restart("nobody")
