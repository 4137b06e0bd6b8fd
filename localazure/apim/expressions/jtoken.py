"""JSON as Newtonsoft.Json holds it: tokens that know their parent. Source: its documentation, namespace Linq."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from localazure.apim.expressions.failures import Thrown
from localazure.apim.expressions.times import DateTime, DateTimeOffset, TimeSpan, iso
from localazure.json_text import DEEPEST

_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[-+]\d\d:\d\d)?", re.ASCII)
_LINE_BREAKS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


class JToken:
    """One token. Two are equal only if they are the same one, as in .NET; DeepEquals compares what they hold."""

    __slots__ = ("parent",)
    parent: JToken | None

    def children(self) -> list[JToken]:
        return []

    @property
    def kind(self) -> str:
        raise NotImplementedError


class JValue(JToken):
    """A text, number, date, truth value or null."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.parent = None
        self.value = value

    @property
    def kind(self) -> str:
        for kind, name in _KINDS:
            if isinstance(self.value, kind):
                return name
        return "Null"


_KINDS: tuple[tuple[Any, str], ...] = (
    (bool, "Boolean"),
    (str, "String"),
    (int, "Integer"),
    (float | Decimal, "Float"),
    (DateTime | DateTimeOffset, "Date"),
    (bytes, "Bytes"),
    (TimeSpan, "TimeSpan"),
)


class JProperty(JToken):
    """A name and a value within an object."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: Any = None) -> None:
        self.parent = None
        self.name = name
        self.value = self._adopted(value)

    def _adopted(self, value: Any) -> JToken:
        return adopted(value, self)

    def set(self, value: Any) -> None:
        self.value = self._adopted(value)

    def children(self) -> list[JToken]:
        return [self.value]

    @property
    def kind(self) -> str:
        return "Property"


class JObject(JToken):
    """Properties by name, in order."""

    __slots__ = ("properties",)

    def __init__(self, content: Iterable[Any] = ()) -> None:
        self.parent = None
        self.properties: dict[str, JProperty] = {}
        for item in content:
            if not isinstance(item, JProperty):
                raise Thrown("ArgumentException", f"Can not add {_named(item)} to Newtonsoft.Json.Linq.JObject.")
            self.add(item)

    def add(self, item: JProperty) -> None:
        if item.name in self.properties:
            raise Thrown("ArgumentException", f"Can not add property {item.name} to JObject: it exists already")
        held = item if item.parent is None else JProperty(item.name, item.value)
        held.parent = self
        self.properties[held.name] = held

    def get(self, name: str) -> JToken | None:
        found = self.properties.get(name)
        return None if found is None else found.value

    def set(self, name: str, value: Any) -> None:
        found = self.properties.get(name)
        if found is None:
            self.add(JProperty(name, value))
        else:
            found.set(value)

    def children(self) -> list[JToken]:
        return list(self.properties.values())

    @property
    def kind(self) -> str:
        return "Object"


class JArray(JToken):
    """Tokens in order."""

    __slots__ = ("items",)

    def __init__(self, content: Iterable[Any] = ()) -> None:
        self.parent = None
        self.items: list[JToken] = []
        for item in content:
            self.items.append(adopted(item, self))

    def children(self) -> list[JToken]:
        return self.items

    @property
    def kind(self) -> str:
        return "Array"


def adopted(value: Any, parent: JToken) -> JToken:
    """The value as a token of that parent; one that has a parent already is copied, as Newtonsoft does."""
    held = token(value)
    if held.parent is not None:
        held = copy(held)
    if isinstance(held, JProperty) and not isinstance(parent, JObject):
        raise Thrown("ArgumentException", f"Can not add Newtonsoft.Json.Linq.JProperty to {_named(parent)}.")
    held.parent = parent
    return held


def token(value: Any) -> JToken:
    """A value of C# as a token."""
    return value if isinstance(value, JToken) else JValue(value)


