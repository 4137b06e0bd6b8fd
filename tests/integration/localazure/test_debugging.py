"""The option `debug` of the Functions host: a debugger attaches as an editor does, and the app stops at a breakpoint.

The debugger here speaks the Debug Adapter Protocol by itself: https://microsoft.github.io/debug-adapter-protocol
"""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import aiohttp

from localazure.launch import allocate

from .commands import PATIENCE, command

CODE = """
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="double")
async def double(req: func.HttpRequest) -> str:
    number = int(req.params["number"])
    return str(2 * number)
"""
STOP_AT = CODE.splitlines().index("    return str(2 * number)") + 1


class Debugger:
    """One that is attached."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._numbers = itertools.count(1)

    async def ask(self, name: str, **arguments: Any) -> int:
        """Send a request; the number of it."""
        number = next(self._numbers)
        request = {"seq": number, "type": "request", "command": name, "arguments": arguments}
        body = json.dumps(request).encode()
        self._writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        await self._writer.drain()
        return number

    async def until(self, **members: Any) -> dict[str, Any]:
        """The first message that has these members."""
        async with asyncio.timeout(PATIENCE):
            while True:
                head = await self._reader.readuntil(b"\r\n\r\n")
                message = json.loads(await self._reader.readexactly(int(head.split(b":")[1])))
                if members.items() <= message.items():
                    return dict(message)

    async def answer(self, name: str, **arguments: Any) -> Any:
        """The body of the answer to a request."""
        number = await self.ask(name, **arguments)
        found = await self.until(type="response", request_seq=number)
        assert found["success"], found
        return found.get("body")


async def test_the_app_stops_at_a_breakpoint_and_goes_on(tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "function_app.py").write_text(CODE)
    (app / "host.json").write_text('{"version": "2.0"}')
    port = allocate({"debug": 0})["debug"]
    own = ["--set", f"functions.app={app}", "--set", f"functions.debug={port}"]
    environment = {"FUNCTIONS_WORKER_PROCESS_COUNT": "2"}
    async with command(
        "up", "--only", "functions", "--port", "all=0", *own, state=tmp_path / "state", environment=environment
    ) as running:
        await running.ready()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        debugger = Debugger(reader, writer)
        await debugger.answer("initialize", adapterID="tests", linesStartAt1=True, pathFormat="path")
        await debugger.ask("attach", justMyCode=True)
        await debugger.until(type="event", event="initialized")
        source = {"path": str(app / "function_app.py")}
        set_ = await debugger.answer("setBreakpoints", source=source, breakpoints=[{"line": STOP_AT}])
        assert [(point["verified"], point["line"]) for point in set_["breakpoints"]] == [(True, STOP_AT)]
        await debugger.answer("configurationDone")
        async with aiohttp.ClientSession() as session:
            calling = asyncio.create_task(session.get(f"{running.addresses['functions']}/api/double?number=21"))
            stopped = await debugger.until(type="event", event="stopped")
            thread = stopped["body"]["threadId"]
            frame = (await debugger.answer("stackTrace", threadId=thread))["stackFrames"][0]
            assert (frame["name"], frame["line"]) == ("double", STOP_AT)
            seen = await debugger.answer("evaluate", expression="number", frameId=frame["id"])
            assert seen["result"] == "21"
            assert not calling.done()
            await debugger.answer("continue", threadId=thread)
            async with await calling as answer:
                assert await answer.text() == "42"
        writer.close()


async def test_what_is_no_port_is_refused(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(CODE)
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    options = ["--option", f"app={tmp_path}", "--option", "debug=soon", "--port", "0"]
    async with command("functions", *options, state=tmp_path / "state") as running:
        assert await running.ended() == 1
    assert any("debug is the number of a port, not 'soon'" in line for line in running.said), running.said
