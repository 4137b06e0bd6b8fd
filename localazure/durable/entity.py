"""Durable entities on the wire: their ids, what they are asked, the batch a function is called with and its answer.

Source: `EntityId`, `DurableEntityContext` and `EntityState` of azure-functions-durable 1.7; `RequestMessage`,
`ResponseMessage`, `EntityTriggerAttributeBindingProvider` and `TaskEntityShim` of the Durable extension.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from localazure.durable.errors import InvalidId, Unsupported

Request = dict[str, Any]
"""One operation asked of an entity, as the extension writes it: `op`, `id`, `input`, and who waits for the answer."""


@dataclass(frozen=True)
class EntityId:
    """Names are compared in lower case, keys as they are."""

    name: str
    key: str

    def __str__(self) -> str:
        """The id of the entity's inbox. Orchestration ids never begin like it."""
        return f"@{self.name.lower()}@{self.key}"

    @classmethod
    def parse(cls, text: str) -> EntityId:
        """The inverse of `str`. Raises InvalidId."""
        name, at, key = text[1:].partition("@")
        if not is_entity(text) or not at or not name:
            raise InvalidId(f"'{text}' is not the id of an entity")
        return cls(name, key)


@dataclass(frozen=True)
class Caller:
    """The execution of an orchestration that waits for an answer."""

    instance_id: str
    execution_id: str


@dataclass(frozen=True)
class Entity:
    """What an entity keeps. `state` is JSON; an entity that does not exist has none."""

    id: EntityId
    state: str | None
    updated: str = ""

    @property
    def exists(self) -> bool:
        return self.state is not None


@dataclass(frozen=True)
class Answer:
    """What one operation gave: JSON, or JSON of the reason why it failed."""

    result: str
    failed: bool

    def event_input(self) -> str:
        """The answer as the event that the caller waits for carries it."""
        return json.dumps({"result": self.result} | ({"exceptionType": "Error"} if self.failed else {}))


def is_entity(identifier: str) -> bool:
    """Whether an inbox is an entity's."""
    return identifier.startswith("@")


def request(identifier: str, operation: str, input_: str | None, caller: Caller | None) -> Request:
    """An operation for an entity; without a caller it is a signal."""
    document: Request = {"op": operation, "id": identifier}
    if input_ is not None:
        document["input"] = input_
    if caller is None:
        return document | {"signal": True}
    return document | {"parent": caller.instance_id, "parentExecution": caller.execution_id}


def caller(message: Request) -> Caller | None:
    """Who waits for the answer."""
    return None if message.get("signal") else Caller(message["parent"], message["parentExecution"])


def batch(entity: Entity, requests: Sequence[Request]) -> str:
    """The JSON that an entity function is called with."""
    return json.dumps(
        {
            "self": {"name": entity.id.name, "key": entity.id.key},
            "exists": entity.exists,
            "state": entity.state,
            "batch": [
                {"name": item["op"], "input": item.get("input"), "isSignal": bool(item.get("signal"))}
                for item in requests
            ],
        }
    )


def read(answer: str) -> tuple[str | None, list[Answer]]:
    """The state after a batch (`None`: the entity is gone) and an answer for each operation.

    Raises Unsupported for signals, which the package never sends.
    """
    document = json.loads(answer)
    if document.get("signals"):
        raise Unsupported("an entity that signals another entity is not supported by the local task hub")
    answers = [Answer(item["result"], bool(item["isError"])) for item in document["results"]]
    return (document["entityState"] if document["entityExists"] else None), answers
