"""Faults that a test orders of a part: those in force, and `/_local/faults`, where they are ordered and cleared.

What a fault is, each part says for itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import msgspec
from aiohttp import web

from localazure.json_text import read_as


class Counted(Protocol):
    """A fault. `count`: how many calls it strikes; `None`: every one, until it is cleared."""

    count: int | None


F = TypeVar("F", bound=Counted)


def read_order(text: bytes, kind: type[F], refusal: Callable[[str], Exception]) -> F:
    """The fault that JSON orders. Raises the part's own `refusal`, made of words that name what is wrong."""
    try:
        return read_as(text, kind)
    except ValueError as exc:
        raise refusal(f"the fault is malformed: {exc}") from exc


def never_strikes(fault: Counted) -> bool:
    """Whether its count leaves it no call."""
    return fault.count is not None and fault.count < 1


class Faults(Generic[F]):
    """The faults in force, the oldest first. They live as long as the process."""

    def __init__(self) -> None:
        self._faults: list[F] = []

    def __bool__(self) -> bool:
        return bool(self._faults)

    def listed(self) -> list[F]:
        return list(self._faults)

    def clear(self) -> None:
        self._faults.clear()

    def put(self, fault: F) -> F:
        """The fault, which is in force from now on."""
        self._faults.append(fault)
        return fault

    def strike(self, strikes: Callable[[F], bool]) -> F | None:
        """The oldest fault that strikes this call, used up once."""
        for fault in self._faults:
            if strikes(fault):
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count == 0:
                        self._faults.remove(fault)
                return fault
        return None


class Orderable(Protocol):
    """Faults that are ordered as JSON."""

    def order(self, text: bytes) -> object: ...

    def listed(self) -> object: ...

    def clear(self) -> None: ...


class Desk:
    """The requests at `/_local/faults`, and the calls that a fault keeps waiting."""

    def __init__(self, faults: Orderable) -> None:
        self._faults = faults
        self._released = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        path = "/_local/faults"
        return [web.post(path, self._order), web.get(path, self._list), web.delete(path, self._clear)]

    async def hang(self, request: web.Request) -> web.Response:
        """Wait until the faults are cleared or the part stops; the connection is then closed."""
        await self._released.wait()
        return dropped(request)

    def stop(self) -> None:
        """Let go of who waits."""
        self._released.set()

    async def _order(self, request: web.Request) -> web.Response:
        return _json(self._faults.order(await request.read()))

    async def _list(self, _request: web.Request) -> web.Response:
        return _json(self._faults.listed())

    async def _clear(self, _request: web.Request) -> web.Response:
        self._faults.clear()
        self._released.set()
        self._released = asyncio.Event()
        return _json([])


def dropped(request: web.Request) -> web.Response:
    """Close the connection; the response returned is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _json(content: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(content), content_type="application/json")
