"""What the ids of instances and the keys of entities may be made of.

Source: `DurableClient.StartNewAsync` and `SignalEntityAsync` of the Durable extension.
"""

from __future__ import annotations

import unicodedata

from localazure.durable.entity import EntityId, is_entity
from localazure.durable.errors import InvalidId

_LONGEST = 256


def check_instance(identifier: str) -> None:
    """Raises InvalidId."""
    if is_entity(identifier):
        raise InvalidId("Orchestration instance ids must not start with @.")
    if _has_forbidden(identifier):
        raise InvalidId("Orchestration instance ids must not contain /, \\, #, ?, or control characters.")
    if len(identifier) > _LONGEST:
        raise InvalidId(f"Instance ID lengths must not exceed {_LONGEST} characters.")


def check_entity(identifier: EntityId) -> None:
    """Raises InvalidId."""
    if not identifier.name or "@" in identifier.name:
        raise InvalidId(f"'{identifier.name}' is not the name of an entity")
    if _has_forbidden(identifier.key):
        raise InvalidId("Entity keys must not contain /, \\, #, ?, or control characters.")


def _has_forbidden(text: str) -> bool:
    return any(character in "/\\#?" or unicodedata.category(character) == "Cc" for character in text)
