"""Which members the types of the subset have, and what they do. This table is what COMPATIBILITY.md lists.

Source of the names: "API Management policy expressions" (context variable, .NET types allowed) and the
documentation of .NET and of Newtonsoft.Json for their behaviour.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any
from urllib.parse import quote, unquote

from localazure.apim.context import Body, Context, Headers, Jwt, Request, Response, Url
from localazure.apim.errors import ExpressionError

LAMBDA = "lambda"
"""A parameter that takes `x => …`; what the lambda gives is checked by the method itself."""


@dataclass(frozen=True)
class Overload:
    """`parameters` is `None` for a property. A result may be `T` (a type argument), `element` (of what is
    enumerated) or `lambda[]` (what the lambda gives, enumerated)."""

    parameters: tuple[str, ...] | None
    result: str
    call: Callable[..., Any]
    named: tuple[str, ...] = ()


MEMBERS: dict[str, dict[str, list[Overload]]] = {}
STATICS: dict[str, dict[str, list[Overload]]] = {}


def _add(table: dict[str, dict[str, list[Overload]]], type_: str, name: str, overload: Overload) -> None:
    table.setdefault(type_, {}).setdefault(name, []).append(overload)


def _property(type_: str, name: str, result: str, get: Callable[[Any], Any]) -> None:
    _add(MEMBERS, type_, name, Overload(None, result, get))


def _method(type_: str, name: str, parameters: str, result: str, call: Callable[..., Any], named: str = "") -> None:
    _add(MEMBERS, type_, name, Overload(tuple(parameters.split()), result, call, tuple(named.split())))


def _static(type_: str, name: str, parameters: str | None, result: str, call: Callable[..., Any]) -> None:
    taken = None if parameters is None else tuple(parameters.split())
    _add(STATICS, type_, name, Overload(taken, result, call))


# texts


class JsonNull:
    """JSON's null, which is a value, unlike C#'s: `order["a"] == null` asks whether there is no `a`."""


NULL = JsonNull()


def text(value: Any) -> str:
    """`ToString()`."""
    if value is None or value is NULL:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, dict | list):
        return json.dumps(value, indent=2, ensure_ascii=False, default=_null)
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() else repr(value)
    return str(value)


def compact(value: Any) -> str:
    """JSON without white space."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_null)


def _null(value: Any) -> None:
    if value is not NULL:
        raise TypeError(f"{value!r} is not a value of JSON")


def _substring(value: str, start: int, length: int | None = None) -> str:
    if start < 0 or start > len(value) or (length is not None and (length < 0 or start + length > len(value))):
        raise ExpressionError("Substring: index and length must refer to a location within the string")
    return value[start:] if length is None else value[start : start + length]


def _split(value: str, separator: str | None = None) -> list[str]:
    return re.split(r"\s", value) if separator is None else value.split(separator)


_property("string", "Length", "int", len)
for _kind in ("string", "char"):
    _method("string", "Split", _kind, "string[]", _split)
    _method("string", "Trim", _kind, "string", lambda value, what: value.strip(what))
    _method("string", "TrimStart", _kind, "string", lambda value, what: value.lstrip(what))
    _method("string", "TrimEnd", _kind, "string", lambda value, what: value.rstrip(what))
    _method("string", "IndexOf", _kind, "int", lambda value, what: value.find(what))
_method("string", "Split", "", "string[]", _split)
_method("string", "Trim", "", "string", str.strip)
_method("string", "Contains", "string", "bool", lambda value, part: part in value)
_method("string", "StartsWith", "string", "bool", str.startswith)
_method("string", "EndsWith", "string", "bool", str.endswith)
_method("string", "Substring", "int", "string", _substring)
_method("string", "Substring", "int int", "string", _substring)
_method("string", "Replace", "string string", "string", str.replace)
for _name in ("ToLower", "ToLowerInvariant"):
    _method("string", _name, "", "string", str.lower)
for _name in ("ToUpper", "ToUpperInvariant"):
    _method("string", _name, "", "string", str.upper)
_method("string", "Equals", "string", "bool", lambda value, other: value == other)
for _kind in ("string", "int", "double", "bool", "char", "object", "JToken", "JObject", "JArray"):
    _method(_kind, "ToString", "", "string", text)
for _kind in ("JToken", "JObject", "JArray"):
    _method(_kind, "ToString", "Formatting", "string", lambda value, form: compact(value) if form else text(value))
