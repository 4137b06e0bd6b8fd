"""Sub-orchestrations, retries and fan-out in the functions host."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from azure.durable_functions import DurableOrchestrationClient as Client

from localazure.clock import ManualClock
from tests.conformance.durable.conftest import Hosts, client_of, finished, until


async def output(client: Client, instance_id: str) -> Any:
    status = await finished(client, instance_id)
    assert status.runtime_status.name == "Completed", status.output
    return status.output


async def test_fifty_activities_fan_out_and_in(client: Client) -> None:
    words = [f"w{number}" for number in range(50)]
    assert await output(client, await client.start_new("all_at_once", None, words)) == [w.upper() for w in words]


async def test_the_first_of_fifty_wins_and_the_others_answer_too(client: Client) -> None:
    first, every = await output(client, await client.start_new("first_of_many", None, 50))
    assert first in every
    assert every == [2 * number for number in range(50)]


async def test_fifty_sub_orchestrations_fan_out_and_in(client: Client) -> None:
    assert await output(client, await client.start_new("children", None, 50)) == ["fine"] * 50


async def test_a_fan_out_fails_with_the_first_of_its_failures(client: Client, module: Any) -> None:
    module.broken.add("w7")
    status = await finished(client, await client.start_new("all_at_once", None, [f"w{n}" for n in range(50)]))
    assert (status.runtime_status.name, "w7 is broken" in status.output) == ("Failed", True)


async def test_sub_orchestrations_are_tried_again_after_their_interval(hosts: Hosts) -> None:
    clock = ManualClock()
    client = client_of(await hosts.start(clock))
    module = hosts.module
    module.moods.update(left=2, right=1)
    await client.start_new("insists", "one", ["left", "right"])
    tried = []
    for _ in range(200):
        await clock.advance(1)
        status = await client.get_status("one")
        tried.append(len(module.done))
        if status.output:
            break
    assert (status.output, Counter(module.done)) == (["left", "right"], Counter(left=3, right=2))
    assert tried.index(5) - tried.index(2) >= 19  # two pauses of ten seconds


async def test_a_sub_orchestration_that_keeps_failing_fails_its_parent(hosts: Hosts) -> None:
    clock = ManualClock()
    client = client_of(await hosts.start(clock))
    hosts.module.moods.update(left=100)
    await client.start_new("insists", "one", ["left", "right"])
    for _ in range(200):
        await clock.advance(1)
        status = await client.get_status("one")
        if status.output:
            break
    assert (status.runtime_status.name, "left is not in the mood" in status.output) == ("Failed", True)
    assert Counter(hosts.module.done) == Counter(left=3, right=1)


async def test_a_terminated_parent_leaves_its_children_alone(client: Client) -> None:
    await client.start_new("waits_for_its_child", "one")
    await until(client, "one-child", lambda status: status.runtime_status.name == "Running")
    await client.terminate("one", "enough")
    status = await finished(client, "one")
    assert (status.runtime_status.name, status.output) == ("Terminated", "enough")
    assert (await client.get_status("one-child")).runtime_status.name == "Running"
    await client.raise_event("one-child", "item", "late")
    assert await output(client, "one-child") == ['"late"']
    assert (await client.get_status("one")).runtime_status.name == "Terminated"


async def test_a_terminated_child_fails_its_parent_with_the_reason(client: Client) -> None:
    await client.start_new("waits_for_its_child", "one")
    await until(client, "one-child", lambda status: status.runtime_status.name == "Running")
    await client.terminate("one-child", "enough of this")
    status = await finished(client, "one")
    assert (status.runtime_status.name, "enough of this" in status.output) == ("Failed", True)


async def test_a_suspended_instance_reads_nothing_until_it_is_resumed(client: Client) -> None:
    await client.start_new("collects", "one", [1, []])
    await client.suspend("one", "wait")
    await until(client, "one", lambda status: status.runtime_status.name == "Suspended")
    await client.raise_event("one", "item", "x")
    await client.start_new("all_at_once", "another", ["a"])
    await output(client, "another")
    assert (await client.get_status("one")).runtime_status.name == "Suspended"
    await client.resume("one", "go on")
    assert await output(client, "one") == ['"x"']


async def test_a_suspended_parent_gets_its_childs_answer_when_it_is_resumed(client: Client) -> None:
    await client.start_new("waits_for_its_child", "one")
    await until(client, "one-child", lambda status: status.runtime_status.name == "Running")
    await client.suspend("one", "wait")
    await client.raise_event("one-child", "item", "x")
    await output(client, "one-child")
    assert (await client.get_status("one")).runtime_status.name == "Suspended"
    await client.resume("one", "go on")
    assert await output(client, "one") == ['"x"']


async def test_a_suspended_instance_can_be_terminated(client: Client) -> None:
    await client.start_new("collects", "one", [1, []])
    await client.suspend("one", "wait")
    await client.terminate("one", "enough")
    assert (await finished(client, "one")).runtime_status.name == "Terminated"


async def test_an_id_that_another_instance_has_fails_the_parent_of_a_child(client: Client) -> None:
    await client.start_new("collects", "busy", [1, []])
    await client.start_new("takes_its_own_id", "one", "busy")
    status = await finished(client, "one")
    assert (status.runtime_status.name, "an instance with id 'busy' already exists" in status.output) == (
        "Failed",
        True,
    )


@pytest.mark.parametrize(
    ("child", "reason"), [("@counter@x", "must not start with @"), ("ONE", "cannot have the instance id of its parent")]
)
async def test_a_parent_waits_for_ever_for_a_child_whose_id_cannot_be(
    client: Client, caplog: pytest.LogCaptureFixture, child: str, reason: str
) -> None:
    await client.start_new("takes_its_own_id", "one", child)
    await until(client, "one", lambda _: reason in caplog.text)
    assert (await client.get_status("one")).runtime_status.name == "Running"


@pytest.mark.filterwarnings("ignore:Potential duplicate Task completion")
@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (["double"], ["moody"], "an activity task with sequence number 0 named 'double', but"),
        (["double"], ["moody"], "instead scheduled an activity task named 'moody'"),
        (["double", "double"], ["double"], "an activity task with sequence ID 1"),
        (
            ["double"],
            [],
            "name 'double' (version ''), but the current replay execution hasn't (yet?) scheduled",
        ),
        (["double"], ["a timer"], "instead produced a CreateTimerOrchestratorAction"),
        (["a timer"], ["double"], "a timer task with sequence number 0 named but the current"),
        (["a child"], ["double"], "a sub-orchestration task with sequence ID 0 and name 'picky'"),
        (["a signal"], ["double"], "a send event task with sequence ID 0"),
        (["double"], ["a signal", "double"], "instead produced a SendEventOrchestratorAction"),
    ],
)
async def test_a_replay_that_asks_for_something_else_is_reported_as_non_deterministic(
    client: Client, module: Any, before: list[str], after: list[str], told: str
) -> None:
    module.plans[:] = before
    await client.start_new("changes_its_mind", "one")
    count = len([step for step in before if step != "a signal"])
    await settled_steps(client, "one", count)
    module.plans[:] = after
    await client.raise_event("one", "replay", None)
    status = await finished(client, "one")
    assert status.runtime_status.name == "Failed"
    assert status.output.startswith("Non-Deterministic workflow detected: A previous execution")
    assert told in status.output
    assert "Was a change made to the orchestrator code after this instance had already started running?" in (
        status.output
    )


async def settled_steps(client: Client, instance_id: str, count: int) -> None:
    """Wait until the instance has gone through so many steps that answer."""
    ends = ("TaskCompleted", "TimerFired", "SubOrchestrationInstanceCompleted")
    while True:
        status = await client.get_status(instance_id, show_history=True)
        ended = [item for item in status.historyEvents or [] if item["EventType"] in ends]
        if status.runtime_status.name == "Running" and len(ended) == count:
            return
