"""What stops a start: the message names the function and the reason, and nothing is served."""

from __future__ import annotations

import asyncio
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
        @app.route("a/{x}")
        def good(req: func.HttpRequest) -> str: ...

        @app.route("a/{y}")
        def bad(req: func.HttpRequest) -> str: ...
        """,
        "'(good|bad)'.*same route",
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
    ("document", "reason"),
    [
        ({}, "version"),
        ({"version": "1.0"}, "version"),
        ({"version": "2.0", "functionTimeout": "soon"}, "soon"),
        ({"version": "2.0", "extensions": {"serviceBus": {"maxConcurrentCalls": "many"}}}, "many"),
    ],
)
async def test_a_host_file_that_makes_no_sense_is_refused(app: App, document: dict[str, object], reason: str) -> None:
    app.host_file = document
    app.write("")
    with pytest.raises(HostError, match=f"host.json.*{reason}"):
        await app.start()


async def test_a_function_that_a_setting_disables_is_neither_checked_nor_served(
    app: App, http: aiohttp.ClientSession
) -> None:
    app.settings["AzureWebJobs.off.Disabled"] = "true"
    app.settings["AzureWebJobs.idle.Disabled"] = "1"
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
