"""The containers of Cosmos DB and their items, through its own client. Queries read, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from localazure.cosmos import EMULATOR_KEY
from localazure.insights.console.configuration import Lookup
from localazure.insights.console.errors import BadRequest, Missing, Unavailable

if TYPE_CHECKING:
    from azure.cosmos.aio import CosmosClient

PAGE = 50
"""Items in one go."""
MAX_QUERY = 16 * 1024
_PATIENCE = 20.0
"""Seconds for one page."""
_FOUND = 50
"""Subjects that a lookup gives."""


class Documents:
    """Owns the client, which is made when somebody looks. `address` is that of the account."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._made: CosmosClient | None = None

    async def containers(self) -> list[dict[str, Any]]:
        """Every container: `{database, container, partition_key}`."""
        async with _told():
            client = await self._client()
            found = []
            async for database in client.list_databases():
                async for each in client.get_database_client(database["id"]).list_containers():
                    paths = each.get("partitionKey", {}).get("paths", [])
                    found.append({"database": database["id"], "container": each["id"], "partition_key": paths})
            return sorted(found, key=lambda each: (each["database"], each["container"]))

    async def query(self, database: str, container: str, text: str, continuation: str | None) -> dict[str, Any]:
        """`{items, continuation, charge}`: one page of what a query finds. Raises BadRequest and Missing."""
        if not text.strip() or len(text) > MAX_QUERY:
            raise BadRequest(f"a query has 1 to {MAX_QUERY} characters")
        charge = [0.0]

        def note(headers: Any, _: Any = None) -> None:
            charge[0] += float(headers.get("x-ms-request-charge") or 0)

        async with _told():
            client = (await self._client()).get_database_client(database).get_container_client(container)
            pages = client.query_items(text, max_item_count=PAGE, response_hook=note).by_page(continuation or None)
            try:
                items = [item async for item in await anext(pages)]
            except StopAsyncIteration:
                items = []
            following = getattr(pages, "continuation_token", None)
            return {"items": items, "continuation": following, "charge": round(charge[0], 2)}

    async def subjects(self, lookup: Lookup, text: str) -> list[str]:
        """What a configured query finds in the partition that is called as the text."""
        async with _told():
            client = (await self._client()).get_database_client(lookup.database).get_container_client(lookup.container)
            pages = client.query_items(lookup.query, partition_key=text, max_item_count=_FOUND).by_page()
            found: Sequence[Any] = []
            async for page in pages:
                found = [item async for item in page]
                break
            return [str(each) for each in found]

    async def stop(self) -> None:
        if self._made is not None:
            await self._made.close()

    async def _client(self) -> CosmosClient:
        if self._made is None:
            from azure.cosmos.aio import CosmosClient

            client = CosmosClient(self._address, EMULATOR_KEY, retry_total=0, connection_timeout=5)
            await client.__aenter__()
            self._made = client
        return self._made


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """The client's errors as the console's, within the patience of a person."""
    from azure.core.exceptions import AzureError
    from azure.cosmos.exceptions import CosmosHttpResponseError

    try:
        async with asyncio.timeout(_PATIENCE):
            yield
    except CosmosHttpResponseError as exc:
        if exc.status_code == 404:
            raise Missing("there is no such container") from exc
        if exc.status_code == 400:
            raise BadRequest(_said(exc)) from exc
        raise Unavailable(f"Cosmos DB answered {exc.status_code}: {_said(exc)}") from exc
    except ValueError as exc:
        raise BadRequest(str(exc)) from exc
    except TimeoutError as exc:
        raise Unavailable(f"Cosmos DB did not answer within {_PATIENCE:g} s") from exc
    except (AzureError, OSError) as exc:
        raise Unavailable(f"Cosmos DB does not answer: {type(exc).__name__}") from exc


def _said(exc: Exception) -> str:
    """The first of what Cosmos DB says; activity ids and addresses follow."""
    return str(getattr(exc, "message", exc)).split("ActivityId")[0].strip()[:1000]
