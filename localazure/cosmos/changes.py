"""What a request changes: operations carried out in order, seen by nobody else until they are committed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from localazure.cosmos import charges, paths, rids
from localazure.cosmos.errors import BadRequest, Conflict, NotFound, PreconditionFailed, TooLarge
from localazure.cosmos.items import Item, Version
from localazure.cosmos.model import Container, FeedRange
from localazure.cosmos.patch import apply
from localazure.cosmos.sql.conditions import holds
from localazure.cosmos.sql.values import written

MAX_ITEM = 2 * 1024 * 1024
_TOO_LARGE = f"Request size is too large: an item may have at most {MAX_ITEM} bytes"
_BAD_ID = frozenset("/\\?#")
_MADE_ANEW = frozenset({"_rid", "_self", "_attachments", "_lsn"})
_SYSTEM = frozenset({"_rid", "_self", "_etag", "_attachments", "_ts"})


@dataclass(frozen=True)
class Operation:
    """One write, or a read inside a batch. `kind` is the name the batch protocol has for it.

    `size` are the bytes that the item was sent as, where it came by itself.
    """

    kind: str
    id: str | None = None
    body: Any = None
    if_match: str | None = None
    if_none_match: str | None = None
    size: int = 0


@dataclass(frozen=True)
class Result:
    """What an operation did: an HTTP status, the item as it now is, and the charge; a sub-status if it failed."""

    status: int
    item: Item | None
    charge: float
    substatus: int = 0


class Changes:
    """The changes of one request, made at one time (seconds since the Unix epoch).

    `lsns` are the new counts of the physical ranges that change, by their numbers.
    """

    def __init__(self, container: Container, now: float) -> None:
        self._container = container
        self._now = now
        self.sequence = container.sequence
        self.lsns: dict[int, int] = {}
        self.puts: dict[tuple[str, str], Item] = {}
        self.drops: set[tuple[str, str]] = set()
        self.versions: list[Version] = []

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

    def drop(self, item: Item, expired: bool = False) -> float:
        """Delete an item that is there; the charge. `expired` says that its time is over."""
        lsn = self._next(item.key)
        self._remove(item)
        if self._container.retention:
            self.versions.append(Version(item.key, item.id, lsn, int(self._now), "delete", "", item.text, expired))
        return charges.create(len(item.text), self._container.indexing.count(item.document))

    def _create(self, key: str | None, operation: Operation) -> Result:
        document, key = self._checked(key, operation)
        if self._find(key, document["id"]) is not None:
            raise Conflict(f"the item '{document['id']}' already exists in partition {key}")
        return self._created(key, document)

    def _created(self, key: str, document: dict[str, Any]) -> Result:
        item = self._put(key, document, None)
        return Result(201, item, charges.create(len(item.text), self._container.indexing.count(document)))

    def _upsert(self, key: str | None, operation: Operation) -> Result:
        document, key = self._checked(key, operation)
        present = self._find(key, document["id"])
        if present is not None:
            return self._replaced(key, document, present, operation)
        return self._created(key, document)

    def _replace(self, key: str | None, operation: Operation) -> Result:
        document, key = self._checked(key, operation)
        present = self._present(key, document["id"] if operation.id is None else operation.id)
        if document["id"] != present.id and self._find(key, document["id"]) is not None:
            raise Conflict(f"the item '{document['id']}' already exists in partition {key}")
        return self._replaced(key, document, present, operation)

    def _replaced(self, key: str, document: dict[str, Any], present: Item, operation: Operation) -> Result:
        _check_match(present, operation)
        item = self._put(key, document, present)
        return Result(200, item, charges.replace(len(item.text), self._container.indexing.count(document)))

    def _patch(self, key: str | None, operation: Operation) -> Result:
        present = self._present(key, operation.id)
        _check_match(present, operation)
        condition, operations = _patch_of(operation.body)
        if condition and not holds(condition, present.document, self._now):
            raise PreconditionFailed("the patch's condition does not hold")
        changed = apply(present.document, operations, self._container.paths)
        _check_own_ttl(changed)
        # what is patched once is patched again: the next condition need not parse it
        item = self._put(present.key, changed, present, keeps_parsed=True)
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

    def _checked(self, key: str | None, operation: Operation) -> tuple[dict[str, Any], str]:
        """A document to be written, and its partition key, which must be the given one if there is one."""
        body = operation.body
        if operation.size > MAX_ITEM:
            raise TooLarge(_TOO_LARGE)
        if not isinstance(body, dict):
            raise BadRequest("an item is a JSON object")
        check_id(body.get("id"))
        own = self._container.key_of(body)
        if key is not None and key != own:
            raise BadRequest(
                f"PartitionKey extracted from document doesn't match the one specified in the header: {own}, {key}",
                1001,
            )
        _check_own_ttl(body)
        return body, own

    def _put(self, key: str, document: dict[str, Any], present: Item | None, keeps_parsed: bool = False) -> Item:
        container = self._container
        if container.unique:
            self._check_unique(key, document, present)
        lsn = self._next(key)
        number, now = self.sequence if present is None else present.rid, int(self._now)
        rid = rids.document(container.rid_bytes, number)
        etag = f'"{self.sequence:08x}-0000-0000-0000-{container.number:012x}"'
        full = {
            **{name: value for name, value in document.items() if name not in _MADE_ANEW},
            "_rid": rid,
            "_self": f"{container.link}docs/{rid}/",
            "_etag": etag,
            "_attachments": "attachments/",
            "_ts": now,
        }
        text = _written(full)
        parsed = full if keeps_parsed else None
        item = Item(key, document["id"], lsn, number, etag, now, document.get("ttl"), text, parsed)
        if present is not None and present.id != item.id:
            self._remove(present)
        self.puts[key, item.id] = item
        self.drops.discard((key, item.id))
        if container.retention:
            kind, before = ("create", "") if present is None else ("replace", present.text)
            self.versions.append(Version(key, item.id, lsn, now, kind, text, before))
        return item

    def _next(self, key: str) -> int:
        """Count one more change of the container; the LSN in the key's physical range, one for the whole request."""
        each = self._container.range_of(key)
        lsn = self.lsns[each.number] = each.lsn + 1
        self.sequence += 1
        return lsn

    def _remove(self, item: Item) -> None:
        self.drops.add((item.key, item.id))
        self.puts.pop((item.key, item.id), None)

    def _check_unique(self, key: str, document: dict[str, Any], present: Item | None) -> None:
        others = {item.id: item for item in self._container.visible(FeedRange(key), self._now)}
        for partition, item_id in self.drops:
            if partition == key:
                others.pop(item_id, None)
        others |= {item.id: item for (partition, _), item in self.puts.items() if partition == key}
        others.pop(document["id"] if present is None else present.id, None)
        for found in self._container.unique:
            wanted = [paths.at(document, steps) for steps in found]
            if any([paths.at(item.document, steps) for steps in found] == wanted for item in others.values()):
                raise Conflict(f"another item has the same {', '.join('/' + '/'.join(steps) for steps in found)}")


