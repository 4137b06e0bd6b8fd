"""What becomes of a message that was delivered: outcomes as clients tell them, and carrying them out.

Source: "AMQP 1.0 in Azure Service Bus", settlement; the reference of each client's SDK for the names of errors.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localazure.servicebus.amqp import frames
from localazure.servicebus.amqp.encode import encode
from localazure.servicebus.amqp.types import DecodeError, Described
from localazure.servicebus.errors import NotAllowed
from localazure.servicebus.queue import Queue
from localazure.servicebus.transactions import Operation

_STATUSES = {"completed": "complete", "abandoned": "abandon", "defered": "defer", "suspended": "dead_letter"}


@dataclass(frozen=True)
class Outcome:
    """`action` is a method of the queue, `answer` the state that the client hears, `changes` what is set."""

    action: str
    answer: bytes
    changes: Mapping[str, bytes] = field(default_factory=dict)


_ACCEPTED = Outcome("complete", frames.accepted())
_RELEASED = Outcome("release", frames.released())


def needs_types(state: Any) -> bool:
    """Whether the state of a disposition has values that are kept, so that their types matter."""
    if not isinstance(state, Described):
        return False
    if state.descriptor == frames.TRANSACTIONAL:
        return len(state.value) > 1 and needs_types(state.value[1])
    return state.descriptor in (frames.MODIFIED, frames.REJECTED) and bool(state.value)


def outcome(state: Any) -> Outcome:
    """The outcome that a disposition names; none is `accepted`. Raises DecodeError."""
    if state is None:
        return _ACCEPTED
    if not isinstance(state, Described) or not isinstance(state.value, list):
        raise DecodeError("the state of a delivery is not an outcome")
    code, fields = state.descriptor, [*state.value, None, None, None]
    if code == frames.ACCEPTED:
        return _ACCEPTED
    if code == frames.RELEASED:
        return _RELEASED
    if code == frames.MODIFIED:
        failed, undeliverable = bool(fields[0]), bool(fields[1])
        answer = frames.modified(failed, undeliverable)
        return Outcome("defer" if undeliverable else "abandon", answer, _encoded(fields[2]))
    if code == frames.REJECTED:
        error = fields[0].value if isinstance(fields[0], Described) else []
        return Outcome("dead_letter", frames.rejected(), _encoded(error[2] if len(error) > 2 else None))
    raise DecodeError(f"there is no outcome {code!r}")


def by_status(body: Mapping[str, Any]) -> Outcome:
    """The outcome that a request to `update-disposition` names. Raises NotAllowed."""
    status = str(body["disposition-status"])
    action = _STATUSES.get(status)
    if action is None:
        raise NotAllowed(f"the disposition '{status}' does not exist")
    changes = dict(_encoded(body.get("properties-to-modify")))
    if action == "dead_letter":
        told = {"DeadLetterReason": body.get("deadletter-reason"),
                "DeadLetterErrorDescription": body.get("deadletter-description")}  # fmt: skip
        changes |= {name: encode(text) for name, text in told.items() if text is not None}
    return Outcome(action, frames.accepted(), changes)


def check_settlement(queue: Queue, token: uuid.UUID, told: Outcome) -> None:
    """Raises LockLost, SessionLockLost, NotAllowed for what `settle` would refuse."""
    queue.held(token)
    if told.action == "dead_letter" and queue.dead_letters is None:
        raise NotAllowed(f"{queue.name} is a dead-letter queue; its messages cannot be dead-lettered again")


def operation(queue: Queue, token: uuid.UUID, told: Outcome, done: Callable[[], None] = lambda: None) -> Operation:
    """The settlement as a part of a transaction. Until that is discharged, nothing else settles the message; a rollback
    leaves its lock as it was. `done` is called at the end of a commit."""
    mark = object()

    def check() -> None:
        check_settlement(queue, token, told)
        lock = queue.held(token)
        if lock.transaction not in (None, mark):
            raise NotAllowed("the message is settled in a transaction that is not finished")
        lock.transaction = mark

    def leave() -> None:
        queue.leave_transaction(token)

    def commit() -> None:
        leave()
        settle(queue, token, told)
        done()

    return Operation(check, commit, leave)


def settle(queue: Queue, token: uuid.UUID, told: Outcome) -> None:
    """Raises LockLost, SessionLockLost, NotAllowed."""
    if told.action in ("complete", "release"):
        getattr(queue, told.action)(token)
    else:
        getattr(queue, told.action)(token, told.changes)


def _encoded(properties: Any) -> Mapping[str, bytes]:
    if not properties:
        return {}
    if not isinstance(properties, dict):
        raise DecodeError("properties to modify are not a map")
    return {str(name): encode(value) for name, value in properties.items()}
