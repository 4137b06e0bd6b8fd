"""Patterns of LIKE. Source: "Keywords in Azure Cosmos DB for NoSQL"."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=256)
def like_pattern(pattern: str, escape: str) -> re.Pattern[str]:
    """`%` is any text, `_` a character, `[a-f]` one of some and `[^a-f]` one of the others; brackets quote as well."""
    out, place = "", 0
    while place < len(pattern):
        character = pattern[place]
        place += 1
        if escape and character == escape:
            out += re.escape(pattern[place : place + 1])
            place += 1
        elif character == "%":
            out += ".*"
        elif character == "_":
            out += "."
        elif character == "[" and "]" in pattern[place:]:
            end = pattern.index("]", place)
            out += _set(pattern[place:end])
            place = end + 1
        else:
            out += re.escape(character)
    return re.compile(out, re.DOTALL)


def _set(inner: str) -> str:
    others = inner.startswith("^") and len(inner) > 1
    wanted = "".join(f"\\{character}" if character in "[]^\\" else character for character in inner[others:])
    try:
        re.compile(f"[{wanted}]")
    except re.error:
        return "(?!)"
    return f"[{'^' if others else ''}{wanted}]"
