"""Which dead letters are meant, what may be shown of one, and what becomes of it. Pure: no clock, no I/O."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Fate = Literal["sent", "handled", "came_back", "waiting"]
"""Of a dead letter that was sent again. sent: what became of it is not known yet. waiting: nobody has taken it yet."""

SHOWN = frozenset(
    {
        "amount", "cart_id", "category", "currency", "expected", "line", "lines", "money_first", "order_id", "price",
        "quantity", "reason", "sku", "status", "total", "unit_price", "version",
    }
)  # fmt: skip
"""Fields of an event whose values an operator sees. Any other is named, and its value left out."""
HIDDEN = "[redacted]"
DEEPEST = 8
"""Levels of a body that are shown."""


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


def redacted(body: bytes) -> Any:
    """The JSON of an event with the values of `SHOWN` fields alone; `None` for a body that is no JSON object."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    data = event.get("data")
    return _shown(data, 0) if isinstance(data, dict) else None


def _shown(value: Any, depth: int) -> Any:
    if depth > DEEPEST:
        return HIDDEN
    if isinstance(value, Mapping):
        return {name[:40]: _member(name, member, depth) for name, member in value.items()}
    return [_shown(item, depth + 1) for item in value] if isinstance(value, list) else value


def _member(name: str, value: Any, depth: int) -> Any:
    if name not in SHOWN:
        return HIDDEN
    return _shown(value, depth + 1)
