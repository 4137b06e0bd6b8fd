"""One Cosmos DB client a process, created on first use, and the few operations that stores are built from.

Every SDK error is translated here, once:

AlreadyExists   409  an item with this id is already in the partition
ItemNotFound    404
ConditionFailed 412  the ETag or the patch condition no longer holds
Transient       408, 429, 449, 5xx, or no answer at all
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError

from shared.errors import Conflict, Contention, NotFound, Transient
from shared.faultpoints import crash_point
from shared.identity import own_credential
from shared.settings import COSMOS_CONNECTION, settings
from shared.telemetry.span import COSMOS, dependency, under_way

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy, CosmosClient

    from shared.declaration import Service

Document = dict[str, Any]
Operation = tuple[str, tuple[Any, ...], dict[str, Any]]
T = TypeVar("T")

_TRANSIENT = frozenset({408, 410, 429, 449, 500, 502, 503, 504})
_ANSWERS = frozenset({404, 409, 412})
"""Statuses that answer a question: there is none, there is one already, it has changed."""
_client: CosmosClient | None = None


class AlreadyExists(Conflict):
    """An item with this id is already there."""


class ItemNotFound(NotFound):
    """The item that was to be changed is not there."""


class ConditionFailed(Contention):
    """A condition on the item no longer holds: someone else was faster, or it never did."""


def create(document: Document) -> Operation:
    """Batch operation: the item must be new."""
    return ("create", (document,), {})


def replace(document: Document, etag: str) -> Operation:
    """Batch operation: the item must still be as it was read."""
    return ("replace", (document["id"], document), {"if_match_etag": etag})


def patch(
    item_id: str, changes: Sequence[dict[str, Any]], condition: str | None = None, etag: str | None = None
) -> Operation:
    """Batch operation: change fields in place, if `condition` (`from c where …`) holds and the item is still at `etag`.
    At most 10 changes."""
    options = {"filter_predicate": condition, "if_match_etag": etag}
    return ("patch", (item_id, list(changes)), {name: value for name, value in options.items() if value})


def upsert(document: Document) -> Operation:
    """Batch operation: the item is there afterwards as it is given, and in the change feed once more."""
    return ("upsert", (document,), {})


def delete(item_id: str, etag: str | None = None) -> Operation:
    """Batch operation: the item must be there, still as it was read where an `etag` says so, and is then gone."""
    return ("delete", (item_id,), {} if etag is None else {"if_match_etag": etag})


@dataclass(frozen=True)
class Container:
    """A container of one service's database. Cheap to make: nothing is sent before the first operation."""

    database: str
    name: str
    partition_key: str
    """Name of the property that the container is partitioned by."""
    outbox: bool = False

    @classmethod
    def of(cls, service: Service, name: str) -> Container:
        """The container that the service declares under this name. Raises Undeclared."""
        declared = service.container(name)
        return cls(service.name, name, declared.partition_key, declared.outbox)

    async def read(self, item_id: str, key: str) -> Document | None:
        """A point read: 1 request unit per KB. `None` where there is no such item."""
        try:
            return await self._called("read", self._proxy().read_item(item_id, partition_key=key))
        except ItemNotFound:
            return None

    async def create(self, document: Document) -> Document:
        """Raises AlreadyExists."""
        created = await self._called("create", self._proxy().create_item(document))
        crash_point("cosmos.create.after", self.database, self.name)
        return created

    async def upsert(self, document: Document) -> None:
        await self._called("upsert", self._proxy().upsert_item(document))
        crash_point("cosmos.upsert.after", self.database, self.name)

    async def delete(self, item_id: str, key: str) -> None:
        """Have no such item, whether or not there was one."""
        with suppress(ItemNotFound):
            await self._called("delete", self._proxy().delete_item(item_id, partition_key=key))
        crash_point("cosmos.delete.after", self.database, self.name)

    async def patch(
        self,
        item_id: str,
        key: str,
        changes: Sequence[dict[str, Any]],
        condition: str | None = None,
        etag: str | None = None,
    ) -> Document:
        """One atomic change of at most 10 fields; returns the item as it now is.

        Raises ConditionFailed where `condition` (`from c where …`) does not hold or the item is no longer at `etag`,
        ItemNotFound where there is no item.
        """
        options: dict[str, Any] = {}
        if condition is not None:
            options["filter_predicate"] = condition
        if etag is not None:
            options |= {"etag": etag, "match_condition": MatchConditions.IfNotModified}
        patched = await self._called(
            "patch", self._proxy().patch_item(item_id, partition_key=key, patch_operations=list(changes), **options)
        )
        crash_point("cosmos.patch.after", self.database, self.name)
        return patched

    async def batch(self, key: str, operations: Sequence[Operation]) -> list[Document]:
        """All of `operations` in one partition, or none: at most 100, and 2 MB. Returns the items as they now are.

        Raises what the first failing operation raises.
        """
        batch = self._proxy().execute_item_batch(list(operations), partition_key=key)
        results = await self._called("batch", batch)
        crash_point("cosmos.batch.after", self.database, self.name)
        return [result.get("resourceBody", {}) for result in results]

    async def query(
        self, query: str, parameters: Mapping[str, Any], key: str | None = None, limit: int | None = None
    ) -> AsyncIterator[Document]:
        """Run a parameterised query in one partition (`key`) or, without one, across all of them."""
        options: dict[str, Any] = {} if key is None else {"partition_key": key}
        if limit is not None:
            options["max_item_count"] = limit
        items = self._proxy().query_items(
            query, parameters=[{"name": name, "value": value} for name, value in parameters.items()], **options
        )
        pages = items.by_page()
        while (page := await self._called("query", anext(pages, None))) is not None:
            async for item in page:
                yield item

    async def first(
        self, query: str, parameters: Mapping[str, Any], limit: int, key: str | None = None
    ) -> list[Document]:
        """At most `limit` items of a `SELECT *`, each once: the client gives some twice where a physical range splits
        while it asks all of them (azure-cosmos 4.17)."""
        found: dict[str, Document] = {}
        async for document in self.query(query, parameters, key=key, limit=limit):
            found[document["_rid"]] = document
            if len(found) == limit:
                break
        return list(found.values())

    async def read_many(self, keys: Sequence[str]) -> list[Document]:
        """The items whose id and partition key are the same, for each of `keys` that exists."""
        if not keys:
            return []
        return list(await self._called("read many", self._proxy().read_items([(key, key) for key in keys])))

    async def _called(self, name: str, answer: Awaitable[T]) -> T:
        """The answer to one call, which is a span with its charge; errors are translated."""
        with dependency(COSMOS, f"{name} {self.name}", self.database, self.name) as span:
            try:
                result = await answer
            except AzureError as exc:
                status = exc.status_code if isinstance(exc, HttpResponseError) else None
                span.note("charge", _charge_of(getattr(exc, "headers", None)))
                span.end(status or type(exc).__name__, success=status in _ANSWERS)
                raise _translate(exc) from exc
            headers = getattr(result, "get_response_headers", None)
            span.note("charge", _charge_of(headers() if headers else None))
            span.end(200, success=True)
            return result

    def _proxy(self) -> ContainerProxy:
        return _cosmos().get_database_client(self.database).get_container_client(self.name)


