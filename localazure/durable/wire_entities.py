"""Entities over HTTP: signal one, read its state, list those that exist.

What is sent along reaches the entity as it is: the Python client encodes it twice because the package decodes it
twice, so others have to as well.
Source: "HTTP APIs in Durable Functions" and `HttpApiHandler` of the Durable extension.
"""

from __future__ import annotations

from aiohttp import web

from localazure import newtonsoft
from localazure.durable import answers, queries, representation
from localazure.durable.engine import TaskHub
from localazure.durable.entity import EntityId
from localazure.durable.errors import InvalidId, UnknownEntity
from localazure.durable.queries import Query

_PAGE, _MAX_PAGE = 100, 1000
_EMPTY_KEY = "$"


class EntityApi:
    """What stands below `entities`."""

    def __init__(self, hub: TaskHub) -> None:
        self._hub = hub

    async def answer(self, request: web.Request, query: Query, rest: list[str]) -> web.Response:
        name, key = (*rest, "", "")[:2]
        if len(rest) > 2:
            return answers.empty(404)
        match request.method:
            case "GET" if key:
                return self._read(EntityId(name, "" if key == _EMPTY_KEY else key))
            case "GET":
                return self._find(request, query, name)
            case "POST":
                return await self._signal(request, EntityId(name, key), query.text("op") or "")
            case "DELETE":
                return await self._signal(request, EntityId(name, key), "delete")
        return answers.empty(404)

    def _find(self, request: web.Request, query: Query, name: str) -> web.Response:
        size = query.page_size(_PAGE, _MAX_PAGE)
        since, until = query.moment("lastOperationTimeFrom") or "", query.moment("lastOperationTimeTo") or "~"
        first = queries.begins(request.headers.get(queries.CONTINUATION))
        found = self._hub.entities(name, since, until, first, size + 1)
        headers = queries.following(str(found[size].id)) if len(found) > size else {}
        show_state = query.flag("fetchState")
        return answers.document([representation.entity_status(item, show_state) for item in found[:size]], 200, headers)

    def _read(self, identifier: EntityId) -> web.Response:
        entity = self._hub.entity(identifier)
        return answers.document(representation.loaded(entity.state))

    async def _signal(self, request: web.Request, target: EntityId, operation: str) -> web.Response:
        try:
            self._hub.signal_entity(target, operation, await _input(request))
        except newtonsoft.JsonReaderException as exc:
            return answers.error(f"Could not parse JSON content: {exc}", 400)
        except (UnknownEntity, InvalidId) as exc:
            return answers.error(str(exc), 400)
        return answers.empty(202)


async def _input(request: web.Request) -> str | None:
    """The JSON that was sent; other content is a string. Raises JsonReaderException."""
    body = (await request.read()).decode("utf-8", "replace")
    if not body:
        return None
    is_json = request.content_type.lower() == "application/json"
    return newtonsoft.written(newtonsoft.read(body, whole=False) if is_json else body)
