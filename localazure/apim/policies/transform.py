"""What changes a message: set-header, set-body, set-status, set-method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localazure.apim.context import Body, Context, Headers, Response, phrase
from localazure.apim.document import Element
from localazure.apim.expressions import Expression
from localazure.apim.expressions.values import text
from localazure.apim.policies.base import Builder, Run, policy
from localazure.apim.policies.liquid import template_of

Change = Callable[[Context, Response], None]
"""A change of an answer that return-response makes up."""
Content = Callable[[Context], bytes]


def _response(context: Context) -> Response:
    if context.response is None:
        context.response = Response(200)
    return context.response


@policy("set-header")
def set_header(element: Element, builder: Builder) -> Run:
    """Of the request before the backend answers, of the response afterwards."""
    change = header_fields(element, builder)
    if builder.section in {"outbound", "on-error"}:
        return lambda context: change(context, _response(context).headers)
    return lambda context: change(context, context.request.headers)


def header_of(element: Element, builder: Builder) -> Change:
    """set-header inside return-response."""
    change = header_fields(element, builder)
    return lambda context, answer: change(context, answer.headers)


def header_fields(element: Element, builder: Builder) -> Callable[[Context, Headers], None]:
    """set-header as a change of any message's header fields."""
    name, action, values = builder.named_values(element)
    if action == "override" and len(values) == 1:
        return _override(name, values[0])

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


def _override(name: Expression, value: Expression) -> Callable[[Context, Headers], None]:
    """One value in place of all: what nearly every set-header is."""

    def change(context: Context, headers: Headers) -> None:
        found = value(context)
        if found is None:
            headers.remove(name(context))
        else:
            headers.set(name(context), [str(found)])

    return change


@policy("set-body", "inbound backend outbound")
def set_body(element: Element, builder: Builder) -> Run:
    """The whole body anew: of the request before the backend answers, of the response afterwards."""
    content = content_of(element, builder)
    if builder.section == "outbound":

        def answer(context: Context) -> None:
            _response(context).body = content(context)

        return answer

    def request(context: Context) -> None:
        context.request.body = Body(content(context))

    return request


def body_of(element: Element, builder: Builder) -> Change:
    """set-body inside return-response."""
    content = content_of(element, builder)
    return lambda context, answer: setattr(answer, "body", content(context))


def content_of(element: Element, builder: Builder) -> Content:
    """What set-body makes."""
    if element.attributes.get("template") == "liquid":
        return template_of(element, builder)
    element.allow(
        "template xsi-nil parse-date html-decode-expression", " ".join({c.name for c in element.children}), True
    )
    if element.children:
        markup = element.markup.encode()
        return lambda _: markup
    value = builder.text(element, "object")
    return lambda context: _bytes(value(context))


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    return text(value).encode()


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


@policy("set-method", "inbound on-error")
def set_method(element: Element, builder: Builder) -> Run:
    """The method that the backend sees."""
    element.allow(text=True)
    method = builder.text(element, "string")
    return lambda context: setattr(context.request, "method", method(context))
