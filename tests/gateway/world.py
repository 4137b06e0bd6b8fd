"""The project's own policies in front of a backend that says what it is told to say: real sockets, a clock to turn."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from localazure import apim, entra
from localazure.part import Config, Server
from scripts.declared import encoded

ROOT = Path(__file__).parents[2]
ANONYMOUS, USER, PARTNER, INTERNAL = 12, 13, 14, 15
"""Calls a minute."""
WEBHOOK = 33
LINES = 250
"""Order lines a minute."""
IMPORTS = 4
"""Imports a minute."""
PUBLIC_QUOTA, PARTNER_QUOTA, INTERNAL_QUOTA = 30, 22, 24
CACHE_SECONDS = 10
TIGHT = {
    "anonymous-calls-per-minute": ANONYMOUS,
    "webhook-calls-per-minute": WEBHOOK,
    "user-calls-per-minute": USER,
    "user-order-lines-per-minute": LINES,
    "user-imports-per-minute": IMPORTS,
    "partner-calls-per-minute": PARTNER,
    "internal-calls-per-minute": INTERNAL,
    "public-calls-per-day": PUBLIC_QUOTA,
    "partner-calls-per-week": PARTNER_QUOTA,
    "internal-calls-per-week": INTERNAL_QUOTA,
    "catalog-cache-seconds": CACHE_SECONDS,
    "backend-timeout-seconds": 1,
    "import-timeout-seconds": 2,
}
KEYS = {"partner": "local-acme-primary", "internal": "local-back-office-primary", "cancelled": "local-left-primary"}


class Watch:
    """A clock that runs on, can be set forward, and can be stopped."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._stopped: float | None = None

    def time(self) -> float:
        return (self._stopped or time.time()) + self.ahead

    def stop_at(self, moment: float | None) -> None:
        self._stopped = moment

    async def sleep(self, seconds: float) -> None:
        self.ahead += seconds


@dataclass(frozen=True)
class Seen:
    """One request as the backend saw it."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What the caller got. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """The code of a problem document, all of which is checked."""
        document = self.json
        assert self.headers["content-type"] == "application/problem+json", self
        assert self.headers["cache-control"] == "no-store", self
        assert self.headers["traceparent"].split("-")[1] == document["trace_id"], self
        assert document["status"] == self.status, self
        assert document["title"] and document["detail"], self
        return str(document["type"]).removeprefix("urn:durable-commerce:problem:")


Reply = Callable[[Seen], Awaitable[web.StreamResponse] | web.StreamResponse]


def fine(status: int = 200, etag: str = '"v1"', **headers: str) -> Reply:
    """A good answer, with headers that are nobody's business outside."""

    def reply(seen: Seen) -> web.StreamResponse:
        inner = {"Server": "backend/1", "X-Powered-By": "backend", "Request-Context": "appId=1"}
        if status >= 400:
            inner["Content-Type"] = "application/problem+json"
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(
            text=json.dumps({"path": seen.path}),
            status=status,
            headers={"Content-Type": "application/json", **inner, "ETag": etag, **more},
        )

    return reply


def page(status: int) -> Reply:
    """An error page as a host makes it, not a service."""
    return lambda _: web.Response(status=status, text=f"{status}: it is not well", headers={"Retry-After": "9"})


def died(_: Seen) -> web.StreamResponse:
    """What the Functions host says where the process that ran the function died: nothing but the status."""
    return web.Response(status=500)


async def _chunks(data: bytes) -> AsyncIterator[bytes]:
    """The same bytes without saying beforehand how many there are."""
    for start in range(0, len(data), 65_536):
        yield data[start : start + 65_536]


@dataclass
class World:
    """Everything around the gateways. `replies` are given in turn; after them, or without any, `fine()`."""

    artifacts: Path = ROOT / "apim"
    clock: Watch = field(default_factory=Watch)
    seen: list[Seen] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    _gateways: dict[str, Server] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    async def start(self) -> None:
        self.session = aiohttp.ClientSession()
        self._entra = await entra.PART.start(Config(port=0, options={"accounts": str(ROOT / "infra" / "entra.json")}))
        application = web.Application(client_max_size=10_000_000)
        application.router.add_route("*", "/{path:.*}", self._reply)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.backend = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self.forget_gateways()
        await self.session.close()
        await self._runner.cleanup()
        await self._entra.stop()

    async def forget_gateways(self) -> None:
        for gateway in self._gateways.values():
            await gateway.stop()
        self._gateways.clear()

    async def reset(self) -> None:
        """As at the start."""
        self.clock.ahead = 0.0
        self.clock.stop_at(None)
        self.seen.clear()
        self.replies.clear()
        self.released = asyncio.Event()
        for gateway in self._gateways.values():
            async with self.session.delete(f"{gateway.url}/_local/state") as answer:
                assert answer.status == 204

    async def gateway(self, **values: Any) -> str:
        """The address of a gateway with these named values over `TIGHT`."""
        key = json.dumps(values, sort_keys=True)
        if key not in self._gateways:
            changed = {name.replace("_", "-"): str(value) for name, value in {**TIGHT, **values}.items()}
            options = {
                "artifacts": str(self.artifacts),
                "configuration": str(ROOT / "apim" / "configuration.local.json"),
                "values": json.dumps(changed),
                "entra": self._entra.url,
                "addresses": json.dumps({"entra": self._entra.url, "functions": self.backend}),
            }
            self._gateways[key] = await apim.PART.start(Config(port=0, options=options, clock=self.clock))
        return self._gateways[key].url

    async def _reply(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen = Seen(request.method, request.path, request.query_string, headers, await request.read())
        self.seen.append(seen)
        reply = self.replies.pop(0) if self.replies else fine()
        answer = reply(seen)
        return answer if isinstance(answer, web.StreamResponse) else await answer

    async def silent(self, _: Seen) -> web.StreamResponse:
        """A reply that does not come before the test ends."""
        await self.released.wait()
        return web.Response(status=200)

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        data: bytes | None = None,
        **values: Any,
    ) -> Answer:
        """Ask the gateway. `token` is an account's or a token's text, `key` one of KEYS, `body` is sent as JSON."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {await self.token(token) if len(token) < 40 else token}"
        if key is not None:
            sent["Ocp-Apim-Subscription-Key"] = KEYS.get(key, key)
        if body is not None:
            data = encoded(body)
            sent.setdefault("Content-Type", "application/json")
        url = await self.gateway(**values) + path
        skip = ("Content-Type",)
        content = _chunks(data) if data and len(data) > 1_000_000 else data
        async with self.session.request(method, url, headers=sent, data=content, skip_auto_headers=skip) as answer:
            found = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, found, await answer.read())

    async def token(self, account: str = "shopper", **order: Any) -> str:
        """An access token of an account, of the partner as itself, or bent as ordered (see localazure.entra)."""
        name = json.dumps([account, order], sort_keys=True)
        if name not in self._tokens:
            who: dict[str, Any] = {"account": account}
            if account == "partner":
                who = {"client": "partner", "act_as_client": True}
            async with self.session.post(f"{self._entra.url}/_local/tokens", json={**who, **order}) as answer:
                document = await answer.json()
                assert answer.status == 200, document
                self._tokens[name] = str(document["access_token"])
        return self._tokens[name]

    async def metrics(self) -> list[dict[str, Any]]:
        async with self.session.get(f"{await self.gateway()}/_local/metrics") as answer:
            return list((await answer.json())["metrics"])

    @property
    def last(self) -> Seen:
        return self.seen[-1]
