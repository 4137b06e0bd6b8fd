"""Entities over HTTP: signal one, read its state, list those that exist.

Source: "HTTP APIs in Durable Functions" and `HttpApiHandler` of the Durable extension. What is sent along reaches the
entity as it is: the Python client encodes it twice because the package decodes it twice, so others have to as well.
"""

from __future__ import annotations

import json

from aiohttp import web

from localazure.durable import queries, representation
from localazure.durable.engine import TaskHub
from localazure.durable.entity import EntityId
from localazure.durable.guard import guarded
from localazure.durable.store import Place

_LARGEST_PAGE = 100


def routes(hub: TaskHub, prefix: str) -> list[web.RouteDef]:
    """What is mounted beside the routes of instances."""
    api = _Api(hub)
    entity = f"{prefix}/entities/{{name}}/{{key}}"
    return [
        web.get(f"{prefix}/entities", guarded(api.find)),
        web.get(f"{prefix}/entities/", guarded(api.find)),
        web.get(f"{prefix}/entities/{{name}}", guarded(api.find)),
        web.get(f"{prefix}/entities/{{name}}/", guarded(api.find)),
        web.get(entity, guarded(api.read)),
        web.post(entity, guarded(api.signal)),
        web.delete(entity, guarded(api.delete)),
    ]


class _Api:
    def __init__(self, hub: TaskHub) -> None:
        self._hub = hub

    async def find(self, request: web.Request) -> web.Response:
        size = queries.page_size(request, _LARGEST_PAGE)
        since = queries.moment(request, "lastOperationTimeFrom", "")
        until = queries.moment(request, "lastOperationTimeTo", "~")
        name = request.match_info.get("name", "")
        found = self._hub.entities(name, since, until, queries.place(request), size + 1)
        page = found[:size]
        headers = queries.following(Place(page[-1].updated, str(page[-1].id))) if len(found) > size else {}
        show_state = queries.flag(request, "fetchState")
        return web.json_response([representation.entity_status(item, show_state) for item in page], headers=headers)

    async def read(self, request: web.Request) -> web.Response:
        entity = self._hub.entity(_named(request))
        return web.json_response(text=entity.state)

    async def signal(self, request: web.Request) -> web.Response:
        self._hub.signal_entity(_named(request), request.query.get("op", ""), await _input(request))
        return web.Response(status=202)

    async def delete(self, request: web.Request) -> web.Response:
        self._hub.signal_entity(_named(request), "delete", None)
        return web.Response(status=202)


def _named(request: web.Request) -> EntityId:
    return EntityId(request.match_info["name"], request.match_info["key"])


async def _input(request: web.Request) -> str | None:
    """The JSON that was sent; other content is a string. Raises ValueError."""
    body = await request.text()
    if not body:
        return None
    return json.dumps(json.loads(body) if request.content_type == "application/json" else body)