def check_id(value: Any) -> None:
    """Raises BadRequest for what cannot be the id of a database, a container or an item."""
    if not isinstance(value, str) or not 1 <= len(value) <= 255 or _BAD_ID & set(value) or value != value.rstrip():
        raise BadRequest("id must be a string of 1 to 255 characters without / \\ ? # and without spaces at its end")


def check_ttl(value: Any, name: str) -> None:
    """Raises BadRequest for what is no time to live."""
    if value is not None and (type(value) is not int or value == 0 or value < -1):
        raise BadRequest(f"{name} must be a positive integer or -1")


def _check_match(present: Item, operation: Operation) -> None:
    if operation.if_match not in (None, "*", present.etag):
        raise PreconditionFailed("the item's ETag is another one")
    if operation.if_none_match in ("*", present.etag):
        raise PreconditionFailed("the item's ETag is that one")


def _check_own_ttl(document: dict[str, Any]) -> None:
    if "ttl" in document and document["ttl"] is None:
        raise BadRequest("ttl must be a positive integer or -1, not null")
    check_ttl(document.get("ttl"), "ttl")


def _patch_of(body: Any) -> tuple[str, Any]:
    """A patch's condition and operations: an object of both, or the operations alone. Raises BadRequest."""
    if isinstance(body, list):
        return "", body
    if not isinstance(body, dict):
        raise BadRequest("a patch is an array of operations, or an object with the property operations")
    condition = body.get("condition") or ""
    if not isinstance(condition, str):
        raise BadRequest("the condition of a patch is a text")
    return condition, body.get("operations", [])


def _written(full: dict[str, Any]) -> str:
    """The item's text. Raises TooLarge; what the service adds to an item is not counted."""
    text = written(full)
    # a character has at most four bytes: small items need no counting
    if 4 * len(text) > MAX_ITEM:
        own = {name: value for name, value in full.items() if name not in _SYSTEM}
        if len(written(own).encode()) > MAX_ITEM:
            raise TooLarge(_TOO_LARGE)
    return text
