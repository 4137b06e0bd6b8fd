"""Requests that a policy makes itself: send-request, send-one-way-request, wait. Source: their reference pages.

Whom they call is the author's business, as on Azure; what comes back is read up to a limit, within a time-out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from localazure.apim.backends import HOP_BY_HOP
from localazure.apim.context import MAX_BUFFERED, Context, Headers, Response
from localazure.apim.document import Element
from localazure.apim.errors import ArtifactError, ExpressionError, GatewayError, Unsupported
from localazure.apim.policies.base import Builder, ReturnResponse, Run, policy, run_steps
from localazure.apim.policies.identity import identity_token
from localazure.apim.policies.transform import content_of, header_fields

log = logging.getLogger("localazure.apim")

DEFAULT_TIMEOUT = 60.0
"""Seconds, as documented."""


@dataclass
class Outgoing:
    """A request in the making."""

    method: str
    url: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    @property
    def shown(self) -> str:
        """The address as errors may tell it: a query may hold a secret."""
        return " ".join(self.url.partition("?")[0].split())[:200] or "An empty address"


Make = Callable[[Context], Awaitable[Outgoing]]


@policy("send-request")
def send_request(element: Element, builder: Builder) -> Run:
    """Ask, wait, and put the answer into a variable: `null` where there is none and errors are ignored."""
    element.allow(
        "mode response-variable-name timeout timeout-ms ignore-error buffer-response fail-on-error-status-code",
        children=_PARTS,
    )
    name = builder.literal(element, "response-variable-name", "")
    lenient = builder.flag(element, "ignore-error", "false")
    fail = builder.flag(element, "fail-on-error-status-code", "false")
    seconds = timeout_of(element, builder, DEFAULT_TIMEOUT)
    make, session = _maker(element, builder), builder.services.session

    async def run(context: Context) -> None:
        answer = None
        try:
            answer = await _exchange(session, await make(context), seconds(context), context)
            if fail and answer.status >= 400:
                raise context.fail(500, "send-request", "ErrorStatusCode", f"The answer's status is {answer.status}.")
        except GatewayError:
            if not lenient:
                raise
        if name:
            context.variables[name] = answer

    return run


@policy("send-one-way-request")
def send_one_way_request(element: Element, builder: Builder) -> Run:
    """Ask without waiting for the answer, which nobody sees."""
    element.allow("mode timeout", children=_PARTS)
    seconds = timeout_of(element, builder, DEFAULT_TIMEOUT)
    make, services = _maker(element, builder), builder.services

    async def run(context: Context) -> None:
        outgoing = await make(context)

        async def send() -> None:
            try:
                await _exchange(services.session, outgoing, seconds(context), context)
            except (GatewayError, ExpressionError) as exc:
                log.warning("send-one-way-request: %s", exc)

        services.in_background(send())

    return run


@policy("wait", "inbound backend outbound")
def wait(element: Element, builder: Builder) -> Run:
    """Run the policies inside at the same time; go on after all of them, or after the first."""
    element.allow("for!", children=" ".join({child.name for child in element.children}))
    every = builder.choice(element, "for", "all any") == "all"
    parts = [(step,) for step in builder.steps(element.children)]

    async def run(context: Context) -> None:
        tasks = [asyncio.ensure_future(run_steps(part, context)) for part in parts]
        try:
            until = asyncio.FIRST_EXCEPTION if every else asyncio.FIRST_COMPLETED
            done, _ = await asyncio.wait(tasks, return_when=until)
        finally:
            for task in tasks:
                task.cancel()
        ended = [task.exception() for task in done if not task.cancelled()]
        for exception in sorted((e for e in ended if e), key=lambda e: isinstance(e, ReturnResponse)):
            raise exception

    return run


def timeout_of(element: Element, builder: Builder, default: float) -> Callable[[Context], float]:
    """Seconds, from `timeout` or `timeout-ms`."""
    if "timeout-ms" in element.attributes:
        if "timeout" in element.attributes:
            raise ArtifactError("timeout and timeout-ms exclude each other", element.place)
        milliseconds = builder.attribute(element, "timeout-ms", "double")
        return lambda context: float(milliseconds(context)) / 1000
    seconds = builder.attribute(element, "timeout", "double", str(default))
    return lambda context: float(seconds(context))


_PARTS = "set-url set-method set-header set-body authentication-managed-identity"


def _maker(element: Element, builder: Builder) -> Make:
    """The children as a function that makes the request."""
    copy = builder.choice(element, "mode", "new copy", "new") == "copy"
    parts = {child.name: child for child in element.children}
    for name in ("authentication-certificate", "authentication-token", "authentication-token-store", "proxy"):
        if name in parts:
            raise Unsupported(f"<{name}> is not supported", parts[name].place)
    if not copy and "set-url" not in parts:
        raise ArtifactError("a new request needs <set-url>", element.place)
    url = builder.text(parts["set-url"], "string") if "set-url" in parts else None
    method = builder.text(parts["set-method"], "string") if "set-method" in parts else None
    fields = [header_fields(child, builder) for child in element.children if child.name == "set-header"]
    content = content_of(parts["set-body"], builder) if "set-body" in parts else None
    token = identity_token(parts["authentication-managed-identity"], builder) if _IDENTITY in parts else None
    if copy:
        builder.readers.append("mode")

    async def make(context: Context) -> Outgoing:
        outgoing = _copied(context, builder) if copy else Outgoing("GET", "")
        if url is not None:
            outgoing.url = str(url(context)).strip()
        if method is not None:
            outgoing.method = str(method(context)).strip()
        for change in fields:
            change(context, outgoing.headers)
        if content is not None:
            outgoing.body = content(context)
        if token is not None and (found := await token(context)):
            outgoing.headers.set("Authorization", [f"Bearer {found}"])
        return outgoing

    return make


_IDENTITY = "authentication-managed-identity"


def _copied(context: Context, builder: Builder) -> Outgoing:
    """The current request; once the backend has answered, without its body."""
    request = context.request
    query = f"?{request.url.raw_query}" if request.url.raw_query else ""
    found = Outgoing(request.method, f"{context.backend_url.rstrip('/')}{request.url.path}{query}")
    found.headers = request.headers.copy()
    if request.body is not None and builder.section in {"inbound", "backend"}:
        found.body = request.body.look(preserve=True)
    return found


async def _exchange(session: aiohttp.ClientSession, outgoing: Outgoing, seconds: float, context: Context) -> Response:
    """The answer. Raises GatewayError where there is none."""
    unsent = HOP_BY_HOP | {"accept-encoding"}  # expressions read the answer, so it comes as it is
    headers = [(name, value) for name, value in outgoing.headers if name.lower() not in unsent]
    try:
        async with session.request(
            outgoing.method or "GET",
            URL(outgoing.url),
            headers=headers,
            skip_auto_headers=("Accept-Encoding", "Content-Type", "User-Agent"),
            data=outgoing.body or None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=seconds),
        ) as answer:
            found = Headers()
            for name, value in answer.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    found.add(name, value)
            body = await answer.content.read(MAX_BUFFERED + 1)
            while len(body) <= MAX_BUFFERED and (more := await answer.content.read(MAX_BUFFERED)):
                body += more
            if len(body) > MAX_BUFFERED:
                raise context.fail(500, "send-request", "BodyTooLarge", "The answer is larger than 2 MB.")
            return Response(answer.status, found, body, answer.reason or "")
    except TimeoutError as exc:
        raise context.fail(500, "send-request", "Timeout", f"{outgoing.shown} did not answer in time.") from exc
    except (aiohttp.ClientError, OSError, ValueError) as exc:
        message = f"{outgoing.shown} cannot be asked: {type(exc).__name__}."
        raise context.fail(500, "send-request", "BackendConnectionFailure", message) from exc
