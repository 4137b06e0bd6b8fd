"""Which dead letters are meant, and what becomes of each. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, Protocol

Fate = Literal["sent", "handled", "came_back", "waiting"]
"""Of a dead letter that was sent again. sent: what became of it is not known yet. waiting: nobody has taken it yet."""


class Found(Protocol):
    """A dead letter, as far as it is chosen by."""

    @property
    def number(self) -> int: ...
    @property
    def event_type(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def enqueued_at(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which dead letters of a subscription are meant. An empty text is any; `before` is a time as they bear it.

    `numbers` empty: every one. `bound`: none that is newer than the one of this number.
    """

    event_type: str = ""
    reason: str = ""
    subject: str = ""
    before: str = ""
    numbers: Collection[int] = ()
    bound: int | None = None

    def has(self, letter: Found) -> bool:
        """Whether this dead letter is meant."""
        return (
            (self.bound is None or letter.number <= self.bound)
            and (not self.numbers or letter.number in self.numbers)
            and self.event_type in ("", letter.event_type)
            and self.reason in ("", letter.reason)
            and self.subject in ("", letter.subject)
            and (not self.before or letter.enqueued_at < self.before)
        )
