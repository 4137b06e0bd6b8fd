"""Schemas of the code, which are JSON Schema 2020-12 as msgspec writes it, as schema objects of OpenAPI 3.0.3."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_REFERENCE = re.compile(r'"\$ref": "#/components/schemas/([^"]+)"')
_NULL = {"type": "object", "nullable": True, "enum": [None]}
"""Nothing but null. In OpenAPI 3.0 nothing beside a reference makes it nullable, and null does not pass an `allOf`."""


def component(name: str) -> str:
    """A component's name in the characters OpenAPI allows: `Page[OrderSummary]` is `Page_OrderSummary`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("_")


def schema_object(schema: Any) -> Any:
    """One schema, or whatever stands in one."""
    if isinstance(schema, list):
        return [schema_object(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if set(schema) == {"$ref"}:
        start, _, name = schema["$ref"].rpartition("/")
        return {"$ref": f"{start}/{component(name)}"}
    found = {key: schema_object(value) for key, value in schema.items() if key not in {"title", "properties"}}
    if "properties" in schema:
        found["properties"] = {name: schema_object(value) for name, value in schema["properties"].items()}
    if found.get("required") == []:
        del found["required"]  # OpenAPI 3.0 wants at least one name there
    choices = found.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        others = [choice for choice in choices if choice != {"type": "null"}]
        rest = {
            key: value for key, value in found.items() if key != "anyOf" and not (key == "default" and value is None)
        }
        if len(others) > 1:
            return {**rest, "anyOf": others, "nullable": True}
        if "$ref" in others[0]:
            return {**rest, "anyOf": [*others, _NULL]}
        only = others[0] | ({"enum": [*others[0]["enum"], None]} if "enum" in others[0] else {})
        return {**rest, **only, "nullable": True}
    if "$ref" in found:  # what stands beside a reference is not read; an object's default is that of its fields
        reference = schema_object({"$ref": found.pop("$ref")})
        return {"allOf": [reference], **{key: value for key, value in found.items() if key != "default"}}
    if isinstance(found.get("enum"), list) and None in found["enum"]:
        found["nullable"] = True
    if isinstance(found.get("enum"), list) and "type" not in found:
        found["type"] = "string"
    return found


def referred(components: Mapping[str, Any], root: Any) -> dict[str, Any]:
    """Those of the components that the root refers to, itself or through others."""
    found: dict[str, Any] = {}
    waiting = [root]
    while waiting:
        names = set(_REFERENCE.findall(json.dumps(waiting.pop()))) - found.keys()
        found |= {name: components[name] for name in names}
        waiting += [components[name] for name in names]
    return {name: found[name] for name in components if name in found}
