"""Schemas of OpenAPI 3.0.3 as validators of JSON Schema, made once and kept.

OpenAPI 3.0's schema object is close to JSON Schema draft 5: `nullable` and boolean `exclusiveMinimum` are what
differs. Source: OpenAPI Specification 3.0.3, "Schema Object".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs


class Schemas:
    """Validators of one API's definition, by the operation and what is validated."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        components = definition.get("components", {}).get("schemas", {})
        self._components = {name: _converted(schema) for name, schema in components.items()}
        self._made: dict[str, jsonschema_rs.Draft4Validator] = {}

    def validator(self, name: str, schema: Mapping[str, Any]) -> jsonschema_rs.Draft4Validator:
        """The validator of a schema that may refer to the definition's components; `name` identifies it."""
        if name not in self._made:
            whole = {**_converted(schema), "components": {"schemas": self._components}}
            if "$ref" in whole:  # draft 4 ignores what stands beside a reference
                whole = {"allOf": [{"$ref": whole["$ref"]}], "components": whole["components"]}
            self._made[name] = jsonschema_rs.Draft4Validator(whole)
        return self._made[name]


_UNSEEN = {"nullable", "example", "discriminator", "properties"}


def _converted(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_converted(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {key: _converted(value) for key, value in schema.items() if key not in _UNSEEN}
    if "properties" in schema:
        found["properties"] = {name: _converted(value) for name, value in schema["properties"].items()}
    if schema.get("nullable") is True:
        if isinstance(found.get("type"), str):
            found["type"] = [found["type"], "null"]
            if "enum" in found and None not in found["enum"]:
                found["enum"] = [*found["enum"], None]
        else:
            return {"anyOf": [found, {"type": "null"}]}
    return found


def problem(validator: jsonschema_rs.Draft4Validator, value: Any) -> str | None:
    """The first thing that is wrong with a value, and where; `None` for a valid one."""
    if validator.is_valid(value):
        return None
    error = next(iter(validator.iter_errors(value)))
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
    message = str(error.message)
    return f"{message if len(message) < 300 else message[:300] + '…'} at ${where}"
