"""What only the local server has, under `/_local`: charges to be read, faults to be ordered. Not signed."""

from __future__ import annotations

from aiohttp import web

from localazure.cosmos import requests
from localazure.cosmos.errors import CosmosError
from localazure.cosmos.faults import Fault
from localazure.cosmos.requests import error_response, headers
from localazure.cosmos.service import Handler, Routes, Service


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
        ]

    async def handled(self, handler: Handler, request: web.Request) -> web.StreamResponse:
        """The handler's answer, unless a fault befalls the request."""
        if not self._faults:
            return await handler(request)
        info = request.match_info
        operation = requests.operation(request)
        fault = self._faults.take(info.get("db", ""), info.get("coll", ""), operation, request.method)
        if fault is None:
            return await handler(request)
        await self._service.clock.sleep(fault.latency)
        fails = fault.status or fault.disconnect
        if fault.carried_out or not fails:
            answer = await handler(request)
            if not fails:
                return answer
        if fault.disconnect and request.transport is not None:
            request.transport.abort()
        return _injected(fault)

    async def _charges(self, request: web.Request) -> web.Response:
        return web.json_response(self._service.account.ledger.report())

    async def _reset_charges(self, request: web.Request) -> web.Response:
        self._service.account.ledger.reset()
        return web.Response(status=204)

    async def _list_faults(self, request: web.Request) -> web.Response:
        return web.json_response(self._faults.listed())

    async def _add_fault(self, request: web.Request) -> web.Response:
        try:
            self._faults.add(await requests.body(request))
        except CosmosError as exc:
            return error_response(exc)
        return web.Response(status=204)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._faults.clear()
        return web.Response(status=204)


def _injected(fault: Fault) -> web.Response:
    more = {"x-ms-retry-after-ms": str(fault.retry_after_ms)} if fault.retry_after_ms else {}
    if fault.substatus:
        more["x-ms-substatus"] = str(fault.substatus)
    document = {"code": str(fault.status), "message": "injected by a test"}
    return web.json_response(document, status=fault.status or 503, headers=headers(None, 0.0, **more))
