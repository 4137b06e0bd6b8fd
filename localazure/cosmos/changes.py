"""What a request changes: operations carried out in order, seen by nobody else until they are committed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from localazure.cosmos import charges
from localazure.cosmos.errors import BadRequest, Conflict, NotFound, PreconditionFailed, TooLarge
from localazure.cosmos.model import Container, Item, Part
from localazure.cosmos.patch import apply
from localazure.cosmos.sql.conditions import parse_condition

LARGEST_ITEM = 2 * 1024 * 1024
_BAD_ID = frozenset("/\\?#")
_MADE_ANEW = frozenset({"_rid", "_self", "_attachments"})


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


class Changes:
    """The changes of one request, made at one time (seconds since the Unix epoch)."""

    def __init__(self, container: Container, now: float) -> None:
        self._container = container
        self._now = now
        self.lsn = container.lsn
        self.puts: dict[tuple[str, str], Item] = {}
        self.drops: set[tuple[str, str]] = set()

    def carry_out(self, key: str | None, operation: Operation) -> Result:
        """Raises CosmosError; nothing has changed then."""
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
        return method(key, operation)

    def drop(self, item: Item) -> float:
        """Delete an item that is there; the charge."""
        self.lsn += 1
        self.drops.add((item.key, item.id))
        self.puts.pop((item.key, item.id), None)
        return charges.create(len(item.text), self._container.indexing.count(item.document))

    def _create(self, key: str | None, operation: Operation) -> Result:
        document, key = self._checked(key, operation.body)
        if self._find(key, document["id"]) is not None:
            raise Conflict(f"the item '{document['id']}' already exists in partition {key}")
        return self._created(key, document)

    def _created(self, key: str, document: dict[str, Any]) -> Result:
        item = self._put(key, document, None)
        return Result(201, item, charges.create(len(item.text), self._container.indexing.count(document)))

    def _upsert(self, key: str | None, operation: Operation) -> Result:
        document, key = self._checked(key, operation.body)
        present = self._find(key, document["id"])
        if present is not None:
            return self._replaced(key, document, present, operation)
        if operation.if_match is not None:
            raise PreconditionFailed("there is no such item to match the ETag")
        return self._created(key, document)

    def _replace(self, key: str | None, operation: Operation) -> Result:
        document, key = self._checked(key, operation.body)
        if operation.id is not None and document["id"] != operation.id:
            raise BadRequest("the id in the body is not the one in the address")
        return self._replaced(key, document, self._present(key, document["id"]), operation)

    def _replaced(self, key: str, document: dict[str, Any], present: Item, operation: Operation) -> Result:
        _check_match(present, operation)
        item = self._put(key, document, present)
        return Result(200, item, charges.replace(len(item.text), self._container.indexing.count(document)))

    def _patch(self, key: str | None, operation: Operation) -> Result:
        present = self._present(key, operation.id)
        _check_match(present, operation)
        body = operation.body if isinstance(operation.body, dict) else {}
        if condition := body.get("condition"):
            query, values = parse_condition(condition)
            if not query.run([present.document], values, self._now):
                raise PreconditionFailed("the patch's condition does not hold")
        changed = apply(present.document, body.get("operations", []), self._container.path)
        check_ttl(changed.get("ttl"), "ttl")
        item = self._put(present.key, changed, present)
        return Result(200, item, charges.patch(len(item.text), self._container.indexing.count(changed)))

    def _delete(self, key: str | None, operation: Operation) -> Result:
        present = self._present(key, operation.id)
        _check_match(present, operation)
        return Result(204, None, self.drop(present))

    def _read(self, key: str | None, operation: Operation) -> Result:
        item = self._present(key, operation.id)
        return Result(200, item, charges.point_read(len(item.text)))

    def _find(self, key: str, item_id: str) -> Item | None:
        if (key, item_id) in self.drops:
            return None
        return self.puts.get((key, item_id)) or self._container.get(key, item_id, self._now)

    def _present(self, key: str | None, item_id: str | None) -> Item:
        if key is None or item_id is None:
            raise BadRequest("the partition key and the id of the item are needed")
        item = self._find(key, item_id)
        if item is None:
            raise NotFound(f"there is no item '{item_id}' in partition {key}")
        return item

    def _checked(self, key: str | None, body: Any) -> tuple[dict[str, Any], str]:
        """A document to be written, and its partition key, which must be the given one if there is one."""
        if not isinstance(body, dict):
            raise BadRequest("an item is a JSON object")
        check_id(body.get("id"))
        own = self._container.key_of(body)
        if key is not None and key != own:
            raise BadRequest(
                f"PartitionKey extracted from document doesn't match the one specified in the header: {own}, {key}",
                1001,
            )
        check_ttl(body.get("ttl"), "ttl")
        return body, own

    def _put(self, key: str, document: dict[str, Any], present: Item | None) -> Item:
        self._check_unique(key, document)
        self.lsn += 1
        number, now = self._container.number, int(self._now)
        rid = self.lsn if present is None else present.rid
        etag = f'"{self.lsn:08x}-0000-0000-0000-{number:012x}"'
        full = {
            **{name: value for name, value in document.items() if name not in _MADE_ANEW},
            "_rid": f"{number:08x}{rid:08x}",
            "_self": f"dbs/{self._container.database}/colls/{self._container.id}/docs/{document['id']}/",
            "_etag": etag,
            "_attachments": "attachments/",
            "_ts": now,
        }
        text = json.dumps(full, separators=(",", ":"), ensure_ascii=False)
        if len(text.encode()) > LARGEST_ITEM:
            raise TooLarge(f"an item may have at most {LARGEST_ITEM} bytes")
        item = Item(key, document["id"], self.lsn, rid, etag, now, document.get("ttl"), text)
        self.puts[key, item.id] = item
        self.drops.discard((key, item.id))
        return item

    def _check_unique(self, key: str, document: dict[str, Any]) -> None:
        for paths in self._container.unique:
            wanted = [_value(document, path) for path in paths]
            others = {item.id: item for item in self._container.visible(Part(key), self._now)}
            for partition, item_id in self.drops:
                if partition == key:
                    others.pop(item_id, None)
            others |= {item.id: item for (partition, _), item in self.puts.items() if partition == key}
            for item in others.values():
                if item.id != document["id"] and [_value(item.document, path) for path in paths] == wanted:
                    raise Conflict(f"another item has the same {', '.join(paths)}")


def check_id(value: Any) -> None:
    """Raises BadRequest for what cannot be the id of a database, a container or an item."""
    if not isinstance(value, str) or not 1 <= len(value) <= 255 or _BAD_ID & set(value) or value != value.strip():
        raise BadRequest("id must be a string of 1 to 255 characters without / \\ ? # and spaces at its ends")


def check_ttl(value: Any, name: str) -> None:
    """Raises BadRequest for what is no time to live."""
    if value is not None and (type(value) is not int or value == 0 or value < -1):
        raise BadRequest(f"{name} must be a positive integer or -1")


def _check_match(present: Item, operation: Operation) -> None:
    if operation.if_match not in (None, "*", present.etag):
        raise PreconditionFailed("the item's ETag is another one")
    if operation.if_none_match in ("*", present.etag):
        raise PreconditionFailed("the item's ETag is that one")


def _value(document: dict[str, Any], path: str) -> Any:
    value: Any = document
    for step in path.strip("/").split("/"):
        value = value.get(step) if isinstance(value, dict) else None
    return value
