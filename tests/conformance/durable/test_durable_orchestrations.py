"""Orchestrations of azure-functions-durable on the local task hub."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localazure.clock import ManualClock
from localazure.durable.engine import TaskHub
from localazure.durable.errors import InstanceFinished, InstanceRunning, UnknownInstance
from localazure.durable.model import NAMES, EventType, Instance
from tests.conformance.durable.conftest import Functions, Hubs, settled

bp = df.Blueprint()
failures = Counter[str]()


@bp.activity_trigger(input_name="number")
def double(number: int) -> int:
    return number * 2


@bp.activity_trigger(input_name="name")
def flaky(name: str) -> str:
    failures[name] -= 1
    if failures[name] >= 0:
        raise ValueError("not yet")
    return "at last"


@bp.orchestration_trigger(context_name="context")
def sequence(context: df.DurableOrchestrationContext) -> Any:
    number = context.get_input()
    for _ in range(3):
        number = yield context.call_activity("double", number)
    return number


@bp.orchestration_trigger(context_name="context")
def fan_out(context: df.DurableOrchestrationContext) -> Any:
    results = yield context.task_all([context.call_activity("double", number) for number in context.get_input()])
    return sum(results)


@bp.orchestration_trigger(context_name="context")
def patient(context: df.DurableOrchestrationContext) -> Any:
    options = df.RetryOptions(first_retry_interval_in_milliseconds=5_000, max_number_of_attempts=3)
    return (yield context.call_activity_with_retry("flaky", options, context.get_input()))


@bp.orchestration_trigger(context_name="context")
def two_at_once_with_retries(context: df.DurableOrchestrationContext) -> Any:
    options = df.RetryOptions(first_retry_interval_in_milliseconds=1_000, max_number_of_attempts=3)
    unsteady = context.call_activity_with_retry("flaky", options, context.get_input())
    steady = context.call_activity("double", 1)
    yield context.task_any([unsteady, steady])
    more = yield context.call_activity("double", 5)
    return [(yield unsteady), more]


@bp.orchestration_trigger(context_name="context")
def event_or_deadline(context: df.DurableOrchestrationContext) -> Any:
    deadline = context.create_timer(context.current_utc_datetime + timedelta(seconds=60))
    approval = context.wait_for_external_event("approval")
    winner = yield context.task_any([deadline, approval])
    if winner is deadline:
        return "too late"
    deadline.cancel()
    return approval.result


@bp.orchestration_trigger(context_name="context")
def two_events(context: df.DurableOrchestrationContext) -> Any:
    first = yield context.wait_for_external_event("first")
    second = yield context.wait_for_external_event("second")
    return [first, second]


@bp.orchestration_trigger(context_name="context")
def parent(context: df.DurableOrchestrationContext) -> Any:
    return (yield context.call_sub_orchestrator("sequence", context.get_input(), f"{context.instance_id}-child"))


@bp.orchestration_trigger(context_name="context")
def parent_of_failure(context: df.DurableOrchestrationContext) -> Any:
    try:
        yield context.call_sub_orchestrator("failing", None)
    except Exception as exc:
        return str(exc)


@bp.orchestration_trigger(context_name="context")
def failing(context: df.DurableOrchestrationContext) -> Any:
    yield context.call_activity("double", 1)
    raise ValueError("on purpose")


@bp.orchestration_trigger(context_name="context")
def countdown(context: df.DurableOrchestrationContext) -> Any:
    number = context.get_input()
    context.set_custom_status(number)
    yield context.call_activity("double", number)
    if number:
        context.continue_as_new(number - 1)
    return None if number else "done"


replays = Counter[str]()


@bp.orchestration_trigger(context_name="context")
def fickle(context: df.DurableOrchestrationContext) -> Any:
    replays[context.instance_id] += 1
    yield context.call_activity("double" if replays[context.instance_id] == 1 else "flaky", 1)


def started_with(input_: Any) -> str:
    """An input as the package's client sends it: encoded twice."""
    return json.dumps(json.dumps(input_))


def output(instance: Instance) -> Any:
    assert instance.status == "Completed", instance.output
    return json.loads(instance.output or "null")


def kinds(instance: Instance) -> list[str]:
    return [NAMES[EventType(item["EventType"])] for item in instance.history]


async def run(hub: TaskHub, name: str, input_: Any = None, instance_id: str | None = None) -> Instance:
    return await settled(hub, hub.create(name, instance_id, started_with(input_)))


