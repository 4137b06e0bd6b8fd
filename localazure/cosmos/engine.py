"""The account's rules: what may be written, what a reader finds, and in which order changes are told."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from localazure.clock import Clock
from localazure.cosmos import charges
from localazure.cosmos.changes import Changes, Operation, Result, check_id, check_ttl
from localazure.cosmos.errors import BadRequest, Conflict, CosmosError, NotFound, TooLarge
from localazure.cosmos.model import Container, Item, Part
from localazure.cosmos.queries import Answer, Question, Wanted, query_page, scan_page
from localazure.cosmos.store import Store

LARGEST_BATCH = 2 * 1024 * 1024
MOST_OPERATIONS = 100
_NOT_HERE = (
    "computedProperties", "vectorEmbeddingPolicy", "fullTextPolicy", "clientEncryptionPolicy", "changeFeedPolicy",
    "analyticalStorageTtl", "materializedViewDefinition",
)  # fmt: skip


class Account:
    """All databases, in the SQLite file at `path` (`None`: in memory)."""

    def __init__(self, path: Path | None, clock: Clock) -> None:
        self._store = Store(path)
        self._clock = clock
        self.databases: dict[str, dict[str, Container]] = {name: {} for name in self._store.databases()}
        for container in self._store.containers():
            self.databases[container.database][container.id] = container
        self.ledger = charges.Ledger()
        self._changed: dict[int, asyncio.Event] = {}

    def close(self) -> None:
        self._store.close()

    def create_database(self, name: str) -> None:
        """Raises Conflict."""
        if name in self.databases:
            raise Conflict(f"the database '{name}' already exists")
        check_id(name)
        with self._store.transaction():
            self._store.add_database(name)
        self.databases[name] = {}

    def drop_database(self, name: str) -> None:
        self.database(name)
        with self._store.transaction():
            self._store.drop_database(name)
        del self.databases[name]

    def database(self, name: str) -> dict[str, Container]:
        """Raises NotFound."""
        if name not in self.databases:
            raise NotFound(f"there is no database '{name}'")
        return self.databases[name]

    def create_container(self, database: str, spec: Any) -> Container:
        """Raises BadRequest, Conflict, NotFound."""
        containers = self.database(database)
        if not isinstance(spec, dict):
            raise BadRequest("a container is a JSON object")
        name = spec.get("id")
        check_id(name)
        if name in containers:
            raise Conflict(f"the container '{name}' already exists")
        if not (spec.get("partitionKey") or {}).get("paths"):
            raise BadRequest("a container needs a partition key")
        _check_policies(spec)
        spec = {**spec, "partitionKey": {"kind": "Hash", **spec["partitionKey"]}}
        made = Container(0, database, spec)
        with self._store.transaction():
            made.number = self._store.add_container(database, spec)
        containers[made.id] = made
        return made

    def replace_container(self, database: str, name: str, spec: Any) -> Container:
        """Change TTL or indexing. Raises BadRequest for another partition key or other unique keys."""
        old = self.container(database, name)
        if not isinstance(spec, dict) or spec.get("id") != name:
            raise BadRequest("the id in the body is not the one in the address")
        if (spec.get("partitionKey") or {}).get("paths") != old.spec["partitionKey"]["paths"]:
            raise BadRequest("a container's partition key cannot be changed")
        unique = old.spec.get("uniqueKeyPolicy")
        if spec.get("uniqueKeyPolicy") not in (None, unique):
            raise BadRequest("a container's unique keys cannot be changed")
        _check_policies(spec)
        kept = {"partitionKey": old.spec["partitionKey"], **({"uniqueKeyPolicy": unique} if unique else {})}
        new = dataclasses.replace(old, spec={**spec, **kept})
        with self._store.transaction():
            self._store.change_container(new)
        self.databases[database][name] = new
        return new

    def drop_container(self, database: str, name: str) -> None:
        number = self.container(database, name).number
        with self._store.transaction():
            self._store.drop_container(number)
        del self.databases[database][name]

    def container(self, database: str, name: str) -> Container:
        """Raises NotFound."""
        found = self.database(database).get(name)
        if found is None:
            raise NotFound(f"there is no container '{name}' in '{database}'", substatus=1003)
        return found

    def read(self, container: Container, key: str, item_id: str) -> Result:
        """Raises NotFound."""
        item = container.get(key, item_id, self._clock.time())
        if item is None:
            raise NotFound(f"there is no item '{item_id}' in partition {key}")
        return Result(200, item, charges.point_read(len(item.text)))

    def write(self, container: Container, key: str | None, operation: Operation) -> Result:
        """Carry out one operation. Raises CosmosError; nothing is left behind then."""
        changes = Changes(container, self._clock.time())
        result = changes.carry_out(key, operation)
        self._commit(container, changes)
        return result

    def batch(self, container: Container, key: str, operations: Sequence[Operation]) -> tuple[bool, list[Result]]:
        """All operations or none; on failure the failing one's status, and 424 for the others.

        Raises BadRequest or TooLarge for a batch that is none.
        """
        if not 1 <= len(operations) <= MOST_OPERATIONS:
            raise BadRequest(f"a batch has 1 to {MOST_OPERATIONS} operations, not {len(operations)}")
        changes = Changes(container, self._clock.time())
        results: list[Result] = []
        size = 0
        for operation in operations:
            try:
                results.append(changes.carry_out(key, operation))
            except CosmosError as exc:
                failed = [Result(424, None, 0.0)] * len(operations)
                failed[len(results)] = Result(exc.status, None, charges.FAILED_WRITE)
                return False, failed
            item = results[-1].item
            size += 0 if item is None else len(item.text.encode())
        if size > LARGEST_BATCH:
            raise TooLarge(f"a batch may have at most {LARGEST_BATCH} bytes")
        self._commit(container, changes)
        return True, results

    def delete_partition(self, container: Container, key: str) -> float:
        """Delete all items of a partition; the charge, which is that of deleting each."""
        changes = Changes(container, self._clock.time())
        charge = sum(changes.drop(item) for item in container.items.get(key, {}).values())
        self._commit(container, changes)
        return max(charges.FAILED_WRITE, charge)

    def query(
        self, container: Container, part: Part, text: str, parameters: Mapping[str, Any], wanted: Wanted
    ) -> Answer:
        """One page of the query. Raises BadRequest."""
        return query_page(container, part, Question(text, parameters, self._clock.time()), wanted)

    def read_all(self, container: Container, part: Part, wanted: Wanted) -> Answer:
        """One page of all items, in the order of creation. Raises BadRequest for a foreign continuation."""
        return scan_page(container, part, self._clock.time(), wanted)

    def changes(self, container: Container, part: Part, after: int, most: int) -> tuple[list[Item], int]:
        """At most `most` items of the part that changed after the LSN, and the LSN to go on from."""
        found: list[Item] = []
        for item in container.after(after, self._clock.time(), part):
            found.append(item)
            if len(found) == most:
                return found, item.lsn
        return found, max(after, container.lsn)

    def lsn_at(self, container: Container, moment: float) -> int:
        """The LSN of the last change before the moment."""
        earlier = [item.lsn for item in container.feed if item.ts < moment]
        return max(earlier, default=0)

    async def changed(self, container: Container, seconds: float) -> bool:
        """Wait for a change; False if none came in time."""
        signal = self._changed.setdefault(container.number, asyncio.Event())
        try:
            await asyncio.wait_for(signal.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def purge(self) -> None:
        """Remove what has expired."""
        now = self._clock.time()
        for containers in self.databases.values():
            for container in containers.values():
                gone = [item for item in container.by_rid.values() if not container.alive(item, now)]
                changes = Changes(container, now)
                for item in gone:
                    changes.drop(item)
                self._commit(container, changes)

    def _commit(self, container: Container, changes: Changes) -> None:
        if not changes.puts and not changes.drops:
            return
        present = [(key, item_id) for key, item_id in changes.drops if item_id in container.items.get(key, {})]
        with self._store.transaction():
            self._store.write(container.number, changes.lsn, changes.puts.values(), present)
        container.lsn = changes.lsn
        for key, item_id in present:
            container.drop(key, item_id)
        for item in sorted(changes.puts.values(), key=lambda item: item.lsn):
            container.put(item)
        signal = self._changed.pop(container.number, None)
        if signal is not None:
            signal.set()


def _check_policies(spec: dict[str, Any]) -> None:
    for feature in _NOT_HERE:
        if spec.get(feature):
            raise BadRequest(f"{feature} is not supported by the local server")
    check_ttl(spec.get("defaultTtl"), "defaultTtl")
