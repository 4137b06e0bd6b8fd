"""What the ids of instances and the keys of entities may be made of.

Over HTTP the extension looks at an entity's key and at hardly anything of an instance's id.
Source: `DurableClient.SignalEntityAsync` of the Durable extension, and its recorded answers.
"""

from __future__ import annotations

import unicodedata

from localazure.durable.entity import EntityId, is_entity
from localazure.durable.errors import InvalidId

_MAX_LENGTH = 512
"""Characters: what a key of Azure Table storage holds, which is all that limits an instance's id over HTTP."""


def check_instance(identifier: str) -> None:
    """Raises InvalidId."""
    if is_entity(identifier):
        raise InvalidId(f"'{identifier}' is the id of an entity, which no orchestration can have.")
    if any(unicodedata.category(character) == "Cc" for character in identifier):
        raise InvalidId("Orchestration instance ids must not contain control characters.")
    if len(identifier) > _MAX_LENGTH:
        raise InvalidId(f"Instance ID lengths must not exceed {_MAX_LENGTH} characters.")


def check_entity(identifier: EntityId) -> None:
    """Raises InvalidId, in .NET's words, in which the extension has the parameter and the reason change places."""
    if not identifier.name:
        reason = "Invalid entity id: entity name must not be a null or empty string."
        raise InvalidId(f"{reason} (Parameter 'entityName')")
    if _has_forbidden(identifier.key):
        reason = "Entity keys must not contain /, \\, #, ?, or control characters."
        raise InvalidId(f"entityKey (Parameter '{reason}')")


def _has_forbidden(text: str) -> bool:
    return any(character in "/\\#?" or unicodedata.category(character) == "Cc" for character in text)
