"""What stops a start: the message names the function and the reason, and nothing is served."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import aiohttp
import pytest

from localazure.functions.errors import HostError

from .conftest import SERVED, App

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
    "a module that cannot be imported": (
        "import nowhere_to_be_found\n",
        r"nowhere_to_be_found', at /.*/function_app\.py:\d+$",
    ),
    "what another package raises": (
        "import json\n\njson.loads('{')\n",
        r"JSONDecodeError: .*, at /.*/function_app\.py:\d+$",
    ),
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


async def test_a_connection_by_identity_without_its_address_is_refused_by_name(app: App) -> None:
    app.settings["BUS__clientId"] = "7b0a1c55-1f5e-4a43-9c1d-0f2f6a1b9e01"
    app.write(f"{QUEUE}\ndef bad(msg: func.ServiceBusMessage): ...\n")
    with pytest.raises(HostError, match=r"'bad'.*BUS uses an identity"):
        await app.start()


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
