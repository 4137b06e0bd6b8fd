"""The official client against the task hub's HTTP API."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import aiohttp
import azure.durable_functions as df
import pytest

from localazure.durable.engine import TaskHub
from tests.conformance.durable.conftest import Functions, Hubs, settled
from tests.conformance.durable.test_durable_orchestrations import bp

Status = df.OrchestrationRuntimeStatus


@pytest.fixture
async def hub(hubs: Hubs) -> TaskHub:
    return await hubs.start(Functions(bp))


@pytest.fixture
async def client(hub: TaskHub, connect: Any) -> df.DurableOrchestrationClient:
    return await connect(hub)


async def test_start_and_read_the_result(hub: TaskHub, client: df.DurableOrchestrationClient) -> None:
    instance_id = await client.start_new("sequence", "mine", 5)
    await settled(hub, instance_id)
    status = await client.get_status("mine", show_history=True, show_history_output=True, show_input=True)
    assert status.runtime_status == Status.Completed, status.output
    assert (status.instance_id, status.name) == ("mine", "sequence")
    assert (status.input_, status.output) == ("5", 40)  # encoded twice, and shown decoded once
    assert status.historyEvents[-1]["EventType"] == "ExecutionCompleted"


async def test_an_id_in_use_is_refused(client: df.DurableOrchestrationClient) -> None:
    await client.start_new("two_events", "taken")
    with pytest.raises(Exception, match="already exists"):
        await client.start_new("two_events", "taken")


async def test_an_unknown_orchestrator_is_started_and_fails(
    hub: TaskHub, client: df.DurableOrchestrationClient
) -> None:
    instance_id = await client.start_new("nonesuch")
    instance = await settled(hub, instance_id)
    assert (instance.status, instance.output) == (
        "Failed",
        json.dumps(f"Orchestrator function 'nonesuch' failed: {hub._core.unknown('orchestrator', 'nonesuch')}"),
    )


async def test_events_reach_their_instance(hub: TaskHub, client: df.DurableOrchestrationClient) -> None:
    await client.start_new("event_or_deadline", "waiting")
    await client.raise_event("waiting", "approval", {"by": "staff"})
    instance = await settled(hub, "waiting")
    assert json.loads(instance.output or "") == '{"by": "staff"}'
    with pytest.raises(Exception, match="gone"):
        await client.raise_event("waiting", "approval", None)
    with pytest.raises(Exception, match="No instance"):
        await client.raise_event("nobody", "approval", None)


async def test_terminate_suspend_and_resume(hub: TaskHub, client: df.DurableOrchestrationClient) -> None:
    await client.start_new("event_or_deadline", "held")
    await client.suspend("held", "wait")
    await client.resume("held", "go on")
    await client.terminate("held", "enough")
    await settled(hub, "held")
    assert (await client.get_status("held")).runtime_status == Status.Terminated


async def test_unknown_instances_have_no_status(client: df.DurableOrchestrationClient) -> None:
    assert not (await client.get_status("nobody"))


async def test_instances_are_found_by_status_and_prefix(hub: TaskHub, client: df.DurableOrchestrationClient) -> None:
    for number in range(3):
        await client.start_new("sequence", f"done-{number}", 1)
        await settled(hub, f"done-{number}")
    await client.start_new("two_events", "open-0")
    assert len(await client.get_status_all()) == 4
    assert [s.instance_id for s in await client.get_status_by(instance_id_prefix="open")] == ["open-0"]
    assert len(await client.get_status_by(runtime_status=[Status.Completed])) == 3


async def test_finished_instances_can_be_purged(hub: TaskHub, client: df.DurableOrchestrationClient) -> None:
    await client.start_new("sequence", "one", 1)
    await client.start_new("sequence", "two", 1)
    await settled(hub, "one")
    await settled(hub, "two")
    assert (await client.purge_instance_history("one")).instances_deleted == 1
    assert (await client.purge_instance_history_by(datetime(2000, 1, 1, tzinfo=UTC))).instances_deleted == 1
    assert (await client.purge_instance_history("one")).instances_deleted == 0


async def test_the_links_of_an_instance_lead_to_it(hub: TaskHub, client: df.DurableOrchestrationClient) -> None:
    await client.start_new("sequence", "linked", 1)
    await settled(hub, "linked")
    links = client.create_http_management_payload("linked")
    async with aiohttp.ClientSession() as session, session.get(links["statusQueryGetUri"]) as answer:
        assert answer.status == 200
        assert (await answer.json())["runtimeStatus"] == "Completed"