async def test_activities_in_sequence(hubs: Hubs) -> None:
    hub = await hubs.start(Functions(bp))
    instance = await run(hub, "sequence", 1)
    assert output(instance) == 8
    assert kinds(instance) == [
        "OrchestratorStarted", "ExecutionStarted", "TaskScheduled", "OrchestratorCompleted",
        *["OrchestratorStarted", "TaskCompleted", "TaskScheduled", "OrchestratorCompleted"] * 2,
        "OrchestratorStarted", "TaskCompleted", "OrchestratorCompleted", "ExecutionCompleted",
    ]  # fmt: skip


async def test_activities_side_by_side(hubs: Hubs) -> None:
    hub = await hubs.start(Functions(bp))
    assert output(await run(hub, "fan_out", list(range(100)))) == 9900


async def test_a_failing_activity_is_tried_again_after_its_interval(hubs: Hubs) -> None:
    clock = ManualClock()
    functions = Functions(bp)
    hub = await hubs.start(functions, clock)
    failures["twice"] = 2
    instance_id = hub.create("patient", None, started_with("twice"))
    for _ in range(50):
        await clock.advance(1)
    assert output(await settled(hub, instance_id)) == "at last"
    assert len(functions.calls) == 3


async def test_an_activity_that_keeps_failing_fails_its_orchestration(hubs: Hubs) -> None:
    clock = ManualClock()
    functions = Functions(bp)
    hub = await hubs.start(functions, clock)
    failures["always"] = 100
    instance_id = hub.create("patient", None, started_with("always"))
    for _ in range(50):
        await clock.advance(1)
    instance = await settled(hub, instance_id)
    assert instance.status == "Failed"
    assert "not yet" in (instance.output or "")
    assert len(functions.calls) == 3


async def test_retries_do_not_confuse_the_ids_of_what_runs_beside_them(hubs: Hubs) -> None:
    clock = ManualClock()
    hub = await hubs.start(Functions(bp), clock)
    failures["beside"] = 1
    instance_id = hub.create("two_at_once_with_retries", None, started_with("beside"))
    for _ in range(20):
        await clock.advance(1)
    assert output(await settled(hub, instance_id)) == ["at last", 10]


async def test_an_event_ends_the_wait_and_the_timer_is_given_up(hubs: Hubs) -> None:
    hub = await hubs.start(Functions(bp), ManualClock())
    instance_id = hub.create("event_or_deadline", None, None)
    hub.raise_event(instance_id, "approval", json.dumps({"by": "staff"}))
    assert output(await settled(hub, instance_id)) == {"by": "staff"}
    assert hub._store.timers() == []


async def test_a_timer_fires_when_its_time_has_come_and_not_before(hubs: Hubs) -> None:
    clock = ManualClock()
    hub = await hubs.start(Functions(bp), clock)
    instance_id = hub.create("event_or_deadline", None, None)
    await clock.advance(59)
    assert not hub.get(instance_id).finished
    await clock.advance(2)
    assert output(await settled(hub, instance_id)) == "too late"


async def test_an_event_that_comes_before_its_wait_is_kept(hubs: Hubs) -> None:
    hub = await hubs.start(Functions(bp))
    instance_id = hub.create("two_events", None, None)
    with pytest.warns(UserWarning, match="duplicate Task completion"):
        hub.raise_event(instance_id, "second", "2")
        hub.raise_event(instance_id, "first", "1")
        assert output(await settled(hub, instance_id)) == [1, 2]


async def test_a_sub_orchestration_answers_its_parent(hubs: Hubs) -> None:
    hub = await hubs.start(Functions(bp))
    assert output(await run(hub, "parent", 1, "p")) == 8
    assert output(hub.get("p-child")) == 8


async def test_a_failed_sub_orchestration_raises_in_its_parent(hubs: Hubs) -> None:
    hub = await hubs.start(Functions(bp))
    assert "on purpose" in output(await run(hub, "parent_of_failure"))


async def test_an_orchestrator_that_raises_fails_with_its_reason(hubs: Hubs) -> None:
    hub = await hubs.start(Functions(bp))
    instance = await run(hub, "failing")
    assert instance.status == "Failed"
    assert "on purpose" in (instance.output or "")
    assert "OutOfProcData" not in (instance.output or "")


async def test_continue_as_new_starts_over_with_an_empty_history(hubs: Hubs) -> None:
    hub = await hubs.start(Functions(bp))
    instance = await run(hub, "countdown", 5)
    assert output(instance) == "done"
    assert kinds(instance).count("TaskScheduled") == 1


async def test_an_orchestrator_that_changes_its_mind_is_reported(hubs: Hubs) -> None:
    hub = await hubs.start(Functions(bp))
    instance = await run(hub, "fickle")
    assert instance.status == "Failed"
    assert "Non-Deterministic" in (instance.output or "")
    assert "flaky" in (instance.output or "")


