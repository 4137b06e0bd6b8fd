"""Where the backend is asked: set-query-parameter, rewrite-uri. Source: their reference pages."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, urlencode

from localazure.apim.context import Context, Url
from localazure.apim.document import Element
from localazure.apim.policies.base import Builder, Run, policy

_SEGMENT = "-._~!$&'()*+,;=:@"
"""What a path segment holds as it is, beside letters and digits. Source: RFC 3986, `pchar`."""
_QUERY = "-._~!$'()*,;:@/"


@policy("set-query-parameter", "inbound backend")
def set_query_parameter(element: Element, builder: Builder) -> Run:
    """Of the request that goes to the backend."""
    name, action, values = builder.named_values(element)

    def run(context: Context) -> None:
        url, key = context.request.url, name(context)
        held = [pair for pair in url.query if pair[0].lower() == key.lower()]
        if action == "skip" and held:
            return
        if action in {"override", "delete"}:
            if not held and action == "delete":
                return
            url.query = [pair for pair in url.query if pair not in held]
        url.query += [(key, str(value(context))) for value in values]
        url.raw_query = urlencode(url.query)

    return run


@policy("rewrite-uri", "inbound")
def rewrite_uri(element: Element, builder: Builder) -> Run:
    """The address that the backend sees below its own; `{name}` is a parameter of the operation's template.

    Parameters that the template of the operation matched are in the new address where it names them and nowhere else;
    the others come along unless `copy-unmatched-params` says otherwise.
    """
    element.allow("template! copy-unmatched-params")
    template = builder.attribute(element, "template", "string")
    keep = builder.flag(element, "copy-unmatched-params", "true")

    def run(context: Context) -> None:
        request = context.request
        path, _, query = str(template(context)).partition("?")
        given = {**request.matched, **_matched_query(context)}
        path = _filled(path, given, _SEGMENT, context)
        query = _filled(query, given, _QUERY, context)
        if keep:
            rest = _unmatched(request.url, {name.lower() for name in _matched_query(context)})
            query = "&".join(part for part in (query, rest) if part)
        request.url.path = path if path.startswith("/") else f"/{path}"
        request.url.raw_query = query
        request.url.query = parse_qsl(query, keep_blank_values=True)

    return run


_PARAMETER = re.compile(r"\{(\*?)([\w.-]+)\}")


def _filled(template: str, given: dict[str, str], safe: str, context: Context) -> str:
    """The template with parameters encoded, so that a `?` in one stays in its place; `{*name}` keeps its slashes."""
    operation = context.operation
    wild = set(re.findall(r"\{\*([\w.-]+)\}", operation.template)) if operation else set()

    def value(match: re.Match[str]) -> str:
        if match[2] not in given:
            return match[0]
        return quote(given[match[2]], safe=safe + ("/" if match[1] or match[2] in wild else ""))

    return _PARAMETER.sub(value, template)


def _matched_query(context: Context) -> dict[str, str]:
    """Required parameters of the query: they are in the operation's template once a definition has been imported."""
    described = context.operation.schema.get("parameters", ()) if context.operation else ()
    names = [str(item.get("name")) for item in described if item.get("in") == "query" and item.get("required")]
    found = {name: context.request.original_url.parameter(name) for name in names}
    return {name: ",".join(values) for name, values in found.items() if values is not None}


def _unmatched(url: Url, matched: set[str]) -> str:
    """The query as it came, without what the template took."""
    if not matched:
        return url.raw_query
    return urlencode([(name, value) for name, value in url.query if name.lower() not in matched])
