"""mock-response: an answer out of the API's definition. Source: its reference page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from localazure.apim.context import Context, Headers, Response
from localazure.apim.document import Element
from localazure.apim.policies.base import Builder, ReturnResponse, Run, policy

DEEPEST = 8
"""Levels of a sample that is made from a schema: schemas may refer to themselves."""


@policy("mock-response", "inbound outbound on-error")
def mock_response(element: Element, builder: Builder) -> Run:
    """End the pipeline with the example of the response, a sample made from its schema, or nothing."""
    element.allow("enabled status-code content-type index")
    status = builder.number(element, "status-code", "200")
    media = builder.literal(element, "content-type", "")
    index = builder.number(element, "index", "0")
    enabled = builder.flag(element, "enabled", "true")

    def run(context: Context) -> None:
        if not enabled:
            return
        context.response = _sample(context, status, media, index)
        raise ReturnResponse

    return run


def _sample(context: Context, status: int, media: str, index: int) -> Response:
    described = context.operation.schema.get("responses", {}) if context.operation else {}
    content = described.get(str(status), {}).get("content", {})
    kind = media or next(iter(content), "")
    answer = Response(status, Headers({"Content-Type": kind} if kind else {}))
    if kind in content:
        value = _value(content[kind], index, context.api.definition if context.api else {})
        if value is not None:
            answer.body = (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode()
    return answer


def _value(described: Mapping[str, Any], index: int, definition: Mapping[str, Any]) -> Any:
    if "example" in described:
        return described["example"]
    examples = list(described.get("examples", {}).values())
    if examples:
        return examples[min(index, len(examples) - 1)].get("value")
    return _made(described["schema"], definition, 0) if "schema" in described else None


_SIMPLE: dict[str, Any] = {"string": "string", "integer": 0, "number": 0, "boolean": True}


def _made(schema: Any, definition: Mapping[str, Any], depth: int) -> Any:
    """A value that fits the schema roughly: of each property, and of each array one item."""
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return None
    if "$ref" in schema:
        return _made(_referred(str(schema["$ref"]), definition), definition, depth + 1)
    for name in ("example", "default", "const"):
        if name in schema:
            return schema[name]
    if schema.get("enum"):
        return schema["enum"][0]
    for name in ("oneOf", "anyOf"):
        if schema.get(name):
            return _made(schema[name][0], definition, depth + 1)
    if schema.get("allOf"):
        parts = [_made(part, definition, depth + 1) for part in schema["allOf"]]
        return {key: value for part in parts if isinstance(part, dict) for key, value in part.items()}
    if schema.get("type") == "array":
        return [_made(schema.get("items"), definition, depth + 1)]
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        return {name: _made(inner, definition, depth + 1) for name, inner in properties.items()}
    return _SIMPLE.get(str(schema.get("type")))


def _referred(reference: str, definition: Mapping[str, Any]) -> Any:
    found: Any = definition
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part, {}) if isinstance(found, Mapping) else {}
    return found
