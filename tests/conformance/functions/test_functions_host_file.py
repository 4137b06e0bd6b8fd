"""What `host.json` says at the start: which files are refused, in Azure's words, and what the others bring about."""

from __future__ import annotations

import logging
import re
import sys

import aiohttp
import pytest

from localazure.functions.errors import HostError

from .conftest import SERVED, App


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Unable to parse host configuration file"),
        ("[]", "Unable to parse host configuration file"),
        ('{"logging": {}}', "missing the required 'version' property"),
        ('{"version": "1.0"}', "'1.0' is an invalid value for host.json 'version' property"),
        (
            '{"version": "2.0", "functionTimeout": "soon"}',
            "'AzureFunctionsJobHost:FunctionTimeout' to type 'System.TimeSpan'. soon is not a valid value for TimeSpan",
        ),
        ('{"version": "2.0", "functionTimeout": "00:00:00"}', "FunctionTimeout must be greater than 00:00:01"),
        (
            '{"version": "2.0", "logging": {"logLevel": {"Host": "Loud"}}}',
            "Configuration value 'Loud' is not supported",
        ),
    ],
)
async def test_a_host_file_that_azure_refuses_is_refused_in_its_words(app: App, text: str, reason: str) -> None:
    app.host_text = text
    app.write("")
    with pytest.raises(HostError, match=re.escape(reason)):
        await app.start()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"controlQueueVisibilityTimeout": "00:00:59"},
            "ControlQueueVisibilityTimeout must be between 1 and 60 minutes.",
        ),
        ({"workItemQueueVisibilityTimeout": "01:00:01"}, "WorkItemQueueVisibilityTimeout must be between 1 and 60"),
        ({"maxQueuePollingInterval": "00:00:00"}, "MaxQueuePollingInterval must be non-negative."),
        ({"partitionCount": 17}, "PartitionCount must be an integer value between 1 and 16."),
        ({"partitionCount": 0}, "PartitionCount must be an integer value between 1 and 16."),
        ({"type": "mssql"}, "the storage provider 'mssql' is not supported"),
    ],
)
async def test_a_storage_provider_that_the_extension_refuses_is_refused(
    app: App, options: dict[str, object], reason: str
) -> None:
    app.write("")
    app.host_file["extensions"] = {"durableTask": {"storageProvider": options}}
    with pytest.raises(HostError, match=re.escape(reason)):
        await app.start()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"maxConcurrentCalls": "many"}, "serviceBus:MaxConcurrentCalls' to type 'System.Int32'. many is not a valid"),
        ({"maxConcurrentCalls": 0}, "greater than or equal to 1. (Parameter 'maxConcurrentCalls')"),
        ({"prefetchCount": -1}, "greater than or equal to 0. (Parameter 'prefetchCount')"),
        ({"autoCompleteMessages": "perhaps"}, "AutoCompleteMessages' to type 'System.Boolean'. perhaps is not a valid"),
        ({"maxAutoLockRenewalDuration": "-00:00:01"}, "MaxAutoLockRenewalDuration must be a non-negative timespan"),
        ({"minMessageBatchSize": 3, "maxMessageBatchSize": 2}, "must be less than the maximum message batch size"),
        ({"sessionIdleTimeout": "99:99:99"}, "SessionIdleTimeout' to type 'System.TimeSpan'. 99:99:99 is not a valid"),
    ],
)
async def test_a_service_bus_section_that_the_extension_refuses_is_refused(
    app: App, options: dict[str, object], reason: str
) -> None:
    app.host_file["extensions"] = {"serviceBus": options}
    app.write("")
    with pytest.raises(HostError, match=f"host.json: .*{re.escape(reason)}"):
        await app.start()


@pytest.mark.parametrize(
    "text",
    [
        None,
        "{}",
        '{"version": "2.0"}',
        "{/* of */ 'version': \"2.0\", // old\n logging: {}, }",
        '{"version": "2.0", "nonsense": 1, "extensions": {"nope": {"a": 1}, "http": {"nope": 2}}}',
        '{"version": "2.0", "functions": []}',
        '{"version": "2.0", "functions": ["A", "b"]}',
        '{"version": "2.0", "functionTimeout": "-1"}',
        '{"version": "2.0", "Extensions": {"HTTP": {"RoutePrefix": "api"}}}',
    ],
)
async def test_a_host_file_may_be_absent_empty_or_written_as_newtonsoft_reads_it(
    app: App, http: aiohttp.ClientSession, text: str | None
) -> None:
    app.host_text = text
    app.write(SERVED)
    host = await app.start()
    async with http.get(f"{host.url}/api/a") as answer:
        assert await answer.text() == "a"


async def test_only_the_functions_that_host_json_lists_are_served(app: App, http: aiohttp.ClientSession) -> None:
    app.host_file["functions"] = ["B"]
    app.write(
        SERVED
        + """
@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
async def tick(timer: func.TimerRequest) -> None:
    seen.put_nowait(1)
"""
    )
    host = await app.start()
    statuses = []
    for name in "ab":
        async with http.get(f"{host.url}/api/{name}") as answer:
            statuses.append(answer.status)
    assert statuses == [404, 200]
    assert app.module.seen.empty()


async def test_custom_headers_are_on_every_answer_that_does_not_have_them(
    app: App, http: aiohttp.ClientSession
) -> None:
    app.host_file["extensions"] = {"http": {"customHeaders": {"X-Frame-Options": "deny", "X-Own": "host"}}}
    app.write("""
@app.route("a")
def a(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("a", headers={"X-Own": "function"})
""")
    host = await app.start()
    seen = []
    for path in ("api/a", "api/none"):
        async with http.get(f"{host.url}/{path}") as answer:
            seen.append((answer.headers["X-Frame-Options"], answer.headers["X-Own"]))
    assert seen == [("deny", "function"), ("deny", "host")]


async def test_the_app_logs_from_the_level_on_that_host_json_names(
    app: App, http: aiohttp.ClientSession, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = logging.StreamHandler(sys.stderr)
    root = logging.getLogger()
    root.addHandler(handler)
    app.host_file["logging"] = {"logLevel": {"default": "None", "Function": "Error"}}
    app.write("""
import logging

@app.route("a")
def a(req: func.HttpRequest) -> str:
    logging.warning("not so loud")
    logging.error("this loud")
    return "a"
""")
    before = root.level
    try:
        host = await app.start()
        async with http.get(f"{host.url}/api/a"):
            pass
        await app.stop()
    finally:
        root.removeHandler(handler)
    said = capfd.readouterr().err
    assert "this loud" in said
    assert "not so loud" not in said
    assert root.level == before
