"""The task hub over HTTP: the management API that people use, and the addresses that the Python client calls.

Both are the same operations under the extension's path; the client's bindings carry the addresses.
Source: "HTTP APIs in Durable Functions", and `DurableOrchestrationClient` of azure-functions-durable 1.7.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiohttp import web

from localazure.durable.engine import TaskHub
from localazure.durable.errors import (
    DurableError,
    InstanceFinished,
    InstanceRunning,
    UnknownInstance,
    UnknownOrchestrator,
)
from localazure.durable.model import NAMES, EventType, HistoryEvent, Instance, Status

PREFIX = "/runtime/webhooks/durabletask"
_LARGEST_PAGE = 1000
_STATUSES = {"Running", "Pending", "Failed", "Completed", "Terminated", "Suspended"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def client_binding(hub: TaskHub, base_url: str, prefix: str = PREFIX) -> str:
    """The JSON a `durableClient` parameter is given. `base_url` is the host's, without a slash at its end."""
    root = f"{base_url}{prefix}"
    instance = f"{root}/instances/INSTANCEID"
    return json.dumps(
        {
            "taskHubName": hub.name,
            "creationUrls": {
                "createNewInstancePostUri": f"{root}/orchestrators/{{functionName}}[/{{instanceId}}]",
                "createAndWaitOnNewInstancePostUri": f"{root}/orchestrators/{{functionName}}[/{{instanceId}}]",
            },
            "managementUrls": {"id": "INSTANCEID", **_links(instance)},
            "baseUrl": root,
            "rpcBaseUrl": f"{root}/",
        }
    )


def routes(hub: TaskHub, prefix: str = PREFIX) -> list[web.RouteDef]:
    """What the functions host mounts."""
    api = _Api(hub, prefix)
    instance = f"{prefix}/instances/{{id}}"
    return [
        web.post(f"{prefix}/orchestrators/{{name}}", api.guarded(api.create)),
        web.post(f"{prefix}/orchestrators/{{name}}/{{id}}", api.guarded(api.create)),
        web.get(f"{prefix}/instances", api.guarded(api.find)),
        web.get(f"{prefix}/instances/", api.guarded(api.find)),
        web.delete(f"{prefix}/instances", api.guarded(api.purge_many)),
        web.delete(f"{prefix}/instances/", api.guarded(api.purge_many)),
        web.get(instance, api.guarded(api.get)),
        web.delete(instance, api.guarded(api.purge)),
        web.post(f"{instance}/raiseEvent/{{name}}", api.guarded(api.raise_event)),
        web.post(f"{instance}/terminate", api.guarded(api.terminate)),
        web.post(f"{instance}/suspend", api.guarded(api.suspend)),
        web.post(f"{instance}/resume", api.guarded(api.resume)),
        web.post(f"{instance}/rewind", api.guarded(api.refuse)),
        web.post(f"{instance}/restart", api.guarded(api.refuse)),
        web.route("*", f"{prefix}/entities/{{rest:.*}}", api.guarded(api.refuse)),
    ]


