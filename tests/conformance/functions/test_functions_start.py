"""What stops a start: the message names the function and the reason, and nothing is served."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
from pathlib import Path

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.functions.errors import HostError
from localazure.functions.timespan import seconds
from localazure.functions.timespan import text as written

from .conftest import App

QUEUE = '@app.service_bus_queue_trigger(arg_name="msg", queue_name="q", connection="BUS")'

REFUSED = {
    "a parameter without a binding": (
        """
        @app.route("a")
        def bad(req: func.HttpRequest, extra): ...
        """,
        "'bad'.*without a binding.*extra",
    ),
    "a binding without a parameter": (
        """
        @app.route("a", trigger_arg_name="request")
        def bad(): ...
        """,
        "'bad'.*without a parameter.*request",
    ),
    "an annotation the trigger cannot provide": (
        """
        @app.route("a")
        def bad(req: int) -> str: ...
        """,
        "'bad'.*'req'.*httpTrigger cannot provide",
    ),
    "an annotation that is no type": (
        """
        from typing import Optional

        @app.route("a")
        def bad(req: Optional[func.HttpRequest]) -> str: ...
        """,
        "'bad'.*'req'.*not a type",
    ),
    "an annotation that does not exist": (
        """
        @app.route("a")
        def bad(req: "func.Nothing") -> str: ...
        """,
        "'bad'.*annotations",
    ),
    "two functions of one name": (
        """
        @app.function_name("bad")
        @app.route("a")
        def first(req: func.HttpRequest) -> str: ...

        @app.function_name("bad")
        @app.route("b")
        def second(req: func.HttpRequest) -> str: ...
        """,
        "bad.*unique",
    ),
    "two functions with the same route": (
        """
        @app.route("a/b")
        def bad(req: func.HttpRequest) -> str: ...

        @app.route("A/B")
        def good(req: func.HttpRequest) -> str: ...
        """,
        "The route specified conflicts with the route defined by function 'bad'",
    ),
    "a route constraint that is not there": (
        """
        @app.route("a/{x:colour}")
        def bad(req: func.HttpRequest) -> str: ...
        """,
        "'bad'.*constraint.*colour",
    ),
    "a trigger that is not there": (
        """
        @app.queue_trigger(arg_name="item", queue_name="q", connection="BUS")
        def bad(item: func.QueueMessage): ...
        """,
        "'bad'.*queueTrigger.*not supported",
    ),
    "an output that is not there": (
        """
        @app.route("a")
        @app.queue_output(arg_name="out", queue_name="q", connection="BUS")
        def bad(req: func.HttpRequest, out: func.Out[str]) -> str: ...
        """,
        "'bad'.*queue.*not supported",
    ),
    "a connection that is not set": (
        f"""
        {QUEUE}
        def bad(msg: func.ServiceBusMessage): ...
        """,
        "'bad'.*connection BUS is not set",
    ),
    "a setting that does not exist": (
        """
        @app.timer_trigger(arg_name="timer", schedule="%WHEN%")
        def bad(timer: func.TimerRequest): ...
        """,
        "'bad'.*setting WHEN",
    ),
    "a module that cannot be imported": ("import nowhere_to_be_found\n", "function_app.py.*nowhere_to_be_found"),
    "a second app": ("other = func.FunctionApp()\n", "exactly one FunctionApp"),
}


AT_THE_COMMAND = {
    "a trigger that is not there": REFUSED["a trigger that is not there"],
    "a schedule that is none": (
        """
        @app.timer_trigger(arg_name="timer", schedule="at noon")
        def bad(timer: func.TimerRequest): ...
        """,
        "'bad'.*schedule expression 'at noon' was not recognized",
    ),
    "a retry strategy that is none": (
        """
        @app.timer_trigger(arg_name="timer", schedule="0 0 12 * * *")
        @app.retry(strategy="patience", max_retry_count="3")
        def bad(timer: func.TimerRequest): ...
        """,
        "'bad'.*strategy 'patience'",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_broken_app_does_not_start_and_says_what_is_wrong(app: App, what: str) -> None:
    code, reason = REFUSED[what]
    app.write(code)
    with pytest.raises(HostError, match=reason):
        await app.start()


async def test_a_connection_by_identity_is_refused_by_name(app: App) -> None:
    app.settings["BUS__fullyQualifiedNamespace"] = "shop.servicebus.windows.net"
    app.write(f"{QUEUE}\ndef bad(msg: func.ServiceBusMessage): ...\n")
    with pytest.raises(HostError, match=r"'bad'.*BUS uses an identity"):
        await app.start()


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


SERVED = """
@app.route("a")
def a(req: func.HttpRequest) -> str:
    return "a"

@app.route("b")
def b(req: func.HttpRequest) -> str:
    return "b"
"""


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


async def test_the_app_may_have_another_file_name(app: App, http: aiohttp.ClientSession) -> None:
    app.settings["PYTHON_SCRIPT_FILE_NAME"] = "greetings_main.py"
    app.write(SERVED)
    (app.directory / "function_app.py").rename(app.directory / "greetings_main.py")
    host = await app.start()
    async with http.get(f"{host.url}/api/b") as answer:
        assert await answer.text() == "b"


@pytest.mark.parametrize("name", ["../function_app.py", "function_app", "", "function app.py"])
async def test_a_file_name_that_is_no_script_in_the_directory_is_refused(app: App, name: str) -> None:
    app.settings["PYTHON_SCRIPT_FILE_NAME"] = name
    app.write(SERVED)
    with pytest.raises(HostError, match="PYTHON_SCRIPT_FILE_NAME"):
        await app.start()


@pytest.mark.parametrize("name", ["1bad", "with space", "host", "HOST", "_a", "a.b", "é", "x" * 129])
async def test_a_name_that_azure_does_not_take_is_refused(app: App, name: str) -> None:
    app.write(f"""
