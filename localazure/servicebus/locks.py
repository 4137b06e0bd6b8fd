"""Who receives, and the hold that a receiver has on a message."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Protocol

from localazure.servicebus.errors import BrokerError
from localazure.servicebus.sessions import Session
from localazure.servicebus.store import Message


class Consumer(Protocol):
    """A receiving link. `session_id` is the session it holds, if the queue has sessions."""

    session_id: str | None
    peek_lock: bool

    def wants(self) -> bool: ...

    def deliver(self, message: Message, lock: Lock | None) -> None: ...

    def lost(self, error: BrokerError) -> None: ...


@dataclass(eq=False)
class Lock:
    """One consumer's hold on one message; its token settles it. In a session it lasts as long as the session's lock."""

    message: Message
    ends: float
    token: uuid.UUID = field(default_factory=uuid.uuid4)
    session: Session | None = None

    @property
    def until(self) -> float:
        return self.ends if self.session is None else self.session.until