_static("string", "IsNullOrEmpty", "string", "bool", lambda value: not value)
_static("string", "IsNullOrWhiteSpace", "string", "bool", lambda value: not (value or "").strip())
_static("string", "Join", "string string[]", "string", lambda separator, values: separator.join(values))
_static("string", "Empty", None, "string", lambda: "")
_static("Regex", "IsMatch", "string string", "bool", lambda value, form: re.search(form, value) is not None)
_static("Regex", "Replace", "string string string", "string", lambda value, form, new: re.sub(form, new, value))
_static("Uri", "EscapeDataString", "string", "string", lambda value: quote(value, safe="~"))
_static("Uri", "UnescapeDataString", "string", "string", unquote)
_static("Math", "Min", "int int", "int", min)
_static("Math", "Max", "int int", "int", max)


def _whole(value: str) -> int:
    if not re.fullmatch(r"\s*[-+]?\d{1,10}\s*", value):
        raise ExpressionError(f"Input string was not in a correct format: {value[:40]!r}")
    return int(value)


_static("int", "Parse", "string", "int", _whole)

# ids and times

_static("Guid", "NewGuid", "", "Guid", uuid.uuid4)
_method("Guid", "ToString", "", "string", str)
_property("TimeSpan", "TotalSeconds", "double", float)
_property("TimeSpan", "TotalMilliseconds", "double", lambda value: value * 1000)


def _guid(value: uuid.UUID, form: str) -> str:
    if form.upper() not in {"N", "D"}:
        raise ExpressionError(f"the Guid format {form!r} is not supported; N and D are")
    return value.hex if form.upper() == "N" else str(value)


_method("Guid", "ToString", "string", "string", _guid)


# JSON

_static("Formatting", "None", None, "Formatting", lambda: True)
_static("Formatting", "Indented", None, "Formatting", lambda: False)
for _kind in ("Object", "Array", "String", "Integer", "Float", "Boolean", "Null"):
    _static("JTokenType", _kind, None, "JTokenType", lambda kind=_kind: kind)
_static("JObject", "Parse", "string", "JObject", lambda value: parse_json(value.encode(), dict))
_static("JArray", "Parse", "string", "JArray", lambda value: parse_json(value.encode(), list))
_static("JToken", "Parse", "string", "JToken", lambda value: parse_json(value.encode(), object))


def parse_json(content: bytes, kind: type) -> Any:
    """Raises ExpressionError for content that is not JSON, or not of that kind. JSON's null becomes NULL."""
    try:
        value = _with_nulls(json.loads(content))
    except (ValueError, RecursionError) as exc:
        raise ExpressionError("the text is not valid JSON") from exc
    if not isinstance(value, kind):
        raise ExpressionError(f"the text is JSON, but not {'an object' if kind is dict else 'an array'}")
    return value


def _with_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        for name, item in value.items():
            if item is None or isinstance(item, dict | list):
                value[name] = _with_nulls(item)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            if item is None or isinstance(item, dict | list):
                value[number] = _with_nulls(item)
    return NULL if value is None else value


