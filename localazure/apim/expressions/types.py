"""Static types as texts, such as `List<string>`: what they derive from, and which value may stand where.

Source: C# language specification, chapter "Conversions".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from typing import Any

ALIASES = {
    "String": "string",
    "Object": "object",
    "Boolean": "bool",
    "Char": "char",
    "Byte": "byte",
    "SByte": "int",
    "Int16": "short",
    "UInt16": "int",
    "Int32": "int",
    "UInt32": "long",
    "Int64": "long",
    "UInt64": "long",
    "Single": "double",
    "Double": "double",
    "Decimal": "decimal",
    "sbyte": "int",
    "ushort": "int",
    "uint": "long",
    "ulong": "long",
    "float": "double",
    "IResponse": "Response",
    "IRequest": "Request",
    "IUrl": "Url",
    "IMessageBody": "Body",
}
"""Names of one type. The unsigned ones take part as the signed one that holds their values."""
BUILT_IN = {
    *("string", "object", "bool", "char", "byte", "short", "int", "long", "double", "decimal", "void"),
    *("sbyte", "ushort", "uint", "ulong", "float"),
}
NUMBERS = {"byte": 0, "short": 1, "int": 2, "long": 3, "decimal": 4, "double": 5}
"""Types of numbers; each converts to the ones behind it, except decimal and double to one another."""
VALUES = {*NUMBERS, "bool", "char", "Guid", "DateTime", "DateTimeOffset", "TimeSpan", "KeyValuePair", "JTokenType"}
"""Types that null is no value of; enumerations are added by what declares them."""
KNOWN: set[str] = {*BUILT_IN, *ALIASES}
"""Names that are types."""
BASES: dict[str, list[tuple[tuple[str, ...], str, Callable[[Any], Any] | None]]] = {}
"""Type → (its parameters, what it derives from, how a value becomes one of that)."""
IMPLICIT: dict[tuple[str, str], Callable[[Any], Any]] = {}
"""Further implicit conversions."""

Convert = Callable[[Any], Any]


def same(value: Any) -> Any:
    """The conversion that changes nothing."""
    return value


def is_known(name: str) -> bool:
    return name in KNOWN


@cache
def parts(type_: str) -> tuple[str, tuple[str, ...]]:
    """`List<int>` → `List` and its arguments; `int[]` → `[]`, `int?` → `?`."""
    if type_.endswith("[]"):
        return "[]", (type_[:-2],)
    if type_.endswith("?"):
        return "?", (type_[:-1],)
    if not type_.endswith(">"):
        return type_, ()
    name, _, inner = type_[:-1].partition("<")
    return name, tuple(split(inner))


def split(text: str) -> Iterator[str]:
    """Types separated by commas."""
    depth, start = 0, 0
    for at, character in enumerate(text):
        depth += (character in "<([") - (character in ">)]")
        if character == "," and not depth:
            yield text[start:at].strip()
            start = at + 1
    if text[start:].strip():
        yield text[start:].strip()


def is_variable(type_: str) -> bool:
    """Whether it is a type parameter, such as `T`: one capital letter."""
    return len(type_) == 1 and type_.isupper()


def filled(template: str, bound: dict[str, str]) -> str:
    """The type with its parameters replaced; one that is not bound stays."""
    if is_variable(template):
        return bound.get(template, template)
    name, arguments = parts(template)
    if not arguments:
        return template
    inner = [filled(argument, bound) for argument in arguments]
    return inner[0] + name if name in {"[]", "?"} else f"{name}<{','.join(inner)}>"


def open_variables(type_: str) -> bool:
    """Whether a type parameter is left in it."""
    return is_variable(type_) or any(open_variables(argument) for argument in parts(type_)[1])


def derive(type_: str, *bases: str, by: Convert | None = None) -> None:
    """Enter what a type derives from, nearest first."""
    name, arguments = parts(type_)
    KNOWN.add(name)
    BASES.setdefault(name, []).extend((arguments, base, by) for base in bases)
    upcast.cache_clear()


@cache
def upcast(type_: str, wanted: str) -> tuple[str, Convert] | None:
    """The type among what `type_` derives from whose name is `wanted`, and the conversion to it."""
    name, arguments = parts(type_)
    if name == wanted:
        return type_, same
    for parameters, base, by in BASES.get(name, ()):
        found = upcast(filled(base, dict(zip(parameters, arguments, strict=False))), wanted)
        if found is not None:
            return found if by is None else (found[0], _after(by, found[1]))
    return None


def _after(first: Convert, second: Convert) -> Convert:
    return first if second is same else lambda value: second(first(value))


def lineage(type_: str) -> Iterator[str]:
    """The type and all it derives from."""
    yield type_
    name, arguments = parts(type_)
    for parameters, base, _ in BASES.get(name, ()):
        yield from lineage(filled(base, dict(zip(parameters, arguments, strict=False))))


def is_value(type_: str) -> bool:
    """Whether null is no value of the type."""
    return parts(type_)[0] in VALUES


def implicit(given: str, wanted: str) -> Convert | None:
    """How a value of one type becomes one of the other where no cast is written; `None` where it does not."""
    if given == wanted or wanted == "object":
        return same
    if given == "null":
        return None if is_value(wanted) else same
    if given in {"void", "object"}:
        return None
    if wanted.endswith("?"):
        inner = implicit(given.removesuffix("?"), wanted[:-1])
        return inner if inner in {None, same} else _lifted(inner)
    if given.endswith("?"):
        return None
    if (found := IMPLICIT.get((given, wanted))) is not None:
        return found
    if (
        given in NUMBERS
        and wanted in NUMBERS
        and NUMBERS[given] < NUMBERS[wanted]
        and (given, wanted)
        != (
            "decimal",
            "double",
        )
    ):
        return {"double": float, "decimal": Decimal}.get(wanted, same)
    if given == "char" and wanted in NUMBERS and NUMBERS[wanted] >= 2:
        return ord
    name, arguments = parts(wanted)
    cast = upcast(given, name)
    if cast is None:
        return None
    held = parts(cast[0])[1]
    if len(held) == len(arguments) and all(_variant(name, a, b) for a, b in zip(held, arguments, strict=True)):
        return cast[1]
    return None


def _variant(name: str, given: str, wanted: str) -> bool:
    """Whether the argument of a generic type fits: the same, or a class that derives from it where only read."""
    return given == wanted or (
        name in {"IEnumerable", "IReadOnlyList", "[]", "Func", "IReadOnlyCollection", "IOrderedEnumerable"}
        and not is_value(given)
        and implicit(given, wanted) is same
    )


def _lifted(convert: Convert | None) -> Convert:
    assert convert is not None
    return lambda value: None if value is None else convert(value)


def assignable(given: str, wanted: str) -> bool:
    """Whether a value of one type may stand where the other is asked for, without a cast."""
    return implicit(given, wanted) is not None


def unify(pattern: str, given: str, bound: dict[str, str]) -> bool:
    """Whether a value of `given` fits a parameter's type; type parameters are bound by what is given."""
    if is_variable(pattern):
        if pattern not in bound:
            if given in {"null", "void"}:
                return False
            bound[pattern] = given
            return True
        return assignable(given, bound[pattern])
    if not open_variables(pattern):
        return assignable(given, pattern)
    if given == "null":
        return True
    name, arguments = parts(pattern)
    cast = upcast(given, name)
    if cast is None:
        return name == "?" and unify(arguments[0], given, bound)
    return all(unify(inner, held, bound) for inner, held in zip(arguments, parts(cast[0])[1], strict=False))


def element_of(type_: str) -> tuple[str, Convert] | None:
    """The type of what `foreach` finds in it and how it is enumerated, or `None`."""
    found = upcast(type_, "IEnumerable")
    return None if found is None else (parts(found[0])[1][0], found[1])


derive("T[]", "IList<T>")
derive("List<T>", "IList<T>")
derive("IList<T>", "ICollection<T>")
derive("ICollection<T>", "IReadOnlyList<T>")
derive("IReadOnlyList<T>", "IReadOnlyCollection<T>")
derive("IReadOnlyCollection<T>", "IEnumerable<T>")
derive("IOrderedEnumerable<T>", "IEnumerable<T>")
derive("IGrouping<K,T>", "IEnumerable<T>")
derive("string", "IEnumerable<char>", by=list)
derive("Func<T>")
derive("Action<T>")
