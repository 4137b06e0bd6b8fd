"""The frame around every HTTP operation: trace, caller, body, answer, and errors as problem documents.

A trigger declares what it needs and is left with its own few lines. What it declares is also the table of
operations (`OPERATIONS`) that documentation and tests read.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import azure.functions as func
import msgspec

from shared.errors import CommerceError, InvalidRequest, NotFound
from shared.telemetry.export import span
from shared.telemetry.log import Log, bound
from shared.web.auth import Principal, authenticate
from shared.web.body import read_body
from shared.web.gateway import vouched
from shared.web.problem import internal_error, problem

CUSTOMER = frozenset({"customer", "staff", "admin", "partner"})
STAFF = frozenset({"staff", "admin"})

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
ETAG = r'"[\x21\x23-\x7e]{0,255}"'
"""The pattern of a strong ETag. Source: RFC 9110, section 8.8.3."""
_ETAG = re.compile(ETAG)
SAFE = frozenset({"GET", "HEAD"})
_ANONYMOUS = Principal(subject="", scopes=frozenset(), roles=frozenset())

B = TypeVar("B", bound=msgspec.Struct)
Pattern = Mapping[str, str]


@dataclass(frozen=True)
class Parameter:
    """One query parameter. `schema` is what the API's document says of it; the operation itself checks it."""

    name: str
    description: str
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class Operation:
    """What one HTTP operation demands and gives. `scope` `None` is open to anyone.

    `returns` is the type of a good answer's body; `problems` are error statuses beyond those that follow from the rest.
    `etag`: the answer has one; `if_match` and `if_none_match`: the request may name one.
    """

    name: str
    service: str
    summary: str
    scope: str | None
    roles: frozenset[str]
    body: type[msgspec.Struct] | None
    idempotency_key: Literal["", "optional", "required"]
    returns: Any
    status: tuple[int, ...]
    problems: tuple[int, ...]
    query: tuple[Parameter, ...]
    etag: bool
    if_match: bool
    if_none_match: bool

    @property
    def privileged(self) -> bool:
        """Only staff may do it."""
        return self.scope is not None and self.roles <= STAFF


OPERATIONS: dict[str, Operation] = {}
"""Operation name (`service.function`) → what it demands and gives, for the blueprints imported so far."""


@dataclass(frozen=True)
class Call(Generic[B]):
    """One request, checked: what a trigger hands on to its use case."""

    request: func.HttpRequest
    caller: Principal
    body: B
    idempotency_key: str = ""
    parameters: tuple[Parameter, ...] = ()

    def path(self, name: str, pattern: re.Pattern[str]) -> str:
        """A path parameter. One that cannot be an id names nothing: raises NotFound."""
        value: str = self.request.route_params.get(name, "")
        if not pattern.fullmatch(value):
            raise NotFound(f"there is no such {name}")
        return value

    @property
    def query(self) -> dict[str, str]:
        """The query parameters that the operation declares; the frame has refused any other."""
        given = dict(self.request.params)
        return {parameter.name: given[parameter.name] for parameter in self.parameters if parameter.name in given}

    @property
    def if_match(self) -> str | None:
        """The ETag the caller changes from, or `None` for any. Raises InvalidRequest if it is not one ETag."""
        value: str = self.request.headers.get("if-match", "").strip()
        if not value or value == "*":
            return None
        if not _ETAG.fullmatch(value):
            raise InvalidRequest('If-Match must be one ETag, such as "abc"')
        return value

    def unless_known(self, answer: Answer) -> Answer:
        """`answer`, or 304 where the caller already has it (If-None-Match)."""
        known = self.request.headers.get("if-none-match", "")
        if known.strip() == "*" or answer.headers["ETag"] in {
            tag.strip().removeprefix("W/") for tag in known.split(",")
        }:
            return Answer(None, 304, answer.headers)
        return answer


