"""Lists are pages of `{items, next_cursor}`; the cursor is opaque, and says where the next page starts."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from shared.errors import InvalidRequest
from shared.web.operation import Parameter

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
_MAX_CURSOR = 512

LIMIT = Parameter(
    "limit",
    "Items on a page.",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
)
CURSOR = Parameter(
    "cursor",
    "Where the page starts: `next_cursor` of the page before, under the same filters.",
    {"type": "string", "minLength": 1, "maxLength": _MAX_CURSOR},
)

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a list; `next_cursor` is null on the last."""

    items: list[T]
    next_cursor: str | None


def encode_cursor(position: str, scope: str) -> str:
    """The cursor that continues after `position` in the list that `scope` (its filters) describes."""
    text = json.dumps([position, scope], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, scope: str) -> str | None:
    """The inverse. Raises InvalidRequest for a broken cursor, and for one that belongs to other filters."""
    if cursor is None:
        return None
    try:
        if len(cursor) > _MAX_CURSOR:
            raise ValueError("too long")
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        position, made_for = json.loads(text)
        if not isinstance(position, str) or not isinstance(made_for, str):
            raise ValueError("not a cursor")
    except (ValueError, TypeError, binascii.Error, RecursionError) as exc:
        raise InvalidRequest("cursor is not one that this list gave out", code="invalid-cursor") from exc
    if made_for != scope:
        raise InvalidRequest("cursor belongs to a list with other filters", code="invalid-cursor")
    return position


def read_limit(query: Mapping[str, str]) -> int:
    """The page size asked for, 1 to 100. Raises InvalidRequest for anything else."""
    text = query.get("limit")
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_LIMIT):
        raise InvalidRequest(f"limit must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)
