"""How a refusal is worded and sent: the same words as JSON, on a page and in a redirect."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from localazure.clock import Clock, utc
from localazure.entra.errors import InvalidRequest, OAuthError

_OUTSIDE = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")


def body(request: web.Request, exc: OAuthError, clock: Clock) -> dict[str, Any]:
    """The JSON body of RFC 6749, section 5.2, with what Entra adds to it."""
    trace, correlation = str(uuid.uuid4()), request.headers.get("client-request-id") or str(uuid.uuid4())
    timestamp = utc(clock).strftime("%Y-%m-%d %H:%M:%SZ")
    description = (
        f"AADSTS{exc.code}: {exc.message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
    )
    return {
        "error": exc.error,
        "error_description": description,
        "error_codes": [exc.code],
        "timestamp": timestamp,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={exc.code}",
    }


def printable(description: str) -> str:
    """Only characters that RFC 6749 allows in `error_description` (section 4.1.2.1), others as question marks."""
    return _OUTSIDE.sub("?", description)


def as_json(content: Mapping[str, Any], status: int) -> web.Response:
    return web.Response(status=status, text=json.dumps(content), content_type="application/json")


def oauth_errors(clock: Clock) -> Middleware:
    """Answers with JSON whatever a handler raises."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except OAuthError as exc:
            return as_json(body(request, exc, clock), exc.status)
        except web.HTTPException as exc:
            wrong = InvalidRequest(900561, f"{exc.reason}: {request.method} {request.path} is no address of this part.")
            return as_json(body(request, wrong, clock), exc.status)

    return middleware
