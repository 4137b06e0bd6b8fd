"""The REST API of Cosmos DB for NoSQL, as the official Python client speaks it.

Sources: "Azure Cosmos DB: REST API Reference"; the source of azure-cosmos 4.17.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from localazure.cosmos import EMULATOR_KEY, requests
from localazure.cosmos.charges import FAILED_WRITE, feed
from localazure.cosmos.engine import Account, Operation, Result
from localazure.cosmos.errors import BadRequest, Conflict, CosmosError, NotFound, TooLarge
from localazure.cosmos.faults import Fault, Faults
from localazure.cosmos.model import Container
from localazure.cosmos.queries import Answer
from localazure.cosmos.requests import error_response, headers, item_response, list_response, partition_key
from localazure.cosmos.signing import Signatures
from localazure.part import HOST, Config

PURGE_INTERVAL = 30.0
_LONGEST_WAIT = 60.0
_NO_PLAN = "the local server answers queries without a plan"
_RANGE = {
    "id": "0", "_rid": "0", "minInclusive": "", "maxExclusive": "FF", "ridPrefix": 0, "throughputFraction": 1,
    "status": "online", "parents": [], "_etag": '"0"', "_self": "", "_ts": 0, "_lsn": 1,
}  # fmt: skip

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CosmosServer:
    """The account on a port."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._account = Account(config.file("cosmos.db"), config.clock)
        self._signatures = Signatures(config.options.get("key") or EMULATOR_KEY)
        self._faults = Faults()
        self._purging: asyncio.Task[None] | None = None
        self._runner: web.AppRunner | None = None
        self.port = 0
        if declared := config.options.get("containers"):
            _declare(self._account, Path(declared))

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    async def start(self) -> None:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.add_routes(
            [
                web.get("/", self._guarded(self._read_account)),
                web.get("/dbs{_:/?}", self._guarded(self._list_databases)),
                web.post("/dbs{_:/?}", self._guarded(self._create_database)),
                web.get("/dbs/{db}{_:/?}", self._guarded(self._read_database)),
                web.delete("/dbs/{db}{_:/?}", self._guarded(self._drop_database)),
                web.get("/dbs/{db}/colls{_:/?}", self._guarded(self._list_containers)),
                web.post("/dbs/{db}/colls{_:/?}", self._guarded(self._create_container)),
                web.get("/dbs/{db}/colls/{coll}{_:/?}", self._guarded(self._read_container)),
                web.put("/dbs/{db}/colls/{coll}{_:/?}", self._guarded(self._replace_container)),
                web.delete("/dbs/{db}/colls/{coll}{_:/?}", self._guarded(self._drop_container)),
                web.get("/dbs/{db}/colls/{coll}/pkranges{_:/?}", self._guarded(self._ranges)),
                web.get("/dbs/{db}/colls/{coll}/docs{_:/?}", self._guarded(self._read_feed)),
                web.post("/dbs/{db}/colls/{coll}/docs{_:/?}", self._guarded(self._post)),
                web.get("/dbs/{db}/colls/{coll}/docs/{id}{_:/?}", self._guarded(self._read_item)),
                web.put("/dbs/{db}/colls/{coll}/docs/{id}{_:/?}", self._guarded(self._replace_item)),
                web.patch("/dbs/{db}/colls/{coll}/docs/{id}{_:/?}", self._guarded(self._patch_item)),
                web.delete("/dbs/{db}/colls/{coll}/docs/{id}{_:/?}", self._guarded(self._delete_item)),
                web.post(
                    "/dbs/{db}/colls/{coll}/operations/partitionkeydelete{_:/?}", self._guarded(self._delete_partition)
                ),
                web.get("/_local/charges", self._charges),
                web.delete("/_local/charges", self._reset_charges),
                web.post("/_local/faults", self._add_fault),
                web.get("/_local/faults", self._list_faults),
                web.delete("/_local/faults", self._clear_faults),
            ]
        )
        app.router.add_route("*", "/{path:.*}", self._guarded(self._unknown))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        listening = socket.create_server((HOST, self._config.port), backlog=1024)
        self.port = int(listening.getsockname()[1])
        await web.SockSite(self._runner, listening).start()
        self._purging = asyncio.get_running_loop().create_task(self._purge())

    async def stop(self) -> None:
        if self._purging is not None:
            self._purging.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._purging
        if self._runner is not None:
            await self._runner.cleanup()
        self._account.close()

    async def _purge(self) -> None:
        while True:
            await self._config.clock.sleep(PURGE_INTERVAL)
            self._account.purge()

    def _guarded(self, handler: Handler) -> Handler:
        """`handler`, for signed requests, with the account's refusals as the client wants them."""

        async def guard(request: web.Request) -> web.StreamResponse:
            try:
                self._signatures.check(
                    request.headers.get("authorization", ""),
                    request.method,
                    request.rel_url.raw_path,
                    request.headers.get("x-ms-date", ""),
                )
                fault = self._fault(request)
                if fault is None:
                    return await handler(request)
                return await self._faulty(fault, handler, request)
            except CosmosError as exc:
                self._charge(request, "failed", FAILED_WRITE)
                return error_response(exc)
            except web.HTTPRequestEntityTooLarge:
                return error_response(TooLarge("the request is too large"))

        return guard

    def _fault(self, request: web.Request) -> Fault | None:
        if not self._faults:
            return None
        info = request.match_info
        return self._faults.take(info.get("db", ""), info.get("coll", ""), requests.operation(request), request.method)

    async def _faulty(self, fault: Fault, handler: Handler, request: web.Request) -> web.StreamResponse:
        await self._config.clock.sleep(fault.latency)
        if fault.carried_out or not (fault.status or fault.disconnect):
            answer = await handler(request)
            if not (fault.status or fault.disconnect):
                return answer
        if fault.disconnect and request.transport is not None:
            request.transport.abort()
        return _injected(fault)

    def _container(self, request: web.Request) -> Container:
        return self._account.container(request.match_info["db"], request.match_info["coll"])

    def _charge(self, request: web.Request, operation: str, units: float) -> None:
        info = request.match_info
        if "coll" in info:
            self._account.ledger.add(info["db"], info["coll"], operation, units)

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
            names = [_database(name) for name in self._account.databases]
            return list_response(None, "Databases", _queried(names, document, self._config.clock.time()), 2.8)
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
            return list_response(None, "DocumentCollections", _queried(found, document, self._config.clock.time()), 2.8)
        container = self._account.create_container(request.match_info["db"], document)
        return web.json_response(_described(container), status=201, headers=headers(container, 1.0, '"0"'))

    async def _read_container(self, request: web.Request) -> web.Response:
        container = self._container(request)
        return web.json_response(_described(container), headers=headers(container, 1.0, '"0"'))

    async def _replace_container(self, request: web.Request) -> web.Response:
        info = request.match_info
        container = self._account.replace_container(info["db"], info["coll"], await requests.body(request))
        return web.json_response(_described(container), headers=headers(container, 1.0, '"0"'))

    async def _drop_container(self, request: web.Request) -> web.Response:
        self._account.drop_container(request.match_info["db"], request.match_info["coll"])
        return web.Response(status=204, headers=headers(None, 1.0))

    async def _ranges(self, request: web.Request) -> web.Response:
        container = self._container(request)
        # the client reads on until it is told that nothing is new
        if request.headers.get("If-None-Match"):
            return web.Response(status=304, headers=headers(container, 0, '"ranges"'))
        answer = list_response(container, "PartitionKeyRanges", [json.dumps(_RANGE)], 0)
        answer.headers["etag"] = '"ranges"'
        return answer

    async def _post(self, request: web.Request) -> web.StreamResponse:
        container = self._container(request)
        if requests.says(request, "x-ms-cosmos-is-batch-request"):
            return await self._batch(request, container)
        if requests.says(request, "x-ms-cosmos-is-query-plan-request"):
            raise BadRequest(_NO_PLAN)
        if requests.is_query(request):
            return await self._query(request, container)
        upsert = requests.says(request, "x-ms-documentdb-is-upsert")
        return await self._write(request, container, "Upsert" if upsert else "Create", await requests.body(request))

    async def _write(self, request: web.Request, container: Container, kind: str, document: Any) -> web.Response:
        operation = Operation(
            kind,
            request.match_info.get("id"),
            document,
            request.headers.get("If-Match"),
            request.headers.get("If-None-Match"),
        )
        result = self._account.write(container, partition_key(request), operation)
        self._charge(request, kind.lower(), result.charge)
        if result.item is not None and request.headers.get("Prefer") == "return=minimal":
            return web.Response(status=result.status, headers=headers(container, result.charge, result.item.etag))
        return item_response(container, result)

    async def _replace_item(self, request: web.Request) -> web.Response:
        return await self._write(request, self._container(request), "Replace", await requests.body(request))

    async def _patch_item(self, request: web.Request) -> web.Response:
        return await self._write(request, self._container(request), "Patch", await requests.body(request))

    async def _delete_item(self, request: web.Request) -> web.Response:
        return await self._write(request, self._container(request), "Delete", None)

    async def _delete_partition(self, request: web.Request) -> web.Response:
        container, key = self._container(request), partition_key(request)
        if key is None:
            raise BadRequest("x-ms-documentdb-partitionkey is needed to delete a partition's items")
        charge = self._account.delete_partition(container, key)
        self._charge(request, "delete-partition", charge)
        return web.Response(status=200, headers=headers(container, charge))

    async def _read_item(self, request: web.Request) -> web.Response:
        container, key = self._container(request), partition_key(request)
        if key is None:
            raise BadRequest("x-ms-documentdb-partitionkey is needed to read an item")
        result = self._account.read(container, key, request.match_info["id"])
        self._charge(request, "read", result.charge)
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
        self._charge(request, "batch" if done else "failed", charge)
        text = f"[{','.join(_batch_result(result) for result in results)}]"
        status = 200 if done else 207
        return web.Response(
            status=status, text=text, content_type="application/json", headers=headers(container, charge)
        )

    async def _query(self, request: web.Request, container: Container) -> web.Response:
        document = await requests.body(request)
        text, parameters = _question(document)
        answer = self._account.query(container, requests.part(request), text, parameters, requests.wanted(request))
        self._charge(request, "query", answer.charge)
        return _answered(container, answer)

    async def _read_feed(self, request: web.Request) -> web.StreamResponse:
        container = self._container(request)
        mode = request.headers.get("A-IM", "")
        if not mode:
            return self._read_all(request, container)
        if mode.lower() != "incremental feed":
            raise BadRequest(f"the change feed mode '{mode}' is not supported by the local server")
        return await self._change_feed(request, container)

    async def _change_feed(self, request: web.Request, container: Container) -> web.StreamResponse:
        part, size = requests.part(request), requests.wanted(request).size
        after = self._start_of_feed(request, container)
        found, lsn = self._account.changes(container, part, after, size)
        if not found and (wait := int(request.headers.get("x-localazure-wait-ms", "0"))):
            await self._account.changed(container, min(wait / 1000, _LONGEST_WAIT))
            found, lsn = self._account.changes(container, part, after, size)
        texts = [item.text for item in found]
        charge = feed(sum(map(len, texts)))
        self._charge(request, "feed", charge)
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

    def _read_all(self, request: web.Request, container: Container) -> web.Response:
        answer = self._account.read_all(container, requests.part(request), requests.wanted(request))
        self._charge(request, "read-all", answer.charge)
        return _answered(container, answer)

    async def _unknown(self, request: web.Request) -> web.Response:
        raise NotFound(f"{request.method} {request.path} is not supported by the local server")

    async def _charges(self, request: web.Request) -> web.Response:
        return web.json_response(self._account.ledger.report())

    async def _reset_charges(self, request: web.Request) -> web.Response:
        self._account.ledger.reset()
        return web.Response(status=204)

    async def _add_fault(self, request: web.Request) -> web.Response:
        try:
            self._faults.add(await requests.body(request))
        except CosmosError as exc:
            return error_response(exc)
        return web.Response(status=204)

    async def _list_faults(self, request: web.Request) -> web.Response:
        return web.json_response(self._faults.listed())

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._faults.clear()
        return web.Response(status=204)


