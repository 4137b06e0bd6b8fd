"""The inline constraints of a route parameter, as ASP.NET Core has them: `int`, `range(1,9)`, `regex(^a+$)` and others.

Source: "Route constraints" in "Routing in ASP.NET Core", and the .NET parsers behind them, in the invariant culture.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

Constraint = Callable[[str], bool]

_SPACES = " \t\n\v\f\r"
_WHOLE = re.compile(r"[+-]?[0-9]+")
_GUID = re.compile(
    r"(?:(?P<open>[{(])?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?P<close>[})])?|[0-9a-f]{32})", re.IGNORECASE
)
_NUMBER = re.compile(r"[+-]?(?:[0-9][0-9,]*\.?[0-9]*|\.[0-9]+)[+-]?")
_FLOAT = re.compile(r"[+-]?(?:[0-9][0-9,]*\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:infinity|∞)|[+-]?nan", re.I)
_FILE = re.compile(r"[^/]*\.[^./]+")
_MAX_DECIMAL = 2**96 - 1
_TEXT = re.compile(r"(?P<name>[^(]*)(?:\((?P<arguments>.*)\))?", re.DOTALL)
_DATES = (
    "%m/%d/%Y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%Y/%m/%d",
    "%d %b %Y",
    "%d %B %Y",
    "%B %d, %Y",
    "%b %d, %Y",
    "%a, %d %b %Y %H:%M:%S GMT",
    "%H:%M",
    "%H:%M:%S",
)
"""Forms of a date beside ISO 8601 that `DateTime.TryParse` takes in the invariant culture."""


class UnknownConstraint(ValueError):
    """A constraint that there is none of, or with arguments that it does not take."""


def constraint(text: str) -> Constraint:
    """The constraint that `text` names. Raises UnknownConstraint."""
    match = _TEXT.fullmatch(text)
    name, given = (match["name"].strip(), match["arguments"]) if match else (text, None)
    try:
        if name == "regex" and given is not None:
            return _pattern(given)
        arguments = () if given is None else tuple(part.strip() for part in given.split(",") if part.strip())
        made = _PLAIN.get(name.lower()) if given is None else _WITH_ARGUMENTS[name.lower(), len(arguments)](*arguments)
    except (KeyError, ValueError, re.error):
        made = None
    if made is None:
        raise UnknownConstraint(f"The constraint reference '{text}' could not be resolved to a type.")
    return made


def _pattern(given: str) -> Constraint:
    pattern = re.compile(given, re.IGNORECASE)
    return lambda value: pattern.search(value) is not None


def _whole(value: str, bits: int) -> int | None:
    """What `NumberStyles.Integer` reads: blanks around, a sign in front, digits."""
    value = value.strip(_SPACES)
    if len(value) > 400 or _WHOLE.fullmatch(value) is None:
        return None
    number = int(value)
    return number if -(2 ** (bits - 1)) <= number < 2 ** (bits - 1) else None


def _between(least: int | None, most: int | None) -> Constraint:
    def holds(value: str) -> bool:
        number = _whole(value, 64)
        return number is not None and (least is None or number >= least) and (most is None or number <= most)

    return holds


def _long(least: int, most: float) -> Constraint:
    return lambda value: least <= len(value.encode("utf-16-le")) // 2 <= most


def _is_guid(value: str) -> bool:
    match = _GUID.fullmatch(value.strip(_SPACES))
    return match is not None and (match["open"] or "") + (match["close"] or "") in ("", "{}", "()")


def _is_decimal(value: str) -> bool:
    value = value.strip(_SPACES)
    if len(value) > 400 or _NUMBER.fullmatch(value) is None or (value[0] in "+-" and value[-1] in "+-"):
        return False
    return int(re.sub(r"\..*|[^0-9]", "", value) or "0") <= _MAX_DECIMAL


def _is_date(value: str) -> bool:
    value = value.strip(_SPACES)
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return any(_fits(value, form) for form in _DATES)
    return "-" in value and not value.startswith("-")


def _fits(value: str, form: str) -> bool:
    try:
        datetime.strptime(value, form)
    except ValueError:
        return False
    return True


def _is_float(value: str) -> bool:
    return _FLOAT.fullmatch(value.strip(_SPACES)) is not None


_PLAIN: dict[str, Constraint] = {
    "int": lambda value: _whole(value, 32) is not None,
    "long": lambda value: _whole(value, 64) is not None,
    "bool": lambda value: value.strip(_SPACES + "\0").lower() in ("true", "false"),
    "guid": _is_guid,
    "alpha": lambda value: re.fullmatch(r"[A-Za-z]*", value) is not None,
    "decimal": _is_decimal,
    "double": _is_float,
    "float": _is_float,
    "datetime": _is_date,
    "required": bool,
    "file": lambda value: _FILE.fullmatch(value.rsplit("/", 1)[-1]) is not None,
    "nonfile": lambda value: _FILE.fullmatch(value.rsplit("/", 1)[-1]) is None,
}
_WITH_ARGUMENTS: dict[tuple[str, int], Callable[..., Constraint]] = {
    ("min", 1): lambda least: _between(int(least), None),
    ("max", 1): lambda most: _between(None, int(most)),
    ("range", 2): lambda least, most: _between(int(least), int(most)),
    ("length", 1): lambda exact: _long(int(exact), int(exact)),
    ("length", 2): lambda least, most: _long(int(least), int(most)),
    ("minlength", 1): lambda least: _long(int(least), float("inf")),
    ("maxlength", 1): lambda most: _long(0, int(most)),
}
