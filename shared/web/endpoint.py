"""The frame around every HTTP operation: trace, caller, body, answer, and errors as problem documents.

A trigger declares what it needs and is left with its own few lines. What it declares is also the table of
operations (`OPERATIONS`) that documentation and tests read.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar

import azure.functions as func
import msgspec

from shared.acting import Actor, acting
from shared.declaration import Scope, Service
from shared.errors import CommerceError, InvalidRequest, NotFound
from shared.telemetry.log import Log, bound
from shared.telemetry.span import request
from shared.web.auth import Principal, authenticate
from shared.web.body import read_body, read_upload
from shared.web.gateway import gateway_claims
from shared.web.operation import JSON, Header, Operation, Parameter, PathParameter, Upload
from shared.web.problem import internal_error, problem

VERSION = "v1"
"""What every path begins with."""
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
ETAG = r'"[\x21\x23-\x7e]{0,255}"'
"""The pattern of a strong ETag. Source: RFC 9110, section 8.8.3."""
_ETAG = re.compile(ETAG)
SAFE = frozenset({"GET", "HEAD"})
MAX_REASON = 500
"""Characters of `X-Reason`, by which staff say why they do something."""
_ANONYMOUS = Principal(subject="", scopes=frozenset(), roles=frozenset())

B = TypeVar("B", bound=msgspec.Struct)


OPERATIONS: dict[str, Operation] = {}
"""Operation id → what it demands and gives, for the blueprints imported so far."""
EACH = PathParameter("service", "Whose: a service's name.", re.compile(r"[a-z][a-z-]{0,49}"), "orders")
"""The part of a path that names the service whose operation it is."""


@dataclass(frozen=True)
class Request(Generic[B]):
    """One request, checked: what a trigger hands on to its use case."""

    http: func.HttpRequest
    caller: Principal
    body: B
    idempotency_key: str = ""
    parameters: tuple[Parameter, ...] = ()
    client: Any = None
    """Durable's client, for an operation that asks for it."""

    def path(self, part: PathParameter) -> str:
        """A part of the path. One that cannot be an id names nothing: raises NotFound."""
        value: str = self.http.route_params.get(part.name, "")
        if not part.pattern.fullmatch(value):
            raise NotFound(f"there is no such {part.name}")
        return value

    @property
    def query(self) -> dict[str, str]:
        """The query parameters that the operation declares; the frame has refused any other."""
        given = dict(self.http.params)
        return {parameter.name: given[parameter.name] for parameter in self.parameters if parameter.name in given}

    @property
    def if_match(self) -> str | None:
        """The ETag the caller changes from, or `None` for any. Raises InvalidRequest if it is not one ETag."""
        value: str = self.http.headers.get("if-match", "").strip()
        if not value or value == "*":
            return None
        if not _ETAG.fullmatch(value):
            raise InvalidRequest('If-Match must be one ETag, such as "abc"')
        return value

    def or_not_modified(self, answer: Response) -> Response:
        """`answer`, or 304 where the caller already has it (If-None-Match)."""
        known = self.http.headers.get("if-none-match", "")
        if known.strip() == "*" or answer.headers["ETag"] in {
            tag.strip().removeprefix("W/") for tag in known.split(",")
        }:
            return Response(None, 304, answer.headers)
        return answer