async def start(config: Config) -> CosmosServer:
    """Open the account and serve it. Raises OSError for a port in use, ValueError for a bad containers file."""
    server = CosmosServer(config)
    await server.start()
    return server


def _declare(account: Account, path: Path) -> None:
    try:
        declared = json.loads(path.read_text())["databases"]
    except (OSError, ValueError, LookupError, TypeError) as exc:
        raise ValueError(f"{path} does not declare databases and containers: {exc}") from exc
    for database in declared:
        with contextlib.suppress(Conflict):
            account.create_database(database["id"])
        for container in database["containers"]:
            paths = {"paths": [container["partitionKey"]], "kind": "Hash", "version": 2}
            with contextlib.suppress(Conflict):
                account.create_container(database["id"], {**container, "partitionKey": paths})


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


def _question(document: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(document, dict) or not isinstance(document.get("query"), str):
        raise BadRequest("a query is an object with the property query")
    given = document.get("parameters") or []
    return document["query"], {parameter["name"]: parameter.get("value") for parameter in given}


def _queried(documents: list[dict[str, Any]], question: Any, now: float) -> list[str]:
    from localazure.cosmos.sql.query import parse

    text, parameters = _question(question)
    return [json.dumps(value) for value in parse(text).run(documents, parameters, now)]


def _answered(container: Container, answer: Answer) -> web.Response:
    more = {} if answer.token is None else {"x-ms-continuation": answer.token}
    return list_response(container, "Documents", answer.texts, answer.charge, more)


def _batch_result(result: Result) -> str:
    described: dict[str, Any] = {"statusCode": result.status, "requestCharge": result.charge}
    if result.item is None:
        return json.dumps(described)
    described["eTag"] = result.item.etag
    return f'{json.dumps(described)[:-1]}, "resourceBody": {result.item.text}}}'


def _injected(fault: Fault) -> web.Response:
    more = {"x-ms-retry-after-ms": str(fault.retry_after_ms)} if fault.retry_after_ms else {}
    if fault.substatus:
        more["x-ms-substatus"] = str(fault.substatus)
    document = {"code": str(fault.status), "message": "injected by a test"}
    return web.json_response(document, status=fault.status or 503, headers=headers(None, 0.0, **more))
