"""Several hosts on one task hub: each instance and entity at one of them, and what the end of one costs."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from localazure.clock import ManualClock
from localazure.durable.engine import TaskHub
from localazure.durable.entity import EntityId
from localazure.durable.partitions import LEASE, RENEW, Partition, Provider, partition_of, wanted
from tests.conformance.durable.conftest import Functions, Hubs, settled

bp = df.Blueprint()
COUNT = 24
MINUTE = 60.0
SHORTEST = Provider(control_visibility=MINUTE, work_visibility=MINUTE)


@bp.orchestration_trigger(context_name="context")
def shouts(context: df.DurableOrchestrationContext) -> Any:
    word = yield context.call_activity("shout", context.get_input())
    context.signal_entity(df.EntityId("total", "all"), "add", 1)
    return word


@bp.orchestration_trigger(context_name="context")
def hears(context: df.DurableOrchestrationContext) -> Any:
    return (yield context.wait_for_external_event("word"))


@bp.orchestration_trigger(context_name="context")
def naps(context: df.DurableOrchestrationContext) -> Any:
    yield context.create_timer(context.current_utc_datetime + timedelta(seconds=20))


@bp.activity_trigger(input_name="word")
def shout(word: str) -> str:
    return word.upper()


@bp.entity_trigger(context_name="context")
def total(context: df.DurableEntityContext) -> None:
    context.set_state(context.get_state(lambda: 0) + context.get_input())


def given(word: str) -> str:
    """An input as the client sends it, which encodes twice."""
    return json.dumps(json.dumps(word))


async def reached(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the hub has no event for this
            await asyncio.sleep(0.01)


def owned(hub: TaskHub) -> frozenset[int]:
    return hub._core.leases._owned


async def shared(*hubs: TaskHub) -> None:
    """Every partition has a host, and every host a partition."""
    await reached(lambda: all(owned(hub) for hub in hubs) and sum(len(owned(hub)) for hub in hubs) == 4)


def names(hub: TaskHub, prefix: str, wanted: bool = True) -> list[str]:
    """Ids of instances that this hub runs, or does not."""
    found = (f"{prefix}{number}" for number in range(1000))
    return [name for name in found if (partition_of(name, 4) in owned(hub)) is wanted]


async def test_instances_are_dealt_to_the_hosts_and_each_runs_at_one_of_them(hubs: Hubs) -> None:
    first, second = Functions(bp), Functions(bp)
    one, two = await hubs.start(first, name="one"), await hubs.start(second, name="two")
    await shared(one, two)
    for number in range(COUNT):
        (one if number % 2 else two).create("shouts", f"i{number}", given(f"w{number}"))
    for number in range(COUNT):
        assert json.loads((await settled(one, f"i{number}")).output or "") == f"W{number}"
    assert Counter(payload for _, payload in first.calls + second.calls) == {f'"w{n}"': 1 for n in range(COUNT)}
    assert first.calls
    assert second.calls
    await reached(lambda: two.entities("total", "", "~", "", 1) != [] and state(two) == COUNT)


def state(hub: TaskHub) -> Any:
    return json.loads(hub.entity(EntityId("total", "all")).state or "0")


async def test_a_host_that_leaves_gives_its_partitions_to_the_other_at_once(hubs: Hubs) -> None:
    functions = Functions(bp)
    one = await hubs.start(functions, name="one", fast=False)
    two = await hubs.start(functions, name="two", fast=False)
    await shared(one, two)
    (waiting, *_) = names(two, "w")
    one.create("hears", waiting, None)
    await hubs.leave(two)
    await reached(lambda: len(owned(one)) == 4)
    one.raise_event(waiting, "word", '"now"')
    assert (await settled(one, waiting)).output == '"now"'


async def test_a_host_that_is_killed_is_followed_by_another(hubs: Hubs) -> None:
    functions = Functions(bp)
    one, two = await hubs.start(functions, name="one"), await hubs.start(functions, name="two")
    await shared(one, two)
    (waiting, *_) = names(two, "w")
    one.create("hears", waiting, None)
    await reached(lambda: one.get(waiting).status == "Running")
    hubs.kill(two)
    one.raise_event(waiting, "word", '"now"')
    assert (await settled(one, waiting)).output == '"now"'
    assert len(owned(one)) == 4


async def test_without_haste_the_partitions_of_a_dead_host_wait_for_its_lease_to_end(hubs: Hubs) -> None:
    clock, functions = ManualClock(), Functions(bp)
    one = await hubs.start(functions, clock, "one", fast=False)
    two = await hubs.start(functions, clock, "two", fast=False)
    await deal(clock, one, two)
    hubs.kill(two)
    await clock.advance(LEASE - RENEW - 1)
    assert len(owned(one)) == 2
    await clock.advance(RENEW + 1)
    assert len(owned(one)) == 4


async def deal(clock: ManualClock, *hubs: TaskHub) -> None:
    async with asyncio.timeout(10):
        while not all(owned(hub) for hub in hubs):
            await clock.advance(0.5)
            await asyncio.sleep(0.01)


async def test_a_start_that_a_dead_host_had_fetched_comes_back_and_events_before_are_thrown_away(
    hubs: Hubs, caplog: pytest.LogCaptureFixture
) -> None:
    clock, dying, functions = ManualClock(), Functions(bp), Functions(bp)
    hub = await hubs.start(dying, clock, fast=False, provider=SHORTEST)
    dying.before_orchestrator = lambda name: hubs.kill(hub)
    hub.create("hears", "one", None)
    await reached(lambda: hubs.killed is hub)
    await clock.advance(5)
    again = await hubs.start(functions, clock, fast=False, provider=SHORTEST)
    again.raise_event("one", "word", '"lost"')
    with caplog.at_level(logging.WARNING):
        await reached(lambda: "No such instance" in caplog.text)
    await clock.advance(MINUTE - 6)
    assert again.get("one").status == "Pending"
    await clock.advance(2)
    await reached(lambda: again.get("one").status == "Running")
    again.raise_event("one", "word", '"heard"')
    assert (await settled(again, "one")).output == '"heard"'


async def test_an_event_that_a_dead_host_had_fetched_comes_back_after_its_time_out(hubs: Hubs) -> None:
    clock, dying, functions = ManualClock(), Functions(bp), Functions(bp)
    hub = await hubs.start(dying, clock, fast=False, provider=SHORTEST)
    hub.create("hears", "one", None)
    await reached(lambda: hub.get("one").status == "Running")
    dying.before_orchestrator = lambda name: hubs.kill(hub)
    hub.raise_event("one", "word", '"late"')
    await reached(lambda: hubs.killed is hub)
    again = await hubs.start(functions, clock, fast=False, provider=SHORTEST)
    await clock.advance(MINUTE - 1)
    assert again.get("one").status == "Running"
    await clock.advance(2)
    assert (await settled(again, "one")).output == '"late"'


async def test_an_activity_that_a_dead_host_had_fetched_comes_back_after_its_time_out(hubs: Hubs) -> None:
    clock, dying, functions = ManualClock(), Functions(bp), Functions(bp)
    hub = await hubs.start(dying, clock, fast=False, provider=SHORTEST)
    dying.before_activity = lambda name: hubs.kill(hub)
    hub.create("shouts", "one", given("hello"))
    await reached(lambda: hubs.killed is hub)
    again = await hubs.start(functions, clock, fast=False, provider=SHORTEST)
    await clock.advance(MINUTE - 1)
    assert functions.calls == []
    await clock.advance(2)
    assert (await settled(again, "one")).output == '"HELLO"'
    assert functions.calls == [("shout", '"hello"')]


async def test_what_a_host_leaves_behind_that_ends_cleanly_is_taken_up_at_once(hubs: Hubs) -> None:
    functions = Functions(bp)
    hub = await hubs.start(functions, fast=False)
    hub._core.open = False  # it is about to stop: nothing may begin
    hub.create("shouts", "one", given("hello"))
    await hubs.leave(hub)
    again = await hubs.start(functions, fast=False)
    assert (await settled(again, "one")).output == '"HELLO"'


async def test_a_timer_fires_once_whoever_runs_its_instance(hubs: Hubs) -> None:
    clock, functions = ManualClock(), Functions(bp)
    one = await hubs.start(functions, clock, "one", fast=False)
    for number in range(COUNT):
        one.create("naps", f"n{number}", None)
    await reached(lambda: all(one.get(f"n{number}").status == "Running" for number in range(COUNT)))
    two = await hubs.start(functions, clock, "two", fast=False)
    await deal(clock, one, two)
    await clock.advance(25)
    for number in range(COUNT):
        instance = await settled(one, f"n{number}")
        assert sum("FireAt" in event and "TimerId" in event for event in instance.history) == 1


async def test_activities_beyond_a_hosts_places_are_run_by_the_others(hubs: Hubs) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    class Slow(Functions):
        async def activity(self, name: str, payload: str) -> str:
            entered.set()
            await leave.wait()
            return await super().activity(name, payload)

    slow, quick = Slow(bp), Functions(bp)
    one = await hubs.start(slow, name="one", activities_at_once=1)
    two = await hubs.start(quick, name="two", activities_at_once=1)
    await shared(one, two)
    first, *others = names(one, "a")[:5]
    one.create("shouts", first, given("slow"))
    await asyncio.wait_for(entered.wait(), 10)
    for name in others:
        one.create("shouts", name, given("quick"))
    try:
        for name in others:
            await settled(one, name)
    finally:
        leave.set()
    await settled(one, first)
    assert [payload for _, payload in slow.calls] == ['"slow"']
    assert len(quick.calls) == len(others)


async def test_a_host_that_was_given_up_commits_nothing(hubs: Hubs, caplog: pytest.LogCaptureFixture) -> None:
    stalled, entered, clock = asyncio.Event(), asyncio.Event(), ManualClock()

    class Stalling(Functions):
        async def orchestrator(self, name: str, context: str) -> str:
            entered.set()
            await stalled.wait()
            return await super().orchestrator(name, context)

    one = await hubs.start(Stalling(bp), clock, "one", fast=False)
    one.create("shouts", "i", given("once"))
    await asyncio.wait_for(entered.wait(), 10)
    await one._core.leases.cease()  # as a process that is stopped: it renews nothing
    await clock.advance(LEASE + 1)
    functions = Functions(bp)
    two = await hubs.start(functions, clock, "two", fast=False, provider=SHORTEST)
    for _ in range(7):
        await asyncio.sleep(0)
        await clock.advance(RENEW)
    try:
        assert (await settled(two, "i")).output == '"ONCE"'
    finally:
        stalled.set()
    with caplog.at_level(logging.WARNING):
        await reached(lambda: "run by another host" in caplog.text)
    assert functions.calls == [("shout", '"once"')]


def test_the_hash_is_that_of_azure_storage() -> None:
    # FNV-1a, 32 bits: published test vectors
    assert [partition_of(text, 1 << 32) for text in ("", "a", "foobar")] == [0x811C9DC5, 0xE40C292C, 0xBF9CF968]


@pytest.mark.parametrize(
    ("owners", "me", "takes"),
    [
        (["", "", "", ""], "a", {0: "a", 1: "a", 2: "a", 3: "a"}),
        (["a", "a", "a", "a"], "b", {0: "b", 1: "b"}),
        (["b", "b", "a", "a"], "c", {0: "c"}),
        (["b", "b", "a", "a"], "a", {}),
        (["b", "", "a", "a"], "b", {1: "b"}),
    ],
)
def test_partitions_are_taken_and_asked_for_until_each_has_its_share(
    owners: list[str], me: str, takes: dict[int, str]
) -> None:
    rows = wanted([Partition(number, owner) for number, owner in enumerate(owners)], me)
    assert {row.number: row.next or row.owner for row in rows} == takes
