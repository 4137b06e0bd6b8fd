"""The table of members: C# signatures, each with the function that does what it says.

`declare("string", {"string Substring(int start, int length)": …})` enters a method, `"int Length"` a property, a
`static` one is found on the type itself. `T` and other single capitals are type parameters; `type` in place of the
first parameter hands the type argument to the function; a method with `out` parameters answers a tuple.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from localazure.apim.expressions.types import KNOWN, VALUES, lineage, parts, split

_SIGNATURE = re.compile(r"(static )?(.+?) (\w+)(?:<([\w, ]+)>)?(?:\((.*)\))?$")
_PARAMETER = re.compile(r"(out |params )?(\S+?)(?: (\w+))?(?: = (.+))?$")
_DEFAULTS = {"null": None, "true": True, "false": False}


@dataclass(frozen=True)
class Parameter:
    type: str
    name: str
    out: bool
    many: bool
    optional: bool
    default: Any


@dataclass(frozen=True)
class Overload:
    """`parameters` is `None` for a property; `owner` is the type that has it, with its type parameters."""

    owner: str
    name: str
    static: bool
    parameters: tuple[Parameter, ...] | None
    result: str
    call: Callable[..., Any]
    generic: tuple[str, ...]
    takes_type: bool


_MEMBERS: dict[str, dict[str, list[Overload]]] = {}
SETTERS: dict[tuple[str, str], tuple[str, Callable[[Any, Any], None]]] = {}
"""(type, property) → its type, and what an assignment does."""
INDEXES: dict[str, list[tuple[str, str, Callable[[Any, Any], Any], Callable[[Any, Any, Any], None] | None]]] = {}
"""Type → (type of the index, type of what is found, how it is read, how it is set)."""


def declare(owner: str, members: Mapping[str, Callable[..., Any]]) -> None:
    """Enter members of a type."""
    KNOWN.add(parts(owner)[0])
    for signature, call in members.items():
        overload = _overload(owner, signature, call)
        _MEMBERS.setdefault(parts(owner)[0], {}).setdefault(overload.name, []).append(overload)


def enumeration(name: str, **members: Any) -> None:
    """Enter an enumeration; what is given for a name is its value."""
    VALUES.add(name)
    for member, value in members.items():
        declare(name, {f"static {name} {member}": lambda value=value: value})


def index(
    owner: str,
    wanted: str,
    result: str,
    read: Callable[[Any, Any], Any],
    write: Callable[[Any, Any, Any], None] | None = None,
) -> None:
    """Enter an indexer."""
    INDEXES.setdefault(parts(owner)[0], []).append((wanted, result, read, write))


def _overload(owner: str, signature: str, call: Callable[..., Any]) -> Overload:
    match = _SIGNATURE.fullmatch(signature)
    assert match, signature
    parameters = None if match[5] is None else [_parameter(text) for text in split(match[5])]
    takes_type = bool(parameters) and parameters is not None and parameters[0].type == "type"
    if takes_type and parameters:
        parameters = parameters[1:]
    return Overload(
        owner,
        match[3],
        bool(match[1]),
        None if parameters is None else tuple(parameters),
        match[2],
        call,
        tuple(split(match[4] or "")),
        takes_type,
    )


def _parameter(text: str) -> Parameter:
    match = _PARAMETER.fullmatch(text)
    assert match, text
    default = match[4]
    value = _DEFAULTS[default] if default in _DEFAULTS else int(default) if default else None
    return Parameter(match[2], match[3] or "", match[1] == "out ", match[1] == "params ", default is not None, value)


@cache
def overloads(type_: str, name: str, static: bool) -> tuple[Overload, ...]:
    """Every member of that name, nearest type first."""
    owners = [type_] if static else [*lineage(type_), "object"]
    found = [
        overload
        for owner in owners
        for overload in _MEMBERS.get(parts(owner)[0], {}).get(name, ())
        if overload.static == static
    ]
    return tuple(dict.fromkeys(found))


def names(type_: str, static: bool) -> list[str]:
    """What the type has, for a message."""
    owners = [type_] if static else [*lineage(type_)]
    return sorted(
        {
            name
            for owner in owners
            for name, found in _MEMBERS.get(parts(owner)[0], {}).items()
            if any(overload.static == static for overload in found)
        }
    )


def has_statics(name: str) -> bool:
    return any(overload.static for found in _MEMBERS.get(name, {}).values() for overload in found)


def is_declared(name: str) -> bool:
    return name in _MEMBERS or name in INDEXES
