"""The queries that the client makes of `read_items`: known by their form, so that hundreds of terms need no parser.

The form is `c.id IN (…)`, with the partition key's equality before it or without, or one conjunction of id and key for
each item. A query of any other form, or with values that are no strings or numbers, is none of these.
Source: the source of azure-cosmos 4.17, `_query_builder.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from localazure.cosmos.items import NONE_KEY, canonical

_FIELD = r"c(?:\.[A-Za-z_]\w*|(?:\[\"[^\"\\]+\"\])+)"
_HEAD = r"SELECT \* FROM c WHERE "
_LIST = re.compile(_HEAD + rf"(?:(?P<field>{_FIELD}) = (?P<key>@\w+) AND )?c\.id IN \( ?(?P<ids>@\w+(?:, @\w+)*) ?\)")
_ONE = rf"\( c\.id = (@\w+) AND (?:({_FIELD}) = (@\w+)|IS_DEFINED\(({_FIELD})\) = false) \)"
_TERM = re.compile(_ONE)
_TERMS = re.compile(_HEAD + rf"\( {_ONE}(?: OR {_ONE})* \)")

_ABSENT = ""
"""In place of a parameter's name: items that have no partition key."""


def points(text: str, parameters: Mapping[str, Any], path: tuple[str, ...]) -> list[tuple[str, str]] | None:
    """The items' partition keys (in their canonical form) and ids; `None` for another query.

    `path` are the steps to the partition key.
    """
    names = _names(text, path)
    if names is None:
        return None
    found = []
    for key_name, id_name in names:
        item_id = parameters.get(id_name)
        key = item_id if key_name == id_name else parameters.get(key_name)
        if not isinstance(item_id, str) or not (key_name == _ABSENT or isinstance(key, str | int | float)):
            return None
        found.append((NONE_KEY if key_name == _ABSENT else canonical([key]), item_id))
    return found


@lru_cache(maxsize=64)
def _names(text: str, path: tuple[str, ...]) -> list[tuple[str, str]] | None:
    """The parameters' names: of the key and of the id."""
    listed = _LIST.fullmatch(text)
    if listed is not None:
        ids = listed["ids"].split(", ")
        if listed["key"] is None:
            return [(name, name) for name in ids] if path == ("id",) else None
        return [(listed["key"], name) for name in ids] if _is(listed["field"], path) else None
    if not text.startswith("SELECT * FROM c WHERE ( ( c.id = ") or _TERMS.fullmatch(text) is None:
        return None
    found = []
    for id_name, field, key_name, absent in _TERM.findall(text):
        if not _is(field or absent, path):
            return None
        found.append((key_name or _ABSENT, id_name))
    return found


def _is(field: str, path: tuple[str, ...]) -> bool:
    """Whether the expression names the partition key."""
    if field.startswith("c."):
        return path == (field[2:],)
    return path == tuple(re.findall(r'\["([^"]+)"\]', field))