@dataclass(frozen=True)
class Answer:
    """What a trigger gives back: a body to be written as JSON, and the headers that matter."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Trigger = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]


def endpoint(
    service: str,
    *,
    returns: Any,
    status: int | tuple[int, ...] = 200,
    scope: str | None = None,
    roles: frozenset[str] = CUSTOMER,
    body: type[msgspec.Struct] | None = None,
    idempotency_key: Literal["", "optional", "required"] = "",
    problems: tuple[int, ...] = (),
    query: tuple[Parameter, ...] = (),
    etag: bool = False,
    if_match: bool = False,
    if_none_match: bool = False,
) -> Callable[[Callable[[Call[Any]], Awaitable[Answer]]], Trigger]:
    """Wrap an operation `async (call) -> Answer` as an HTTP trigger function.

    `scope` and `roles` must be in the caller's token (`None`: no token is asked for); `body` is the shape the
    request body must have; an `idempotency_key` is checked, and may be required. The rest is what `Operation` says.
    """

    def wrap(handler: Callable[[Call[Any]], Awaitable[Answer]]) -> Trigger:
        operation = Operation(
            name=handler.__name__,
            service=service,
            summary=(handler.__doc__ or "").partition("\n")[0].rstrip("."),
            scope=scope,
            roles=roles,
            body=body,
            idempotency_key=idempotency_key,
            returns=returns,
            status=(status,) if isinstance(status, int) else status,
            problems=problems,
            query=query,
            etag=etag,
            if_match=if_match,
            if_none_match=if_none_match,
        )
        name = f"{service}.{operation.name}"
        OPERATIONS[name] = operation
        log = Log(service)

        async def answer(req: func.HttpRequest, trace_id: str) -> func.HttpResponse:
            try:
                call = await _check(req, operation)
                response = _encode(await handler(call))
            except CommerceError as exc:
                log.info("request.refused", status=exc.status, code=exc.code)
                return problem(exc, trace_id)
            if operation.privileged and req.method not in SAFE:
                log.info("act.privileged", subject=call.caller.subject, status=response.status_code)
            return response

        async def trigger(req: func.HttpRequest) -> func.HttpResponse:
            with span(name, req.headers.get("traceparent")) as context, bound(operation=operation.name):
                try:
                    with bound(**await vouched(req.headers)):
                        response = await answer(req, context.trace_id)
                except Exception as exc:
                    log.error("request.failed", exc_info=exc)
                    response = internal_error(context.trace_id)
                if operation.scope is not None:
                    response.headers["Cache-Control"] = "no-store"
                response.headers["X-Content-Type-Options"] = "nosniff"
                response.headers["traceparent"] = context.traceparent
                return response

        trigger.__name__ = trigger.__qualname__ = operation.name
        trigger.__doc__ = handler.__doc__
        trigger.__module__ = handler.__module__
        vars(trigger)["operation"] = name
        return trigger

    return wrap


async def _check(req: func.HttpRequest, operation: Operation) -> Call[Any]:
    caller = _ANONYMOUS
    if operation.scope is not None:
        caller = await authenticate(req.headers.get("authorization"))
        caller.require(operation.scope, operation.roles)
    known = {parameter.name for parameter in operation.query}
    if set(req.params) - known - {"code"}:
        raise InvalidRequest(f"unknown query parameter; known: {', '.join(sorted(known)) or 'none'}")
    key = req.headers.get("idempotency-key", "") if operation.idempotency_key else ""
    if operation.idempotency_key == "required" and not key:
        raise InvalidRequest("send an Idempotency-Key header, so that a repeat cannot order twice")
    if key and not _KEY.fullmatch(key):
        raise InvalidRequest("Idempotency-Key must be 1 to 255 visible ASCII characters")
    return Call(req, caller, read_body(req, operation.body) if operation.body else None, key, operation.query)


def _encode(answer: Answer) -> func.HttpResponse:
    if answer.body is None:
        return func.HttpResponse(status_code=answer.status, headers=dict(answer.headers))
    return func.HttpResponse(
        msgspec.json.encode(answer.body),
        status_code=answer.status,
        mimetype="application/json",
        headers=dict(answer.headers),
    )
