"""Items over the REST API: one by one, in batches, by queries, and the change feed.

Sources: "Azure Cosmos DB: REST API Reference"; the source of azure-cosmos 4.17.
"""

from __future__ import annotations

import json
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from aiohttp import web

from localazure.cosmos import requests
from localazure.cosmos.changes import Operation, Result
from localazure.cosmos.charges import feed
from localazure.cosmos.errors import BadRequest
from localazure.cosmos.model import Container
from localazure.cosmos.queries import Answer
from localazure.cosmos.requests import headers, item_response, list_response, partition_key
from localazure.cosmos.service import CONTAINER, Routes, Service

_LONGEST_WAIT = 60.0
_NO_PLAN = "the local server answers queries without a plan"
_TRIGGERS = ("x-ms-documentdb-pre-trigger-include", "x-ms-documentdb-post-trigger-include")


class Documents:
    """Handlers of items."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._account = service.account

    def routes(self) -> Routes:
        return [
            ("GET", f"{CONTAINER}/docs", self._read_feed),
            ("POST", f"{CONTAINER}/docs", self._post),
            ("GET", f"{CONTAINER}/docs/{{id}}", self._read_item),
            ("PUT", f"{CONTAINER}/docs/{{id}}", self._replace_item),
            ("PATCH", f"{CONTAINER}/docs/{{id}}", self._patch_item),
            ("DELETE", f"{CONTAINER}/docs/{{id}}", self._delete_item),
            ("POST", f"{CONTAINER}/operations/partitionkeydelete", self._delete_partition),
        ]

    async def _post(self, request: web.Request) -> web.StreamResponse:
        container = self._service.container(request)
        if requests.says(request, "x-ms-cosmos-is-batch-request"):
            return await self._batch(request, container)
        if requests.says(request, "x-ms-cosmos-is-query-plan-request"):
            raise BadRequest(_NO_PLAN)
        if requests.is_query(request):
            return await self._query(request, container)
        upsert = requests.says(request, "x-ms-documentdb-is-upsert")
        return await self._write(request, container, "Upsert" if upsert else "Create", await requests.body(request))

    async def _write(self, request: web.Request, container: Container, kind: str, document: Any) -> web.Response:
        given = request.headers
        if any(name in given for name in _TRIGGERS):
            raise BadRequest("triggers are not supported by the local server")
        operation = Operation(
            kind, request.match_info.get("id"), document, given.get("If-Match"), given.get("If-None-Match")
        )
        result = self._account.write(container, partition_key(request), operation)
        self._service.charge(request, kind.lower(), result.charge)
        if result.item is not None and given.get("Prefer") == "return=minimal":
            return web.Response(status=result.status, headers=headers(container, result.charge, result.item.etag))
        return item_response(container, result)

    async def _replace_item(self, request: web.Request) -> web.Response:
        return await self._write(request, self._service.container(request), "Replace", await requests.body(request))

    async def _patch_item(self, request: web.Request) -> web.Response:
        return await self._write(request, self._service.container(request), "Patch", await requests.body(request))

    async def _delete_item(self, request: web.Request) -> web.Response:
        return await self._write(request, self._service.container(request), "Delete", None)

    async def _delete_partition(self, request: web.Request) -> web.Response:
        container, key = self._service.container(request), partition_key(request)
        if key is None:
            raise BadRequest("x-ms-documentdb-partitionkey is needed to delete a partition's items")
        charge = self._account.delete_partition(container, key)
        self._service.charge(request, "delete-partition", charge)
        return web.Response(status=200, headers=headers(container, charge))

    async def _read_item(self, request: web.Request) -> web.Response:
        container, key = self._service.container(request), partition_key(request)
        if key is None:
            raise BadRequest("x-ms-documentdb-partitionkey is needed to read an item")
        result = self._account.read(container, key, request.match_info["id"])
        self._service.charge(request, "read", result.charge)
        assert result.item is not None, "a read without an item raises"
        if request.headers.get("If-None-Match") == result.item.etag:
            return web.Response(status=304, headers=headers(container, result.charge, result.item.etag))
        return item_response(container, result)

    async def _batch(self, request: web.Request, container: Container) -> web.Response:
        key = partition_key(request)
        if key is None:
            raise BadRequest("a batch needs a partition key")
        operations = requests.batch_operations(await requests.body(request))
        done, results = self._account.batch(container, key, operations)
        charge = sum(result.charge for result in results)
        self._service.charge(request, "batch" if done else "failed", charge)
        text = f"[{','.join(_batch_result(result) for result in results)}]"
        status = 200 if done else 207
        return web.Response(
            status=status, text=text, content_type="application/json", headers=headers(container, charge)
        )

    async def _query(self, request: web.Request, container: Container) -> web.Response:
        text, parameters = requests.question(await requests.body(request))
        answer = self._account.query(container, requests.part(request), text, parameters, requests.wanted(request))
        self._service.charge(request, "query", answer.charge)
        return _answered(container, answer)

    async def _read_feed(self, request: web.Request) -> web.StreamResponse:
        container = self._service.container(request)
        mode = request.headers.get("A-IM", "")
        if not mode:
            answer = self._account.read_all(container, requests.part(request), requests.wanted(request))
            self._service.charge(request, "read-all", answer.charge)
            return _answered(container, answer)
        if mode.lower() != "incremental feed":
            raise BadRequest(f"the change feed mode '{mode}' is not supported by the local server")
        return await self._change_feed(request, container)

    async def _change_feed(self, request: web.Request, container: Container) -> web.StreamResponse:
        part, size = requests.part(request), requests.wanted(request).size
        after = self._start_of_feed(request, container)
        found, lsn = self._account.changes(container, part, after, size)
        wait = requests.number(request, "x-localazure-wait-ms", 0)
        if not found and wait:
            await self._account.changed(container, min(wait / 1000, _LONGEST_WAIT))
            found, lsn = self._account.changes(container, part, after, size)
        texts = [f'{item.text[:-1]}, "_lsn": {item.lsn}}}' for item in found]
        charge = feed(sum(map(len, texts)))
        self._service.charge(request, "feed", charge)
        more = {"etag": f'"{lsn}"', "x-localazure-waited": "true"}
        if not found:
            return web.Response(status=304, headers={**headers(container, charge), **more})
        return list_response(container, "Documents", texts, charge, more)

    def _start_of_feed(self, request: web.Request, container: Container) -> int:
        place = request.headers.get("If-None-Match")
        if place == "*":
            return container.lsn
        if place is not None:
            try:
                return int(place.strip('"'))
            except ValueError as exc:
                raise BadRequest("If-None-Match is no place in this change feed") from exc
        since = request.headers.get("If-Modified-Since")
        if since is None:
            return 0
        try:
            moment = parsedate_to_datetime(since)
        except ValueError as exc:
            raise BadRequest("If-Modified-Since is not a date") from exc
        return self._account.lsn_at(container, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())


def _answered(container: Container, answer: Answer) -> web.Response:
    more = {} if answer.token is None else {"x-ms-continuation": answer.token}
    return list_response(container, "Documents", answer.texts, answer.charge, more)


def _batch_result(result: Result) -> str:
    described: dict[str, Any] = {"statusCode": result.status, "requestCharge": result.charge}
    if result.item is None:
        return json.dumps(described)
    described["eTag"] = result.item.etag
    return f'{json.dumps(described)[:-1]}, "resourceBody": {result.item.text}}}'
