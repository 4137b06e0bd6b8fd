"""Transactions: what was asked for within one is done when it is committed, all of it or nothing.

Everything is done in one turn of the event loop, and so is one transaction of the broker's file.
Source: AMQP 1.0 (OASIS), part 4; "Overview of Service Bus transaction processing".
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from localazure.clock import Clock
from localazure.servicebus.errors import BrokerError, NotAllowed, RolledBack, TransactionTimeout, UnknownTransaction

_MAX_SECONDS = 120.0
"""Seconds that a transaction may last, by the service's documentation."""
_MAX_OPERATIONS = 100
"""Operations in one transaction, by the service's documentation."""
_MAX_OPEN = 256
"""Transactions that one connection may have open; more than any client has, so that none can fill the memory."""


@dataclass(frozen=True)
class Operation:
    """`check` raises what stands against it; after all checks passed, `commit` is called; otherwise `roll_back`."""

    check: Callable[[], object]
    commit: Callable[[], object]
    roll_back: Callable[[], object] = lambda: None


@dataclass
class _Transaction:
    ends: float
    entity: str | None = None
    operations: list[Operation] = field(default_factory=list)


class Transactions:
    """Those of one connection: an id is good in all its sessions."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[bytes, _Transaction] = {}

    def declare(self) -> bytes:
        """Raises NotAllowed."""
        if len(self._open) >= _MAX_OPEN:
            raise NotAllowed(f"a connection has no more than {_MAX_OPEN} transactions open")
        identifier = uuid.uuid4().bytes
        self._open[identifier] = _Transaction(self._clock.time() + _MAX_SECONDS)
        return identifier

    def enlist(self, identifier: bytes, entity: str, mixes: bool, operation: Operation) -> None:
        """Note an operation down. `entity`: the queue or topic it is about; `mixes`: whether entities may differ.

        Raises UnknownTransaction, TransactionTimeout, NotAllowed.
        """
        found = self._find(identifier)
        if not mixes and found.entity not in (None, entity.lower()):
            raise NotAllowed(
                f"A transaction cannot span entities: it began with '{found.entity}', and '{entity}' is another."
            )
        if len(found.operations) >= _MAX_OPERATIONS:
            raise NotAllowed(f"Cannot do more than {_MAX_OPERATIONS} operations in a single transaction.")
        operation.check()
        found.entity = found.entity or entity.lower()
        found.operations.append(operation)

    def discharge(self, identifier: bytes, fail: bool) -> None:
        """Commit, or roll back. Raises UnknownTransaction, TransactionTimeout, RolledBack."""
        found = self._find(identifier)
        del self._open[identifier]
        refused: BrokerError | None = None
        if not fail:
            try:
                for operation in found.operations:
                    operation.check()
            except BrokerError as exc:
                refused = exc
        for operation in found.operations:
            if fail or refused is not None:
                operation.roll_back()
            else:
                operation.commit()
        if refused is not None:
            raise RolledBack(f"The transaction was rolled back: {refused}") from refused

    def close(self) -> None:
        """The connection is gone: nothing of what is open was done."""
        for identifier in list(self._open):
            self._roll_back(identifier)

    def _find(self, identifier: bytes) -> _Transaction:
        found = self._open.get(identifier)
        if found is None:
            raise UnknownTransaction(f"The transaction {identifier.hex()} does not exist.")
        if found.ends <= self._clock.time():
            self._roll_back(identifier)
            raise TransactionTimeout(
                f"The transaction {identifier.hex()} lasted longer than {_MAX_SECONDS:.0f} seconds."
            )
        return found

    def _roll_back(self, identifier: bytes) -> None:
        for operation in self._open.pop(identifier).operations:
            operation.roll_back()
