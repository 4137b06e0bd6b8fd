"""Continuation tokens: where a page ended, in a form that a client can keep for as long as it likes.

A token says all by itself: nothing of it is remembered here, so it outlives a restart.
"""

from __future__ import annotations

import base64
import json
import zlib
from functools import lru_cache

from localazure.cosmos.errors import BadRequest
from localazure.cosmos.sql.binder import bound
from localazure.cosmos.sql.paging import Position
from localazure.cosmos.sql.syntax import replaced
from localazure.cosmos.sql.text import query_text

ALL = "all items"
"""In place of a query's text."""
MAX_TOKEN = 6 * 1024
"""Characters: what HTTP clients accept in one header is 8 KB."""


@lru_cache(maxsize=512)
def _fingerprint(text: str) -> int:
    """The same for queries that differ in WHERE alone: clients narrow it where they go on with a sorted query."""
    query = text if text == ALL else query_text(replaced(bound(text), where=None))
    return zlib.crc32(query.encode())


def encode(position: Position, text: str, kilobytes: int = 0) -> str:
    """A token that goes with the query `text`. Raises BadRequest for one too long for a header or the client."""
    document = [_fingerprint(text), position.place, position.skip, position.take]
    token = base64.b64encode(json.dumps(document, separators=(",", ":")).encode()).decode()
    if len(token) > (min(MAX_TOKEN, kilobytes * 1024) if kilobytes > 0 else MAX_TOKEN):
        raise BadRequest(
            "the values by which these results are sorted are too long for a continuation token of the local server: "
            "sort by shorter ones, or ask for a page that holds all results"
        )
    return token


def decode(token: str, text: str) -> Position | None:
    """`None` for no token. Raises BadRequest for one that does not go with the query `text`."""
    if not token:
        return None
    try:
        fingerprint, place, skip, take = json.loads(base64.b64decode(token, validate=True))
        position = Position(list(place), int(skip), None if take is None else int(take))
    except (ValueError, TypeError) as exc:
        raise BadRequest("x-ms-continuation is no continuation token of the local server") from exc
    if fingerprint != _fingerprint(text) or not place:
        raise BadRequest("x-ms-continuation is of another query")
    return position