def _kind_of(value: Any) -> str:
    kinds = ((bool, "Boolean"), (dict, "Object"), (list, "Array"), (str, "String"), (int, "Integer"), (float, "Float"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "Null")


def _new_property(value: dict[str, Any], name: str, content: Any) -> None:
    if name in value:
        raise ExpressionError(f"Can not add property {name} to JObject: it exists already")
    value[name] = content


for _kind in ("JToken", "JObject", "JArray"):
    _property(_kind, "Type", "JTokenType", _kind_of)
_method("JObject", "ContainsKey", "string", "bool", lambda value, name: name in value)
_method("JObject", "Remove", "string", "bool", lambda value, name: value.pop(name, value) is not value)
_method("JObject", "Add", "string JToken", "void", _new_property)
_method("JObject", "Properties", "", "IEnumerable<JProperty>", lambda value: list(value.items()))
_property("JObject", "Count", "int", len)
_property("JProperty", "Name", "string", lambda value: value[0])
_property("JProperty", "Value", "JToken", lambda value: value[1])
_property("JArray", "Count", "int", len)
_method("JArray", "Add", "JToken", "void", list.append)

# what is enumerated

Items = Iterable[Any]


def _first(items: Items) -> Any:
    for item in items:
        return item
    raise ExpressionError("Sequence contains no elements")


_method("enumerable", "Any", "", "bool", lambda items: len(items) > 0)
_method("enumerable", "Any", LAMBDA, "bool", lambda items, test: any(test(item) for item in items))
_method("enumerable", "All", LAMBDA, "bool", lambda items, test: all(test(item) for item in items))
_method("enumerable", "Count", "", "int", len)
_method("enumerable", "Contains", "element", "bool", lambda items, item: item in items)
_method("enumerable", "Where", LAMBDA, "element[]", lambda items, test: [item for item in items if test(item)])
_method("enumerable", "Select", LAMBDA, "lambda[]", lambda items, of: [of(item) for item in items])
_method("enumerable", "First", "", "element", _first)
_method("enumerable", "FirstOrDefault", "", "element", lambda items: next(iter(items), None))
_method("enumerable", "Last", "", "element", lambda items: _first(reversed(items)))
_method("enumerable", "ToArray", "", "element[]", list)
_method(
    "enumerable", "Intersect", "element[]", "element[]", lambda items, other: [item for item in items if item in other]
)
_property("enumerable", "Length", "int", len)

# the context


def read_jwt(token: str) -> Jwt | None:
    """An unverified reading, `null` for what is no token; `validate-jwt` is what verifies."""
    import jwt

    try:
        parts = jwt.api_jwt.decode_complete(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return None
    return Jwt(claim_lists(parts["payload"]), parts["header"])


def claim_lists(claims: dict[str, Any]) -> dict[str, list[str]]:
    """Claims as the gateway shows them: each a list of texts."""
    return {
        name: [_claim(item) for item in value] if isinstance(value, list) else [_claim(value)]
        for name, value in claims.items()
    }


def _claim(value: Any) -> str:
    return value if isinstance(value, str) else compact(value)


def _body_as(body: Body, type_: str, preserve: bool = False) -> Any:
    content = body.look(preserve)
    match type_:
        case "string":
            return content.decode("utf-8", "replace")
        case "JObject":
            return parse_json(content, dict)
        case "JArray":
            return parse_json(content, list)
        case "JToken":
            return parse_json(content, object)
    raise ExpressionError(f"Body.As<{type_}> is not supported; string, JObject, JArray and JToken are")


def _variable(variables: dict[str, Any], name: str, default: Any = None) -> Any:
    return variables.get(name, default)


def _headers(type_: str) -> None:
    _method(type_, "GetValueOrDefault", "string string", "string", lambda held, name, other: held.get(name, other))
    _method(type_, "ContainsKey", "string", "bool", lambda held, name: name in held)


_headers("Headers")
_method(
    "Claims",
    "GetValueOrDefault",
    "string string",
    "string",
    lambda held, name, other: ",".join(held[name]) if name in held else other,
)
_method("Claims", "ContainsKey", "string", "bool", lambda held, name: name in held)
_method(
    "Query",
    "GetValueOrDefault",
    "string string",
    "string",
    lambda url, name, other: ",".join(url.parameter(name) or [other]),
)
_method("Query", "ContainsKey", "string", "bool", lambda url, name: url.parameter(name) is not None)
_method("Variables", "ContainsKey", "string", "bool", lambda held, name: name in held)
_method("Variables", "GetValueOrDefault", "string", "T", _variable)
_method("Variables", "GetValueOrDefault", "string T", "T", _variable)
_method("Matched", "GetValueOrDefault", "string string", "string", lambda held, name, other: held.get(name, other))
_method("Matched", "ContainsKey", "string", "bool", lambda held, name: name in held)
_method("string", "AsJwt", "", "Jwt", read_jwt)
_method("Body", "As", "", "T", _body_as)
_method("Body", "As", "bool", "T", _body_as, named="preserveContent")

_property("Context", "Request", "Request", lambda context: context.request)
_property("Context", "Response", "Response", lambda context: context.response)
_property("Context", "Variables", "Variables", lambda context: context.variables)
_property("Context", "Api", "Api", lambda context: context.api)
_property("Context", "Operation", "Operation", lambda context: context.operation)
_property("Context", "Product", "Product", lambda context: context.product)
_property("Context", "Subscription", "Subscription", lambda context: context.subscription)
_property("Context", "LastError", "LastError", lambda context: context.error)
_property("Context", "RequestId", "Guid", lambda context: context.request_id)
_property("Context", "Elapsed", "TimeSpan", lambda context: context.now() - context.timestamp)
_property("Request", "Method", "string", lambda request: request.method)
_property("Request", "IpAddress", "string", lambda request: request.ip)
_property("Request", "Url", "Url", lambda request: request.url)
_property("Request", "OriginalUrl", "Url", lambda request: request.original_url)
_property("Request", "Headers", "Headers", lambda request: request.headers)
_property("Request", "Body", "Body", lambda request: request.body)
_property("Request", "MatchedParameters", "Matched", lambda request: request.matched)
_property("Response", "StatusCode", "int", lambda response: response.status)
_property("Response", "StatusReason", "string", lambda response: response.reason)
_property("Response", "Headers", "Headers", lambda response: response.headers)
_property("Response", "Body", "Body", lambda response: Body(response.body))
_property("Url", "Scheme", "string", lambda url: url.scheme)
_property("Url", "Host", "string", lambda url: url.host)
_property("Url", "Port", "int", lambda url: url.port)
_property("Url", "Path", "string", lambda url: url.path)
_property("Url", "Query", "Query", lambda url: url)
_property("Url", "QueryString", "string", lambda url: f"?{url.raw_query}" if url.raw_query else "")
_property("Api", "Id", "string", lambda api: api.id)
_property("Api", "Name", "string", lambda api: api.name)
_property("Api", "Path", "string", lambda api: api.path)
_property("Operation", "Id", "string", lambda operation: operation.id)
_property("Operation", "Name", "string", lambda operation: operation.name)
_property("Operation", "Method", "string", lambda operation: operation.method)
_property("Operation", "UrlTemplate", "string", lambda operation: operation.template)
_property("Product", "Id", "string", lambda product: product.id)
_property("Product", "Name", "string", lambda product: product.name)
_property("Subscription", "Id", "string", lambda subscription: subscription.id)
_property("Subscription", "Name", "string", lambda subscription: subscription.name)
for _name in ("Source", "Reason", "Message", "Scope", "Section", "Path"):
    _property("LastError", _name, "string", attrgetter(_name.lower()))
_property("LastError", "PolicyId", "string", lambda error: error.policy_id)
_property("Jwt", "Claims", "Claims", lambda token: token.claims)
_property("Jwt", "Subject", "string", lambda token: token.first("sub"))
_property("Jwt", "Issuer", "string", lambda token: token.first("iss"))
_property("Jwt", "Id", "string", lambda token: token.first("jti"))
_property("Jwt", "Audiences", "string[]", lambda token: token.claims.get("aud", []))

# indexes: type → (type of the index, type of what is found, how)

Reader = Callable[[Any, Any], Any]


def _header_values(headers: Headers, name: str) -> list[str]:
    values = headers.values(name)
    if values is None:
        raise ExpressionError(f"The given key '{name}' was not present in the dictionary")
    return values


def _present(held: Any, name: Any) -> Any:
    if name not in held:
        raise ExpressionError(f"The given key '{name}' was not present in the dictionary")
    return held[name]


def _at(items: Any, index: int) -> Any:
    if not 0 <= index < len(items):
        raise ExpressionError("Index was outside the bounds of the array")
    return items[index]


def _token(value: Any, index: Any) -> Any:
    if isinstance(value, dict) and isinstance(index, str):
        return value.get(index)
    if isinstance(value, list) and isinstance(index, int):
        return _at(value, index)
    raise ExpressionError(f"Cannot access child value {index!r} of a JSON {_kind_of(value)}")


INDEXES: dict[str, tuple[tuple[str, str, Reader], ...]] = {
    "Headers": (("string", "string[]", _header_values),),
    "Claims": (("string", "string[]", _present),),
    "Variables": (("string", "object", _present),),
    "Matched": (("string", "string", _present),),
    "Query": (("string", "string[]", lambda url, name: _present({name: url.parameter(name)}, name)),),
    "string": (("int", "char", _at),),
    "JObject": (("string", "JToken", _token),),
    "JArray": (("int", "JToken", _at),),
    "JToken": (("string", "JToken", _token), ("int", "JToken", _token)),
}

JSON = {"JToken", "JObject", "JArray"}
"""Types that are values of JSON."""
CLASSES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "char": str,
    "bool": bool,
    "int": int,
    "double": (int, float),
    "JObject": dict,
    "JArray": list,
    "JToken": (dict, list, str, int, float, bool, JsonNull),
    "Jwt": Jwt,
    "Guid": uuid.UUID,
    "object": object,
    "Context": Context,
    "Request": Request,
    "Response": Response,
    "Url": Url,
}
"""What a value must be to be cast to a type."""
