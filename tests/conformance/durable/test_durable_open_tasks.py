"""An orchestrator that has ended, and what it left open: timers above all, short ones and those cut into slices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from azure.durable_functions import DurableOrchestrationClient as Client

from localazure.clock import ManualClock
from tests.conformance.durable.conftest import Hosts, client_of, finished, until

DAY = 86_400


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def client(hosts: Hosts, clock: ManualClock) -> Client:
    return client_of(await hosts.start(clock))


async def events(client: Client, instance_id: str) -> list[str]:
    status = await client.get_status(instance_id, show_history=True)
    return [item["EventType"] for item in status.historyEvents]


def has(*kinds: str) -> Callable[[Any], bool]:
    return lambda status: [item["EventType"] for item in status.historyEvents or []][-len(kinds) :] == list(kinds)


async def shown(client: Client, instance_id: str, *kinds: str) -> None:
    """Wait until the history ends so."""
    while (await events(client, instance_id))[-len(kinds) :] != list(kinds):
        pass


async def test_an_instance_stays_running_until_the_timer_it_left_has_fired(client: Client, clock: ManualClock) -> None:
    await client.start_new("leaves_a_timer", "one", [60, False])
    await shown(client, "one", "TimerCreated")
    await client.raise_event("one", "go", None)
    await shown(client, "one", "TimerCreated", "EventRaised")
    await clock.advance(59)
    assert (await client.get_status("one")).runtime_status.name == "Running"
    await clock.advance(2)
    assert (await finished(client, "one")).output == "went"
    assert await events(client, "one") == [
        "ExecutionStarted", "TimerCreated", "EventRaised", "TimerFired", "ExecutionCompleted",
    ]  # fmt: skip


async def test_an_instance_that_gave_its_timer_up_ends_at_once(client: Client) -> None:
    await client.start_new("leaves_a_timer", "one", [5 * DAY, True])
    await client.raise_event("one", "go", None)
    assert (await finished(client, "one")).output == "went"


async def test_a_timer_of_more_than_six_days_is_cut_into_slices_of_three(client: Client, clock: ManualClock) -> None:
    await client.start_new("sleeps", "one", 10 * DAY)
    for fired in range(1, 4):
        await shown(client, "one", *["TimerFired"] * (fired > 1), "TimerCreated")
        await clock.advance(3 * DAY if fired < 3 else 4 * DAY + 1)
    assert (await finished(client, "one")).output == "slept"
    kinds = await events(client, "one")
    assert (kinds.count("TimerCreated"), kinds.count("TimerFired")) == (3, 3)


async def test_giving_up_a_long_timer_leaves_its_slice_which_keeps_the_instance_running(
    client: Client, clock: ManualClock
) -> None:
    """As on Azure: the package cancels the timer that it was asked for and not the slice that stands for it."""
    await client.start_new("leaves_a_timer", "one", [10 * DAY, True])
    await shown(client, "one", "TimerCreated")
    await client.raise_event("one", "go", None)
    await shown(client, "one", "EventRaised")
    await clock.advance(3 * DAY - 60)
    assert (await client.get_status("one")).runtime_status.name == "Running"
    await clock.advance(61)
    assert (await finished(client, "one")).output == "went"


async def test_an_orchestrator_starts_over_once_nothing_is_open_and_hears_what_came_meanwhile(
    client: Client, clock: ManualClock
) -> None:
    await client.start_new("turns", "one")
    await shown(client, "one", "TaskCompleted")
    for number in (1, 2):
        await client.raise_event("one", "item", number)
        await shown(client, "one", *["EventRaised"] * number)
    assert (await client.get_status("one", show_input=True)).input_ is None
    await clock.advance(3601)
    assert (await finished(client, "one")).output == ["1", "2"]


async def test_a_custom_status_outlives_the_start_of_the_next_execution_and_no_more(client: Client) -> None:
    await client.start_new("hands_on", "one")
    status = await until(client, "one", lambda status: status.input_ == '"again"')
    assert status.custom_status == "first"
    await client.raise_event("one", "go", None)
    await shown(client, "one", "EventRaised")
    assert (await client.get_status("one")).custom_status is None
