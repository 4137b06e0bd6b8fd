"""The account's rules: what may be written, what a reader finds, and in which order changes are told."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localazure.clock import Clock
from localazure.cosmos import charges
from localazure.cosmos.errors import BadRequest, Conflict, CosmosError, NotFound, PreconditionFailed, TooLarge
from localazure.cosmos.model import Container, Item, Part
from localazure.cosmos.patch import apply
from localazure.cosmos.queries import Answer, Question, Wanted, query_page, scan_page
from localazure.cosmos.sql.conditions import parse_condition
from localazure.cosmos.store import Store

LARGEST_ITEM = 2 * 1024 * 1024
LARGEST_BATCH = 2 * 1024 * 1024
MOST_OPERATIONS = 100
_BAD_ID = frozenset("/\\?#")


@dataclass(frozen=True)
class Operation:
    """One write, or a read inside a batch. `kind` is the name the batch protocol has for it."""

    kind: str
    id: str | None = None
    body: Any = None
    if_match: str | None = None
    if_none_match: str | None = None


@dataclass(frozen=True)
class Result:
    """What an operation did: an HTTP status, the item as it now is, and the charge."""

    status: int
    item: Item | None
    charge: float


@dataclass
class _Staged:
    """Changes of one request that nobody else sees yet."""

    lsn: int
    puts: dict[tuple[str, str], Item] = field(default_factory=dict)
    drops: set[tuple[str, str]] = field(default_factory=set)


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
        _check_id(name)
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

    def create_container(self, database: str, spec: dict[str, Any]) -> Container:
        """Raises BadRequest, Conflict, NotFound."""
        containers = self.database(database)
        name = spec.get("id")
        _check_id(name)
        if name in containers:
            raise Conflict(f"the container '{name}' already exists")
        if not spec.get("partitionKey", {}).get("paths"):
            raise BadRequest("a container needs a partition key")
        for feature in ("computedProperties", "vectorEmbeddingPolicy", "fullTextPolicy", "conflictResolutionPolicy"):
            if spec.get(feature) and feature != "conflictResolutionPolicy":
                raise BadRequest(f"{feature} is not supported by the local server")
        _check_ttl(spec.get("defaultTtl"), "defaultTtl")
        spec = {**spec, "partitionKey": {"kind": "Hash", **spec["partitionKey"]}}
        made = Container(0, database, spec)
        with self._store.transaction():
            made.number = self._store.add_container(database, spec)
        containers[made.id] = made
        return made

    def replace_container(self, database: str, name: str, spec: dict[str, Any]) -> Container:
        """Change TTL or indexing. Raises BadRequest for another partition key."""
        old = self.container(database, name)
        if spec.get("partitionKey", {}).get("paths") != old.spec["partitionKey"]["paths"]:
            raise BadRequest("a container's partition key cannot be changed")
        _check_ttl(spec.get("defaultTtl"), "defaultTtl")
        new = dataclasses.replace(old, spec=spec)
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
        staged = _Staged(container.lsn)
        result = self._stage(container, staged, key, operation)
        self._commit(container, staged)
        return result

    def batch(self, container: Container, key: str, operations: Sequence[Operation]) -> tuple[bool, list[Result]]:
        """All operations or none; on failure the failing one's status, and 424 for the others.

        Raises BadRequest or TooLarge for a batch that is none.
        """
        if not 1 <= len(operations) <= MOST_OPERATIONS:
            raise BadRequest(f"a batch has 1 to {MOST_OPERATIONS} operations, not {len(operations)}")
        staged = _Staged(container.lsn)
        results: list[Result] = []
        size = 0
        for operation in operations:
            try:
                results.append(self._stage(container, staged, key, operation))
            except CosmosError as exc:
                failed = [Result(424, None, 0.0)] * len(operations)
                failed[len(results)] = Result(exc.status, None, charges.FAILED_WRITE)
                return False, failed
            item = results[-1].item
            size += 0 if item is None else len(item.text.encode())
        if size > LARGEST_BATCH:
            raise TooLarge(f"a batch may have at most {LARGEST_BATCH} bytes")
        self._commit(container, staged)
        return True, results

    def delete_partition(self, container: Container, key: str) -> float:
        """Delete all items of a partition; the charge, which is that of deleting each."""
        items = list(container.items.get(key, {}).values())
        drops = {(key, item.id) for item in items}
        self._commit(container, _Staged(container.lsn + len(drops), drops=drops))
        return max(charges.FAILED_WRITE, sum(self._price_of_deleting(container, item) for item in items))

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
                gone = {
                    (item.key, item.id)
                    for partition in container.items.values()
                    for item in partition.values()
                    if not container.alive(item, now)
                }
                if gone:
                    self._commit(container, _Staged(container.lsn, drops=gone))

    def _stage(self, container: Container, staged: _Staged, key: str | None, operation: Operation) -> Result:
        method = {
            "Create": self._create,
            "Upsert": self._upsert,
            "Replace": self._replace,
            "Patch": self._patch,
            "Delete": self._delete,
            "Read": self._read,
        }.get(operation.kind)
        if method is None:
            raise BadRequest(f"the operation '{operation.kind}' is not supported")
        return method(container, staged, key, operation)

    def _create(self, container: Container, staged: _Staged, key: str | None, operation: Operation) -> Result:
        document, key = self._checked(container, key, operation.body)
        if self._find(container, staged, key, document["id"]) is not None:
            raise Conflict(f"the item '{document['id']}' already exists in partition {key}")
        item = self._put(container, staged, key, document, None)
        return Result(201, item, charges.create(len(item.text), container.indexing.count(document)))

    def _upsert(self, container: Container, staged: _Staged, key: str | None, operation: Operation) -> Result:
        document, key = self._checked(container, key, operation.body)
        present = self._find(container, staged, key, document["id"])
        if present is None:
            if operation.if_match is not None:
                raise PreconditionFailed("there is no such item to match the ETag")
            return self._create(container, staged, key, operation)
        _check_match(present, operation)
        item = self._put(container, staged, key, document, present)
        return Result(200, item, charges.replace(len(item.text), container.indexing.count(document)))

    def _replace(self, container: Container, staged: _Staged, key: str | None, operation: Operation) -> Result:
        document, key = self._checked(container, key, operation.body)
        if operation.id is not None and document["id"] != operation.id:
            raise BadRequest("the id in the body is not the one in the address")
        present = self._present(container, staged, key, document["id"])
        _check_match(present, operation)
        item = self._put(container, staged, key, document, present)
        return Result(200, item, charges.replace(len(item.text), container.indexing.count(document)))

    def _patch(self, container: Container, staged: _Staged, key: str | None, operation: Operation) -> Result:
        present = self._present(container, staged, key, operation.id)
        _check_match(present, operation)
        body = operation.body if isinstance(operation.body, dict) else {}
        if condition := body.get("condition"):
            query, values = parse_condition(condition)
            if not query.run([present.document], values, self._clock.time()):
                raise PreconditionFailed("the patch's condition does not hold")
        changed = apply(present.document, body.get("operations", []), container.path)
        _check_ttl(changed.get("ttl"), "ttl")
        item = self._put(container, staged, present.key, changed, present)
        return Result(200, item, charges.patch(len(item.text), container.indexing.count(changed)))

    def _delete(self, container: Container, staged: _Staged, key: str | None, operation: Operation) -> Result:
        present = self._present(container, staged, key, operation.id)
        _check_match(present, operation)
        staged.lsn += 1
        staged.drops.add((present.key, present.id))
        staged.puts.pop((present.key, present.id), None)
        return Result(204, None, self._price_of_deleting(container, present))

    def _price_of_deleting(self, container: Container, item: Item) -> float:
        return charges.create(len(item.text), container.indexing.count(item.document))

    def _read(self, container: Container, staged: _Staged, key: str | None, operation: Operation) -> Result:
        item = self._present(container, staged, key, operation.id)
        return Result(200, item, charges.point_read(len(item.text)))

    def _find(self, container: Container, staged: _Staged, key: str, item_id: str) -> Item | None:
        if (key, item_id) in staged.drops:
            return None
        return staged.puts.get((key, item_id)) or container.get(key, item_id, self._clock.time())

    def _present(self, container: Container, staged: _Staged, key: str | None, item_id: str | None) -> Item:
        if key is None or item_id is None:
            raise BadRequest("the partition key and the id of the item are needed")
        item = self._find(container, staged, key, item_id)
        if item is None:
            raise NotFound(f"there is no item '{item_id}' in partition {key}")
        return item

    def _checked(self, container: Container, key: str | None, body: Any) -> tuple[dict[str, Any], str]:
        if not isinstance(body, dict):
            raise BadRequest("an item is a JSON object")
        _check_id(body.get("id"))
        own = container.key_of(body)
        if key is not None and key != own:
            raise BadRequest(
                f"PartitionKey extracted from document doesn't match the one specified in the header: {own}, {key}",
                1001,
            )
        _check_ttl(body.get("ttl"), "ttl")
        return body, own

    def _put(
        self, container: Container, staged: _Staged, key: str, document: dict[str, Any], present: Item | None
    ) -> Item:
        self._check_unique(container, staged, key, document)
        staged.lsn += 1
        now = int(self._clock.time())
        rid = staged.lsn if present is None else present.rid
        etag = f'"{staged.lsn:08x}-0000-0000-0000-{container.number:012x}"'
        full = {
            **{name: value for name, value in document.items() if name not in ("_rid", "_self", "_attachments")},
            "_rid": f"{container.number:08x}{rid:08x}",
            "_self": f"dbs/{container.database}/colls/{container.id}/docs/{document['id']}/",
            "_etag": etag,
            "_attachments": "attachments/",
            "_ts": now,
        }
        text = json.dumps(full, separators=(",", ":"), ensure_ascii=False)
        if len(text.encode()) > LARGEST_ITEM:
            raise TooLarge(f"an item may have at most {LARGEST_ITEM} bytes")
        item = Item(key, document["id"], staged.lsn, rid, etag, now, document.get("ttl"), text)
        staged.puts[key, item.id] = item
        staged.drops.discard((key, item.id))
        return item

    def _check_unique(self, container: Container, staged: _Staged, key: str, document: dict[str, Any]) -> None:
        for paths in container.unique:
            wanted = [_value(document, path) for path in paths]
            others = {item.id: item for item in container.visible(Part(key), self._clock.time())}
            for partition, item_id in staged.drops:
                if partition == key:
                    others.pop(item_id, None)
            others |= {item.id: item for (partition, _), item in staged.puts.items() if partition == key}
            for item in others.values():
                if item.id != document["id"] and [_value(item.document, path) for path in paths] == wanted:
                    raise Conflict(f"another item has the same {', '.join(paths)}")

    def _commit(self, container: Container, staged: _Staged) -> None:
        if not staged.puts and not staged.drops:
            return
        present = [(key, item_id) for key, item_id in staged.drops if item_id in container.items.get(key, {})]
        with self._store.transaction():
            self._store.write(container.number, staged.lsn, staged.puts.values(), present)
        container.lsn = staged.lsn
        for key, item_id in present:
            container.drop(key, item_id)
        for item in sorted(staged.puts.values(), key=lambda item: item.lsn):
            container.put(item)
        signal = self._changed.pop(container.number, None)
        if signal is not None:
            signal.set()


def _check_match(present: Item, operation: Operation) -> None:
    if operation.if_match not in (None, "*", present.etag):
        raise PreconditionFailed("the item's ETag is another one")
    if operation.if_none_match in ("*", present.etag):
        raise PreconditionFailed("the item's ETag is that one")


def _check_id(value: Any) -> None:
    if not isinstance(value, str) or not 1 <= len(value) <= 255 or _BAD_ID & set(value) or value != value.strip():
        raise BadRequest("id must be a string of 1 to 255 characters without / \\ ? # and spaces at its ends")


def _check_ttl(value: Any, name: str) -> None:
    if value is not None and (type(value) is not int or value == 0 or value < -1):
        raise BadRequest(f"{name} must be a positive integer or -1")


def _value(document: dict[str, Any], path: str) -> Any:
    value: Any = document
    for step in path.strip("/").split("/"):
        value = value.get(step) if isinstance(value, dict) else None
    return value