@app.function_name("{name}")
@app.route("a")
def a(req: func.HttpRequest) -> str: ...
""")
    with pytest.raises(HostError, match=f"'{name}' is not a valid function name"):
        await app.start()


@pytest.mark.parametrize("name", ["with-dash", "a_1", "Host1", "x" * 128])
async def test_a_name_that_azure_takes_is_taken(app: App, http: aiohttp.ClientSession, name: str) -> None:
    app.write(f"""
@app.function_name("{name}")
@app.route("a")
def a(req: func.HttpRequest) -> str:
    return "a"
""")
    host = await app.start()
    async with http.get(f"{host.url}/api/a") as answer:
        assert await answer.text() == "a"


async def test_a_binding_name_that_azure_does_not_take_is_refused(app: App) -> None:
    app.write("""
@app.route("a", trigger_arg_name="the_request")
def a(the_request: func.HttpRequest) -> str: ...
""")
    with pytest.raises(HostError, match="The binding name the_request is invalid"):
        await app.start()


async def test_a_function_that_a_setting_disables_is_neither_checked_nor_served(
    app: App, http: aiohttp.ClientSession
) -> None:
    app.settings["AzureWebJobs.off.Disabled"] = "true"
    app.settings["azurewebjobs.Idle.disabled"] = "1"
    app.write(f"""
        @app.route("off")
        def off(req: func.HttpRequest) -> str: ...

        {QUEUE}
        def idle(msg: func.ServiceBusMessage): ...
    """)
    host = await app.start()
    async with http.get(f"{host.url}/api/off") as answer:
        assert answer.status == 404
    async with http.get(f"{host.url}/admin/functions") as answer:
        assert {item["name"]: item["isDisabled"] for item in await answer.json()} == {"off": True, "idle": True}


async def test_settings_are_the_apps_environment_unless_it_is_set_already(
    app: App, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROM_BOTH", "environment")
    app.settings |= {"FROM_BOTH": "file", "FROM_FILE": "file", "GREETING_ROUTE": "greet"}
    app.write("""
        import os

        GREETING = os.environ["FROM_FILE"] + " " + os.environ["FROM_BOTH"]

        @app.route("greeting")
        def greet(req: func.HttpRequest) -> str:
            return GREETING
    """)
    host = await app.start()
    async with http.get(f"{host.url}/api/greeting") as answer:
        assert await answer.text() == "file environment"


async def test_modules_beside_the_app_and_blueprints_are_found(app: App, http: aiohttp.ClientSession) -> None:
    (app.directory / "greetings_of_app.py").write_text(
        "import azure.functions as func\n"
        "bp = func.Blueprint()\n"
        '@bp.route("hi", auth_level=func.AuthLevel.ANONYMOUS)\n'
        'def hi(req: func.HttpRequest) -> str:\n    return "hi"\n'
    )
    app.write("import greetings_of_app\napp.register_functions(greetings_of_app.bp)\n")
    host = await app.start()
    async with http.get(f"{host.url}/api/hi") as answer:
        assert await answer.text() == "hi"


@pytest.mark.parametrize("what", AT_THE_COMMAND)
async def test_the_command_exits_with_an_error_that_names_the_function(app: App, what: str) -> None:
    code, reason = AT_THE_COMMAND[what]
    app.write(code)
    (app.directory / "host.json").write_text('{"version": "2.0"}')
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "localazure", "functions", "--port", "0"),
        *("--state", str(app.directory / "state"), "--option", f"app={app.directory}"),
        cwd=Path(__file__).parents[3],
        env=dict(os.environ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert re.search(f"functions cannot start: .*{reason}", said.decode())


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("00:00:30", 30.0),
        ("1.00:00:01", 86_401.0),
        ("00:00:00.250", 0.25),
        ("24:00:00", 24 * 86_400.0),  # 24 is past the last hour: days, hours, minutes
        ("25:00:00", 25 * 86_400.0),
        ("23:59", 86_340.0),
        ("1.12:30", 131_400.0),
        ("7", 7 * 86_400.0),
        ("1:2:3:4", 93_784.0),
        (" -00:00:10 ", -10.0),
    ],
)
def test_a_time_span_is_read_as_dotnet_reads_it(text: str, length: float) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize(
    "text", ["", "soon", "24:60:00", "00:61", "1.24:00:00", "7.5", "1:2:3:4:5", "00:00:00.12345678"]
)
def test_a_text_that_is_no_time_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="was not recognized as a valid TimeSpan"):
        seconds(text)


@given(ticks=st.integers(0, 10**14), negative=st.booleans())
def test_a_time_span_that_is_written_reads_the_same(ticks: int, negative: bool) -> None:
    length = ticks / 10**7 * (-1 if negative else 1)
    assert seconds(written(length)) == pytest.approx(length)
