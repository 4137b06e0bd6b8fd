"""Schemas of the code, which are JSON Schema 2020-12 as msgspec writes it, as schema objects of OpenAPI 3.0.3."""

from __future__ import annotations

import re
from typing import Any


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
            return {**rest, "allOf": others, "nullable": True}
        return {**rest, **others[0], "nullable": True}
    if isinstance(found.get("enum"), list) and None in found["enum"]:
        found["nullable"] = True
    if isinstance(found.get("enum"), list) and "type" not in found:
        found["type"] = "string"
    return found
