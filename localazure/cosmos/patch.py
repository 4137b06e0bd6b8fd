"""Partial document update: add, set, replace, remove, incr and move, in order, all or none.

Source: "Partial document update in Azure Cosmos DB"; paths are JSON Pointer (RFC 6901).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from localazure.cosmos.errors import BadRequest

MAX_OPERATIONS = 10
_SYSTEM = frozenset({"/id", "/_ts", "/_etag", "/_rid", "/_self", "/_attachments"})


def apply(document: dict[str, Any], operations: Any, partition_paths: Sequence[str]) -> dict[str, Any]:
    """The changed document; the given one stays as it is. Raises BadRequest with the operation's place."""
    if not isinstance(operations, list) or not 1 <= len(operations) <= MAX_OPERATIONS:
        raise BadRequest(f"a patch has 1 to {MAX_OPERATIONS} operations")
    draft = _Draft(document)
    for place, operation in enumerate(operations):
        try:
            _apply(draft, operation, partition_paths)
        except BadRequest as exc:
            raise BadRequest(f"patch operation {place}: {exc.message}") from exc
    return draft.document


class _Draft:
    """A document under change: what lies on the way to a change is copied, all else is shared with the old one."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = dict(document)
        self._copies: dict[int, Any] = {id(self.document): self.document}
        """By their `id`, which is theirs as long as they are kept."""

    def parent(self, path: str) -> tuple[Any, str]:
        """The object or array that holds the end of the path, as a copy, and the last step. Raises BadRequest."""
        *steps, last = [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
        target: Any = self.document
        for step in steps:
            if isinstance(target, dict) and step in target:
                target = self._copied(target, step)
            elif isinstance(target, list) and step.isdecimal() and int(step) < len(target):
                target = self._copied(target, int(step))
            else:
                raise BadRequest(f"{path}: '{step}' does not exist")
        if not isinstance(target, dict | list):
            raise BadRequest(f"{path}: its parent is neither an object nor an array")
        return target, last

    def _copied(self, target: Any, key: str | int) -> Any:
        inner = target[key]
        if isinstance(inner, dict | list) and id(inner) not in self._copies:
            inner = target[key] = inner.copy()
            self._copies[id(inner)] = inner
        return inner


def _apply(document: _Draft, operation: Any, partition_paths: Sequence[str]) -> None:
    if not isinstance(operation, dict):
        raise BadRequest("it is not an object")
    kind, path = operation.get("op"), _changeable(operation.get("path"), "path", partition_paths)
    if kind in ("add", "set", "replace"):
        if "value" not in operation:
            raise BadRequest(f"{kind} needs a value")
        _put(document, path, operation["value"], kind)
    elif kind == "remove":
        _take(document, path)
    elif kind == "incr":
        _increment(document, path, operation.get("value"))
    elif kind == "move":
        source = _changeable(operation.get("from"), "from", partition_paths)
        _put(document, path, _take(document, source), "add")
    else:
        raise BadRequest(f"the operation {kind!r} does not exist")


def _changeable(path: Any, name: str, partition_paths: Sequence[str]) -> str:
    """`path`. Raises BadRequest if it is, contains or lies below `id`, a system property or the partition key."""
    if not isinstance(path, str) or not path.startswith("/"):
        raise BadRequest(f"{name} must begin with /")
    if any(path == fixed or path.startswith(f"{fixed}/") for fixed in (*_SYSTEM, *partition_paths)):
        raise BadRequest(f"{path} cannot be patched")
    if any(partition_path.startswith(f"{path}/") for partition_path in partition_paths):
        raise BadRequest(f"{path} holds the partition key and cannot be patched")
    return path


def _put(document: _Draft, path: str, value: Any, kind: str) -> None:
    target, last = document.parent(path)
    if isinstance(target, dict):
        if kind == "replace" and last not in target:
            raise BadRequest(f"{path} does not exist")
        target[last] = value
        return
    if last == "-":
        if kind == "replace":
            raise BadRequest(f"{path} does not exist")
        target.append(value)
        return
    place = _place(target, last, path, beyond=kind == "add")
    if kind == "add":
        target.insert(place, value)
    else:
        target[place] = value


def _take(document: _Draft, path: str) -> Any:
    target, last = document.parent(path)
    if isinstance(target, dict):
        if last not in target:
            raise BadRequest(f"{path} does not exist")
        return target.pop(last)
    return target.pop(_place(target, last, path, beyond=False))


def _increment(document: _Draft, path: str, value: Any) -> None:
    target, last = document.parent(path)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise BadRequest("incr needs a number")
    key: Any = last if isinstance(target, dict) else _place(target, last, path, beyond=False)
    present = target.get(last, 0) if isinstance(target, dict) else target[key]
    if not isinstance(present, int | float) or isinstance(present, bool):
        raise BadRequest(f"{path} is not a number")
    target[key] = _number(path, present + value)


def _number(path: str, value: int | float) -> int | float:
    """Raises BadRequest for what is beyond a double."""
    try:
        known = math.isfinite(value)
    except OverflowError:
        known = False
    if not known:
        raise BadRequest(f"{path} would be beyond the largest number")
    return value


def _place(target: list[Any], last: str, path: str, beyond: bool) -> int:
    most = len(target) if beyond else len(target) - 1
    if not last.isdecimal() or int(last) > most:
        raise BadRequest(f"{path}: there is no such place in the array")
    return int(last)
