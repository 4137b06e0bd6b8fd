"""How values of C# look as texts: ToString, and the formats of numbers. The culture is the invariant one."""

from __future__ import annotations

import re
import uuid
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from localazure.apim.expressions.failures import Thrown, bounded, throw
from localazure.apim.expressions.jtoken import JToken, JValue, dump
from localazure.apim.expressions.times import SECOND, DateTime, DateTimeOffset, TimeSpan, formatted


class Pair(NamedTuple):
    """KeyValuePair."""

    key: Any
    value: Any


class Group(list[Any]):
    """IGrouping: the elements of one key."""

    key: Any = None


class Record(dict[str, Any]):
    """A value of an anonymous type."""


def text(value: Any) -> str:
    """`ToString()`, of null the empty text, as in a concatenation."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, JToken):
        return text(value.value) if isinstance(value, JValue) else dump(value, indented=True)
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Pair):
        return f"[{text(value.key)}, {text(value.value)}]"
    if isinstance(value, Record):
        return "{ " + ", ".join(f"{name} = {text(item)}" for name, item in value.items()) + " }"
    if isinstance(value, bytes | bytearray):
        return "System.Byte[]"
    if isinstance(value, list | dict):
        return "System.Collections.Generic.List" if isinstance(value, list) else "System.Collections.Generic.Dictionary"
    return str(value)


def number(value: float) -> str:
    if value != value:
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "Infinity" if value > 0 else "-Infinity"
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    found = repr(value)
    if "e" in found:
        mantissa, _, exponent = found.partition("e")
        return f"{mantissa.removesuffix('.0')}E{'-' if exponent[0] == '-' else '+'}{exponent.lstrip('+-').zfill(2)}"
    return found


def format_value(value: Any, form: str) -> str:
    """`ToString(format)`, also of a hole in an interpolated string."""
    if isinstance(value, JValue):
        value = value.value
    if not form:
        return text(value)
    if isinstance(value, DateTime):
        return formatted(value.ticks, form, None, value.kind)
    if isinstance(value, DateTimeOffset):
        return formatted(value.ticks, form, value.offset, "")
    if isinstance(value, TimeSpan):
        return _span(value, form)
    if isinstance(value, uuid.UUID):
        return guid(value, form)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _number(value, form)
    return text(value)


def guid(value: uuid.UUID, form: str) -> str:
    match form.upper():
        case "N":
            return value.hex
        case "D" | "":
            return str(value)
        case "B":
            return f"{{{value}}}"
        case "P":
            return f"({value})"
    raise Thrown("FormatException", f"the Guid format {form!r} is not supported; N, D, B and P are")


_STANDARD = re.compile(r"([A-Za-z])(\d{0,2})")


def _number(value: float | Decimal, form: str) -> str:
    match = _STANDARD.fullmatch(form)
    if match is None:
        return _custom(value, form)
    kind, digits = match[1].upper(), match[2]
    if kind in "XD" and not isinstance(value, int):
        throw("FormatException", "Format specifier was invalid.")
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    match kind:
        case "D":
            return f"{'-' if value < 0 else ''}{abs(int(value)):0{int(digits or 0)}}"
        case "X":
            width = 8 if -(1 << 31) <= value < 0 else 16
            whole = int(value) % (1 << (4 * width))
            return format(whole, f"0{int(digits or 0)}{match[1]}")
        case "F":
            return f"{_rounded(exact, int(digits or 2)):f}"
        case "N":
            return f"{_rounded(exact, int(digits or 2)):,f}"
        case "P":
            return f"{_rounded(exact * 100, int(digits or 2)):,f} %"
        case "C":
            return f"¤{_rounded(exact, int(digits or 2)):,f}"
        case "E":
            mantissa, exponent = f"{exact:.{int(digits or 6)}E}".split("E")
            return f"{mantissa}{match[1]}{exponent[0]}{exponent[1:].zfill(3)}"
        case "G" | "R":
            return text(value) if not digits or int(digits) == 0 else number(float(f"{float(exact):.{digits}g}"))
    raise Thrown("FormatException", "Format specifier was invalid.")


def _rounded(value: Decimal, digits: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)


def _custom(value: float | Decimal, form: str) -> str:
    """Digits as `0` and `#`, with a point, commas and a percent sign; other characters stand for themselves."""
    match = re.search(r"[0#][0#,]*(?:\.([0#]+))?|\.([0#]+)", form)
    if match is None:
        return form
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if "%" in form:
        exact *= 100
    whole_form, _, fraction_form = match[0].partition(".")
    rounded = _rounded(abs(exact), len(fraction_form))
    whole, _, fraction = f"{rounded:f}".partition(".")
    whole = whole.lstrip("0").rjust(whole_form.count("0"), "0")
    if "," in whole_form:
        whole = f"{int(whole or 0):,}".rjust(len(whole), "0")
    kept = fraction_form.rfind("0") + 1
    fraction = fraction[:kept] + fraction[kept:].rstrip("0")
    made = ("-" if exact < 0 and rounded else "") + whole + (f".{fraction}" if fraction else "")
    return form[: match.start()] + made + form[match.end() :]


_SPAN_FIELD = re.compile(r"d+|h+|m+|s+|f+|F+|\\.|'[^']*'|%|.", re.DOTALL)


def _span(value: TimeSpan, form: str) -> str:
    if form in {"c", "g", "G", "t", "T"}:
        return str(value)
    ticks = abs(value.ticks)
    seconds = ticks // SECOND
    fields = {"d": seconds // 86_400, "h": seconds // 3600 % 24, "m": seconds // 60 % 60, "s": seconds % 60}

    def field(match: re.Match[str]) -> str:
        letter, width = match[0][0], len(match[0])
        if letter in fields:
            return f"{fields[letter]:0{width}}"
        if letter in "fF":
            digits = f"{ticks % SECOND:07}"[:width]
            return digits if letter == "f" else digits.rstrip("0")
        return match[0][1:-1] if letter == "'" else match[0].lstrip("\\%")

    return _SPAN_FIELD.sub(field, form)


_HOLE = re.compile(r"\{\{|\}\}|\{(\d+)(?:,(-?\d+))?(?::([^{}]*))?\}|[{}]")


def composed(form: str, *values: Any) -> str:
    """string.Format."""

    def hole(match: re.Match[str]) -> str:
        if match[0] in {"{{", "}}"}:
            return match[0][0]
        if match[1] is None or int(match[1]) >= len(values):
            throw("FormatException", "Index (zero based) must be greater than or equal to zero and less than the size.")
        return aligned(format_value(values[int(match[1])], match[3] or ""), int(match[2] or 0))

    return _HOLE.sub(hole, form)


def aligned(value: str, width: int) -> str:
    """The text in a field of that width, to the left where it is negative."""
    bounded(abs(width))
    return value.ljust(-width) if width < 0 else value.rjust(width)
