"""Aggregate functions: one value of many. What is undefined counts nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from localazure.cosmos.sql.values import UNDEFINED, identity, is_number, order_key


def aggregated(name: str, values: Iterable[Any]) -> Any:
    """The aggregate of that name (in capitals)."""
    found = [value for value in values if value is not UNDEFINED]
    match name:
        case "COUNT":
            return len(found)
        case "COUNTIF":
            return sum(value is True for value in found)
        case "MAKELIST":
            return found
        case "MAKESET":
            return list({identity(value): value for value in reversed(found)}.values())[::-1]
        case "SUM" | "AVG":
            return _summed(found, name == "AVG")
    if not found:
        return UNDEFINED
    return (min if name == "MIN" else max)(found, key=order_key)


def _summed(found: list[Any], mean: bool) -> Any:
    if not all(is_number(value) for value in found):
        return UNDEFINED
    if not mean:
        return sum(found)
    return sum(found) / len(found) if found else UNDEFINED
