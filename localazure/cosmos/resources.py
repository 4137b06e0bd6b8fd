"""The account, databases, containers and their ranges over the REST API.

Sources: "Azure Cosmos DB: REST API Reference"; the source of azure-cosmos 4.17.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from localazure.cosmos import requests
from localazure.cosmos.model import Container
from localazure.cosmos.requests import headers, list_response
from localazure.cosmos.service import CONTAINER, Routes, Service
from localazure.cosmos.sql.query import parse

_RANGE = {
    "id": "0", "_rid": "0", "minInclusive": "", "maxExclusive": "FF", "ridPrefix": 0, "throughputFraction": 1,
    "status": "online", "parents": [], "_etag": '"0"', "_self": "", "_ts": 0, "_lsn": 1,
}  # fmt: skip


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
            ("GET", "/dbs/{db}", self._read_database),
            ("DELETE", "/dbs/{db}", self._drop_database),
            ("GET", "/dbs/{db}/colls", self._list_containers),
            ("POST", "/dbs/{db}/colls", self._create_container),
            ("GET", CONTAINER, self._read_container),
            ("PUT", CONTAINER, self._replace_container),
            ("DELETE", CONTAINER, self._drop_container),
            ("GET", f"{CONTAINER}/pkranges", self._ranges),
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
                "queryEngineConfiguration": "{}",
            },
            headers=headers(None, 0),
        )

    async def _list_databases(self, request: web.Request) -> web.Response:
        return list_response(None, "Databases", [json.dumps(_database(name)) for name in self._account.databases], 1.0)

    async def _create_database(self, request: web.Request) -> web.Response:
        document = await requests.body(request)
        if requests.is_query(request):
            return self._queried("Databases", [_database(name) for name in self._account.databases], document)
        name: Any = document.get("id") if isinstance(document, dict) else None
        self._account.create_database(name)
        return web.json_response(_database(name), status=201, headers=headers(None, 1.0))

    async def _read_database(self, request: web.Request) -> web.Response:
        name = request.match_info["db"]
        self._account.database(name)
        return web.json_response(_database(name), headers=headers(None, 1.0))

    async def _drop_database(self, request: web.Request) -> web.Response:
        self._account.drop_database(request.match_info["db"])
        return web.Response(status=204, headers=headers(None, 1.0))

    async def _list_containers(self, request: web.Request) -> web.Response:
        found = self._account.database(request.match_info["db"]).values()
        return list_response(None, "DocumentCollections", [json.dumps(_described(item)) for item in found], 1.0)

    async def _create_container(self, request: web.Request) -> web.Response:
        document = await requests.body(request)
        if requests.is_query(request):
            found = [_described(item) for item in self._account.database(request.match_info["db"]).values()]
            return self._queried("DocumentCollections", found, document)
        container = self._account.create_container(request.match_info["db"], document)
        return web.json_response(_described(container), status=201, headers=headers(container, 1.0, '"0"'))

    async def _read_container(self, request: web.Request) -> web.Response:
        container = self._service.container(request)
        return web.json_response(_described(container), headers=headers(container, 1.0, '"0"'))

    async def _replace_container(self, request: web.Request) -> web.Response:
        info = request.match_info
        container = self._account.replace_container(info["db"], info["coll"], await requests.body(request))
        return web.json_response(_described(container), headers=headers(container, 1.0, '"0"'))

    async def _drop_container(self, request: web.Request) -> web.Response:
        self._account.drop_container(request.match_info["db"], request.match_info["coll"])
        return web.Response(status=204, headers=headers(None, 1.0))

    async def _ranges(self, request: web.Request) -> web.Response:
        container = self._service.container(request)
        # the client reads on until it is told that nothing is new
        if request.headers.get("If-None-Match"):
            return web.Response(status=304, headers=headers(container, 0, '"ranges"'))
        answer = list_response(container, "PartitionKeyRanges", [json.dumps(_RANGE)], 0)
        answer.headers["etag"] = '"ranges"'
        return answer

    def _queried(self, name: str, found: list[dict[str, Any]], document: Any) -> web.Response:
        text, parameters = requests.question(document)
        values = parse(text).run(found, parameters, self._service.clock.time())
        return list_response(None, name, [json.dumps(value) for value in values], 2.8)


def _database(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "_rid": name,
        "_self": f"dbs/{name}/",
        "_etag": '"0"',
        "_colls": "colls/",
        "_users": "users/",
        "_ts": 0,
    }


def _described(container: Container) -> dict[str, Any]:
    link = f"dbs/{container.database}/colls/{container.id}/"
    return {
        "indexingPolicy": {"indexingMode": "consistent", "automatic": True, "includedPaths": [{"path": "/*"}]},
        **container.spec,
        "_rid": f"rid-{container.number}",
        "_self": link,
        "_etag": '"0"',
        "_docs": "docs/",
        "_ts": 0,
    }
