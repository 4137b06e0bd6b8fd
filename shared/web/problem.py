"""Errors over HTTP are RFC 9457 problem documents, and this is the only place that makes them."""

from __future__ import annotations

import json

import azure.functions as func

from shared.errors import CommerceError

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:durable-commerce:problem:"


def problem(error: CommerceError, trace_id: str) -> func.HttpResponse:
    """The answer to a request that failed with `error`."""
    document = {
        "type": TYPE_PREFIX + error.code,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "trace_id": trace_id,
        **error.members,
    }
    headers = {"Cache-Control": "no-store"}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if error.status == 401:
        # RFC 6750, section 3: whoever sent no token is told of no error
        known = f' error="invalid_token", error_description="{error.code}"' if error.code != "unauthenticated" else ""
        headers["WWW-Authenticate"] = f"Bearer{known}"
    return func.HttpResponse(
        json.dumps(document, ensure_ascii=False), status_code=error.status, mimetype=CONTENT_TYPE, headers=headers
    )


def internal_error(trace_id: str) -> func.HttpResponse:
    """The answer where the fault is ours; the cause is in the log under the trace id, not in the answer."""
    return problem(CommerceError("something went wrong here; quote the trace id when you report it"), trace_id)
