"""Casts, `is`, `as` and `default`. Source: C# language specification, section "Explicit conversions"."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from localazure.apim.context import Body, Context, Headers, Jwt, Request, Response, Url
from localazure.apim.errors import ExpressionError
from localazure.apim.expressions import nodes
from localazure.apim.expressions.checker import Checker, Function, Locals, Typed, nullable, rule
from localazure.apim.expressions.failures import Thrown
from localazure.apim.expressions.jtoken import JArray, JObject, JProperty, JToken, JValue
from localazure.apim.expressions.operators import wrap32, wrap64
from localazure.apim.expressions.times import DateTime, DateTimeOffset, TimeSpan
from localazure.apim.expressions.types import KNOWN, NUMBERS, implicit, is_value, parts, same, upcast
from localazure.apim.expressions.values import Pair, text

CLASSES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "char": str,
    "bool": bool,
    "byte": int,
    "short": int,
    "int": int,
    "long": int,
    "double": float,
    "decimal": Decimal,
    "JToken": JToken,
    "JContainer": (JObject, JArray, JProperty),
    "JObject": JObject,
    "JArray": JArray,
    "JProperty": JProperty,
    "JValue": JValue,
    "Jwt": Jwt,
    "Guid": uuid.UUID,
    "DateTime": DateTime,
    "DateTimeOffset": DateTimeOffset,
    "TimeSpan": TimeSpan,
    "KeyValuePair": Pair,
    "Context": Context,
    "Request": Request,
    "Response": Response,
    "Url": Url,
    "Body": Body,
    "Headers": Headers,
    "Exception": ExpressionError,
    "Dictionary": dict,
    "IDictionary": dict,
    "IReadOnlyDictionary": dict,
    "object": object,
}
"""What a value must be to be cast to a type; what is not here is a list."""
EXPLICIT: dict[tuple[str, str], Callable[[Any], Any]] = {}
"""Further explicit conversions, entered by what declares the types."""
_LISTS = {"[]", "List", "IList", "ICollection", "IEnumerable", "IReadOnlyList", "IReadOnlyCollection", "HashSet"}


def is_instance(value: Any, type_: str) -> bool:
    """Whether a value is one of the type, as far as this process tells types apart."""
    name, arguments = parts(type_)
    if name == "?":
        return value is None or is_instance(value, arguments[0])
    if name in _LISTS:
        kinds: Any = (bytes, bytearray) if arguments == ("byte",) else (list, HashSet)
        return isinstance(value, kinds)
    if name in NUMBERS and isinstance(value, bool):
        return False
    return isinstance(value, CLASSES.get(name, object))


class HashSet(dict[Any, None]):
    """Each element once, in the order in which they came."""


def narrowed(value: float | Decimal, type_: str) -> Any:
    """A number as one of another type: the fraction is cut off, what does not fit wraps."""
    match type_:
        case "double":
            return float(value)
        case "decimal":
            return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    try:
        whole = int(value)
    except (ValueError, OverflowError):
        whole = 0
    match type_:
        case "byte":
            return whole % 256
        case "short":
            return (whole + 0x8000) % 0x10000 - 0x8000
        case "long":
            return wrap64(whole)
    return wrap32(whole)


def from_json(value: JToken, type_: str) -> Any:
    """The explicit conversion of a token. Raises Thrown where the token cannot be one."""
    plain = type_.removesuffix("?")
    held = value.value if isinstance(value, JValue) else value
    if held is None:
        if type_ == "string" or type_.endswith("?"):
            return None
        raise Thrown("ArgumentException", f"Can not convert Null to {_NAMES.get(plain, plain)}.")
    if not isinstance(held, JToken):
        try:
            return _scalar(held, plain)
        except (ValueError, TypeError, ArithmeticError) as exc:
            if isinstance(exc, ExpressionError):
                raise
            raise Thrown("FormatException", f"the value {text(held)!r} cannot be converted to {plain}") from exc
    raise Thrown("ArgumentException", f"Can not convert {value.kind} to {_NAMES.get(plain, plain)}.")


_NAMES = {"string": "String", "int": "Int32", "long": "Int64", "bool": "Boolean", "double": "Double"}


def _scalar(value: Any, type_: str) -> Any:
    if type_ == "string":
        return "True" if value is True else "False" if value is False else _json_text(value)
    if type_ == "bool":
        if isinstance(value, str):
            if value.strip().lower() not in {"true", "false"}:
                raise Thrown("FormatException", f"String {value!r} was not recognized as a valid Boolean.")
            return value.strip().lower() == "true"
        return bool(value)
    if type_ in NUMBERS:
        if isinstance(value, str):
            return narrowed(Decimal(value.strip()) if type_ in {"double", "decimal"} else int(value), type_)
        if type_ not in {"double", "decimal"} and isinstance(value, float | Decimal):
            return narrowed(round(value), type_)
        return narrowed(value, type_)
    if type_ in {"DateTime", "DateTimeOffset"}:
        return _point(value, type_)
    if type_ == "Guid":
        return value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))
    found = EXPLICIT.get(("string", type_))
    return found(str(value)) if found else text(value)


def _json_text(value: Any) -> str:
    return text(value)


def _point(value: Any, type_: str) -> Any:
    if isinstance(value, str):
        value = DateTime.read(value)
    if not isinstance(value, DateTime | DateTimeOffset):
        raise Thrown("FormatException", "String was not recognized as a valid DateTime.")
    if type_ == "DateTimeOffset":
        return value if isinstance(value, DateTimeOffset) else DateTimeOffset.of(value)
    return value if isinstance(value, DateTime) else DateTime(value.utc, "Utc")


_JSON_TARGETS = {"string", "bool", "DateTime", "DateTimeOffset", "Guid", "Uri", "TimeSpan", *NUMBERS}


@rule(nodes.Cast)
def _cast(checker: Checker, node: nodes.Cast) -> Typed:
    operand, wanted = checker.expression(node.operand), node.type
    _known(wanted, node.at)
    given, run = operand.type, operand.run
    if given.startswith("J") and upcast(given, "JToken") and wanted.removesuffix("?") in _JSON_TARGETS:
        return Typed(wanted, _after_null(run, lambda value: from_json(value, wanted), wanted, node.at))
    if (convert := EXPLICIT.get((given, wanted))) is not None:
        return Typed(wanted, _after_null(run, convert, wanted, node.at))
    if given != "object" and (convert := implicit(given, wanted)) is not None:
        return Typed(wanted, run if convert is same else _after_null(run, convert, wanted, node.at))
    plain, target = given.removesuffix("?"), wanted.removesuffix("?")
    if (plain in NUMBERS or plain == "char") and (target in NUMBERS or target == "char"):
        return Typed(wanted, _after_null(run, _numeric(plain, target), wanted, node.at))
    if plain == target and is_value(plain):
        return Typed(wanted, _after_null(run, same, wanted, node.at))
    if not related(given, wanted):
        raise ExpressionError(f"{given} cannot be cast to {wanted}", node.at)
    return Typed(wanted, _unboxed(run, wanted, node.at))


def _known(type_: str, at: int) -> None:
    name, arguments = parts(type_)
    if name in {"[]", "?"} or arguments:
        for argument in arguments:
            _known(argument, at)
    if name not in KNOWN and name not in {"[]", "?"}:
        raise ExpressionError(f"a cast to {name} is not supported", at)


def related(given: str, wanted: str) -> bool:
    """Whether a reference of one type may be one to the other."""
    return (
        given == "object"
        or wanted == "object"
        or bool(upcast(given, parts(wanted)[0]) or upcast(wanted, parts(given)[0]))
    )


def _numeric(given: str, wanted: str) -> Callable[[Any], Any]:
    if wanted == "char":
        return lambda value: value if isinstance(value, str) else chr(int(value) % 0x10000)
    if given == "char":
        return lambda value: narrowed(ord(value), wanted)
    return lambda value: narrowed(value, wanted)


def _after_null(run: Function, convert: Callable[[Any], Any], wanted: str, at: int) -> Function:
    """The conversion of what is no null; null stays null where it is a value of the type."""
    takes_null = not is_value(wanted) or wanted.endswith("?")

    def cast(variables: Locals) -> Any:
        value = run(variables)
        if value is None:
            if takes_null:
                return None
            raise Thrown("InvalidOperationException", "Nullable object must have a value.", at)
        return convert(value)

    return cast


def _unboxed(run: Function, wanted: str, at: int) -> Function:
    takes_null = not is_value(wanted) or wanted.endswith("?")
    # Most casts are to a class that one test tells.
    plain = CLASSES.get(wanted, ()) if wanted not in NUMBERS else ()

    def cast(variables: Locals) -> Any:
        value = run(variables)
        if isinstance(value, plain):
            return value
        if value is None:
            if takes_null:
                return None
            raise Thrown("NullReferenceException", "Object reference not set to an instance of an object", at)
        if not is_instance(value, wanted):
            raise Thrown("InvalidCastException", f"unable to cast a value of type {class_name(value)} to {wanted}", at)
        return value

    return cast


def class_name(value: Any) -> str:
    """The name of a value's type, for messages."""
    for name, kind in CLASSES.items():
        if type(value) is kind:
            return name
    names: dict[type, str] = {list: "List", bytes: "byte[]", bytearray: "byte[]"}
    return names.get(type(value), type(value).__name__)


