"""What only the local server has, under `/_local`: charges to be read, faults to be ordered. Not signed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aiohttp import web

from localazure.cosmos import requests
from localazure.cosmos.answers import error_response, headers
from localazure.cosmos.errors import BadRequest, CosmosError
from localazure.cosmos.faults import Fault
from localazure.cosmos.service import Handler, Routes, Service
from localazure.faults import dropped

_SPLIT = {"database", "container", "range"}


class Local:
    """Handlers of the addresses under `/_local`, and what faults do to the others."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._faults = service.faults

    def routes(self) -> Routes:
        return [
            ("GET", "/_local/charges", self._charges),
            ("DELETE", "/_local/charges", self._reset_charges),
            ("GET", "/_local/faults", self._list_faults),
            ("POST", "/_local/faults", self._add_fault),
            ("DELETE", "/_local/faults", self._clear_faults),
            ("POST", "/_local/splits", self._split),
        ]

    async def handled(self, handler: Handler, request: web.Request) -> web.StreamResponse:
        """The handler's answer, unless a fault befalls the request."""
        if not self._faults:
            return await handler(request)
        database, container = self._service.names(request)
        fault = self._faults.take(database, container, requests.operation(request), request.method)
        if fault is None:
            return await handler(request)
        await self._service.clock.sleep(fault.latency)
        fails = fault.status or fault.disconnect
        if fault.carried_out or not fails:
            answer = await handler(request)
            if not fails:
                return answer
        return dropped(request) if fault.disconnect else _injected(fault)

    async def _charges(self, request: web.Request) -> web.Response:
        return web.json_response(self._service.account.ledger.report())

    async def _reset_charges(self, request: web.Request) -> web.Response:
        self._service.account.ledger.reset()
        return web.Response(status=204)

    async def _list_faults(self, request: web.Request) -> web.Response:
        return web.json_response([asdict(fault) for fault in self._faults.listed()])

    async def _add_fault(self, request: web.Request) -> web.Response:
        try:
            self._faults.add(await requests.body(request))
        except CosmosError as exc:
            return error_response(exc)
        return web.Response(status=204)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._faults.clear()
        return web.Response(status=204)

    async def _split(self, request: web.Request) -> web.Response:
        """Split one physical range, or the widest."""
        account = self._service.account
        try:
            database, name, number = _ordered(await requests.body(request))
            container = account.container(database, name)
            if number is None:
                account.split_to(container, len(container.ranges) + 1)
            elif number.isdecimal():
                account.split(container, int(number))
            else:
                raise BadRequest(f"there is no physical range {number!r}")
        except CosmosError as exc:
            return error_response(exc)
        return web.json_response({"ranges": [each.id for each in container.ranges]})


def _ordered(document: Any) -> tuple[str, str, str | None]:
    """The database, the container and the physical range of an order to split. Raises BadRequest."""
    if not isinstance(document, dict) or not {"database", "container"} <= document.keys() <= _SPLIT:
        raise BadRequest(f"a split is an object of {', '.join(sorted(_SPLIT))}; range may be left out")
    values = [document["database"], document["container"], document.get("range")]
    if not all(isinstance(value, str) for value in values if value is not None):
        raise BadRequest("database, container and range of a split are texts")
    return values[0], values[1], values[2]


def _injected(fault: Fault) -> web.Response:
    more = {"x-ms-retry-after-ms": str(fault.retry_after_ms)} if fault.retry_after_ms else {}
    if fault.substatus:
        more["x-ms-substatus"] = str(fault.substatus)
    document = {"code": str(fault.status), "message": "injected by a test"}
    return web.json_response(document, status=fault.status or 503, headers=headers(None, 0.0, more=more))
