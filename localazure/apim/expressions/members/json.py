"""JSON of Newtonsoft: tokens, JsonConvert, and the conversions to and from them."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from localazure.apim.expressions.casting import from_json
from localazure.apim.expressions.failures import Thrown, throw
from localazure.apim.expressions.jtoken import (
    JArray,
    JObject,
    JProperty,
    JToken,
    JValue,
    adopted,
    copy,
    descendants,
    dump,
    equal,
    parse,
    path_of,
    remove,
    replace,
    select,
    token,
)
from localazure.apim.expressions.members.collections import Dictionary
from localazure.apim.expressions.table import SETTERS, declare, enumeration, index
from localazure.apim.expressions.times import DateTime, DateTimeOffset, TimeSpan
from localazure.apim.expressions.types import IMPLICIT, NUMBERS, derive, parts
from localazure.apim.expressions.values import Pair, Record, format_value, text

enumeration("Formatting", Indented=True)
declare("Formatting", {"static Formatting None": lambda: False})
enumeration(
    "JTokenType",
    **{
        name: name
        for name in ("Object", "Array", "String", "Integer", "Float", "Boolean", "Null", "Date", "Property", "Bytes")
    },
    **{name: name for name in ("Guid", "Uri", "TimeSpan", "Undefined", "Raw", "Comment", "Constructor")},
)
declare("JTokenType", {"static JTokenType None": lambda: "None"})


def _pairs(held: JObject) -> list[Pair]:
    return [Pair(item.name, item.value) for item in held.properties.values()]


derive("JToken", "IEnumerable<JToken>", by=lambda held: list(held.children()))
derive("JObject", "IEnumerable<KeyValuePair<string,JToken>>", by=_pairs)
derive("JObject", "JContainer")
derive("JArray", "JContainer")
derive("JProperty", "JContainer")
derive("JContainer", "JToken")
derive("JValue", "JToken")
for _type in ("string", "bool", "char", *NUMBERS, "DateTime", "DateTimeOffset", "TimeSpan", "Guid", "Uri", "byte[]"):
    for _target in ("JToken", "JValue"):
        IMPLICIT[_type, _target] = lambda value: value if isinstance(value, JToken) else JValue(value)
        IMPLICIT[f"{_type}?", _target] = IMPLICIT[_type, _target]
IMPLICIT["Guid", "JToken"] = lambda value: JValue(str(value))


def from_any(value: Any) -> JToken:
    """JToken.FromObject."""
    if isinstance(value, JToken):
        return value if value.parent is None else copy(value)
    if isinstance(value, dict):
        if isinstance(value, Record | Dictionary):
            return JObject(JProperty(text(name), from_any(item)) for name, item in value.items())
        return JArray(from_any(item) for item in value)
    if isinstance(value, Pair):
        return JObject([JProperty("Key", from_any(value.key)), JProperty("Value", from_any(value.value))])
    if isinstance(value, list):
        return JArray(from_any(item) for item in value)
    if isinstance(value, bytearray):
        return JValue(bytes(value))
    if value is None or isinstance(value, str | bool | int | float | Decimal | DateTime | DateTimeOffset | bytes):
        return JValue(value)
    if isinstance(value, uuid.UUID | TimeSpan):
        return JValue(str(value))
    raise Thrown("JsonSerializationException", f"a value of type {type(value).__name__} cannot be written as JSON")


def to_type(held: JToken | None, type_: str) -> Any:
    """ToObject<T> and DeserializeObject<T>: scalars, JSON, and lists and dictionaries of these."""
    name, arguments = parts(type_)
    if held is None or (isinstance(held, JValue) and held.value is None and name not in NUMBERS):
        return held if name == "JToken" else None
    if type_ == "object":
        return held.value if isinstance(held, JValue) else held
    if name in {"JToken", "JObject", "JArray", "JValue", "JContainer"}:
        kinds = {"JObject": JObject, "JArray": JArray, "JValue": JValue, "JContainer": (JObject, JArray)}
        return _checked(held, kinds.get(name, JToken), type_)
    if type_ == "byte[]":
        from localazure.apim.expressions.members.numbers import from_base64

        return from_base64(from_json(held, "string"))
    if name in {"List", "IList", "IEnumerable", "ICollection", "[]", "IReadOnlyList"}:
        return [to_type(item, arguments[0]) for item in _checked(held, JArray, type_).items]
    if name == "HashSet":
        from localazure.apim.expressions.casting import HashSet

        return HashSet.fromkeys(to_type(item, arguments[0]) for item in _checked(held, JArray, type_).items)
    if name in {"Dictionary", "IDictionary", "IReadOnlyDictionary"}:
        items = _checked(held, JObject, type_).properties.values()
        return Dictionary((item.name, to_type(item.value, arguments[1])) for item in items)
    return from_json(held, type_)


def _checked(held: JToken, kind: Any, type_: str) -> Any:
    if not isinstance(held, kind):
        throw("JsonSerializationException", f"Cannot deserialize the current JSON {held.kind} into type '{type_}'.")
    return held


def _child(held: JToken, key: Any) -> JToken | None:
    if isinstance(held, JObject) and isinstance(key, str):
        return held.get(key)
    if isinstance(held, JArray) and isinstance(key, int):
        if not 0 <= key < len(held.items):
            throw("ArgumentOutOfRangeException", "Index was out of range. Must be non-negative and less than the size.")
        return held.items[key]
    if isinstance(held, JObject | JArray):
        throw("ArgumentException", f"Accessed {type(held).__name__} values with invalid key value: {key!r}.")
    raise Thrown("InvalidOperationException", f"Cannot access child value on a JSON {held.kind}.")


def _set_child(held: JToken, key: Any, value: Any) -> None:
    given = JValue(None) if value is None else value
    if isinstance(held, JObject) and isinstance(key, str):
        held.set(key, given)
    elif isinstance(held, JArray) and isinstance(key, int):
        _child(held, key)
        held.items[key] = adopted(given, held)
    else:
        _child(held, key)
        throw("ArgumentException", f"Set {type(held).__name__} values with invalid key value: {key!r}.")


for _type, _keys in (("JObject", ("string",)), ("JArray", ("int",)), ("JToken", ("string", "int"))):
    for _key in _keys:
        index(_type, _key, "JToken", _child, _set_child)
index("JToken", "object", "JToken", _child, _set_child)


def _value(held: JToken, type_: str, key: Any = None) -> Any:
    """Value<T>(key): null, or what T has for it, where nothing is found."""
    found = held if key is None else _child(held, key)
    if found is None:
        from localazure.apim.expressions.casting import zero

        return zero(type_)
    if isinstance(found, JValue) and found.value is None and type_ not in {"string", "JToken", "JValue", "object"}:
        from localazure.apim.expressions.casting import zero

        if not type_.startswith("J"):
            return zero(type_)
    if type_ == "string" and isinstance(found, JValue):
        return None if found.value is None else text(found.value)
    if type_.startswith("J"):
        kinds = {"JObject": JObject, "JArray": JArray, "JValue": JValue, "JProperty": JProperty}
        if not isinstance(found, kinds.get(type_, JToken)):
            throw("InvalidCastException", f"Cannot cast {type(found).__name__} to {type_}.")
        return found
    return from_json(found, type_)


def _one(held: JToken, path: str, must: bool = False) -> JToken | None:
    found = select(held, path)
    if len(found) > 1:
        throw("JsonException", "Path returned multiple tokens.")
    if not found and must:
        throw("JsonException", f"Path {path!r} did not match.")
    return found[0] if found else None


def _ancestor(held: JToken) -> JToken:
    while held.parent is not None:
        held = held.parent
    return held


def _beside(held: JToken, step: int) -> JToken | None:
    around = held.parent.children() if held.parent is not None else []
    at = next((number for number, item in enumerate(around) if item is held), -1) + step
    return around[at] if around and 0 <= at < len(around) else None


def _ancestors(held: JToken) -> list[JToken]:
    found = []
    while held.parent is not None:
        held = held.parent
        found.append(held)
    return found


def _written(value: Any, formatting: bool = False) -> str:
    return dump(from_any(value), formatting)


declare(
    "JToken",
    {
        "static JToken Parse(string)": lambda value: parse(_given(value)),
        "static JToken FromObject(object)": from_any,
        "static bool DeepEquals(JToken, JToken)": equal,
        "JTokenType Type": lambda held: held.kind,
        "JContainer Parent": lambda held: held.parent,
        "JToken Root": _ancestor,
        "string Path": path_of,
        "JToken First": lambda held: next(iter(held.children()), None),
        "JToken Last": lambda held: next(reversed(held.children()), None),
        "JToken Next": lambda held: _beside(held, 1),
        "JToken Previous": lambda held: _beside(held, -1),
        "bool HasValues": lambda held: bool(held.children()),
        "IEnumerable<JToken> Children()": lambda held: list(held.children()),
        "IEnumerable<T> Children<T>()": lambda held: list(held.children()),
        "IEnumerable<JToken> Values()": lambda held: [
            item.value if isinstance(item, JProperty) else item for item in held.children()
        ],
        "IEnumerable<T> Values<T>(type)": lambda held, type_: [
            _value(item.value if isinstance(item, JProperty) else item, type_) for item in held.children()
        ],
        "JToken SelectToken(string)": _one,
        "JToken SelectToken(string, bool)": _one,
        "IEnumerable<JToken> SelectTokens(string)": select,
        "T Value<T>(type)": _value,
        "T Value<T>(type, string)": _value,
        "T Value<T>(type, int)": _value,
        "T ToObject<T>(type)": to_type,
        "JToken DeepClone()": copy,
        "void Replace(JToken)": replace,
        "void Remove()": remove,
        "string ToString(Formatting)": dump,
        "IEnumerable<JToken> Ancestors()": _ancestors,
    },
)


def _given(value: str | None) -> str:
    if value is None:
        throw("ArgumentNullException", "Value cannot be null.")
    return value


declare(
    "JContainer",
    {
        "IEnumerable<JToken> Descendants()": lambda held: list(descendants(held)),
        "IEnumerable<JToken> DescendantsAndSelf()": lambda held: [held, *descendants(held)],
        "int Count": lambda held: len(held.children()),
    },
)
for _type, _kind in (("JObject", JObject), ("JArray", JArray)):
    declare(
        _type,
        {
            f"static {_type} Parse(string)": lambda value, kind=_kind: parse(_given(value), kind),
            f"static {_type} FromObject(object)": lambda value, kind=_kind: _checked(
                from_any(value), kind, kind.__name__
            ),
            f"{_type} DeepClone()": copy,
        },
    )


def _without(held: JArray, item: JToken) -> bool:
    found = any(inner is item for inner in held.items)
    if found:
        remove(item)
    return found


def _properties(items: list[Any]) -> JObject:
    """`new JObject(…)`: properties, or what enumerates them."""
    return JObject(inner for item in items for inner in (item if isinstance(item, list) else [item]))


def _get(held: JObject, name: str, how: str = "") -> JToken | None:
    found = held.get(name)
    if found is None and how.endswith("IgnoreCase"):
        return next((item.value for key, item in held.properties.items() if key.lower() == name.lower()), None)
    return found


def _add(held: JObject, name: str, value: Any) -> None:
    held.add(JProperty(name, value))


def _take(held: JObject, name: str) -> bool:
    found = held.properties.pop(name, None)
    if found is not None:
        found.parent = None
    return found is not None


def _merge(held: JObject, other: JToken) -> None:
    if isinstance(other, JObject):
        for name, item in other.properties.items():
            mine = held.get(name)
            if isinstance(mine, JObject) and isinstance(item.value, JObject):
                _merge(mine, item.value)
            elif isinstance(mine, JArray) and isinstance(item.value, JArray):
                mine.items += [adopted(copy(inner), mine) for inner in item.value.items]
            else:
                held.set(name, copy(item.value))


declare(
    "JObject",
    {
        "static JObject new()": JObject,
        "static JObject new(JObject)": copy,
        "static JObject new(params object[])": _properties,
        "bool ContainsKey(string)": lambda held, name: name in held.properties,
        "bool Remove(string)": _take,
        "void Add(string, JToken)": _add,
        "void Add(JProperty)": JObject.add,
        "void RemoveAll()": lambda held: held.properties.clear(),
        "IEnumerable<JProperty> Properties()": lambda held: list(held.properties.values()),
        "JProperty Property(string)": lambda held, name: held.properties.get(name),
        "JToken GetValue(string)": _get,
        "JToken GetValue(string, StringComparison)": _get,
        "bool TryGetValue(string, out JToken)": lambda held, name: (name in held.properties, held.get(name)),
        "bool TryGetValue(string, StringComparison, out JToken)": lambda held, name, how: (
            _get(held, name, how) is not None,
            _get(held, name, how),
        ),
        "IEnumerable<JToken> PropertyValues()": lambda held: [item.value for item in held.properties.values()],
        "void Merge(JToken)": _merge,
    },
)
declare(
    "JArray",
    {
        "static JArray new()": JArray,
        "static JArray new(params object[])": lambda items: JArray(
            inner for item in items for inner in (item if isinstance(item, list) else [item])
        ),
        "void Add(JToken)": lambda held, item: held.items.append(adopted(item, held)),
        "void Insert(int, JToken)": lambda held, at, item: held.items.insert(at, adopted(item, held)),
        "void RemoveAt(int)": lambda held, at: remove(_child(held, at) or held),
        "bool Remove(JToken)": _without,
        "void Clear()": lambda held: held.items.clear(),
        "void RemoveAll()": lambda held: held.items.clear(),
    },
)
declare(
    "JProperty",
    {
        "static JProperty new(string, object)": lambda name, value: JProperty(
            name, JArray(value) if isinstance(value, list) else value
        ),
        "string Name": lambda held: held.name,
        "JToken Value": lambda held: held.value,
    },
)
SETTERS["JProperty", "Value"] = ("JToken", JProperty.set)
declare("JValue", {"static JValue new(object)": JValue, "object Value": lambda held: held.value})
declare("JValue", {"string ToString(string)": format_value})
SETTERS["JValue", "Value"] = ("object", lambda held, value: setattr(held, "value", value))
declare(
    "JsonConvert",
    {
        "static string SerializeObject(object)": _written,
        "static string SerializeObject(object, Formatting)": _written,
        "static T DeserializeObject<T>(type, string)": lambda type_, value: to_type(parse(_given(value)), type_),
        "static object DeserializeObject(string)": lambda value: to_type(parse(_given(value)), "object"),
    },
)
__all__ = ["from_any", "to_type", "token"]
