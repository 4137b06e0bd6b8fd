"""Values as Cosmos DB items, and back: nothing is written that its own reader refuses.

A writer reads what it is about to write, in memory, so that a value outside its type never reaches the store. An item
that cannot be read all the same (an older release wrote it, or a hand) harms those alone who ask for it: a list goes on
without it, and the log tells operations which item it is (`document.unreadable`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from shared.errors import CommerceError
from shared.persistence.cosmos import Container, Document
from shared.telemetry.log import Log

T = TypeVar("T")


class Unreadable(CommerceError):
    """A stored item is not what its service writes. Its content is neither in the error nor in the log."""

    default_code = "unreadable-document"


def document_of(value: Any, **also: Any) -> Document:
    """The item that holds `value`, a struct or dataclass, with fields beside it.

    Raises msgspec.ValidationError if the value's own type would refuse to read it.
    """
    document: Document = msgspec.to_builtins(value)
    msgspec.convert(document, type(value))
    return {**document, **also}


def read_as(container: Container, document: Mapping[str, Any], type_: type[T]) -> T:
    """The value that an item of `container` holds. Raises Unreadable, after telling operations."""
    try:
        return msgspec.convert(document, type_)
    except msgspec.ValidationError as exc:
        where = str(document.get("id", "")) if isinstance(document, Mapping) else ""
        Log(container.database).error(
            "document.unreadable", container=container.name, item=where, type=type_.__name__, at=_path(exc)
        )
        raise Unreadable("a stored document cannot be read; operations has been told") from exc


def readable(container: Container, documents: Iterable[Mapping[str, Any]], type_: type[T]) -> Iterator[T]:
    """The values of those items that can be read; the others are in the log."""
    for document in documents:
        try:
            yield read_as(container, document, type_)
        except Unreadable:
            continue


def _path(error: msgspec.ValidationError) -> str:
    """The place in the document that a validation error names: it holds field names and no value."""
    _, marker, place = str(error).rpartition(" - at ")
    return place.strip("`") if marker else "$"
