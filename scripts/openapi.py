"""The API's OpenAPI 3.0.3 document and its table of access, written from what the operations declare.

    python -m scripts.openapi            write apim/apis/commerce/specification.json and docs/access.md
    python -m scripts.openapi --check    fail where they are not what the code says

The shapes are those that requests are decoded with and answers are encoded from, so the document cannot drift.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from scripts.openapi_examples import EXAMPLES, PROBLEMS
from scripts.openapi_schemas import component, schema_object
from shared.errors import CommerceError
from shared.patterns import published
from shared.web.endpoint import ETAG, OPERATIONS, Operation

ROOT = Path(__file__).resolve().parents[1]
SPECIFICATION = ROOT / "apim" / "apis" / "commerce" / "specification.json"
ACCESS = ROOT / "docs" / "access.md"
ISSUER = "http://localhost:8082/durable-commerce.local/oauth2/v2.0"
AUDIENCE = "api://durable-commerce"
ROLES = ("customer", "staff", "admin", "partner")

_DESCRIPTION = """Sell from a catalog: browse, fill a cart, place an order, watch it being confirmed.

Amounts of money are whole numbers of minor units (pence, cents, yen) with an ISO 4217 currency. Lists are pages of
`{items, next_cursor}`. Errors are RFC 9457 problem documents with a stable `type`; quote `trace_id` when you report
one. Unknown fields and query parameters are refused. docs/api.md explains sign-in, keys, limits and repeats."""
_TAGS = {
    "catalog": "What is for sale, and at what price.",
    "carts": "What a shopper is about to buy.",
    "orders": "What a shopper has bought, and what became of it.",
    "inventory": "How many pieces there are. For staff.",
    "payments": "How an order is paid.",
}
_SCOPES = {
    "carts.read": "Read your carts",
    "carts.write": "Fill your carts",
    "catalog.write": "Change products",
    "orders.read": "Read your orders",
    "orders.write": "Place and cancel orders",
    "payments.read": "Read how your orders were paid",
    "stock.read": "Read stock",
    "stock.write": "Count stock",
}
_PATH = {
    "sku": ("Stock keeping unit.", "85123A"),
    "cart_id": ("The cart's id.", "crt_4q2n5xk7d6h3w2m5r7t2y4u6i3"),
    "order_id": ("The order's id.", "ord_7x3kq5n2w4m6r5t3y2u7i4o6p5"),
}


@dataclass(frozen=True)
class Route:
    """One operation with its address. `id` is the function's name, `path` begins behind the version."""

    id: str
    method: str
    path: str
    operation: Operation

    @property
    def operation_id(self) -> str:
        """The function's name as API Management writes it on import, so that policies find their operation there."""
        return self.id.replace("_", "-")


@cache
def routes() -> tuple[Route, ...]:
    """Every HTTP operation the app registers, in the order of their paths. The app can be asked only once."""
    import function_app

    found = []
    for function in function_app.app.get_functions():
        trigger = function.get_trigger()
        name = vars(function.get_user_function()).get("operation")
        if trigger is None or trigger.type != "httpTrigger" or name is None:
            continue
        binding = trigger.get_dict_repr()
        (method,) = (getattr(value, "value", str(value)) for value in binding["methods"])
        path = "/" + str(binding["route"]).removeprefix("v1/")
        found.append(Route(str(function.get_function_name()), str(method).lower(), path, OPERATIONS[name]))
    return tuple(sorted(found, key=lambda route: (route.path, route.method)))


def document() -> dict[str, Any]:
    """The whole document."""
    found = routes()
    types = list(
        dict.fromkeys([r.operation.returns for r in found] + [r.operation.body for r in found if r.operation.body])
    )
    (*schemas,), components = published(
        msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    )
    known = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in found:
        paths.setdefault(route.path, {})[route.method] = _operation(route, known)
    return {
        "openapi": "3.0.3",
        "info": {"title": "Durable Commerce", "version": "1.0.0", "description": _DESCRIPTION},
        "servers": [{"url": "http://localhost:8080/v1", "description": "The gateway on this machine"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": {component(name): schema_object(schema) for name, schema in sorted(components.items())}
            | {"Problem": _PROBLEM},
            "securitySchemes": _SECURITY,
        },
    }


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
_SECURITY = {
    "oauth2": {
        "type": "oauth2",
        "description": "Sign in with a browser (authorization code with PKCE).",
        "flows": {
            "authorizationCode": {
                "authorizationUrl": f"{ISSUER}/authorize",
                "tokenUrl": f"{ISSUER}/token",
                "refreshUrl": f"{ISSUER}/token",
                "scopes": {f"{AUDIENCE}/{scope}": text for scope, text in _SCOPES.items()},
            }
        },
    },
    "subscriptionKey": {
        "type": "apiKey",
        "in": "header",
        "name": "Ocp-Apim-Subscription-Key",
        "description": "A partner's key; with it the limits of the subscription apply.",
    },
}


def _operation(route: Route, known: Mapping[str, Any]) -> dict[str, Any]:
    operation = route.operation
    described: dict[str, Any] = {
        "operationId": route.operation_id,
        "tags": [operation.service],
        "summary": operation.summary,
        "parameters": list(_parameters(route)),
        "responses": dict(_responses(route, known)),
        "x-roles": [role for role in ROLES if role in operation.roles] if operation.scope else ["anyone"],
    }
    if route.id in EXAMPLES.descriptions:
        described["description"] = EXAMPLES.descriptions[route.id]
    if operation.scope:
        scope = [f"{AUDIENCE}/{operation.scope}"]
        described["security"] = [{"oauth2": scope}, {"oauth2": scope, "subscriptionKey": []}]
    else:
        described["security"] = [{}, {"subscriptionKey": []}]
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {
                    "schema": schema_object(known[repr(operation.body)]),
                    "example": EXAMPLES.bodies[route.id],
                }
            },
        }
    elif route.id in EXAMPLES.bodies:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}, "example": EXAMPLES.bodies[route.id]}},
        }
    return described


