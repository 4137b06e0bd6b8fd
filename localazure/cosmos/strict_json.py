"""JSON as the service takes it: no NaN, no number beyond a double, no half of a surrogate pair, not too deep."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from localazure.cosmos.errors import BadRequest
from localazure.json_text import is_deeper

DEEPEST = 128
"""Source: "Azure Cosmos DB service quotas", maximum level of nesting for embedded objects and arrays."""
_BRACKETS = b"{}[]"
_OTHERS = bytes(byte for byte in range(256) if byte not in _BRACKETS)
_DIGITS = bytes(byte if 48 <= byte <= 57 else 32 for byte in range(256)).translate(
    bytes.maketrans(b"123456789", b"0" * 9)
)
_LONG_NUMBER = b"0" * 300
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(raw: bytes, name: str = "the body") -> Any:
    """Raises BadRequest, which calls the text `name`."""
    try:
        # a whole number has to be long to be too large: those are looked at only where there are such
        decoder = _SLOW if len(raw) > len(_LONG_NUMBER) and _LONG_NUMBER in raw.translate(_DIGITS) else _FAST
        value = decoder.decode(raw.decode())
        if b"\\" in raw and _SURROGATE.search(raw):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:
        raise BadRequest(f"{name} is not valid JSON") from exc
    if _may_be_deep(raw) and is_deeper(value, DEEPEST):
        raise BadRequest(f"{name} has objects or arrays more than {DEEPEST} deep")
    return value


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is not a number of JSON")


def _whole(text: str) -> int:
    _fraction(text)
    return int(text)


def _fraction(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number is beyond what a double holds")
    return value


_FAST = json.JSONDecoder(parse_constant=_refused, parse_float=_fraction)
_SLOW = json.JSONDecoder(parse_constant=_refused, parse_float=_fraction, parse_int=_whole)


def _may_be_deep(raw: bytes) -> bool:
    """Whether the brackets alone leave it open; those in texts only make this say yes more often."""
    brackets = raw.translate(None, _OTHERS)
    for _ in range(DEEPEST):
        if not brackets:
            return False
        rest = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(rest) == len(brackets):
            return True
        brackets = rest
    return bool(brackets)
