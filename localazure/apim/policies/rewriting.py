"""What rewrites a body: find-and-replace, redirect-content-urls, jsonp, xml-to-json, json-to-xml, cross-domain.

Source: their reference pages; for the two conversions Newtonsoft.Json's own between XML and JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from localazure.apim.context import Body, Context, Headers, Response
from localazure.apim.document import Element
from localazure.apim.errors import ExpressionError, Unsupported
from localazure.apim.expressions.values import text
from localazure.apim.policies.base import Builder, ReturnResponse, Run, policy
from localazure.apim.policies.markup import tree_of

_CALLBACK = re.compile(r"[\w$.\[\]]{1,200}", re.ASCII)
"""A callback's name: nothing that could be script of its own."""
_NAME = re.compile(r"[A-Za-z_][\w.-]*(:[A-Za-z_][\w.-]*)?")


def _changing(builder: Builder, change: Callable[[Context, str, Headers], str]) -> Run:
    """Apply a change to the request's body before the backend answers, to the response's afterwards."""
    if builder.section in {"outbound", "on-error"}:

        def answer(context: Context) -> None:
            response = context.response
            if response is not None and response.body:
                shown = response.body.decode("utf-8", "surrogateescape")
                response.body = change(context, shown, response.headers).encode("utf-8", "surrogateescape")

        return answer

    async def request(context: Context) -> None:
        if context.request.body is None:
            return
        await context.request.body.load()
        shown = context.request.body.look(preserve=True).decode("utf-8", "surrogateescape")
        changed = change(context, shown, context.request.headers)
        context.request.body = Body(changed.encode("utf-8", "surrogateescape"))

    return request


@policy("find-and-replace")
def find_and_replace(element: Element, builder: Builder) -> Run:
    """Each occurrence of a text."""
    element.allow("from! to!")
    old, new = builder.attribute(element, "from", "string"), builder.attribute(element, "to", "string")

    def change(context: Context, shown: str, _: Headers) -> str:
        wanted = text(old(context))
        return shown.replace(wanted, text(new(context))) if wanted else shown

    return _changing(builder, change)


@policy("redirect-content-urls", "inbound outbound")
def redirect_content_urls(element: Element, builder: Builder) -> Run:
    """Links to the backend become links to the gateway; in inbound the other way round."""
    element.allow()
    inbound = builder.section == "inbound"

    def pair(context: Context) -> tuple[str, str]:
        url, api = context.request.original_url, context.api
        port = "" if (url.scheme, url.port) in {("http", 80), ("https", 443)} else f":{url.port}"
        path = f"/{api.path}" if api and api.path else ""
        public, backend = f"{url.scheme}://{url.host}{port}{path}", context.backend_url.rstrip("/")
        return (public, backend) if inbound else (backend, public)

    def change(context: Context, shown: str, headers: Headers) -> str:
        old, new = pair(context)
        for name in ("Location", "Content-Location"):
            if name in headers:
                headers.set(name, [headers.get(name).replace(old, new)])
        return shown.replace(old, new) if old else shown

    return _changing(builder, change)


@policy("jsonp", "outbound")
def jsonp(element: Element, builder: Builder) -> Run:
    """JSON as the argument of the function that the caller names; anything else stays as it is."""
    element.allow("callback-parameter-name!")
    name = builder.attribute(element, "callback-parameter-name", "string")

    def run(context: Context) -> None:
        response, given = context.response, context.request.original_url.parameter(str(name(context)))
        if response is None or not given or not _CALLBACK.fullmatch(given[0]) or not _is(response.headers, "json"):
            return
        response.body = given[0].encode() + b"(" + response.body + b")"
        response.headers.set("Content-Type", ["application/javascript"])

    return run