async def test_what_keeps_an_orchestrator_from_running_is_not_taken_for_non_determinism(hubs: Hubs) -> None:
    functions, calls = Functions(bp), Counter[str]()

    def refuse_the_second(name: str) -> None:
        calls[name] += 1
        if calls[name] == 2:
            raise TimeoutError("the function took too long")

    functions.before_orchestrator = refuse_the_second
    instance = await run(await hubs.start(functions), "sequence", 1)
    assert json.loads(instance.output or "") == "Orchestrator function 'sequence' failed: the function took too long"


async def test_a_terminated_instance_stays_terminated(hubs: Hubs) -> None:
    hub = await hubs.start(Functions(bp))
    instance_id = hub.create("two_events", None, None)
    hub.terminate(instance_id, "enough")
    assert (await settled(hub, instance_id)).status == "Terminated"
    with pytest.raises(InstanceFinished):
        hub.raise_event(instance_id, "first", None)


async def test_a_suspended_instance_reads_its_messages_when_it_is_resumed(hubs: Hubs) -> None:
    hub = await hubs.start(Functions(bp))
    instance_id = hub.create("event_or_deadline", None, None)
    hub.suspend(instance_id, "wait")
    async with asyncio.timeout(10):
        while hub.get(instance_id).status != "Suspended":  # noqa: ASYNC110 - the hub has no event for this
            await asyncio.sleep(0)
    hub.raise_event(instance_id, "approval", "1")
    hub.resume(instance_id, "go on")
    assert output(await settled(hub, instance_id)) == 1


async def test_an_id_is_taken_while_its_instance_runs_and_free_afterwards(hubs: Hubs) -> None:
    hub = await hubs.start(Functions(bp))
    hub.create("two_events", "one", None)
    with pytest.raises(InstanceRunning):
        hub.create("two_events", "one", None)
    hub.terminate("one", "")
    await settled(hub, "one")
    assert output(await run(hub, "sequence", 1, "one")) == 8


async def test_what_does_not_exist_is_named(hubs: Hubs) -> None:
    hub = await hubs.start(Functions(bp))
    instance = await settled(hub, hub.create("missing", None, None))
    assert "The function 'missing' doesn't exist" in (instance.output or "")
    with pytest.raises(UnknownInstance, match="nobody"):
        hub.raise_event("nobody", "first", None)


async def test_an_input_of_a_megabyte_arrives_whole(hubs: Hubs) -> None:
    hub = await hubs.start(Functions(bp))
    assert output(await run(hub, "fan_out", [1] * 500 + [0] * 1000)) == 1000
    instance_id = hub.create("event_or_deadline", None, None)
    hub.raise_event(instance_id, "approval", json.dumps("x" * 1_000_000))
    assert len(output(await settled(hub, instance_id))) == 1_000_000


@pytest.mark.parametrize("survivor", range(12))
async def test_a_hub_that_is_killed_at_any_activity_goes_on_where_it_was(hubs: Hubs, survivor: int) -> None:
    functions = Functions(bp)
    hub = await hubs.start(functions)
    dead = False

    def kill(name: str) -> None:
        nonlocal dead
        if len(functions.calls) == survivor + 1 and not dead:
            dead = True
            hubs.kill(hub)

    functions.before_activity = kill
    ids = [hub.create("sequence", f"run-{number}", started_with(number)) for number in range(4)]
    async with asyncio.timeout(10):
        while not dead:  # noqa: ASYNC110 - the activity that kills the hub is the signal
            await asyncio.sleep(0)
    assert hubs.killed is hub
    hub = await hubs.start(functions)
    for number, instance_id in enumerate(ids):
        instance = await settled(hub, instance_id)
        assert output(instance) == number * 8
        assert kinds(instance).count("TaskCompleted") == 3


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(st.sampled_from(["first", "second", "third"]), st.just("noise"), st.floats(0.1, 5)),
        max_size=8,
    )
)
@pytest.mark.filterwarnings("ignore:Potential duplicate Task completion")
async def test_any_order_of_events_and_time_gives_what_the_order_says(steps: list[str | float]) -> None:
    clock = ManualClock()
    deadline = clock.time() + 60
    hub = TaskHub(None, Functions(bp), clock)
    await hub.start()
    instance_id = hub.create("event_or_deadline", None, None)
    await clock.advance(0)
    expected = None
    for step in [*steps, "approval"]:
        if isinstance(step, float):
            await clock.advance(step * 12)
            expected = expected or ("too late" if clock.time() >= deadline else None)
        elif expected is None:
            hub.raise_event(instance_id, step, json.dumps(step))
            await clock.advance(0)
            expected = "approval" if step == "approval" else None
    assert output(await settled(hub, instance_id)) == expected
    await hub.stop()
