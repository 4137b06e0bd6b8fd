"""The account, databases, containers and their ranges over the REST API.

Sources: "Azure Cosmos DB: REST API Reference"; the source of azure-cosmos 4.17.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from localazure.cosmos import requests, rids, throughput
from localazure.cosmos.answers import headers, list_response
from localazure.cosmos.errors import BadRequest, PreconditionFailed
from localazure.cosmos.model import Container
from localazure.cosmos.physical import PhysicalRange
from localazure.cosmos.ranges import SPACE
from localazure.cosmos.service import CONTAINER, DATABASE, Routes, Service
from localazure.cosmos.sql.expressions import Bindings
from localazure.cosmos.sql.query import parse
from localazure.cosmos.store import Database

_LAST_WRITER = {"mode": "LastWriterWins", "conflictResolutionPath": "/_ts", "conflictResolutionProcedure": ""}

_ENGINE = {
    "allowNewKeywords": True, "maxJoinsPerSqlQuery": 10, "maxQueryRequestTimeoutFraction": 0.9,
    "maxSqlQueryInputLength": 524288, "maxUdfRefPerSqlQuery": 10, "queryMaxInMemorySortDocumentCount": -1000,
    "spatialMaxGeometryPointCount": 256, "sqlAllowNonFiniteNumbers": False, "sqlDisableOptimizationFlags": 0,
    "sqlQueryILDisableOptimizationFlags": 0, "clientDisableOptimisticDirectExecution": False,
    "queryEnableFullText": True, "queryEnableFullTextPreviewFeatures": False, "queryMaxFullTextScoreSearchTerms": 5,
    "queryMaxRrfArgumentCount": 100, "enableSpatialIndexing": True, "maxInExpressionItemsCount": 2147483647,
    "maxLogicalAndPerSqlQuery": 2147483647, "maxLogicalOrPerSqlQuery": 2147483647, "maxSpatialQueryCells": 2147483647,
    "sqlAllowAggregateFunctions": True, "sqlAllowGroupByClause": True, "sqlAllowLike": True, "sqlAllowSubQuery": True,
    "sqlAllowScalarSubQuery": True, "sqlAllowTop": True,
}  # fmt: skip
"""What the clients' own query engines are told, as a hosted account says it; .NET's ends its process without it."""


class Resources:
    """Handlers of what is not an item."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._account = service.account

    def routes(self) -> Routes:
        return [
            ("GET", "/", self._read_account),
            ("GET", "/dbs", self._list_databases),
            ("POST", "/dbs", self._create_database),
            ("GET", DATABASE, self._read_database),
            ("DELETE", DATABASE, self._drop_database),
            ("GET", f"{DATABASE}/colls", self._list_containers),
            ("POST", f"{DATABASE}/colls", self._create_container),
            ("GET", CONTAINER, self._read_container),
            ("PUT", CONTAINER, self._replace_container),
            ("DELETE", CONTAINER, self._drop_container),
            ("GET", f"{CONTAINER}/pkranges", self._ranges),
            ("GET", f"{CONTAINER}/conflicts", self._conflicts),
            ("POST", f"{CONTAINER}/conflicts", self._conflicts),
        ]

    async def _read_account(self, request: web.Request) -> web.Response:
        endpoint = f"{request.scheme}://{request.host}/"
        place = [{"name": "local", "databaseAccountEndpoint": endpoint}]
        return web.json_response(
            {
                "id": "localazure",
                "_self": "",
                "_rid": "localazure",
                "media": "//media/",
                "addresses": "//addresses/",
                "_dbs": "//dbs/",
                "writableLocations": place,
                "readableLocations": place,
                "enableMultipleWriteLocations": False,
                "userReplicationPolicy": {"asyncReplication": False, "minReplicaSetSize": 1, "maxReplicasetSize": 1},
                "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"},
                "systemReplicationPolicy": {"minReplicaSetSize": 1, "maxReplicasetSize": 1},
                "readPolicy": {"primaryReadCoefficient": 1, "secondaryReadCoefficient": 1},
                "queryEngineConfiguration": json.dumps(_ENGINE, separators=(",", ":")),
            },
            headers=headers(None, 0),
        )

    async def _list_databases(self, request: web.Request) -> web.Response:
        return self._listed(request, "", "Databases", self._databases())

    async def _create_database(self, request: web.Request) -> web.Response:
        document = await requests.body(request)
        if requests.is_query(request):
            return self._queried(request, "", "Databases", self._databases(), document)
        name = document.get("id") if isinstance(document, dict) else None
        made = _database(self._account.create_database(name, throughput.asked(request)))
        return web.json_response(made, status=201, headers=headers(None, 1.0, made["_etag"]))

    async def _read_database(self, request: web.Request) -> web.Response:
        found = _database(self._service.database(request))
        return web.json_response(found, headers=headers(None, 1.0, found["_etag"]))

    async def _drop_database(self, request: web.Request) -> web.Response:
        self._account.drop_database(self._service.database(request).id)
        return web.Response(status=204, headers=headers(None, 1.0))

    async def _list_containers(self, request: web.Request) -> web.Response:
        database = self._service.database(request)
        return self._listed(request, rids.database(database.number), "DocumentCollections", _containers(database))

    async def _create_container(self, request: web.Request) -> web.Response:
        document, database = await requests.body(request), self._service.database(request)
        if requests.is_query(request):
            rid = rids.database(database.number)
            return self._queried(request, rid, "DocumentCollections", _containers(database), document)
        made = self._account.create_container(database.id, document, throughput.asked(request))
        return _container_answer(made, 201)

    async def _read_container(self, request: web.Request) -> web.Response:
        return _container_answer(self._service.container(request), 200)

    async def _replace_container(self, request: web.Request) -> web.Response:
        old, document = self._service.container(request), await requests.body(request)
        if request.headers.get("If-Match") not in (None, "*", old.etag):
            raise PreconditionFailed("the container's ETag is another one")
        return _container_answer(self._account.replace_container(old.database, old.id, document), 200)

    async def _drop_container(self, request: web.Request) -> web.Response:
        old = self._service.container(request)
        self._account.drop_container(old.database, old.id)
        return web.Response(status=204, headers=headers(None, 1.0))

    async def _ranges(self, request: web.Request) -> web.Response:
        container = self._service.container(request)
        # the client reads on until it is told that nothing is new
        etag = f'"{max(each.number for each in container.ranges)}"'
        found = headers(container, 0, etag)
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=found)
        texts = [json.dumps(_range(container, each)) for each in container.ranges]
        return list_response(container.rid, "PartitionKeyRanges", texts, found)

    async def _conflicts(self, request: web.Request) -> web.Response:
        # one region writes, so there are none
        container = self._service.container(request)
        if request.method == "POST" and not requests.wanted(request).across:
            raise BadRequest("Cross partition query is required but disabled: say so, or name the partition key")
        return list_response(container.rid, "Conflicts", [], headers(container, 1.0))

    def _databases(self) -> list[dict[str, Any]]:
        return [_database(database) for database in self._account.databases.values()]

    def _queried(
        self, request: web.Request, rid: str, name: str, found: list[dict[str, Any]], document: Any
    ) -> web.Response:
        text, parameters = requests.question(document)
        return self._listed(
            request, rid, name, parse(text).run(found, Bindings(parameters, self._service.clock.time()))
        )

    def _listed(self, request: web.Request, rid: str, name: str, found: list[Any]) -> web.Response:
        """A page; its continuation is how many came before."""
        wanted = requests.wanted(request)
        if wanted.token and not wanted.token.isdecimal():
            raise BadRequest("x-ms-continuation is no continuation token of the local server")
        begin = int(wanted.token or 0)
        end = begin + wanted.size
        more = {"x-ms-continuation": str(end)} if end < len(found) else {}
        return list_response(rid, name, [json.dumps(value) for value in found[begin:end]], headers(None, 1.0), more)