@policy("cross-domain", "inbound", "global")
def cross_domain(element: Element, _: Builder) -> Run:
    """Answers /crossdomain.xml, for Flash and Silverlight."""
    element.allow(children="cross-domain-policy")
    document = _written(element.children[0]) if element.children else "<cross-domain-policy />"

    def run(context: Context) -> None:
        if context.request.original_url.path.lower() == "/crossdomain.xml":
            context.response = Response(200, Headers({"Content-Type": "text/xml"}), document.encode())
            raise ReturnResponse

    return run


def _written(element: Element) -> str:
    attributes = "".join(f" {name}={quoteattr(value)}" for name, value in element.attributes.items())
    inside = "".join(_written(child) for child in element.children)
    return f"<{element.name}{attributes}>{inside}</{element.name}>"


@policy("xml-to-json", "inbound outbound on-error")
def xml_to_json(element: Element, builder: Builder) -> Run:
    """XML as JSON: attributes by `@name` in the direct form, by their names in the friendly one."""
    element.allow("kind! apply! consider-accept-header always-array-child-elements")
    direct = builder.choice(element, "kind", "direct javascript-friendly") == "direct"
    always = builder.choice(element, "apply", "always content-type-xml") == "always"
    considers = builder.attribute(element, "consider-accept-header", "bool", "true")
    if builder.flag(element, "always-array-child-elements", "false"):
        raise Unsupported("always-array-child-elements is not supported", element.place)

    def change(context: Context, shown: str, headers: Headers) -> str:
        if not shown.strip() or not (always or _is(headers, "xml")) or not _wanted(context, considers(context), "json"):
            return shown
        try:
            tree = tree_of(shown.encode(), "@" if direct else "", local=not direct)
        except ValueError as exc:
            raise ExpressionError(f"the body cannot be converted: {exc}") from exc
        headers.set("Content-Type", ["application/json"])
        return json.dumps(tree, ensure_ascii=False)

    return _changing(builder, change)


@policy("json-to-xml", "inbound outbound on-error")
def json_to_xml(element: Element, builder: Builder) -> Run:
    """JSON as XML below the element `Document`: `@name` is an attribute, a list is an element for each item."""
    element.allow("apply! consider-accept-header parse-date")
    always = builder.choice(element, "apply", "always content-type-json") == "always"
    considers = builder.attribute(element, "consider-accept-header", "bool", "true")

    def change(context: Context, shown: str, headers: Headers) -> str:
        if not shown.strip() or not (always or _is(headers, "json")) or not _wanted(context, considers(context), "xml"):
            return shown
        try:
            value = json.loads(shown)
            written = _elements("Document", value, 0)
        except (ValueError, RecursionError) as exc:
            raise ExpressionError(f"the body cannot be converted: {exc}") from exc
        headers.set("Content-Type", ["text/xml"])
        return written

    return _changing(builder, change)


def _is(headers: Headers, kind: str) -> bool:
    return headers.get("Content-Type").partition(";")[0].strip().lower().endswith(kind)


def _wanted(context: Context, considers: bool, kind: str) -> bool:
    """Whether the caller's Accept asks for that kind; one that is not there asks for anything."""
    accept = context.request.headers.get("Accept").lower()
    return not considers or not accept or "*/*" in accept or kind in accept


def _elements(name: str, value: Any, depth: int) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:40]!r} is not a name of an element")
    if depth > 64:
        raise ValueError("too deep")
    if isinstance(value, list):
        return "".join(_elements(name, item, depth + 1) for item in value)
    if not isinstance(value, dict):
        shown = escape(text(value) if not isinstance(value, bool) else str(value).lower())
        return f"<{name}>{shown}</{name}>" if shown else f"<{name} />"
    attributes = "".join(
        f" {key[1:]}={quoteattr(text(item))}"
        for key, item in value.items()
        if _NAME.fullmatch(key[1:]) and key[0] == "@"
    )
    inside = "".join(
        escape(text(item)) if key == "#text" else _elements(key, item, depth + 1)
        for key, item in value.items()
        if not key.startswith("@")
    )
    return f"<{name}{attributes}>{inside}</{name}>"