class _Api:
    def __init__(self, hub: TaskHub, prefix: str) -> None:
        self._hub = hub
        self._prefix = prefix

    def guarded(self, handler: Handler) -> Handler:
        """`handler`, with the hub's refusals as HTTP statuses."""

        async def guard(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except UnknownInstance as exc:
                return web.json_response({"Message": str(exc)}, status=404)
            except InstanceFinished as exc:
                return web.json_response({"Message": str(exc)}, status=410)
            except InstanceRunning as exc:
                return web.json_response({"Message": str(exc)}, status=409)
            except UnknownOrchestrator as exc:
                return web.json_response({"Message": "", "ExceptionMessage": str(exc)}, status=400)
            except (DurableError, ValueError) as exc:
                return web.json_response({"Message": str(exc), "ExceptionMessage": str(exc)}, status=400)

        return guard

    async def create(self, request: web.Request) -> web.Response:
        body = await request.text()
        instance_id = self._hub.create(
            request.match_info["name"], request.match_info.get("id"), _unwrapped(body), request.query.get("version")
        )
        root = f"{request.scheme}://{request.host}{self._prefix}"
        links = _links(f"{root}/instances/{instance_id}")
        location = links["statusQueryGetUri"]
        return web.json_response(
            {"id": instance_id, **links}, status=202, headers={"Location": location, "Retry-After": "10"}
        )

    async def get(self, request: web.Request) -> web.Response:
        instance = self._hub.get(request.match_info["id"])
        document = _status(instance, _flag(request, "showInput", default=True))
        if _flag(request, "showHistory"):
            output = _flag(request, "showHistoryOutput")
            document["historyEvents"] = document["history"] = [_public(item, output) for item in instance.history]
        code = 202 if instance.status in ("Pending", "Running", "Suspended") else 200
        if instance.status == "Failed" and _flag(request, "returnInternalServerErrorOnFailure"):
            code = 500
        return web.json_response(document, status=code)

    async def find(self, request: web.Request) -> web.Response:
        show_input = _flag(request, "showInput", default=True)
        most = int(request.query.get("top", str(_LARGEST_PAGE)))
        after = int(request.headers.get("x-ms-continuation-token", "0"))
        found = self._query(request)
        page = found[after : after + most]
        headers = {"x-ms-continuation-token": str(after + most)} if len(found) > after + most else {}
        return web.json_response([_status(instance, show_input) for instance in page], headers=headers)

    async def purge(self, request: web.Request) -> web.Response:
        self._hub.purge(request.match_info["id"])
        return web.json_response({"instancesDeleted": 1})

    async def purge_many(self, request: web.Request) -> web.Response:
        doomed = [instance.id for instance in self._query(request) if instance.finished]
        for instance_id in doomed:
            self._hub.purge(instance_id)
        return web.json_response({"instancesDeleted": len(doomed)}, status=200 if doomed else 404)

    async def raise_event(self, request: web.Request) -> web.Response:
        if request.can_read_body and request.content_type != "application/json":
            raise ValueError("Only application/json request content is supported")
        body = await request.text()
        self._hub.raise_event(request.match_info["id"], request.match_info["name"], _unwrapped(body))
        return web.Response(status=202)

    async def terminate(self, request: web.Request) -> web.Response:
        self._hub.terminate(request.match_info["id"], request.query.get("reason", ""))
        return web.Response(status=202)

    async def suspend(self, request: web.Request) -> web.Response:
        self._hub.suspend(request.match_info["id"], request.query.get("reason", ""))
        return web.Response(status=202)

    async def resume(self, request: web.Request) -> web.Response:
        self._hub.resume(request.match_info["id"], request.query.get("reason", ""))
        return web.Response(status=202)

    async def refuse(self, request: web.Request) -> web.Response:
        feature = "entities" if "/entities/" in request.path else request.path.rpartition("/")[2]
        return web.json_response({"Message": f"{feature} is not supported by the local task hub"}, status=501)

    def _query(self, request: web.Request) -> list[Instance]:
        named = [name for name in request.query.get("runtimeStatus", "").split(",") if name]
        if unknown := set(named) - _STATUSES:
            raise ValueError(f"unknown runtimeStatus {', '.join(sorted(unknown))}")
        return self._hub.find(
            cast("list[Status]", named),
            request.query.get("createdTimeFrom", ""),
            request.query.get("createdTimeTo", "~"),
            request.query.get("instanceIdPrefix", ""),
        )


def _links(instance: str) -> dict[str, str]:
    return {
        "statusQueryGetUri": instance,
        "sendEventPostUri": f"{instance}/raiseEvent/{{eventName}}",
        "terminatePostUri": f"{instance}/terminate?reason={{text}}",
        "purgeHistoryDeleteUri": instance,
        "suspendPostUri": f"{instance}/suspend?reason={{text}}",
        "resumePostUri": f"{instance}/resume?reason={{text}}",
    }


def _flag(request: web.Request, name: str, default: bool = False) -> bool:
    text = request.query.get(name)
    return default if text is None else text.lower() == "true"


def _status(instance: Instance, show_input: bool) -> dict[str, Any]:
    return {
        "name": instance.name,
        "instanceId": instance.id,
        "runtimeStatus": instance.status,
        "input": _loaded(instance.input) if show_input else None,
        "customStatus": instance.custom_status,
        "output": _loaded(instance.output),
        "createdTime": instance.created,
        "lastUpdatedTime": instance.updated,
    }


def _public(item: HistoryEvent, output: bool) -> dict[str, Any]:
    shown = {name: value for name, value in item.items() if name not in ("IsPlayed", "EventId", "Input", "Result")}
    if output:
        shown |= {name: _loaded(item[name]) for name in ("Input", "Result") if name in item}
    return {**shown, "EventType": NAMES[EventType(item["EventType"])]}


def _unwrapped(body: str) -> str | None:
    """The JSON that was sent. The Python client encodes twice: a string that holds JSON stands for that JSON.

    Raises ValueError for a body that is no JSON.
    """
    if not body:
        return None
    value = json.loads(body)
    if isinstance(value, str):
        try:
            json.loads(value)
        except ValueError:
            return body
        return value
    return body


def _loaded(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
