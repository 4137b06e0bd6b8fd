"""The task hub over HTTP: the management API that people use, and the addresses that the Python client calls.

Both are the same operations under the extension's path; the client's bindings carry the addresses.
Source: "HTTP APIs in Durable Functions", and `DurableOrchestrationClient` of azure-functions-durable 1.7.
"""

from __future__ import annotations

import json

from aiohttp import web

from localazure.durable import queries, representation, wire_entities
from localazure.durable.engine import TaskHub
from localazure.durable.guard import guarded
from localazure.durable.store import Place

PREFIX = "/runtime/webhooks/durabletask"
_LARGEST_PAGE = 1000
_UNDER_WAY = frozenset({"Pending", "Running", "Suspended"})


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
    table = [
        ("POST", f"{prefix}/orchestrators/{{name}}", api.create),
        ("POST", f"{prefix}/orchestrators/{{name}}/{{id}}", api.create),
        ("GET", f"{prefix}/instances", api.find),
        ("GET", f"{prefix}/instances/", api.find),
        ("DELETE", f"{prefix}/instances", api.purge_many),
        ("DELETE", f"{prefix}/instances/", api.purge_many),
        ("GET", instance, api.get),
        ("DELETE", instance, api.purge),
        ("POST", f"{instance}/raiseEvent/{{name}}", api.raise_event),
        ("POST", f"{instance}/terminate", api.terminate),
        ("POST", f"{instance}/suspend", api.suspend),
        ("POST", f"{instance}/resume", api.resume),
        ("POST", f"{instance}/rewind", api.rewind),
        ("POST", f"{instance}/restart", api.restart),
    ]
    of_instances = [web.route(method, path, guarded(handler)) for method, path, handler in table]
    return [*of_instances, *wire_entities.routes(hub, prefix)]


class _Api:
    def __init__(self, hub: TaskHub, prefix: str) -> None:
        self._hub = hub
        self._prefix = prefix

    async def create(self, request: web.Request) -> web.Response:
        body = await request.text()
        instance_id = self._hub.create(
            request.match_info["name"], request.match_info.get("id"), _unwrapped(body), request.query.get("version")
        )
        return self._started(request, instance_id)

    async def get(self, request: web.Request) -> web.Response:
        instance = self._hub.get(request.match_info["id"])
        show_input = queries.flag(request, "showInput", default=True)
        document = representation.status(instance, show_input)
        if queries.flag(request, "showHistory"):
            output = queries.flag(request, "showHistoryOutput")
            document["historyEvents"] = representation.history(instance, show_input, output)
        if instance.status in _UNDER_WAY:
            return web.json_response(document, status=202, headers={"Location": str(request.url), "Retry-After": "5"})
        failed = instance.status == "Failed" and queries.flag(request, "returnInternalServerErrorOnFailure")
        return web.json_response(document, status=500 if failed else 200)

    async def find(self, request: web.Request) -> web.Response:
        show_input = queries.flag(request, "showInput", default=True)
        size = queries.page_size(request, _LARGEST_PAGE)
        found = self._hub.find(queries.instances(request), queries.place(request), size + 1)
        page = found[:size]
        headers = queries.following(Place(page[-1].created, page[-1].id)) if len(found) > size else {}
        return web.json_response([representation.status(item, show_input) for item in page], headers=headers)

    async def purge(self, request: web.Request) -> web.Response:
        self._hub.purge(request.match_info["id"])
        return web.json_response({"instancesDeleted": 1})

    async def purge_many(self, request: web.Request) -> web.Response:
        if "createdTimeFrom" not in request.query:
            raise ValueError("Please provide value for 'createdTimeFrom' parameter.")
        doomed = [instance.id for instance in self._hub.find(queries.instances(request)) if instance.finished]
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

    async def rewind(self, request: web.Request) -> web.Response:
        self._hub.rewind(request.match_info["id"], request.query.get("reason", ""))
        return web.Response(status=202)

    async def restart(self, request: web.Request) -> web.Response:
        with_new_id = queries.flag(request, "restartWithNewInstanceId", default=True)
        return self._started(request, self._hub.restart(request.match_info["id"], with_new_id=with_new_id))

    def _started(self, request: web.Request, instance_id: str) -> web.Response:
        links = _links(f"{request.scheme}://{request.host}{self._prefix}/instances/{instance_id}")
        headers = {"Location": links["statusQueryGetUri"], "Retry-After": "10"}
        return web.json_response({"id": instance_id, **links}, status=202, headers=headers)


def _links(instance: str) -> dict[str, str]:
    return {
        "statusQueryGetUri": instance,
        "sendEventPostUri": f"{instance}/raiseEvent/{{eventName}}",
        "terminatePostUri": f"{instance}/terminate?reason={{text}}",
        "rewindPostUri": f"{instance}/rewind?reason={{text}}",
        "purgeHistoryDeleteUri": instance,
        "restartPostUri": f"{instance}/restart",
        "suspendPostUri": f"{instance}/suspend?reason={{text}}",
        "resumePostUri": f"{instance}/resume?reason={{text}}",
    }


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
