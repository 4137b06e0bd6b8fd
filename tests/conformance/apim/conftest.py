"""A gateway with artifacts made for one test, in front of a backend that tells what it saw."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from localazure import apim
from localazure.part import Config
from tests.e2e.conftest import Answer

OPERATIONS = {
    "/things/{id}": {"get": "things_get", "put": "things_put"},
    "/things": {"get": "things_list", "post": "things_make"},
    "/things/special": {"get": "things_special"},
}
THING = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string", "nullable": True}, "size": {"type": "integer", "minimum": 1}},
    "additionalProperties": False,
}


@dataclass
class Files:
    """Artifacts of one API with one open product; `write` adds or replaces policies."""

    folder: Path

    def __post_init__(self) -> None:
        self.json("apis/shop/apiInformation.json", displayName="Shop", path="shop", subscriptionRequired=False)
        paths: dict[str, Any] = {
            path: {method: self._operation(name) for method, name in methods.items()}
            for path, methods in OPERATIONS.items()
        }
        specification = {"openapi": "3.0.3", "paths": paths, "components": {"schemas": {"Thing": THING}}}
        (self.folder / "apis/shop/specification.json").write_text(json.dumps(specification))
        self.policy()

    @staticmethod
    def _operation(name: str) -> dict[str, Any]:
        found: dict[str, Any] = {"operationId": name, "responses": {"200": {"description": "ok"}}}
        if name == "things_make":
            schema = {"$ref": "#/components/schemas/Thing"}
            found["requestBody"] = {"content": {"application/json": {"schema": schema}}}
            found["responses"]["200"]["content"] = {"application/json": {"schema": schema}}
        return found

    def json(self, name: str, **properties: Any) -> None:
        self.text(name, json.dumps({"properties": properties}))

    def text(self, name: str, content: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return file

    def policy(
        self,
        inbound: str = "",
        backend: str = "<forward-request />",
        outbound: str = "",
        on_error: str = "",
        file: str = "policy.xml",
    ) -> Path:
        return self.text(
            file,
            f"<policies>\n<inbound>\n{inbound}\n</inbound>\n<backend>{backend}</backend>\n"
            f"<outbound>{outbound}</outbound>\n<on-error>{on_error}</on-error>\n</policies>",
        )


class Clock:
    """Seconds that pass when told to; sleeping passes them."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.slept: list[float] = []

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Local:
    """A started gateway. `seen` is what the backend got, `statuses` what it answers before 200."""

    files: Files
    loop: asyncio.Runner
    clock: Clock = field(default_factory=Clock)
    options: dict[str, str] = field(default_factory=dict)
    seen: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    body: str = '{"name": "x"}'

    def call(self, method: str = "GET", path: str = "/shop/things/1", **more: Any) -> Answer:
        """One request to a gateway that has just read the files, or to the one of the call before."""
        return self.loop.run(self._call(method, path, **more))

    async def start(self) -> None:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._reply)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.backend = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._gateway: Any = None
        self._session = aiohttp.ClientSession()

    async def stop(self) -> None:
        if self._gateway:
            await self._gateway.stop()
        await self._session.close()
        await self._runner.cleanup()

    async def _call(self, method: str, path: str, **more: Any) -> Answer:
        if self._gateway is None:
            self._gateway = await self._started()
        async with self._session.request(method, self._gateway.url + path, allow_redirects=False, **more) as answer:
            return Answer(answer.status, answer.headers, await answer.text())

    async def _started(self) -> Any:
        self.files.json(
            "apis/shop/apiInformation.json",
            displayName="Shop",
            path="shop",
            subscriptionRequired=False,
            serviceUrl=f"{self.backend}/base",
        )
        nobody = str(self.files.text("nobody.json", "[]"))
        options = {"artifacts": str(self.files.folder), "subscriptions": nobody, **self.options}
        return await apim.PART.start(Config(port=0, options=options, clock=self.clock))

    async def _reply(self, request: web.Request) -> web.Response:
        content = await request.text()
        self.seen.append(
            {"method": request.method, "path": request.path_qs, "headers": request.headers, "body": content}
        )
        return web.Response(
            status=self.statuses.pop(0) if self.statuses else 200, text=self.body, content_type="application/json"
        )


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "apis/shop").mkdir(parents=True)
    return Files(tmp_path)


@pytest.fixture
def local(files: Files) -> Iterator[Local]:
    with asyncio.Runner() as runner:
        found = Local(files, runner)
        runner.run(found.start())
        yield found
        runner.run(found.stop())


@pytest.fixture
def refusal(local: Local) -> Callable[[], str]:
    """Why the gateway does not start with the files."""

    def why() -> str:
        with pytest.raises(ValueError) as caught:
            local.call()
        return str(caught.value)

    return why
