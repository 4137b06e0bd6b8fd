"""Cosmos DB inputs and outputs through the official client: one document, the answer to a query, and upserts.

Source: azure-webjobs-sdk-extensions, `CosmosDBItemValueBinder`, `CosmosDBEnumerableBuilder`, `CosmosDBAsyncCollector`.
"""

from __future__ import annotations

import json
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import CosmosResourceNotFoundError
from azure.cosmos.partition_key import NonePartitionKeyValue
from azure.functions.meta import Datum

from localazure.functions.bindings.expressions import BindingData, BindingError
from localazure.functions.bindings.values import elements
from localazure.functions.connecting import COSMOS, Connection, connection
from localazure.functions.dates import dates_rewritten
from localazure.functions.indexing import Binding

_ALL = "SELECT * FROM c"


class Documents:
    """One client a connection, which stays open."""

    def __init__(self) -> None:
        self._clients: dict[Connection, CosmosClient] = {}
        self._credentials: list[AsyncTokenCredential] = []

    async def read(self, binding: Binding, given: BindingData) -> Datum | None:
        """One document by `id`, `None` where it is not there; without an id the list that `sqlQuery` finds.

        Raises BindingError, and the client's own errors.
        """
        container = self._container(binding, given)
        key = given.text(binding.options.get("partitionKey"))
        if binding.options.get("id"):
            identifier = given.text(binding.options["id"])
            if not identifier:
                raise BindingError("the 'id' of a Cosmos DB input that reads one document is empty")
            try:
                found: Any = await container.read_item(identifier, key or NonePartitionKeyValue)
            except CosmosResourceNotFoundError:
                return None
        else:
            query, parameters = _query(binding, given)
            options: dict[str, Any] = {"partition_key": key} if key else {}
            answer = container.query_items(query, parameters=parameters, **options)
            found = [document async for document in answer]
        return Datum(dates_rewritten(json.dumps(found)), "json")

    async def write(self, binding: Binding, data: Datum, given: BindingData) -> None:
        """Upsert each document. Raises BindingError for a value that is not one, and the client's own errors."""
        container = self._container(binding, given)
        for document in elements(data):
            if not isinstance(document, dict):
                raise BindingError(f"a Cosmos DB output takes documents, not {type(document).__name__}")
            try:
                await container.upsert_item(document)
            except CosmosResourceNotFoundError:
                if not _yes(binding.options.get("createIfNotExists")):
                    raise
                container = await self._create(binding, given)
                await container.upsert_item(document)

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()
        for credential in self._credentials:
            await credential.close()

    def _client(self, binding: Binding) -> CosmosClient:
        found = connection(binding.options["connection"], COSMOS)
        if found not in self._clients:
            if found.text:
                self._clients[found] = CosmosClient.from_connection_string(found.text)
            else:
                self._credentials.append(found.credential())
                self._clients[found] = CosmosClient(found.address, self._credentials[-1])
        return self._clients[found]

    def _container(self, binding: Binding, given: BindingData) -> ContainerProxy:
        database = self._client(binding).get_database_client(given.text(binding.options["databaseName"]))
        return database.get_container_client(given.text(binding.options["containerName"]))

    async def _create(self, binding: Binding, given: BindingData) -> ContainerProxy:
        database = await self._client(binding).create_database_if_not_exists(
            given.text(binding.options["databaseName"])
        )
        path = given.text(binding.options.get("partitionKey"))
        if not path:
            raise BindingError("a container is made by its partition_key, which the Cosmos DB output does not name")
        return await database.create_container_if_not_exists(
            given.text(binding.options["containerName"]),
            PartitionKey(path),
            offer_throughput=int(binding.options.get("containerThroughput") or 0) or None,
        )


def _query(binding: Binding, given: BindingData) -> tuple[str, list[dict[str, Any]]]:
    """The query with a parameter in the place of each expression: no caller's text becomes part of it."""
    parameters: dict[str, str] = {}

    def parameter(name: str, value: str) -> str:
        key = "@" + name.replace(".", "_").replace("-", "_")
        parameters[key] = value
        return key

    text = given.replaced(str(binding.options.get("sqlQuery") or _ALL), parameter)
    return text, [{"name": name, "value": value} for name, value in parameters.items()]


def _yes(value: Any) -> bool:
    return str(value).lower() == "true"
