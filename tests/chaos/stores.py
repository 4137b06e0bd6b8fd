"""What the stores hold, read from the stores: Cosmos DB by its SDK, the provider's books, the broker's own file."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from azure.cosmos.aio import CosmosClient

from localazure.functions.connecting import Connection
from localazure.functions.cosmos_account import RANGE, Account, FeedError, physical_ranges

Document = dict[str, Any]
Key = tuple[str, str]

ORDERS, BY_CUSTOMER, ANSWERS = ("orders", "orders"), ("orders", "orders-by-customer"), ("orders", "answers")
PRODUCT_COPIES, CART_COPIES = ("orders", "products"), ("orders", "carts")
STOCK, RESERVATIONS, PAYMENTS = ("inventory", "stock"), ("inventory", "reservations"), ("payments", "payments")
CATALOG, CARTS, DISCONTINUED = ("catalog", "products"), ("carts", "carts"), ("carts", "discontinued")
SHIPMENTS = ("shipping", "shipments")
ACCOUNTS, MAILS = ("accounts", "accounts"), ("notifications", "mails")
FEEDS: Mapping[Key, str] = {
    ACCOUNTS: "accounts",
    MAILS: "notifications",
    CATALOG: "catalog",
    CARTS: "carts",
    ORDERS: "orders",
    RESERVATIONS: "inventory",
    PAYMENTS: "payments",
    SHIPMENTS: "shipping",
}
"""Containers that have an outbox → the topic it is relayed to."""
OTHERS: tuple[Key, ...] = (ANSWERS, BY_CUSTOMER, PRODUCT_COPIES, CART_COPIES, DISCONTINUED, STOCK)
DURABLE = "/runtime/webhooks/durabletask/instances"


@dataclass(frozen=True)
class Snapshot:
    """Everything, read once. Whatever depends on an order was read before the orders, which only move forward."""

    intents: list[Document]
    documents: Mapping[Key, list[Document]]
    queues: Mapping[str, Mapping[str, int]]
    sent: Mapping[str, frozenset[str]]
    """Topic → the ids of the messages that the broker has accepted."""
    letters: list[Document] = field(default_factory=list)
    """E-mails that have arrived."""
    sagas: Mapping[str, str] = field(default_factory=dict)
    """Order id → the runtime status of its saga."""

    def of_kind(self, container: Key, kind: str) -> list[Document]:
        return [document for document in self.documents[container] if document.get("kind") == kind]

    @property
    def shelves(self) -> list[Document]:
        """The stock of each SKU; what was put back, and records of who counted it, lie beside it."""
        return [document for document in self.documents[STOCK] if document.get("kind") not in ("inbox", "outbox")]

    @property
    def orders(self) -> list[Document]:
        return self.of_kind(ORDERS, "order")


class Stores:
    """The stores of one running system. All of them must be up while they are read."""

    def __init__(self, settings: Mapping[str, str], addresses: Mapping[str, str], bus_admin: str, state: Path) -> None:
        self._connection = settings["COSMOS_CONNECTION"]
        self._addresses, self._bus_admin = addresses, bus_admin
        self._broker = state / "servicebus.db"

    async def read(self) -> Snapshot:
        """The provider's books first, the orders last: so no order can be behind what was done for it."""
        intents = await self._books()
        documents = await self._documents((*OTHERS, *sorted(FEEDS, key=lambda key: key == ORDERS)))
        letters = list((await self._json(f"{self._addresses['email']}/_local/messages"))["messages"])
        return Snapshot(intents, documents, await self._queues(), self._sent(), letters, await self._sagas())

    async def glance(self) -> Snapshot:
        """In the same order, as much as is needed to see what must never be seen."""
        intents = await self._books()
        return Snapshot(intents, await self._documents((STOCK, ORDERS)), {}, {})

    async def unrest(self) -> str:
        """What is still going on; empty when nothing is: no message, no unread change, no order without an end."""
        busy = {name: states for name, states in _subscriptions(await self._queues()) if any(states.values())}
        if busy:
            return f"messages: {busy}"
        async with _opened(self._connection) as client:
            places = {key: await _places(client, key) for key in FEEDS}
            placed = await _with_status(client, "IN")
        unread = [key for key, tokens in places.items() if not await self._are_ends(key, tokens)]
        if unread:
            return f"changes that nobody has dealt with: {unread}"
        return f"orders without an end: {placed}" if placed else ""

    async def undecided(self) -> list[str]:
        """The orders that have not come to an end."""
        async with _opened(self._connection) as client:
            return await _with_status(client, "IN")

    async def decided(self) -> set[str]:
        """The orders that have."""
        async with _opened(self._connection) as client:
            return {*await _with_status(client, "NOT IN")}

    async def quiet(self, patience: float) -> None:
        """Wait until nothing is going on. Raises AssertionError, saying what still was, after `patience` seconds."""
        deadline, unrest = time.monotonic() + patience, "it was never looked"
        while time.monotonic() < deadline:
            unrest = await self.unrest() or await self.unrest()
            if not unrest:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"not quiet after {patience:g} s: {unrest}")

    async def at_rest(self, patience: float) -> Snapshot:
        """What is there when nothing is going on; read again where a timer set something going between the two.

        Raises AssertionError, saying what still was, after `patience` seconds.
        """
        deadline = time.monotonic() + patience
        while True:
            await self.quiet(max(1.0, deadline - time.monotonic()))
            snapshot = await self.read()
            busy = any(any(states.values()) for _, states in _subscriptions(snapshot.queues))
            if not busy or time.monotonic() > deadline:
                return snapshot

    async def _books(self) -> list[Document]:
        return list((await self._json(f"{self._addresses['stripe']}/_local/ledger"))["intents"])

    async def _documents(self, containers: Iterable[Key]) -> dict[Key, list[Document]]:
        documents: dict[Key, list[Document]] = {}
        async with _opened(self._connection) as client:
            for database, container in containers:
                proxy = client.get_database_client(database).get_container_client(container)
                documents[database, container] = [item async for item in proxy.read_all_items()]
        return documents

    async def _queues(self) -> Mapping[str, Mapping[str, int]]:
        return dict(await self._json(f"{self._bus_admin}/_local/entities"))

    async def _sagas(self) -> dict[str, str]:
        found = await self._json(f"{self._addresses['functions']}{DURABLE}?top=100000")
        return {instance["instanceId"]: instance["runtimeStatus"] for instance in found}

    def _sent(self) -> dict[str, frozenset[str]]:
        """From the broker's memory of message ids, which is what its duplicate detection goes by."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        with closing(sqlite3.connect(f"file:{self._broker}?mode=ro", uri=True)) as database:
            for topic, message_id in database.execute("SELECT entity, message_id FROM seen"):
                found[topic].add(message_id)
        return {topic: frozenset(ids) for topic, ids in found.items()}

    async def _are_ends(self, key: Key, tokens: Mapping[str, str | None]) -> bool:
        """Whether the change feed of every physical range has nothing behind its token."""
        path = f"dbs/{key[0]}/colls/{key[1]}"
        async with aiohttp.ClientSession() as session:
            account = Account(Connection(self._connection), session)
            names = [each["id"] for each in await physical_ranges(account, path)]
            if not tokens.keys() >= set(names):
                return False
            return all([await _is_end(account, path, name, tokens[name]) for name in names])

    @staticmethod
    async def _json(url: str) -> Any:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert answer.status == 200, f"{url}: {answer.status} {await answer.text()}"
            return await answer.json()


@asynccontextmanager
async def _opened(connection: str) -> AsyncIterator[CosmosClient]:
    """A client that also gives its connections back where Cosmos DB is dead: the SDK's own block does not."""
    client = CosmosClient.from_connection_string(connection)
    try:
        await client.__aenter__()
        yield client
    finally:
        await client.close()


