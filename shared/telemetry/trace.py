"""W3C Trace Context, carried through one task by a context variable.

Source: W3C Recommendation "Trace Context", section 3.2 (traceparent header).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The span that is under way: hex ids of 16 and 8 bytes, and whether its trace is recorded whole by everybody."""

    trace_id: str
    span_id: str
    sampled: bool = True

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled or self.trace_id in kept else '00'}"

    def child(self, key: str = "") -> TraceContext:
        """A new span of the same trace. With a `key` its id follows from trace and key.

        Work that is done again after a crash then has the id that its consequences were told under.
        """
        if not key:
            return TraceContext(self.trace_id, secrets.token_hex(8), self.sampled)
        derived = hashlib.sha256(f"{self.trace_id}/{key}".encode()).hexdigest()[:16]
        return TraceContext(self.trace_id, derived, self.sampled)


class _Kept:
    """The traces that failed or were slow here, the latest ones."""

    MAX_KEPT = 10_000

    def __init__(self) -> None:
        self._traces: dict[str, None] = {}

    def __contains__(self, trace_id: str) -> bool:
        return trace_id in self._traces

    def add(self, trace_id: str) -> None:
        self._traces[trace_id] = None
        while len(self._traces) > self.MAX_KEPT:
            self._traces.pop(next(iter(self._traces)), None)


kept = _Kept()
_current: ContextVar[TraceContext | None] = ContextVar("trace_context", default=None)


def new_trace() -> TraceContext:
    return TraceContext(secrets.token_hex(16), secrets.token_hex(8))


def parse(traceparent: str | None) -> TraceContext | None:
    """The context a `traceparent` names, or `None` for what is none: a broken header starts a new trace."""
    match = _TRACEPARENT.fullmatch((traceparent or "").strip())
    if match is None:
        return None
    return TraceContext(match[1], match[2], bool(int(match[3], 16) & 1))


def current() -> TraceContext:
    """The context of this task; a new trace where none was entered."""
    return _current.get() or new_trace()


@contextmanager
def within(context: TraceContext) -> Iterator[TraceContext]:
    """`context` is the span under way for the length of the block."""
    token = enter(context)
    try:
        yield context
    finally:
        leave(token)


def enter(context: TraceContext) -> Token[TraceContext | None]:
    """`context` is the span under way until `leave` is given what this returns; `within` is both."""
    return _current.set(context)


def leave(token: Token[TraceContext | None]) -> None:
    _current.reset(token)
