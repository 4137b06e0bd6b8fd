"""Function apps written to a directory, run by the real host on a port of its own.

An app runs in the test's own event loop, so a test waits for it with the queues that the app itself fills.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from localazure.clock import Clock, SystemClock
from localazure.functions import PART
from localazure.functions.wire import Host
from localazure.part import Config

from .bus import Bus
from .process import restored

HEADER = """
import asyncio
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
seen = asyncio.Queue()
"""

SERVED = """
@app.route("a")
def a(req: func.HttpRequest) -> str:
    return "a"

@app.route("b")
def b(req: func.HttpRequest) -> str:
    return "b"
"""
"""An app of two functions."""


class App:
    """A directory with a function app in it, and whatever hosts run it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.settings: dict[str, str] = {}
        self.host_file: dict[str, Any] = {"version": "2.0"}
        self.host_text: str | None = ""
        """host.json as it is written, in place of `host_file`; None: there is none."""
        self._hosts: list[Host] = []

    def write(self, code: str, header: str = HEADER) -> None:
        """The app's code, below imports, an `app` and a queue `seen`."""
        text = textwrap.dedent(header) + textwrap.dedent(code)
        (self.directory / "function_app.py").write_text(text, encoding="utf-8")

    async def start(self, clock: Clock | None = None) -> Host:
        if self.host_text is not None:
            text = self.host_text or json.dumps(self.host_file)
            (self.directory / "host.json").write_text(text, encoding="utf-8")
        settings = {"IsEncrypted": False, "Values": self.settings}
        (self.directory / "local.settings.json").write_text(json.dumps(settings), encoding="utf-8")
        options = {"app": str(self.directory), "recovery": "fast"}
        config = Config(state=self.directory / "state", options=options, clock=clock or SystemClock())
        host = cast(Host, await PART.start(config))
        self._hosts.append(host)
        return host

    async def stop(self) -> None:
        """Stop what is still running."""
        while self._hosts:
            await self._hosts.pop().stop()

    async def seen(self, count: int = 1) -> list[Any]:
        """The next things that the app put into its queue."""
        queue = sys.modules["function_app"].seen
        async with asyncio.timeout(15):
            return [await queue.get() for _ in range(count)]

    @property
    def module(self) -> Any:
        return sys.modules["function_app"]


@pytest.fixture
def process() -> Iterator[None]:
    with restored():
        yield


@pytest.fixture
async def app(tmp_path: Path, process: None) -> AsyncIterator[App]:
    made = App(tmp_path)
    yield made
    await made.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


@pytest.fixture
async def bus(tmp_path: Path, app: App) -> AsyncIterator[Bus]:
    made = Bus(tmp_path)
    server = await made.start()
    app.settings["BUS"] = server.connection_string
    yield made
    await app.stop()
    if made.server is not None:
        await made.stop()
    gc.collect()  # here, where its warnings are expected, and not in the middle of another module
