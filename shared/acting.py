"""Who acts with special rights: carried through one request by a context variable, and told beside what was changed.

A privileged act is an event in the outbox, in the same batch as its write: there is none without the other. Operations
hears it and appends it to a log that the writer cannot reach (`docs/decisions/0067`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from shared.clock import utc_now
from shared.contracts.audit import ActRecorded
from shared.persistence.cosmos import Container, Operation
from shared.persistence.outbox import enqueue_event


@dataclass(frozen=True, slots=True)
class Actor:
    """One who may do what a customer may not, and what is being done."""

    subject: str
    client: str
    roles: tuple[str, ...]
    act: str
    reason: str = ""

    def recorded(self, target: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> ActRecorded:
        """What is told of the act: of `before` and `after` the fields that are different."""
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        return ActRecorded(
            act=self.act,
            target=target,
            subject=self.subject,
            client=self.client,
            roles=sorted(self.roles),
            reason=self.reason,
            before={name: before[name] for name in names if name in before},
            after={name: after[name] for name in names if name in after},
        )


_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)


def actor() -> Actor | None:
    """Who acts in the request under way; `None` for customers, and for what nobody asked for."""
    return _acting.get()


@contextmanager
def acting(present: Actor | None) -> Iterator[None]:
    """What is done inside is done by `present`."""
    token = _acting.set(present)
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def because(why: str) -> Iterator[None]:
    """What is done inside is recorded with this reason."""
    present = actor()
    with acting(None if present is None else replace(present, reason=why)):
        yield


def record_act(
    container: Container,
    key: str,
    target: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    version: int | None = None,
) -> list[Operation]:
    """Batch operations that record the act under way beside its write; none where nobody acts with special rights.

    `version` tells the acts upon one `key` apart; without one the moment does, to the microsecond.
    """
    present = actor()
    if present is None:
        return []
    if version is None:
        version = int(utc_now().timestamp() * 1_000_000)
    return [enqueue_event(container, key, present.recorded(target, before, after), version=version)]