@rule(nodes.Is)
def _is(checker: Checker, node: nodes.Is) -> Typed:
    run, negated = checker.expression(node.operand).run, node.negated
    if node.type == "null":
        return Typed("bool", lambda variables: (run(variables) is None) is not negated)
    _known(node.type, node.at)
    wanted, name = node.type, node.name
    if not name:
        return Typed(
            "bool",
            lambda variables: ((value := run(variables)) is not None and is_instance(value, wanted)) is not negated,
        )
    checker.declare(name, wanted, node.at)

    def test(variables: Locals) -> bool:
        value = run(variables)
        held = value is not None and is_instance(value, wanted)
        variables[name] = value if held else None
        return held is not negated

    return Typed("bool", test)


@rule(nodes.As)
def _as(checker: Checker, node: nodes.As) -> Typed:
    operand, wanted = checker.expression(node.operand), node.type
    _known(wanted, node.at)
    if is_value(wanted) and not wanted.endswith("?"):
        raise ExpressionError(f"'as' needs a type that may be null, not {wanted}", node.at)
    if not related(operand.type, wanted):
        raise ExpressionError(f"{operand.type} cannot be cast to {wanted}", node.at)
    run = operand.run
    return Typed(wanted, lambda variables: value if is_instance(value := run(variables), wanted) else None)


@rule(nodes.Default)
def _default(_: Checker, node: nodes.Default) -> Typed:
    value = zero(node.type)
    return Typed(node.type or "null", lambda _: value)


def zero(type_: str) -> Any:
    """The default value of a type."""
    if not is_value(type_) or type_.endswith("?"):
        return None
    zeros: dict[str, Any] = {
        "bool": False,
        "char": "\0",
        "double": 0.0,
        "decimal": Decimal(0),
        "Guid": uuid.UUID(int=0),
    }
    zeros |= {"DateTime": DateTime(0), "DateTimeOffset": DateTimeOffset(0), "TimeSpan": TimeSpan(0)}
    return zeros.get(type_, 0)


__all__ = ["CLASSES", "EXPLICIT", "HashSet", "from_json", "is_instance", "narrowed", "nullable", "related", "zero"]