@dataclass(frozen=True)
class Response:
    """What a trigger gives back: a body to be written as JSON, or bytes of the operation's own media type, and the
    headers that matter."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request[Any]], Awaitable[Response]]


def endpoint(
    bp: Any,
    service: Service,
    name: str,
    call: str,
    *parts: PathParameter,
    returns: Any,
    scope: str | Scope | None = None,
    body: type[msgspec.Struct] | None = None,
    upload: Upload | None = None,
    status: int | tuple[int, ...] = 200,
    problems: tuple[int, ...] = (),
    query: tuple[Parameter, ...] = (),
    idempotency_key: Literal["", "optional", "required"] = "",
    if_match: bool = False,
    if_none_match: bool = False,
    signature: Header | None = None,
    etag: bool = False,
    location: bool = False,
    media_type: str = JSON,
    durable: bool = False,
) -> Callable[[Handler], Any]:
    """Register an operation `async (call) -> Answer` of `service` as the HTTP trigger `name`.

    `call` is its method and its path behind the version, such as `GET /carts/{cart_id}`, `parts` are those of the path;
    `scope` is one that the service declares, or one of every service's (`None`: no token is asked for). `durable`: the
    call has Durable's client, which needs a blueprint of Durable. The rest is what `Operation` says. The function's
    docstring describes the operation in the API's document. Raises Undeclared.

    With the part `EACH` several services have the operation alike, each under its own name; the API's document has it
    once, at the service that the path begins with.
    """
    method, _, path = call.partition(" ")
    home = path.split("/")[1]

    def register(handler: Handler) -> Any:
        summary, _, description = (handler.__doc__ or "").strip().partition("\n")
        operation = Operation(
            id=name,
            service=service.name,
            name=handler.__name__,
            method=method,
            path=path,
            parts=parts,
            summary=summary.rstrip("."),
            description=" ".join(description.split()),
            scope=service.scope(scope) if isinstance(scope, str) else scope,
            body=body,
            upload=upload,
            returns=returns,
            status=(status,) if isinstance(status, int) else status,
            problems=problems,
            query=query,
            idempotency_key=idempotency_key,
            if_match=if_match,
            if_none_match=if_none_match,
            signature=signature,
            etag=etag,
            location=location,
            media_type=media_type,
        )
        own, function = path, name
        if EACH in parts:
            known = OPERATIONS.get(name, replace(operation, service=home)).owners
            OPERATIONS[name] = replace(operation, service=home, owners=tuple(sorted({*known, service.name})))
            own, function = path.replace(f"{{{EACH.name}}}", service.name), name.replace(home, service.name, 1)
        else:
            OPERATIONS[name] = operation
        route = bp.route(f"{VERSION}{own}", methods=[method], auth_level=func.AuthLevel.ANONYMOUS)
        trigger = framed(operation, handler, durable)
        if durable:
            trigger = bp.durable_client_input(client_name="client")(trigger)
        return bp.function_name(function)(route(trigger))

    return register


def framed(operation: Operation, handler: Handler, durable: bool = False) -> Any:
    """The trigger function: `handler` within the frame; it takes the request, and Durable's `client` if it is to."""
    log = Log(operation.service)
    path = f"/{VERSION}{operation.path}"
    title = f"{operation.method} {path}"

    async def answer(req: func.HttpRequest, trace_id: str, client: Any) -> func.HttpResponse:
        try:
            call = replace(await _check(req, operation), client=client)
            with acting(_actor(call, operation)):
                response = _encode(await handler(call), operation.media_type)
        except CommerceError as exc:
            log.info("request.refused", status=exc.status, code=exc.code)
            return problem(exc, trace_id)
        if operation.privileged and req.method not in SAFE:
            log.info("act.privileged", subject=call.caller.subject, status=response.status_code)
        return response

    async def run(req: func.HttpRequest, client: Any = None) -> func.HttpResponse:
        given = req.headers.get("traceparent")
        with (
            request(operation.service, title, given, url=path, trusted=False) as span,
            bound(operation=operation.name),
        ):
            context = span.context
            try:
                with bound(**await gateway_claims(req.headers)):
                    response = await answer(req, context.trace_id, client)
            except Exception as exc:
                log.error("request.failed", exc_info=exc)
                response = internal_error(context.trace_id)
            if operation.scope is not None:
                response.headers["Cache-Control"] = "no-store"
            response.headers["X-Content-Type-Options"] = "nosniff"
            response.headers["traceparent"] = context.traceparent
            span.end(response.status_code, success=response.status_code < 500)
            return response

    async def plain(req: func.HttpRequest) -> func.HttpResponse:
        return await run(req)

    async def with_client(req: func.HttpRequest, client) -> func.HttpResponse:  # type: ignore[no-untyped-def]
        """Without an annotation: the client's type is Durable's, which most services do without."""
        return await run(req, client)

    trigger: Any = with_client if durable else plain
    trigger.__name__ = trigger.__qualname__ = operation.name
    trigger.__doc__ = handler.__doc__
    trigger.__module__ = handler.__module__
    return trigger


def _actor(call: Request[Any], operation: Operation) -> Actor | None:
    """Who acts with special rights; `None` for customers. Raises InvalidRequest for a reason that cannot be one."""
    caller = call.caller
    if not caller.is_staff or operation.method in SAFE:
        return None
    reason = call.http.headers.get("x-reason", "")
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise InvalidRequest(f"X-Reason must be at most {MAX_REASON} printable characters")
    return Actor(caller.subject, caller.client, tuple(caller.roles), operation.id, reason)


async def _check(req: func.HttpRequest, operation: Operation) -> Request[Any]:
    caller = _ANONYMOUS
    if operation.scope is not None:
        caller = await authenticate(req.headers.get("authorization"))
        caller.require(operation.scope)
    known = {parameter.name for parameter in operation.query}
    if set(req.params) - known - {"code"}:
        raise InvalidRequest(f"unknown query parameter; known: {', '.join(sorted(known)) or 'none'}")
    key = req.headers.get("idempotency-key", "") if operation.idempotency_key else ""
    if operation.idempotency_key == "required" and not key:
        raise InvalidRequest("send an Idempotency-Key header, so that a repeat has no further effect")
    if key and not _KEY.fullmatch(key):
        raise InvalidRequest("Idempotency-Key must be 1 to 255 visible ASCII characters")
    body: Any = None
    if operation.body:
        body = read_body(req, operation.body)
    elif operation.upload:
        body = read_upload(req, operation.upload)
    return Request(req, caller, body, key, operation.query)


def _encode(answer: Response, media_type: str) -> func.HttpResponse:
    if answer.body is None:
        return func.HttpResponse(status_code=answer.status, headers=dict(answer.headers))
    return func.HttpResponse(
        msgspec.json.encode(answer.body) if media_type == JSON else answer.body,
        status_code=answer.status,
        mimetype=media_type,
        headers=dict(answer.headers),
    )
