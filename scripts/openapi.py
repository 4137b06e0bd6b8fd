"""The API's OpenAPI 3.0.3 document and its table of access, written from what the operations declare.

The shapes are those that requests are decoded with and answers are encoded from, so the document cannot drift.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from scripts.declared import example_answer, example_body
from scripts.openapi_problems import PROBLEMS
from scripts.openapi_schemas import component, referred, schema_object
from shared.declaration import ROLES, Service
from shared.errors import CommerceError
from shared.patterns import published
from shared.web.endpoint import ETAG
from shared.web.operation import JSON, Operation

SPECIFICATION = "apim/apis/commerce/specification.json"
ACCESS = "docs/access.md"
ISSUER = "http://localhost:8082/durable-commerce.local/oauth2/v2.0"
AUDIENCE = "api://durable-commerce"

_DESCRIPTION = """Sell from a catalog: browse, fill a cart, place an order, watch it being confirmed.

Amounts of money are whole numbers of minor units (pence, cents, yen) with an ISO 4217 currency. Lists are pages of
`{items, next_cursor}`. Errors are RFC 9457 problem documents with a stable `type`; quote `trace_id` when you report
one. Unknown fields and query parameters are refused. A method that a path does not take, HEAD among them, is answered
405, and `Allow` names those it takes. docs/api.md explains sign-in, keys, limits and repeats."""


def document(services: Sequence[Service], operations: Sequence[Operation]) -> dict[str, Any]:
    """The whole document."""
    bodies = [operation.body for operation in operations if operation.body]
    shown = [operation.returns for operation in operations if operation.media_type == JSON]
    types = list(dict.fromkeys(shown + bodies))
    (*schemas,), components = published(
        msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    )
    shapes = {component(name): schema_object(schema) for name, schema in sorted(components.items())}
    known = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, known)
    return {
        "openapi": "3.0.3",
        "info": {"title": "Durable Commerce", "version": "1.0.0", "description": _DESCRIPTION},
        "servers": [{"url": "http://localhost:8080/v1", "description": "The gateway on this machine"}],
        "tags": [{"name": service.name, "description": service.summary} for service in services],
        "paths": paths,
        "components": {
            "schemas": referred({**shapes, "Problem": _PROBLEM}, [paths, _PROBLEM_REFERENCE]),
            "parameters": _EVERYWHERE,
            "headers": {"traceparent": _text_header("The trace of this request, W3C Trace Context.")},
            "responses": {
                str(status): _problem(status)
                for status in sorted({status for operation in operations for status in _problems(operation)})
            },
            "securitySchemes": _security(services),
        },
    }


_PROBLEM_REFERENCE = {"$ref": "#/components/schemas/Problem"}
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem document.",
    "required": ["type", "title", "status", "detail", "trace_id"],
    "properties": {
        "type": {
            "type": "string",
            "description": "Stable: clients may switch on it.",
            "pattern": "^urn:durable-commerce:problem:[a-z0-9-]+$",
        },
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "For people; not stable."},
        "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "total": {
            "allOf": [{"$ref": "#/components/schemas/Money"}],
            "description": "With `total-changed`: what the order costs now.",
        },
    },
}


def _security(services: Sequence[Service]) -> dict[str, Any]:
    scopes = sorted((scope.name, scope.meaning) for service in services for scope in service.scopes)
    return {
        "oauth2": {
            "type": "oauth2",
            "description": "People sign in with a browser (authorization code with PKCE). A partner's server signs in "
            f"as itself: client credentials at the same token address, with the one scope {AUDIENCE}/.default.",
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": f"{ISSUER}/authorize",
                    "tokenUrl": f"{ISSUER}/token",
                    "refreshUrl": f"{ISSUER}/token",
                    "scopes": {f"{AUDIENCE}/{name}": meaning for name, meaning in scopes},
                },
            },
        },
    }


def _operation(operation: Operation, known: Mapping[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.gateway_id,
        "tags": [operation.service],
        "summary": operation.summary,
        "parameters": list(_parameters(operation)),
        "responses": dict(_responses(operation, known)),
        "x-roles": list(operation.roles) or ["anyone"],
    }
    if operation.description:
        described["description"] = operation.description
    if operation.scope:
        described["security"] = [{"oauth2": [f"{AUDIENCE}/{operation.scope.name}"]}]
    if operation.upload:
        file = {"schema": {"type": "string", "format": "binary"}}
        content: dict[str, Any] = {media_type: dict(file) for media_type in operation.upload.media_types}
        content[operation.upload.media_types[0]]["example"] = example_body(operation)
        described["requestBody"] = {"required": True, "content": content}
    elif operation.takes_body:
        shape = schema_object(known[repr(operation.body)]) if operation.body else {"type": "object"}
        content = {JSON: {"schema": shape, "example": example_body(operation)}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for part in operation.parts:
        yield {
            "name": part.name,
            "in": "path",
            "required": True,
            "description": f"{part.description} One that cannot exist is answered with 404.",
            "schema": {"type": "string"},
            "example": part.example,
        }
    for parameter in operation.query:
        yield {
            "name": parameter.name,
            "in": "query",
            "description": parameter.description,
            "schema": dict(parameter.schema),
        }
    if operation.idempotency_key:
        yield _header(
            "Idempotency-Key",
            "Your name for this request: sent again, it has the same answer and no further effect.",
            {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
            required=operation.idempotency_key == "required",
        )
    if operation.if_match:
        yield {
            **_header(
                "If-Match",
                "Change it only if it still has this ETag, sent as it was given: in its quotes (RFC 9110, section "
                "13.1.1). One that is weak, unquoted, or one of several is refused: 400.",
                {"type": "string", "maxLength": 260, "pattern": f"^(\\*|{ETAG})$"},
            ),
            "example": '"4-1c"',
        }
    if operation.if_none_match:
        yield _header("If-None-Match", "Answer 304 if it still has this ETag.", {"type": "string", "maxLength": 1000})
    if operation.signature:
        signature, text = operation.signature, {"type": "string", "maxLength": 1000}
        yield _header(signature.name, signature.description, text, required=True)
    yield {"$ref": "#/components/parameters/key"}
    yield {"$ref": "#/components/parameters/traceparent"}


def _header(name: str, description: str, schema: dict[str, Any], required: bool = False) -> dict[str, Any]:
    found = {"name": name, "in": "header", "description": description, "schema": schema}
    return {**found, "required": True} if required else found


_EVERYWHERE = {
    "key": _header(
        "Ocp-Apim-Subscription-Key",
        "A partner's key; with it the limits of the subscription apply. It is no proof of who you are.",
        {"type": "string", "minLength": 1, "maxLength": 256},
    ),
    "traceparent": _header(
        "traceparent", "Your W3C trace context; the answer carries it on.", {"type": "string", "maxLength": 200}
    ),
}
"""Headers that every operation takes."""


def _responses(operation: Operation, known: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for status in operation.status:
        headers = {"traceparent": _TRACEPARENT}
        if operation.etag:
            headers["ETag"] = _text_header("Identifies this version.")
        if operation.location:
            headers["Location"] = _text_header("Where it is from now on.")
        yield (
            str(status),
            {
                "description": {200: "Done.", 201: "Made.", 202: "Accepted; the rest happens behind."}[status],
                "headers": headers,
                "content": {operation.media_type: _content(operation, known)},
            },
        )
    if operation.if_none_match:
        headers = {"traceparent": _TRACEPARENT, "ETag": _text_header("Identifies this version.")}
        yield "304", {"description": "You have it already.", "headers": headers}
    for status in sorted(_problems(operation)):
        yield str(status), {"$ref": f"#/components/responses/{status}"}


def _content(operation: Operation, known: Mapping[str, Any]) -> dict[str, Any]:
    if operation.media_type != JSON:
        return {"schema": {"type": "string", "format": "binary"}}
    return {"schema": schema_object(known[repr(operation.returns)]), "example": example_answer(operation)}


def _problems(operation: Operation) -> set[int]:
    """The error statuses: the operation's own, those its declaration implies, and the gateway's."""
    found = {*operation.problems, 400, 401, 403, 429, 500, 502, 503, 504}
    if operation.takes_body:
        found |= {413, 415}
    if operation.if_match:
        found |= {412}
    return found


def _problem(status: int) -> dict[str, Any]:
    titles = {error.status: error.title for error in _errors()} | {
        429: "Too many requests",
        502: "Temporarily unavailable",
        504: "Temporarily unavailable",
    }
    headers = {"traceparent": _TRACEPARENT}
    if status in {429, 503}:
        headers["Retry-After"] = _text_header("Seconds after which to try again.")
    if status == 401:
        headers["WWW-Authenticate"] = _text_header("RFC 6750, section 3.")
    code, detail = PROBLEMS[status]
    example = {
        "type": f"urn:durable-commerce:problem:{code}",
        "title": titles[status],
        "status": status,
        "detail": detail,
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }
    return {
        "description": f"{titles[status]}.",
        "headers": headers,
        "content": {"application/problem+json": {"schema": _PROBLEM_REFERENCE, "example": example}},
    }


def _errors() -> Iterator[type[CommerceError]]:
    waiting = [CommerceError]
    while waiting:
        error = waiting.pop()
        yield error
        waiting += error.__subclasses__()


def _text_header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


_TRACEPARENT = {"$ref": "#/components/headers/traceparent"}


def access(operations: Sequence[Operation]) -> str:
    """The table operation × scope × role, as Markdown."""
    lines = [
        "# Who may do what",
        "",
        "Written by `make schemas` from the operations' own declarations; tests hold the gateway's policies and the",
        "back-end to it. A token needs the scope **and** one of the roles. What belongs to others does not exist (404)",
        "for `customer` and `partner`; `staff` and `admin` see it. An application that acts as itself carries its",
        "scopes as application roles beside `partner`.",
        "",
        f"| operation | call | scope | {' | '.join(ROLES)} | anyone |",
        f"|---|---|---|{'---|' * (len(ROLES) + 1)}",
    ]
    for operation in operations:
        marks = ["✓" if role in operation.roles else "" for role in ROLES]
        cells = [
            f"`{operation.gateway_id}`",
            f"`{operation.method} {operation.path}`",
            f"`{operation.scope.name}`" if operation.scope else "",
            *marks,
            "" if operation.scope else "✓",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
