"""The frame around every HTTP operation: trace, caller, body, answer, and errors as problem documents.

A trigger declares what it needs and is left with its own few lines. What it declares is also the table of
operations (`OPERATIONS`) that documentation and tests read.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import azure.functions as func
import msgspec

from shared.errors import CommerceError, InvalidRequest, NotFound
from shared.telemetry.export import span
from shared.telemetry.log import Log, bound
from shared.web.auth import Principal, authenticate
from shared.web.body import read_body
from shared.web.problem import internal_error, problem

CUSTOMER = frozenset({"customer", "staff", "admin"})
STAFF = frozenset({"staff", "admin"})

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_ETAG = re.compile(r'"[\x21\x23-\x7e]{0,255}"')
_ANONYMOUS = Principal(subject="", scopes=frozenset(), roles=frozenset())

B = TypeVar("B", bound=msgspec.Struct)
Pattern = Mapping[str, str]


@dataclass(frozen=True)
class Operation:
    """What one HTTP operation demands. `scope` `None` is open to anyone."""

    name: str
    service: str
    scope: str | None
    roles: frozenset[str]
    body: type[msgspec.Struct] | None
    idempotency_key: bool


OPERATIONS: dict[str, Operation] = {}
"""Operation name (the function's name) → what it demands, for the blueprints imported so far."""


@dataclass(frozen=True)
class Call(Generic[B]):
    """One request, checked: what a trigger hands on to its use case."""

    request: func.HttpRequest
    caller: Principal
    body: B
    idempotency_key: str = ""

    def path(self, name: str, pattern: re.Pattern[str]) -> str:
        """A path parameter. One that cannot be an id names nothing: raises NotFound."""
        value: str = self.request.route_params.get(name, "")
        if not pattern.fullmatch(value):
            raise NotFound(f"there is no such {name}")
        return value

    def query(self, *known: str) -> dict[str, str]:
        """The query parameters. Raises InvalidRequest for one that is not `known`."""
        given = dict(self.request.params)
        if unknown := sorted(given.keys() - set(known) - {"code"}):
            raise InvalidRequest(f"unknown query parameter {', '.join(unknown)}; known: {', '.join(known) or 'none'}")
        return given

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
    scope: str | None = None,
    roles: frozenset[str] = CUSTOMER,
    body: type[msgspec.Struct] | None = None,
    idempotency_key: bool = False,
) -> Callable[[Callable[[Call[Any]], Awaitable[Answer]]], Trigger]:
    """Wrap an operation `async (call) -> Answer` as an HTTP trigger function.

    `scope` and `roles` must be in the caller's token (`None`: no token is asked for); `body` is the shape the
    request body must have; `idempotency_key` says that the header Idempotency-Key is required.
    """

    def wrap(operation: Callable[[Call[Any]], Awaitable[Answer]]) -> Trigger:
        name = operation.__name__
        OPERATIONS[f"{service}.{name}"] = Operation(name, service, scope, roles, body, idempotency_key)
        log = Log(service)

        async def trigger(req: func.HttpRequest) -> func.HttpResponse:
            with span(f"{service}.{name}", req.headers.get("traceparent")) as context, bound(operation=name):
                try:
                    response = _encode(await operation(await _check(req, scope, roles, body, idempotency_key)))
                except CommerceError as exc:
                    log.info("request.refused", status=exc.status, code=exc.code)
                    response = problem(exc, context.trace_id)
                except Exception as exc:
                    log.error("request.failed", exc_info=exc)
                    response = internal_error(context.trace_id)
                response.headers["traceparent"] = context.traceparent
                return response

        trigger.__name__ = trigger.__qualname__ = name
        trigger.__doc__ = operation.__doc__
        trigger.__module__ = operation.__module__
        return trigger

    return wrap


async def _check(
    req: func.HttpRequest,
    scope: str | None,
    roles: frozenset[str],
    body: type[msgspec.Struct] | None,
    idempotency_key: bool,
) -> Call[Any]:
    caller = _ANONYMOUS
    if scope is not None:
        caller = await authenticate(req.headers.get("authorization"))
        caller.require(scope, roles)
    key = req.headers.get("idempotency-key", "")
    if idempotency_key and not key:
        raise InvalidRequest("send an Idempotency-Key header, so that a repeat cannot order twice")
    if key and not _KEY.fullmatch(key):
        raise InvalidRequest("Idempotency-Key must be 1 to 255 visible ASCII characters")
    return Call(req, caller, read_body(req, body) if body else None, key)


def _encode(answer: Answer) -> func.HttpResponse:
    if answer.body is None:
        return func.HttpResponse(status_code=answer.status, headers=dict(answer.headers))
    return func.HttpResponse(
        msgspec.json.encode(answer.body),
        status_code=answer.status,
        mimetype="application/json",
        headers=dict(answer.headers),
    )