def copy(held: JToken) -> JToken:
    match held:
        case JObject():
            return JObject(JProperty(item.name, copy(item.value)) for item in held.properties.values())
        case JArray():
            return JArray(copy(item) for item in held.items)
        case JProperty():
            return JProperty(held.name, copy(held.value))
    assert isinstance(held, JValue)
    return JValue(held.value)


def _named(value: Any) -> str:
    return f"Newtonsoft.Json.Linq.{type(token(value)).__name__}"


# reading


def parse(text: str | bytes, kind: type[JToken] = JToken) -> JToken:
    """Raises Thrown for a text that is not JSON, or not of that kind. Texts in ISO 8601 are dates."""
    try:
        found = from_python(json.loads(text, object_pairs_hook=_Pairs, parse_constant=_constant))
    except RecursionError as exc:
        raise Thrown("JsonReaderException", "the text is nested too deep to be read as JSON") from exc
    except ValueError as exc:
        raise Thrown("JsonReaderException", f"the text is not valid JSON: {exc}") from exc
    if not isinstance(found, kind):
        wanted = "an object" if kind is JObject else "an array"
        raise Thrown("JsonReaderException", f"the text is JSON, but not {wanted}")
    return found


class _Pairs(list[tuple[str, Any]]):
    """The members of an object as they were read."""


def _constant(name: str) -> float:
    return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}[name]


def from_python(value: Any, depth: int = 0, dates: bool = True) -> JToken:
    """What Python's JSON gives as a token. Raises ValueError for what is nested too deep."""
    if depth > DEEPEST:
        raise ValueError(f"nested deeper than {DEEPEST} levels")
    if isinstance(value, dict):
        value = _Pairs(value.items())
    if isinstance(value, _Pairs):
        made = JObject()
        for name, item in value:
            made.set(name, from_python(item, depth + 1, dates))
        return made
    if isinstance(value, list):
        return JArray([from_python(item, depth + 1, dates) for item in value])
    if dates and isinstance(value, str) and len(value) > 18 and value[4] == "-" and _DATE.fullmatch(value):
        return JValue(DateTime.read(value) or value)
    return JValue(value)


# writing


def dump(value: Any, indented: bool = False, depth: int = 0) -> str:
    """JSON's text."""
    inner = f"\n{'  ' * (depth + 1)}" if indented else ""
    after = f"\n{'  ' * depth}" if indented else ""
    match value:
        case JObject():
            items = [dump(item, indented, depth + 1) for item in value.properties.values()]
            return "{" + ",".join(inner + item for item in items) + after + "}" if items else "{}"
        case JArray():
            items = [dump(item, indented, depth + 1) for item in value.items]
            return "[" + ",".join(inner + item for item in items) + after + "]" if items else "[]"
        case JProperty():
            return _scalar(value.name) + (": " if indented else ":") + dump(value.value, indented, depth)
    return _scalar(value.value if isinstance(value, JValue) else value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).translate(_LINE_BREAKS)
    if isinstance(value, DateTime | DateTimeOffset):
        return f'"{iso(value)}"'
    if isinstance(value, float):
        if not math.isfinite(value):
            # Newtonsoft's FloatFormatHandling.String, its default: JSON has no such numbers
            return '"NaN"' if math.isnan(value) else f'"{"-" * (value < 0)}Infinity"'
        return f"{value:.1f}" if value.is_integer() and abs(value) < 1e15 else repr(value).replace("e", "E")
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, bytes):
        import base64

        return f'"{base64.b64encode(value).decode()}"'
    return str(value) if isinstance(value, Decimal) else json.dumps(str(value))


def equal(one: JToken | None, other: JToken | None) -> bool:
    """JToken.DeepEquals."""
    match one, other:
        case JObject(), JObject():
            return one.properties.keys() == other.properties.keys() and all(
                equal(item.value, other.properties[name].value) for name, item in one.properties.items()
            )
        case JArray(), JArray():
            return len(one.items) == len(other.items) and all(map(equal, one.items, other.items))
        case JProperty(), JProperty():
            return one.name == other.name and equal(one.value, other.value)
        case JValue(), JValue():
            return one.kind == other.kind and one.value == other.value
    return one is other


