"""External events: in their order, before they are waited for, and across executions of an eternal orchestration."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.durable_functions import DurableOrchestrationClient as Client

from tests.conformance.durable.conftest import finished, until

early = pytest.mark.filterwarnings("ignore:Potential duplicate Task completion")
"""What the package says of an event that nobody waits for yet."""


def texts(count: int) -> list[str]:
    """The numbers up to `count`, as events of the package's client bring them: as JSON, since it encodes twice."""
    return [str(number) for number in range(count)]


async def output(client: Client, instance_id: str) -> Any:
    status = await finished(client, instance_id)
    assert status.runtime_status.name == "Completed", status.output
    return status.output


async def heard(client: Client, instance_id: str, kind: str, name: str | None = None) -> None:
    """Wait until the instance has read an event of that kind and name."""
    async with asyncio.timeout(10):
        while True:
            events = (await client.get_status(instance_id, show_history=True)).historyEvents or []
            if any((item["EventType"], item.get("Name")) == (kind, name) for item in events):
                return


async def test_events_of_one_name_are_received_in_the_order_in_which_they_were_raised(client: Client) -> None:
    await client.start_new("listens", "one", ["word"] * 20)
    await heard(client, "one", "TaskCompleted")
    for number in range(20):
        await client.raise_event("one", "word", number)
    assert await output(client, "one") == texts(20)


@early
async def test_events_that_come_before_they_are_waited_for_are_kept_whatever_their_order(client: Client) -> None:
    await client.start_new("listens", "one", ["a", "b", "c", "d"])
    for name in ("d", "c", "b"):
        await client.raise_event("one", name, name.upper())
    await heard(client, "one", "EventRaised", "b")
    assert not (await client.get_status("one")).output
    await client.raise_event("one", "a", "A")
    assert await output(client, "one") == ['"A"', '"B"', '"C"', '"D"']


@early
async def test_of_two_early_events_of_one_name_the_package_keeps_the_last(client: Client) -> None:
    await client.start_new("listens", "one", ["a", "b"])
    for number in (1, 2):
        await client.raise_event("one", "b", number)
    await client.raise_event("one", "a", 0)
    assert await output(client, "one") == ["0", "2"]


async def test_an_eternal_orchestration_loses_no_event_that_comes_while_it_starts_over(client: Client) -> None:
    await client.start_new("collects", "one", [50, []])
    for number in range(50):
        await client.raise_event("one", "item", number)
    assert await output(client, "one") == texts(50)


async def test_events_that_wait_together_are_carried_from_execution_to_execution(client: Client) -> None:
    await client.start_new("collects", "one", [30, []])
    await client.suspend("one", "let them gather")
    await until(client, "one", lambda status: status.runtime_status.name == "Suspended")
    for number in range(30):
        await client.raise_event("one", "item", number)
    await client.resume("one", "now")
    assert await output(client, "one") == texts(30)


@early
async def test_an_event_that_was_read_and_not_waited_for_is_lost_when_the_instance_starts_over(client: Client) -> None:
    await client.start_new("forgets", "one", False)
    await client.raise_event("one", "stray", None)
    await heard(client, "one", "EventRaised", "stray")
    await client.raise_event("one", "go", None)
    await until(client, "one", lambda status: status.input_ == "true")
    await client.raise_event("one", "go", None)
    await client.raise_event("one", "done", None)
    assert await output(client, "one") == "done"
