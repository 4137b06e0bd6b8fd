"""set-body with `template="liquid"`: what a template sees of the request, and how far it may go.

Source: "Set body", using Liquid templates with set-body. Azure's gateway runs DotLiquid; here it is python-liquid, with
each filter also under the capitalised name that .NET gives it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from html import unescape
from typing import TYPE_CHECKING, Any

from localazure.apim.context import Context, Headers, Request, Response, Url
from localazure.apim.document import Element
from localazure.apim.errors import ArtifactError, ExpressionError
from localazure.apim.expressions.values import text
from localazure.apim.policies.base import Builder
from localazure.apim.policies.markup import tree_of

if TYPE_CHECKING:
    from liquid import Environment

MAX_OUTPUT = 2 * 1024 * 1024
"""Bytes that a template may write: what the gateway buffers of a body."""
MAX_ROUNDS = 100_000
"""Rounds of all loops of one rendering: a caller's long list costs no more than this."""
_DELIMITED = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)

_environment: list[Environment] = []


def template_of(element: Element, builder: Builder) -> Callable[[Context], bytes]:
    """The template as a function of the context. Raises ArtifactError where it is not Liquid."""
    from liquid.exceptions import LiquidError

    source = element.text
    if element.children:
        source = _DELIMITED.sub(lambda match: unescape(match[0]), element.markup)
    try:
        template = _engine().from_string(source)
    except LiquidError as exc:
        raise ArtifactError(f"the Liquid template is wrong: {exc}", element.place) from exc
    of_response = builder.section in {"outbound", "on-error"}
    if not of_response:
        builder.readers.append("template")

    def render(context: Context) -> bytes:
        try:
            return template.render(**_scope(context, of_response)).encode()
        except LiquidError as exc:
            raise ExpressionError(f"the Liquid template failed: {exc}") from exc

    return render


def _engine() -> Environment:
    """Made with the first template: the package is slow to import, and most gateways have no template."""
    if not _environment:
        from liquid import Environment

        class Bounded(Environment):
            output_stream_limit = MAX_OUTPUT
            loop_iteration_limit = MAX_ROUNDS
            context_depth_limit = 30

        made = Bounded()
        for name, function in list(made.filters.items()):
            made.filters["".join(part.capitalize() for part in name.split("_"))] = function
        _environment.append(made)
    return _environment[0]


def _scope(context: Context, of_response: bool) -> dict[str, Any]:
    request, response = context.request, context.response
    content, headers = b"", request.headers
    if of_response and response is not None:
        content, headers = response.body, response.headers
    elif request.body is not None:
        content = request.body.look(preserve=True)
    return {"body": _body(content, headers.get("Content-Type")), "context": _context(context, request, response)}


def _body(content: bytes, media: str) -> Any:
    """JSON and XML as their parts, anything else as text."""
    kind = media.partition(";")[0].strip().lower()
    shown = content.decode("utf-8", "replace")
    if kind.endswith("xml"):
        try:
            return tree_of(content, attributes=False)
        except ValueError:
            return shown
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return shown


def _context(context: Context, request: Request, response: Response | None) -> dict[str, Any]:
    api, operation, product, subscription = context.api, context.operation, context.product, context.subscription
    return {
        "RequestId": str(context.request_id),
        "Request": {
            "Url": _url(request.url),
            "OriginalUrl": _url(request.original_url),
            "Method": request.method,
            "OriginalMethod": request.method,
            "IpAddress": request.ip,
            "MatchedParameters": dict(request.matched),
            "HasBody": request.body is not None,
            "Headers": _headers(request.headers),
        },
        "Response": {"StatusCode": response.status, "Headers": _headers(response.headers)} if response else None,
        "Api": {"Id": api.id, "Name": api.name, "Path": api.path} if api else None,
        "Operation": {"Id": operation.id, "Name": operation.name, "Method": operation.method} if operation else None,
        "Product": {"Id": product.id, "Name": product.name} if product else None,
        "Subscription": {"Id": subscription.id, "Name": subscription.name} if subscription else None,
        "Variables": {name: _plain(value) for name, value in context.variables.items()},
    }


_SIMPLE = (str, int, float, bool, dict, list, type(None))


def _plain(value: Any) -> Any:
    """A variable as a template sees it: JSON by its parts, an answer by its status, anything else as its text."""
    if isinstance(value, _SIMPLE):
        return value
    if isinstance(value, Response):
        return {"StatusCode": value.status, "Headers": _headers(value.headers)}
    shown = text(value)
    if not shown.startswith(("{", "[")):
        return shown
    try:
        return json.loads(shown)
    except (ValueError, RecursionError):
        return shown


def _url(url: Url) -> dict[str, Any]:
    query = dict(url.query)
    whole = {"Scheme": url.scheme, "Host": url.host, "Port": url.port, "Path": url.path}
    return {**whole, "QueryString": f"?{url.raw_query}" if url.raw_query else "", "Query": query}


def _headers(headers: Headers) -> Mapping[str, str]:
    return {name: headers.get(name) for name, _ in headers}
