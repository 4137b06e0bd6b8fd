"""The event contracts as JSON Schema, one file an event type, for whoever consumes them without this code.

`python -m scripts.infrastructure` writes them. What is no longer declared stays, because a published contract is never
taken back; a test sees that they only grow.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import msgspec

from shared.contracts.event import Event, declared_events
from shared.patterns import published

FOLDER = Path(__file__).parent / "schemas"


def schemas() -> dict[str, dict[str, Any]]:
    """File name → JSON Schema (2020-12) of the whole event, for every event that any service publishes."""
    for module in iter_modules([str(FOLDER.parent)]):
        import_module(f"shared.contracts.{module.name}")
    return {f"{name}.json": _schema(name, data_type) for name, data_type in sorted(declared_events().items())}


def _schema(name: str, data_type: type) -> dict[str, Any]:
    (envelope, data), definitions = published(
        msgspec.json.schema_components([Event, data_type], ref_template="#/$defs/{name}")
    )
    event = definitions.pop(Event.__name__)
    event["properties"] |= {"type": {"const": name}, "data": data}
    assert envelope == {"$ref": f"#/$defs/{Event.__name__}"}, "the envelope is a component of its own"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:durable-commerce:event:{name}",
        **event,
        "title": name,
        "$defs": definitions,
    }