def _parameters(route: Route) -> Iterator[dict[str, Any]]:
    operation = route.operation
    for name in re.findall(r"\{(\w+)\}", route.path):
        description, example = _PATH[name]
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"{description} One that cannot exist is answered with 404.",
            "schema": {"type": "string"},
            "example": example,
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
    if operation.service == "payments" and operation.scope is None:
        yield _header(
            "Stripe-Signature", "The provider's signature of the body.", {"type": "string", "maxLength": 1000}, True
        )
    yield _header(
        "traceparent", "Your W3C trace context; the answer carries it on.", {"type": "string", "maxLength": 200}
    )


def _header(name: str, description: str, schema: dict[str, Any], required: bool = False) -> dict[str, Any]:
    found = {"name": name, "in": "header", "description": description, "schema": schema}
    return {**found, "required": True} if required else found


def _responses(route: Route, known: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    operation = route.operation
    for status in operation.status:
        headers = {"traceparent": _TRACEPARENT}
        if operation.etag:
            headers["ETag"] = _text_header("Identifies this version.")
        if status in {201, 202} and route.method == "post":
            headers["Location"] = _text_header("Where it is from now on.")
        yield (
            str(status),
            {
                "description": {200: "Done.", 201: "Made.", 202: "Accepted; the rest happens behind."}[status],
                "headers": headers,
                "content": {
                    "application/json": {
                        "schema": schema_object(known[repr(operation.returns)]),
                        "example": EXAMPLES.answers[route.id],
                    }
                },
            },
        )
    if operation.if_none_match:
        headers = {"traceparent": _TRACEPARENT, "ETag": _text_header("Identifies this version.")}
        yield "304", {"description": "You have it already.", "headers": headers}
    for status in sorted(_problems(operation)):
        yield str(status), _problem(status)


def _problems(operation: Operation) -> set[int]:
    """The error statuses: the operation's own, those its declaration implies, and the gateway's."""
    found = {*operation.problems, 400, 401, 403, 429, 500, 502, 503, 504}
    if operation.body or (operation.scope is None and operation.service == "payments"):
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
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": f"{titles[status]}.",
        "headers": headers,
        "content": {"application/problem+json": {"schema": schema, "example": example}},
    }


def _errors() -> Iterator[type[CommerceError]]:
    waiting = [CommerceError]
    while waiting:
        error = waiting.pop()
        yield error
        waiting += error.__subclasses__()


def _text_header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


_TRACEPARENT = _text_header("The trace of this request, W3C Trace Context.")


def access() -> str:
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
    for route in routes():
        operation = route.operation
        marks = ["✓" if operation.scope and role in operation.roles else "" for role in ROLES]
        cells = [
            f"`{route.operation_id}`",
            f"`{route.method.upper()} {route.path}`",
            f"`{operation.scope}`" if operation.scope else "",
            *marks,
            "" if operation.scope else "✓",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write or check; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail where a file is not what the code says"
    )
    options = parser.parse_args()
    stale = 0
    for file, text in (
        (SPECIFICATION, json.dumps(document(), indent=2, ensure_ascii=False) + "\n"),
        (ACCESS, access()),
    ):
        present = file.read_text() if file.exists() else ""
        if options.check and present != text:
            stale = 1
            name = str(file.relative_to(ROOT))
            sys.stderr.writelines(
                difflib.unified_diff(present.splitlines(True), text.splitlines(True), name, "the code")
            )
        elif not options.check:
            file.write_text(text)
    return stale


if __name__ == "__main__":
    sys.exit(main())
