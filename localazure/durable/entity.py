"""Durable entities on the wire: their ids, what they are asked, the batch a function is called with and its answer.

Source: `EntityId`, `DurableEntityContext` and `EntityState` of azure-functions-durable 1.7; `RequestMessage`,
`ResponseMessage`, `EntityTriggerAttributeBindingProvider` and `TaskEntityShim` of the Durable extension.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from localazure import newtonsoft
from localazure.durable.errors import InvalidId, Unsupported

_TYPE = "Microsoft.Azure.WebJobs.Extensions.DurableTask.{0}, Microsoft.Azure.WebJobs.Extensions.DurableTask"
FIRST = "0001-01-01T00:00:00"
"""The moment of the message before the first one, as .NET writes it."""

Request = dict[str, Any]
"""One operation asked of an entity, as the extension writes it: `op`, `id`, `input`, and who waits for the answer."""


@dataclass(frozen=True)
class EntityId:
    """Names are compared in lower case, keys as they are."""

    name: str
    key: str

    def __str__(self) -> str:
        """The id of the entity's inbox."""
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
        answer = {"$type": _TYPE.format("ResponseMessage"), "result": self.result}
        return newtonsoft.written(answer | ({"exceptionType": "Error"} if self.failed else {}))


def is_entity(identifier: str) -> bool:
    """Whether an inbox is an entity's: `@name@key`."""
    return identifier.startswith("@") and identifier.find("@", 2) > 0


def request(identifier: str, operation: str, input_: str | None, caller: Caller | None, *, signal: bool) -> Request:
    """An operation for an entity; nobody waits for the answer to a signal, and a client's has no caller."""
    document: Request = {"$type": _TYPE.format("RequestMessage"), "op": operation}
    if signal:
        document["signal"] = True
    if input_ is not None:
        document["input"] = input_
    document["id"] = identifier
    if caller is not None:
        document |= {"parent": caller.instance_id, "parentExecution": caller.execution_id}
    return document


def stamped(message: Request, before: str, now: str) -> Request:
    """The message with its place among those that an orchestration sends to one entity.

    Each has a later moment than the one before it, a tick of 100 ns at least; one moved on so has no zone.
    """
    moment = _ticks(now)
    last = _ticks(before)
    label = now if moment > last else _written_ticks(last + 1)
    return message | {"Timestamp": label, "Predecessor": before, "requestTime": now.replace("Z", "+00:00")}


def _ticks(moment: str) -> int:
    seconds, _, fraction = moment.removesuffix("Z").partition(".")
    since = datetime.fromisoformat(seconds) - datetime.min
    return (since.days * 86_400 + since.seconds) * 10_000_000 + int(fraction.ljust(7, "0")[:7])


def _written_ticks(ticks: int) -> str:
    seconds, fraction = divmod(ticks, 10_000_000)
    return f"{(datetime.min + timedelta(seconds=seconds)).isoformat()}.{fraction:07d}"


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


def read(before: Entity, answer: str) -> tuple[str | None, list[Answer]]:
    """The state after a batch (`None`: the entity is gone) and an answer for each operation.

    An entity that no operation has created stands with the state that its function left, which is null.
    Raises Unsupported for signals, which the package never sends.
    """
    document = json.loads(answer)
    if document.get("signals"):
        raise Unsupported("an entity that signals another entity is not supported by the local task hub")
    answers = [Answer(item["result"], bool(item["isError"])) for item in document["results"]]
    gone = before.exists and not document["entityExists"]
    return (None if gone else document["entityState"]), answers