async def keep_latest(container: Container, key: str, document: Document) -> None:
    """Write a copy of something owned elsewhere, unless a later `version` of it is already here.

    A first version is most likely new and any other most likely known, so each is one operation in the usual case.
    """
    if document["version"] == 1:
        try:
            await container.create(document)
            return
        except AlreadyExists:
            pass
    fixed = ("id", container.partition_key)
    changes = [
        {"op": "set", "path": f"/{name}", "value": value} for name, value in document.items() if name not in fixed
    ]
    try:
        await container.patch(document["id"], key, changes, f"from c where c.version < {document['version']}")
    except ConditionFailed:
        return
    except ItemNotFound:
        try:
            await container.create(document)
        except AlreadyExists as exc:
            raise ConditionFailed("another version arrived at the same moment") from exc


async def close() -> None:
    """Give the client's connections back; the next operation makes a new client."""
    global _client
    client, _client = _client, None
    if client is not None:
        await client.close()


def _cosmos() -> CosmosClient:
    global _client  # noqa: PLW0603 - one client a process is what the SDK asks for
    if _client is None:
        from azure.core.pipeline.transport import AioHttpTransport
        from azure.cosmos.aio import CosmosClient

        class Transport(AioHttpTransport):  # type: ignore[misc]  # untyped, as it is imported on first use
            """The client tries again what was throttled, and says nothing of it: it is counted here."""

            async def send(self, request: Any, **options: Any) -> Any:
                answer = await super().send(request, **options)
                if answer.status_code == 429 and (span := under_way()) is not None:
                    span.note("throttled", int(span.properties.get("throttled") or 0) + 1)
                return answer

        # Otherwise each request looks for proxies in the environment and parses a .netrc, in a thread of its own.
        transport = Transport(use_env_settings=False)
        connection = settings().connection(COSMOS_CONNECTION)
        if connection.string:
            _client = CosmosClient.from_connection_string(connection.string, transport=transport)
        else:
            _client = CosmosClient(connection.address, own_credential(connection.client_id), transport=transport)
    return _client


def _charge_of(headers: Mapping[str, str] | None) -> str | None:
    """Request units, as the service says them."""
    return None if headers is None else headers.get("x-ms-request-charge")


def _translate(exc: AzureError) -> Exception:
    status = exc.status_code if isinstance(exc, HttpResponseError) else None
    if status == 404:
        return ItemNotFound("the item is not there")
    if status == 409:
        return AlreadyExists("the item is already there")
    if status == 412:
        return ConditionFailed("the item has changed")
    if status is None or status in _TRANSIENT:
        return Transient("the database does not answer at present", retry_after=1)
    return exc
