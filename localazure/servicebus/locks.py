"""Who receives, and the hold that a receiver has on a message or on a session."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Protocol

from localazure.servicebus.errors import BrokerError
from localazure.servicebus.store import Message


class Consumer(Protocol):
    """A receiving link. `session_id` is the session it holds, if the queue has sessions."""

    session_id: str | None
    peek_lock: bool

    def wants(self) -> bool: ...

    def deliver(self, message: Message, lock: Lock | None) -> None: ...

    def detached(self, error: BrokerError | None) -> None: ...


@dataclass(eq=False)
class MessageSession:
    """`waiting` is a heap of sequence numbers; `until` is when the holder's lock ends."""

    waiting: list[int] = field(default_factory=list)
    holder: Consumer | None = None
    until: float = 0.0


@dataclass(eq=False)
class Lock:
    """One consumer's hold on one message; its token settles it. In a session it lasts as long as the session's lock.

    `transaction` is the part of a transaction that settles it and is not discharged yet.
    """

    message: Message
    ends: float
    token: uuid.UUID = field(default_factory=uuid.uuid4)
    session: MessageSession | None = None
    transaction: object | None = None

    @property
    def until(self) -> float:
        return self.ends if self.session is None else self.session.until
