"""`context` and what it leads to. Source: "API Management policy expressions", context variable."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable
from operator import attrgetter
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from localazure.apim.context import Body, Headers, Jwt, Url
from localazure.apim.expressions.casting import is_instance
from localazure.apim.expressions.failures import Thrown, throw
from localazure.apim.expressions.jtoken import JArray, JObject, JToken, parse
from localazure.apim.expressions.members.collections import Dictionary, present
from localazure.apim.expressions.table import declare, index
from localazure.apim.expressions.times import DateTime, TimeSpan
from localazure.apim.expressions.types import derive
from localazure.apim.expressions.values import Pair

log = logging.getLogger("localazure.apim")

# tokens and credentials


def read_jwt(token: str) -> Jwt | None:
    """An unverified reading, `null` for what is no token; `validate-jwt` is what verifies."""
    import jwt

    try:
        bare = token[7:] if token[:7].lower() == "bearer " else token
        decoded = jwt.api_jwt.decode_complete(bare.strip(), options={"verify_signature": False})
    except jwt.PyJWTError:
        return None
    return Jwt(claim_lists(decoded["payload"]), decoded["header"])


def claim_lists(claims: dict[str, Any]) -> dict[str, list[str]]:
    """Claims as the gateway shows them: each a list of texts."""
    return {
        name: [_claim(item) for item in value] if isinstance(value, list) else [_claim(value)]
        for name, value in claims.items()
    }


def _claim(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _basic(value: str | None) -> Pair | None:
    """User and password of an Authorization header."""
    scheme, _, rest = (value or "").partition(" ")
    try:
        user, colon, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Pair(user, password) if scheme.lower() == "basic" and colon else None


def _time(token: Jwt, claim: str) -> DateTime | None:
    value = token.first(claim)
    return DateTime.at(float(value)) if value and value.replace(".", "", 1).isdecimal() else None


derive("BasicAuthCredentials")
declare("BasicAuthCredentials", {"string UserId": lambda held: held.key, "string Password": lambda held: held.value})
declare(
    "string",
    {
        "Jwt AsJwt()": read_jwt,
        "bool TryParseJwt(out Jwt)": lambda value: (read_jwt(value) is not None, read_jwt(value)),
        "BasicAuthCredentials AsBasic()": _basic,
        "bool TryParseBasic(out BasicAuthCredentials)": lambda value: (_basic(value) is not None, _basic(value)),
    },
)
declare(
    "Jwt",
    {
        "Claims Claims": lambda token: token.claims,
        "string Subject": lambda token: token.first("sub"),
        "string Issuer": lambda token: token.first("iss"),
        "string Id": lambda token: token.first("jti"),
        "string Algorithm": lambda token: token.header.get("alg"),
        "string Type": lambda token: token.header.get("typ"),
        "string[] Audiences": lambda token: token.claims.get("aud", []),
        "DateTime? ExpirationTime": lambda token: _time(token, "exp"),
        "DateTime? IssuedAt": lambda token: _time(token, "iat"),
        "DateTime? NotBefore": lambda token: _time(token, "nbf"),
    },
)

# bodies


def _body_as(body: Body, type_: str, preserve: bool = False) -> Any:
    content = body.look(preserve)
    match type_:
        case "string":
            return content.decode("utf-8-sig", "replace")
        case "byte[]":
            return content
        case "JObject" | "JArray" | "JToken":
            kinds: dict[str, type[JToken]] = {"JObject": JObject, "JArray": JArray}
            return parse(content, kinds.get(type_, JToken)) if content.strip() else None
        case "XElement" | "XDocument" | "XNode":
            from localazure.apim.expressions.members.xml import read

            return read(content.decode("utf-8-sig", "replace"), type_)
    raise Thrown("InvalidOperationException", f"Body.As<{type_}> is not supported")


declare("Body", {"T As<T>(type, bool preserveContent = false)": _body_as})


def _form(body: Body, preserve: bool = False) -> Dictionary:
    from urllib.parse import parse_qs

    found = parse_qs(body.look(preserve).decode("utf-8", "replace"), keep_blank_values=True)
    return Dictionary(found.items())


declare("Body", {"IDictionary<string,IList<string>> AsFormUrlEncodedContent(bool preserveContent = false)": _form})

# what is read by name


def _pairs_of_headers(held: Headers) -> list[Pair]:
    names: dict[str, str] = {}
    for name, _ in held:
        names.setdefault(name.lower(), name)
    return [Pair(name, held.values(name)) for name in names.values()]


def _pairs_of_query(held: Url) -> list[Pair]:
    return [Pair(name, held.parameter(name)) for name in dict.fromkeys(name for name, _ in held.query)]


def _header_values(headers: Headers, name: str) -> list[str]:
    values = headers.values(name)
    if values is None:
        throw("KeyNotFoundException", f"The given key '{name}' was not present in the dictionary")
    return values


def _query_values(url: Url, name: str) -> list[str]:
    return present({name: found} if (found := url.parameter(name)) else {}, name)  # type: ignore[no-any-return]


def _joined(values: list[str] | None, other: str | None) -> str | None:
    return other if values is None else ",".join(values)


def _named(type_: str, values: Any, pairs: Any) -> None:
    """What Headers, Query and Claims have: several values for a name."""
    derive(type_, "IEnumerable<KeyValuePair<string,string[]>>", by=pairs)
    declare(
        type_,
        {
            "string GetValueOrDefault(string)": lambda held, name: _joined(values(held, name), None),
            "string GetValueOrDefault(string, string defaultValue)": lambda held, name, other: _joined(
                values(held, name), other
            ),
            "bool ContainsKey(string)": lambda held, name: values(held, name) is not None,
            "bool TryGetValue(string, out string[])": lambda held, name: (
                values(held, name) is not None,
                values(held, name),
            ),
            "IEnumerable<string> Keys": lambda held: [pair.key for pair in pairs(held)],
            "IEnumerable<string[]> Values": lambda held: [pair.value for pair in pairs(held)],
            "int Count": lambda held: len(pairs(held)),
        },
    )


_named("Headers", Headers.values, _pairs_of_headers)
_named("Query", Url.parameter, _pairs_of_query)
_named("Claims", lambda held, name: held.get(name), lambda held: [Pair(*item) for item in held.items()])
index("Headers", "string", "string[]", _header_values)
index("Query", "string", "string[]", _query_values)
index("Claims", "string", "string[]", present)
declare("Claims", {"string[] GetValueOrDefault(string, string[])": lambda held, name, other: held.get(name, other)})
derive("Variables", "IReadOnlyDictionary<string,object>")
derive("Matched", "IReadOnlyDictionary<string,string>")


def _variable(variables: dict[str, Any], type_: str, name: str, default: Any = None) -> Any:
    """The variable, which must be of the type that is asked for. Source: Variables.GetValueOrDefault."""
    if name not in variables:
        from localazure.apim.expressions.casting import zero

        return zero(type_) if default is None else default
    value = variables[name]
    if value is None or is_instance(value, type_):
        return value
    raise Thrown("InvalidCastException", f"unable to cast a value of type {type(value).__name__} to {type_}")


declare(
    "Variables",
    {
        "object GetValueOrDefault(string)": dict.get,
        "T GetValueOrDefault<T>(type, string)": _variable,
        "T GetValueOrDefault<T>(type, string, T defaultValue)": _variable,
    },
)

# addresses


def url_of(address: str) -> Url:
    split = urlsplit(address)
    port = split.port or (443 if split.scheme == "https" else 80)
    return Url.of(split.scheme, split.hostname or "", port, split.path or "/", split.query)


def _authority(url: Url) -> str:
    standard = {"https": 443, "http": 80}.get(url.scheme)
    return url.host if url.port == standard else f"{url.host}:{url.port}"


def _address(url: Url) -> str:
    return f"{url.scheme}://{_authority(url)}{url.path}" + (f"?{url.raw_query}" if url.raw_query else "")


def _uri(address: str) -> Url:
    try:
        url = url_of(address)
    except ValueError:
        throw("UriFormatException", "Invalid URI: The format of the URI could not be determined.")
    if not url.scheme:
        throw("UriFormatException", "Invalid URI: The format of the URI could not be determined.")
    return url


# the context itself

_CONTEXT: dict[str, dict[str, Callable[..., Any]]] = {
    "Context": {
        "Request Request": attrgetter("request"),
        "Response Response": attrgetter("response"),
        "Variables Variables": attrgetter("variables"),
        "Api Api": attrgetter("api"),
        "Operation Operation": attrgetter("operation"),
        "Product Product": attrgetter("product"),
        "Subscription Subscription": attrgetter("subscription"),
        "User User": lambda context: (
            context.subscription if context.subscription and context.subscription.developer else None
        ),
        "LastError LastError": attrgetter("error"),
        "Deployment Deployment": lambda context: context,
        "Guid RequestId": attrgetter("request_id"),
        "DateTime Timestamp": lambda context: DateTime.at(context.timestamp),
        "TimeSpan Elapsed": lambda context: TimeSpan.of(context.now() - context.timestamp),
        "bool Tracing": lambda context: context.trace is not None,
        "void Trace(string)": lambda _, message: log.info("context.Trace: %s", message),
    },
    "Request": {
        "string Method": attrgetter("method"),
        "string IpAddress": attrgetter("ip"),
        "Url Url": attrgetter("url"),
        "Url OriginalUrl": attrgetter("original_url"),
        "Headers Headers": attrgetter("headers"),
        "Body Body": attrgetter("body"),
        "Matched MatchedParameters": attrgetter("matched"),
        "X509Certificate2 Certificate": lambda _: None,
    },
    "Response": {
        "int StatusCode": attrgetter("status"),
        "string StatusReason": attrgetter("reason"),
        "Headers Headers": attrgetter("headers"),
        "Body Body": lambda response: Body(response.body),
    },
    "Url": {
        "string Scheme": attrgetter("scheme"),
        "string Host": attrgetter("host"),
        "int Port": attrgetter("port"),
        "string Path": attrgetter("path"),
        "Query Query": lambda url: url,
        "string QueryString": lambda url: f"?{url.raw_query}" if url.raw_query else "",
        "string ToString()": _address,
    },
    "Api": {
        "string Id": attrgetter("id"),
        "string Name": attrgetter("name"),
        "string Path": attrgetter("path"),
        "string Revision": lambda _: "1",
        "string Version": lambda _: None,
        "bool IsCurrentRevision": lambda _: True,
        "Url ServiceUrl": lambda api: url_of(api.url) if api.url else None,
        "IEnumerable<string> Protocols": lambda _: ["https"],
    },
    "Operation": {
        "string Id": attrgetter("id"),
        "string Name": attrgetter("name"),
        "string Method": attrgetter("method"),
        "string UrlTemplate": attrgetter("template"),
    },
    "Product": {
        "string Id": attrgetter("id"),
        "string Name": attrgetter("name"),
        "bool SubscriptionRequired": attrgetter("subscription_required"),
        "string State": lambda product: "Published" if product.published else "NotPublished",
    },
    "Subscription": {
        "string Id": attrgetter("id"),
        "string Name": attrgetter("name"),
        "string Key": attrgetter("primary_key"),
        "string PrimaryKey": attrgetter("primary_key"),
        "string SecondaryKey": attrgetter("secondary_key"),
    },
    "User": {
        "string Id": attrgetter("developer"),
        "string Email": attrgetter("developer"),
        "string FirstName": attrgetter("developer"),
        "string LastName": lambda _: "",
        "string Note": lambda _: "",
        "IEnumerable<Group_> Groups": lambda _: [],
        "IEnumerable<UserIdentity> Identities": lambda _: [],
    },
    "Deployment": {
        "string GatewayId": lambda _: "managed",
        "string Region": lambda _: "local",
        "string ServiceName": lambda _: "localazure",
        "string ServiceId": lambda _: "localazure",
        "Gateway Gateway": lambda context: context,
        "IReadOnlyDictionary<string,X509Certificate2> Certificates": lambda _: Dictionary(),
    },
    "Gateway": {
        "string Id": lambda _: "managed",
        "string InstanceId": lambda _: "local",
        "bool IsManaged": lambda _: True,
    },
    "Group_": {"string Id": attrgetter("id"), "string Name": attrgetter("name")},
    "UserIdentity": {"string Id": attrgetter("id"), "string Provider": attrgetter("provider")},
    "Authorization": {
        "string AccessToken": lambda held: held.access_token,
        "IReadOnlyDictionary<string,object> Claims": lambda held: held.claims,
    },
    "LastError": {
        **{
            f"string {name}": attrgetter(name.lower())
            for name in ("Source", "Reason", "Message", "Scope", "Section", "Path")
        },
        "string PolicyId": attrgetter("policy_id"),
    },
    "Exception": {
        "string Message": str,
        "Exception InnerException": lambda _: None,
        "string StackTrace": lambda _: "",
    },
}
for _owner, _members in _CONTEXT.items():
    declare(_owner, _members)
for _kind in ("Exception", "ArgumentException", "InvalidOperationException", "FormatException"):
    declare(_kind, {f"static {_kind} new(string)": lambda message, kind=_kind: Thrown(kind, message)})
    declare(
        _kind, {f"static {_kind} new()": lambda kind=_kind: Thrown(kind, f"Exception of type '{kind}' was thrown.")}
    )
    if _kind != "Exception":
        derive(_kind, "Exception")

declare("Url", {"Uri ToUri()": lambda url: url})
declare(
    "Uri",
    {
        "static string EscapeDataString(string)": lambda value: quote(value, safe="~"),
        "static string EscapeUriString(string)": lambda value: quote(value, safe="~!*'();:@&=+$,/?#[]-_."),
        "static string UnescapeDataString(string)": unquote,
        "static Uri new(string)": _uri,
        "static bool IsWellFormedUriString(string, UriKind)": lambda value, _: bool(urlsplit(value).scheme),
        "string Scheme": attrgetter("scheme"),
        "string Host": attrgetter("host"),
        "string DnsSafeHost": attrgetter("host"),
        "string Authority": _authority,
        "int Port": attrgetter("port"),
        "string AbsolutePath": attrgetter("path"),
        "string LocalPath": lambda url: unquote(url.path),
        "string AbsoluteUri": _address,
        "string OriginalString": _address,
        "string PathAndQuery": lambda url: url.path + (f"?{url.raw_query}" if url.raw_query else ""),
        "string Query": lambda url: f"?{url.raw_query}" if url.raw_query else "",
        "string Fragment": lambda _: "",
        "string[] Segments": lambda url: _segments(url.path),
        "string ToString()": _address,
    },
)


def _segments(path: str) -> list[str]:
    held = [f"{part}/" for part in path.split("/")]
    held[-1] = held[-1][:-1]
    return [part for part in held if part]
