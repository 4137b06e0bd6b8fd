"""How instances fail, or never end, where Azure's do: the texts, and what the log says."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from azure.durable_functions import DurableOrchestrationClient as Client

from tests.conformance.durable.conftest import Hosts, client_of, finished, until


async def test_a_failed_activity_brings_type_words_and_stack(client: Client, module: Any) -> None:
    module.broken.add("bad")
    await client.start_new("catches", "one", ["unsteady", "bad"])
    text = (await finished(client, "one")).output
    reason, _, details = text.partition(" \n ")
    assert reason == "Activity function 'unsteady' failed: RuntimeError: bad is broken"
    document = json.loads(details)
    assert (document["$type"], document["Message"]) == (
        "System.Exception, System.Private.CoreLib", "RuntimeError: bad is broken",
    )  # fmt: skip
    stack = document["InnerException"]["RemoteStackTrace"]
    first, *_ = stack.splitlines()
    assert first.endswith('/azure_functions_worker/dispatcher.py", line 669, in _handle__invocation_request')
    assert stack.endswith(', in unsteady\n    raise RuntimeError(f"{what} is broken")\n')
    assert "localazure" not in stack
    assert document["InnerException"]["Message"].startswith(
        "Result: Failure\nException: RuntimeError: bad is broken\nS"
    )


async def test_a_synchronous_activity_has_the_frames_of_its_thread(client: Client) -> None:
    await client.start_new("catches", "one", ["double", {}])
    text = (await finished(client, "one")).output
    stack = json.loads(text.partition(" \n ")[2])["InnerException"]["RemoteStackTrace"]
    assert "TypeError: unsupported operand" in text
    assert [line.rpartition(" in ")[2] for line in stack.splitlines() if line.startswith("  File")] == [
        "_handle__invocation_request", "run", "_run_sync_func", "_raw_invocation_wrapper", "double",
    ]  # fmt: skip


async def test_a_failed_task_in_a_history_tells_reason_and_details_apart(client: Client, module: Any) -> None:
    module.broken.add("bad")
    await client.start_new("all_at_once", "one", ["bad"])
    await finished(client, "one")
    _, task, completed = (await client.get_status("one", show_history=True, show_history_output=True)).historyEvents
    assert task["Reason"] == "Activity function 'unsteady' failed: RuntimeError: bad is broken"
    assert json.loads(task["Details"])["Message"] == "RuntimeError: bad is broken"
    assert (task["FailureDetails"], completed["FailureDetails"]) == (None, None)
    assert completed["Result"].startswith(
        "Orchestrator function 'all_at_once' failed: Activity function 'unsteady' failed"
    )


async def test_a_failed_child_brings_its_reason_once(client: Client, module: Any) -> None:
    module.broken.add("bad")
    await client.start_new("catches_a_child", "one", "picky")
    assert (await finished(client, "one")).output == "Orchestrator function 'picky' failed: not like this \n None"


async def test_a_terminated_child_brings_the_reason_given(client: Client) -> None:
    await client.start_new("catches_a_child", "one", "hears")
    await until(client, "one-child", lambda status: status.runtime_status.name == "Running")
    await client.terminate("one-child", "kid")
    assert (await finished(client, "one")).output == "kid \n None"


async def test_an_activity_whose_function_is_gone_after_a_restart_fails(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = (await hosts.start())._hub
    assert hub is not None
    with hub._store.transaction():  # as a host leaves it that dies with the activity under way
        hub._orchestrations.create("catches", "one", json.dumps('["unsteady", "x"]'), None)
    monkeypatch.setattr(hub._activities, "start", lambda activity: None)
    hub._core.wake("one")
    while not hub._store._db.execute("SELECT 1 FROM activities").fetchone():  # noqa: ASYNC110 - as above, no event
        await asyncio.sleep(0)
    await hosts.stop()
    monkeypatch.setenv("AzureWebJobs.unsteady.Disabled", "true")
    client = client_of(await hosts.start())
    assert (await finished(client, "one")).output.startswith("Non-Deterministic workflow detected")
    _, task, _ = (await client.get_status("one", show_history=True)).historyEvents
    assert task["Reason"] == "Activity function 'unsteady' failed: Activity function 'unsteady' does not exist."


@pytest.mark.parametrize("kind", ["activity", "orchestrator"])
async def test_an_orchestrator_waits_for_ever_for_a_function_that_does_not_exist(
    client: Client, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    await client.start_new("asks_for", "one", [kind, "nonesuch"])
    told = f"(one) waits for ever: The function 'nonesuch' doesn't exist, is disabled, or is not an {kind} function"
    await until(client, "one", lambda _: told in caplog.text)
    status = await client.get_status("one", show_history=True)
    assert (status.runtime_status.name, [item["EventType"] for item in status.historyEvents]) == (
        "Running", ["ExecutionStarted"],
    )  # fmt: skip
    await client.raise_event("one", "go", None)
    assert (await finished(client, "one")).output == "went"


async def test_names_in_an_orchestrators_text_that_no_function_has_are_told_at_the_start(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    await hosts.start()
    assert "orchestrator 'misspells' calls the activity 'duoble'" in caplog.text
    assert "orchestrator 'misspells' calls the orchestrator 'pciky'" in caplog.text
    assert "calls the activity 'double'" not in caplog.text


@pytest.mark.parametrize(("characters", "fits"), [(8_701, True), (8_702, False), (20_000, False)])
async def test_a_custom_status_takes_sixteen_kilobytes_of_utf_16(client: Client, characters: int, fits: bool) -> None:
    await client.start_new("reports", "one", characters)
    status = await finished(client, "one")
    size = (characters + 2) * 2 // 1024
    told = (
        f"The UTF-16 size of the JSON-serialized payload must not exceed 16 KB. The current payload size is {size} KB."
    )
    assert status.output == ("reported" if fits else f"Orchestrator function 'reports' failed: {told}")


async def test_version_2_of_the_package_is_refused_by_name(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "importlib.metadata.version", lambda name: "2.0.0" if name == "azure-functions-durable" else "1"
    )
    with pytest.raises(Exception, match=r"azure-functions-durable 2\.0\.0 .* gRPC"):
        client_of(await hosts.start())
