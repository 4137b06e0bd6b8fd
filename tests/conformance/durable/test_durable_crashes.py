"""A process that dies between an entity's work and its acknowledgement: each operation takes effect exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import aiohttp
import azure.durable_functions as df
import pytest
from azure.durable_functions.models.utils import http_utils

from localazure.durable.engine import TaskHub
from localazure.durable.entity import EntityId
from localazure.durable.wire import PREFIX
from tests.conformance.durable.conftest import APP, Functions, Hubs, entity_state, settled

bp = df.Blueprint()
TARGET = df.EntityId("total", "one")


@bp.entity_trigger(context_name="context")
def total(context: df.DurableEntityContext) -> None:
    context.set_state(context.get_state(lambda: 0) + context.get_input())
    context.set_result(context.get_state())


@bp.orchestration_trigger(context_name="context")
def adds(context: df.DurableOrchestrationContext) -> Any:
    context.signal_entity(TARGET, "add", 100)
    first = yield context.call_entity(TARGET, "add", 1)
    second = yield context.call_entity(TARGET, "add", 10)
    return [first, second]


class Fatal:
    """Kills a hub when it comes to something for the nth time, and counts how often it did."""

    def __init__(self, hubs: Hubs, place: int) -> None:
        self._hubs, self._place = hubs, place
        self.hub: TaskHub | None = None
        self.count = 0
        self.happened = asyncio.Event()

    def __call__(self, name: str) -> None:
        self.count += 1
        if self.count == self._place and self.hub is not None:
            self._hubs.kill(self.hub)
            self.happened.set()


@pytest.mark.parametrize("batch", [1, 2])
async def test_a_hub_that_dies_before_it_acknowledges_a_batch_does_it_again_upon_the_old_state(
    hubs: Hubs, batch: int
) -> None:
    functions = Functions(bp)
    functions.after_entity = fatal = Fatal(hubs, batch)
    fatal.hub = await hubs.start(functions)
    fatal.hub.create("adds", "one", None)
    await asyncio.wait_for(fatal.happened.wait(), 10)
    hub = await hubs.start(functions)
    assert output_of(await settled(hub, "one")) == [101, 111]
    assert state_of(hub) == 111
    assert fatal.count == 3  # two batches, one of them twice


@pytest.mark.parametrize("episode", [1, 2, 3])
async def test_a_hub_that_dies_while_an_answer_is_read_asks_the_entity_nothing_twice(hubs: Hubs, episode: int) -> None:
    functions = Functions(bp)
    functions.before_orchestrator = fatal = Fatal(hubs, episode)
    functions.after_entity = asked = Fatal(hubs, 0)
    fatal.hub = await hubs.start(functions)
    fatal.hub.create("adds", "one", None)
    await asyncio.wait_for(fatal.happened.wait(), 10)
    hub = await hubs.start(functions)
    assert output_of(await settled(hub, "one")) == [101, 111]
    assert (state_of(hub), asked.count) == (111, 2)


def state_of(hub: TaskHub) -> Any:
    return json.loads(hub.entity(EntityId("total", "one")).state or "null")


def output_of(instance: Any) -> Any:
    assert instance.status == "Completed", instance.output
    return json.loads(instance.output)


async def start(state: Path, lethal: Path) -> tuple[asyncio.subprocess.Process, df.DurableOrchestrationClient]:
    """The functions host as a process of its own, and the official client for it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "localazure", "functions", "--port", "0", "--state", str(state), "--option", f"app={APP}",
        "--option", "recovery=fast",
        env=os.environ | {"LETHAL": str(lethal)}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while (found := re.search(rb"http://[\w.]+:(\d+)", line := await process.stdout.readline())) is None:
            assert line, "the host ended before it listened"
    base = f"http://127.0.0.1:{found[1].decode()}{PREFIX}/"
    binding = {"taskHubName": "conformance", "creationUrls": {}, "managementUrls": {"id": ""}, "rpcBaseUrl": base}
    return process, df.DurableOrchestrationClient(json.dumps(binding))


async def test_a_process_killed_while_an_entity_holds_its_new_state_applies_the_operation_once(tmp_path: Path) -> None:
    lethal, entity = tmp_path / "lethal", df.EntityId("mortal", "one")
    process, client = await start(tmp_path / "state", lethal)
    await client.signal_entity(entity, "add", 1)
    assert await entity_state(client, entity, lambda state: state is not None) == 1
    lethal.touch()
    with contextlib.suppress(aiohttp.ClientError):  # it may die before its answer has left
        await client.signal_entity(entity, "add", 10)
    assert await asyncio.wait_for(process.wait(), 15) == -9
    await http_utils._close_session()
    process, client = await start(tmp_path / "state", lethal)
    await client.signal_entity(entity, "add", 100)
    assert await entity_state(client, entity, lambda state: state is not None and state > 100) == 111
    process.terminate()
    await asyncio.wait_for(process.wait(), 30)
    await http_utils._close_session()