def _database(database: Database) -> dict[str, Any]:
    rid = rids.database(database.number)
    return {
        "id": database.id,
        "_rid": rid,
        "_self": f"dbs/{rid}/",
        "_etag": f'"{database.ts:08x}-0000-0000-0000-{database.number:012x}"',
        "_colls": "colls/",
        "_users": "users/",
        "_ts": database.ts,
    }


def _containers(database: Database) -> list[dict[str, Any]]:
    return [_described(container) for container in database.containers.values()]


def _described(container: Container) -> dict[str, Any]:
    return {
        "conflictResolutionPolicy": _LAST_WRITER,
        **container.spec,
        "_rid": container.rid,
        "_ts": container.ts,
        "_self": container.link,
        "_etag": container.etag,
        "_docs": "docs/",
        "_sprocs": "sprocs/",
        "_triggers": "triggers/",
        "_udfs": "udfs/",
        "_conflicts": "conflicts/",
    }


def _container_answer(container: Container, status: int) -> web.Response:
    found = headers(container, 1.0, container.etag)
    found["x-ms-alt-content-path"] = container.path.partition("/colls/")[0]
    found["x-ms-content-path"] = rids.database(container.parent)
    return web.json_response(_described(container), status=status, headers=found)


def _range(container: Container, each: PhysicalRange) -> dict[str, Any]:
    rid = rids.physical_range(container.rid_bytes, each.number)
    return {
        "_rid": rid,
        "id": each.id,
        "_etag": f'"{each.number:08x}-0000-0000-0000-{container.number:012x}"',
        "minInclusive": each.span.least,
        "maxExclusive": each.span.most,
        "ridPrefix": each.number,
        "_self": f"{container.link}pkranges/{rid}/",
        "throughputFraction": (each.high - each.low) / SPACE,
        "status": "online",
        "parents": [str(number) for number in each.parents],
        "_ts": container.ts,
        "_lsn": each.lsn,
    }