async def _with_status(client: CosmosClient, sign: str) -> list[str]:
    """Orders whose status is, or is not, among those in which somebody has yet to decide."""
    orders = client.get_database_client("orders").get_container_client("orders")
    query = f"SELECT VALUE c.id FROM c WHERE c.kind = 'order' AND c.status {sign} ('placed', 'awaiting_approval')"
    return [str(order) async for order in orders.query_items(query)]


async def _places(client: CosmosClient, key: Key) -> dict[str, str | None]:
    """Where the trigger of this container's change feed has got to in each physical range, by its leases."""
    database = client.get_database_client(key[0])
    leases, followed = database.get_container_client("leases"), await database.get_container_client(key[1]).read()
    stem = f"_{followed['_rid']}.."
    found = [lease async for lease in leases.read_all_items() if stem in lease["id"]]
    return {lease["LeaseToken"]: lease["ContinuationToken"] for lease in found}


async def _is_end(account: Account, path: str, name: str, token: str | None) -> bool:
    headers = {"A-IM": "Incremental Feed", RANGE: name}
    if token is not None:
        headers["If-None-Match"] = token
    status, _, answer = await account.call("GET", "docs", path, f"{path}/docs", headers)
    if status not in (200, 304):
        raise FeedError(f"{path}: {status} {answer}")
    return status == 304


def _subscriptions(queues: Mapping[str, Mapping[str, int]]) -> Iterator[tuple[str, Mapping[str, int]]]:
    return ((name, states) for name, states in queues.items() if not name.endswith("$DeadLetterQueue"))
