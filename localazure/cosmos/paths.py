"""Paths of properties as containers' definitions have them: `/a/b`, and `/"a/b"/c` for names that are not plain."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from localazure.cosmos.errors import BadRequest

_STEP = re.compile(r'/(?:("(?:[^"\\]|\\.)*")|\'((?:[^\'\\]|\\.)*)\'|([^/"\']+))')


@lru_cache(maxsize=1024)
def steps(path: str) -> tuple[str, ...]:
    """The names on the way to the property. Raises BadRequest for what is not a path."""
    found, place = [], 0
    while place < len(path):
        match = _STEP.match(path, place)
        if match is None:
            break
        quoted, single, plain = match.groups()
        try:
            found.append(json.loads(quoted) if quoted else (single if plain is None else plain))
        except ValueError:
            break
        place = match.end()
    if not found or place != len(path):
        raise BadRequest(
            f"the path {path!r} is not valid: it is names, each after a /, in quotes where they are not plain"
        )
    return tuple(found)


def at(document: Any, names: tuple[str, ...], missing: Any = None) -> Any:
    """The value at these names, or `missing`."""
    for name in names:
        if not isinstance(document, dict) or name not in document:
            return missing
        document = document[name]
    return document