# finding

_STEP = re.compile(
    r"\.\.(?P<deep>[^.\[\]]+|\*)|\.?(?P<name>[^.\[\]'\"$]+)|\[(?P<number>-?\d+)\]|\[(?P<all>\*)\]"
    r"|\[(?P<quote>['\"])(?P<quoted>.*?)(?P=quote)\]"
    r"|\[\?\(\s*@\.(?P<field>[\w.]+)\s*(?:(?P<operator>==|!=|<=|>=|<|>)\s*(?P<value>'[^']*'|\"[^\"]*\"|[^)\s]+)\s*)?\)\]"
)


def select(held: JToken, path: str) -> list[JToken]:
    """Tokens by JSONPath: names, indexes, `*`, `..name` and filters of one comparison. Raises Thrown for others."""
    found, at = [held], 1 if path.startswith("$") else 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or match.end() == at:
            raise Thrown("JsonException", f"the JSONPath {path!r} is not supported from {path[at:]!r} on")
        found = [item for outer in found for item in _step(outer, match)]
        at = match.end()
    return found


def _step(held: JToken, match: re.Match[str]) -> Iterator[JToken]:
    if deep := match["deep"]:
        for inner in (held, *descendants(held)):
            if isinstance(inner, JObject) and deep in inner.properties:
                yield inner.properties[deep].value
    elif match["number"] is not None:
        number = int(match["number"])
        if isinstance(held, JArray) and 0 <= number < len(held.items):
            yield held.items[number]
    elif match["all"] or match["name"] == "*":
        yield from (item.value if isinstance(item, JProperty) else item for item in held.children())
    elif match["field"]:
        yield from (item for item in _values(held) if _holds(item, match))
    elif isinstance(held, JObject) and (found := held.get(match["name"] or match["quoted"] or "")) is not None:
        yield found


def _values(held: JToken) -> list[JToken]:
    return [item.value if isinstance(item, JProperty) else item for item in held.children()]


def _holds(item: JToken, match: re.Match[str]) -> bool:
    found = select(item, match["field"])
    if not match["operator"]:
        return bool(found)
    wanted = match["value"]
    value: Any = wanted[1:-1] if wanted[0] in "'\"" else json.loads(wanted)
    held = found[0].value if found and isinstance(found[0], JValue) else None
    if match["operator"] in {"==", "!="}:
        return bool((held == value) == (match["operator"] == "=="))
    if isinstance(held, str) != isinstance(value, str) or held is None:
        return False
    return bool({"<": held < value, ">": held > value, "<=": held <= value, ">=": held >= value}[match["operator"]])


def descendants(held: JToken) -> Iterator[JToken]:
    """Everything below, in document order."""
    for item in held.children():
        yield item
        yield from descendants(item)


def path_of(held: JToken) -> str:
    """JToken.Path."""
    found: list[str] = []
    while held.parent is not None:
        if isinstance(held, JProperty):
            plain = re.fullmatch(r"\w+", held.name)
            found.append(f".{held.name}" if plain else f"['{held.name}']")
        elif isinstance(held.parent, JArray):
            found.append(f"[{held.parent.items.index(held)}]")
        held = held.parent
    return "".join(reversed(found)).removeprefix(".")


def replace(held: JToken, value: Any) -> None:
    """JToken.Replace."""
    match held.parent:
        case JProperty() as outer:
            outer.set(value)
        case JArray() as outer:
            outer.items[outer.items.index(held)] = adopted(value, outer)
        case _:
            raise Thrown("InvalidOperationException", "The parent is missing.")


def remove(held: JToken) -> None:
    """JToken.Remove()."""
    match held.parent:
        case JObject() as outer if isinstance(held, JProperty):
            del outer.properties[held.name]
        case JArray() as outer:
            outer.items.remove(held)
        case JProperty():
            raise Thrown("JsonException", "Cannot add or remove items from Newtonsoft.Json.Linq.JProperty.")
        case _:
            raise Thrown("InvalidOperationException", "The parent is missing.")
    held.parent = None
