"""What changes a message: set-header, set-body, set-status, set-query-parameter, rewrite-uri, set-method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from localazure.apim.context import Body, Context, Headers, Response, phrase
from localazure.apim.document import Element
from localazure.apim.errors import ArtifactError, Unsupported
from localazure.apim.expressions import Expression
from localazure.apim.policies.base import Builder, Run, load_body, policy

Change = Callable[[Context, Response], None]
"""A change of an answer that return-response makes up."""


def _response(context: Context) -> Response:
    if context.response is None:
        context.response = Response(200)
    return context.response


@policy("set-header")
def set_header(element: Element, builder: Builder) -> Run:
    """Of the request before the backend answers, of the response afterwards."""
    change = _header(element, builder)
    if builder.section in {"outbound", "on-error"}:
        return lambda context: change(context, _response(context).headers)
    return lambda context: change(context, context.request.headers)


def header_of(element: Element, builder: Builder) -> Change:
    """set-header inside return-response."""
    change = _header(element, builder)
    return lambda context, answer: change(context, answer.headers)


def _header(element: Element, builder: Builder) -> Callable[[Context, Headers], None]:
    element.allow("name! exists-action", children="value")
    name = builder.attribute(element, "name", "string")
    action = builder.choice(element, "exists-action", "override skip append delete", "override")
    values = [builder.text(child, "string") for child in element.children]
    if (action == "delete") != (not values):
        raise ArtifactError("set-header has values, except with exists-action delete, where it has none", element.place)

    def change(context: Context, headers: Headers) -> None:
        key = name(context)
        if action == "delete":
            headers.remove(key)
            return
        if action == "skip" and key in headers:
            return
        found = [str(value) for value in (expression(context) for expression in values) if value is not None]
        if action == "append":
            for value in found:
                headers.add(key, value)
        elif found:
            headers.set(key, found)
        else:
            headers.remove(key)

    return change


@policy("set-body", "inbound backend outbound")
def set_body(element: Element, builder: Builder) -> Run:
    """The whole body anew."""
    content = _body(element, builder)
    if builder.section == "outbound":

        def answer(context: Context) -> None:
            _response(context).body = (content(context) or "").encode()

        return answer

    async def run(context: Context) -> None:
        await load_body(context, content)
        if context.request.body is None:
            raise context.fail(500, "set-body", "", "The request has no body to be replaced.")
        context.request.body = Body((content(context) or "").encode())

    return run


def body_of(element: Element, builder: Builder) -> Change:
    """set-body inside return-response."""
    content = _body(element, builder)
    return lambda context, answer: setattr(answer, "body", (content(context) or "").encode())


def _body(element: Element, builder: Builder) -> Expression:
    if "template" in element.attributes:
        raise Unsupported("Liquid templates are not supported; use an expression", element.place)
    element.allow(text=True)
    return builder.text(element, "string")


@policy("set-status")
def set_status(element: Element, builder: Builder) -> Run:
    """Of the response."""
    change = status_of(element, builder)
    return lambda context: change(context, _response(context))


def status_of(element: Element, builder: Builder) -> Change:
    """set-status, also inside return-response."""
    element.allow("code! reason")
    code, reason = builder.attribute(element, "code", "int"), builder.attribute(element, "reason", "string", "")

    def change(context: Context, answer: Response) -> None:
        answer.status = code(context)
        answer.reason = reason(context) or phrase(answer.status)

    return change


@policy("set-query-parameter", "inbound backend")
def set_query_parameter(element: Element, builder: Builder) -> Run:
    """Of the request that goes to the backend."""
    element.allow("name! exists-action", children="value")
    name = builder.attribute(element, "name", "string")
    action = builder.choice(element, "exists-action", "override skip append delete", "override")
    values = [builder.text(child, "string") for child in element.children]
    if (action == "delete") != (not values):
        raise ArtifactError("set-query-parameter has values, except with exists-action delete", element.place)

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
    """The path that the backend sees; `{name}` is a parameter of the operation's template."""
    element.allow("template! copy-unmatched-params")
    template = builder.attribute(element, "template", "string")
    keep = builder.flag(element, "copy-unmatched-params", "true")

    def run(context: Context) -> Awaitable[None] | None:
        path = template(context)
        for name, value in context.request.matched.items():
            path = path.replace("{" + name + "}", value)
        context.request.url.path = path
        if not keep:
            context.request.url.query, context.request.url.raw_query = [], ""
        return None

    return run


@policy("set-method", "inbound on-error")
def set_method(element: Element, builder: Builder) -> Run:
    """The method that the backend sees."""
    element.allow(text=True)
    method = builder.text(element, "string")
    return lambda context: setattr(context.request, "method", method(context))
