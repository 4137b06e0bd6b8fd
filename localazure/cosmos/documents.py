"""Items over the REST API: one by one, by queries, and all of a partition.

Sources: "Azure Cosmos DB: REST API Reference"; the source of azure-cosmos 4.17.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from localazure.cosmos import charges, requests
from localazure.cosmos.answers import headers, item_headers, item_response, list_response
from localazure.cosmos.batches import Batches
from localazure.cosmos.changes import Operation
from localazure.cosmos.errors import BadRequest
from localazure.cosmos.feeds import Feeds
from localazure.cosmos.metrics import metrics
from localazure.cosmos.model import Container, FeedRange
from localazure.cosmos.planner.gateway import check
from localazure.cosmos.planner.plan import Layout, plan
from localazure.cosmos.queries import Answer
from localazure.cosmos.requests import partition_key
from localazure.cosmos.service import CONTAINER, Routes, Service

_COUNTS_DISTINCT = "DCount"
"""The feature of clients that count distinct results of several partitions."""
_NO_KEY = "PartitionKey value must be supplied for this operation."
_TRIGGERS = ("x-ms-documentdb-pre-trigger-include", "x-ms-documentdb-post-trigger-include")


class Documents:
    """Handlers of items."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._account = service.account
        self._batches = Batches(service)
        self._feeds = Feeds(service)

    def routes(self) -> Routes:
        item = f"{CONTAINER}/docs/{{id:[^/]+}}"
        return [
            ("GET", item, self._read_item),
            ("PUT", item, self._replace_item),
            ("PATCH", item, self._patch_item),
            ("DELETE", item, self._delete_item),
            ("GET", f"{CONTAINER}/docs", self._read_feed),
            ("POST", f"{CONTAINER}/docs", self._post),
            ("POST", f"{CONTAINER}/operations/partitionkeydelete", self._delete_partition),
        ]

    async def _post(self, request: web.Request) -> web.StreamResponse:
        container = self._service.container(request)
        if requests.says(request, "x-ms-cosmos-is-batch-request"):
            return await self._batches.answer(request, container)
        if requests.says(request, "x-ms-cosmos-is-query-plan-request"):
            return await self._plan(request, container)
        if requests.is_query(request):
            return await self._query(request, container)
        upsert = requests.says(request, "x-ms-documentdb-is-upsert")
        return await self._write(request, container, "Upsert" if upsert else "Create", await requests.body(request))

    async def _write(self, request: web.Request, container: Container, kind: str, document: Any) -> web.Response:
        given = request.headers
        if any(name in given for name in _TRIGGERS):
            raise BadRequest("triggers are not supported by the local server")
        key, item_id = partition_key(request, container), self._service.item_id(request, container)
        if key is None:
            raise BadRequest(_NO_KEY, 1001)
        operation = Operation(
            kind,
            item_id,
            document,
            given.get("If-Match"),
            given.get("If-None-Match"),
            request.content_length or 0,
        )
        result = self._account.write(container, key, operation)
        self._service.charge(container, kind.lower(), result.charge)
        if result.item is not None and given.get("Prefer") == "return=minimal":
            found = item_headers(container, result.charge, key, result.item)
            return web.Response(status=result.status, headers=found)
        return item_response(container, result, key)

    async def _replace_item(self, request: web.Request) -> web.Response:
        return await self._write(request, self._service.container(request), "Replace", await requests.body(request))

    async def _patch_item(self, request: web.Request) -> web.Response:
        return await self._write(request, self._service.container(request), "Patch", await requests.body(request))

    async def _delete_item(self, request: web.Request) -> web.Response:
        return await self._write(request, self._service.container(request), "Delete", None)

    async def _delete_partition(self, request: web.Request) -> web.Response:
        container = self._service.container(request)
        key = partition_key(request, container)
        if key is None:
            raise BadRequest("x-ms-documentdb-partitionkey is needed to delete a partition's items")
        charge = self._account.delete_partition(container, key)
        self._service.charge(container, "delete-partition", charge)
        return web.Response(status=200, headers=item_headers(container, charge, key, None))

    async def _read_item(self, request: web.Request) -> web.Response:
        container = self._service.container(request)
        key, item_id = partition_key(request, container), self._service.item_id(request, container)
        if key is None:
            raise BadRequest(_NO_KEY)
        assert item_id is not None, "the path has an id"
        result = self._account.read(container, key, item_id)
        self._service.charge(container, "read", result.charge)
        assert result.item is not None, "a read without an item raises"
        if request.headers.get("If-None-Match") == result.item.etag:
            return web.Response(status=304, headers=item_headers(container, result.charge, key, result.item))
        return item_response(container, result, key)

    async def _plan(self, request: web.Request, container: Container) -> web.Response:
        text, parameters = requests.question(await requests.body(request))
        features = request.headers.get("x-ms-cosmos-supported-query-features", _COUNTS_DISTINCT)
        found = plan(text, parameters, _layout(container), _COUNTS_DISTINCT in features)
        return web.json_response(found, headers=headers(container, charges.PLAN))

    async def _query(self, request: web.Request, container: Container) -> web.Response:
        document = await requests.body(request)
        text, parameters = requests.question(document)
        part, wanted = requests.part(request, container), requests.wanted(request)
        if self._service.needs_plans and wanted.across and requests.is_across(request):
            check(text, parameters, _layout(container))
        answer = self._account.query(container, part, text, parameters, wanted, requests.resume(document))
        self._service.charge(container, "query", answer.charge)
        return _answered(container, part, answer, metrics(request, text, answer))

    async def _read_feed(self, request: web.Request) -> web.StreamResponse:
        container = self._service.container(request)
        if request.headers.get("A-IM"):
            return await self._feeds.answer(request, container)
        part = requests.part(request, container)
        answer = self._account.read_all(container, part, requests.wanted(request))
        self._service.charge(container, "read-all", answer.charge)
        return _answered(container, part, answer, {})


def _layout(container: Container) -> Layout:
    return Layout(container.key_steps, container.hash_version)


def _answered(container: Container, part: FeedRange, answer: Answer, more: dict[str, str]) -> web.Response:
    if answer.token is not None:
        more = {**more, "x-ms-continuation": answer.token}
    if answer.descends is not None:
        told = {"reverseRidEnabled": False, "reverseIndexScan": answer.descends}
        more = {**more, "x-ms-cosmos-query-execution-info": json.dumps(told, separators=(",", ":"))}
    found = headers(container, answer.charge, None, container.ranges_of(part))
    return list_response(container.rid, "Documents", answer.texts, found, more)
