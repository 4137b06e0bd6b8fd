"""Structured logs: each line is one JSON object that carries the trace, the order and the event it belongs to.

Values that could be secret never get this far: callers log ids and codes, not bodies, tokens or addresses.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from shared.telemetry import export, trace
from shared.telemetry.record import LogRecord

Field = str | int | float | bool | None
MAX_FRAMES = 10
"""Of a stack, the innermost ones: the outer ones are the host's."""

_fields: ContextVar[dict[str, Field]] = ContextVar("log_fields")


@contextmanager
def bound(**fields: Field) -> Iterator[None]:
    """Add fields, such as `order_id`, to every line logged inside the block."""
    token = _fields.set({**_fields.get({}), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


class Log:
    """A service's log. `event` is a short, stable name such as `order.placed`; details are fields."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._logger = logging.getLogger(f"commerce.{service}")

    def info(self, event: str, **fields: Field) -> None:
        self._write(logging.INFO, event, fields)

    def spanned(self, event: str, **fields: Field) -> None:
        """A line about what the span under way reports as well: for whoever reads the log here, and not sent."""
        self._write(logging.INFO, event, fields, sent=False)

    def warning(self, event: str, **fields: Field) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, *, exc_info: BaseException | None = None, **fields: Field) -> None:
        self._write(logging.ERROR, event, fields, exc_info)

    def _write(
        self,
        level: int,
        event: str,
        fields: dict[str, Field],
        exc_info: BaseException | None = None,
        *,
        sent: bool = True,
    ) -> None:
        if not self._logger.isEnabledFor(level):
            return
        context = trace.current()
        entry = {
            "event": event,
            "service": self._service,
            "trace_id": context.trace_id,
            **_fields.get({}),
            **fields,
        }
        self._logger.log(level, json.dumps(entry, ensure_ascii=False), exc_info=exc_info)
        if not sent:
            return
        del entry["event"], entry["service"], entry["trace_id"]
        export.put(
            LogRecord(
                role=self._service,
                message=event,
                level=level // 10 - 1,
                trace_id=context.trace_id,
                parent_id=context.span_id,
                time=time.time(),
                properties=entry,
                error="" if exc_info is None else type(exc_info).__name__,
                frames=() if exc_info is None else _frames(exc_info),
            )
        )


def _frames(error: BaseException) -> tuple[tuple[str, str, int], ...]:
    """Where it was raised, without the values that lay there."""
    stack = traceback.extract_tb(error.__traceback__)
    return tuple((frame.name, frame.filename, frame.lineno or 0) for frame in reversed(stack[-MAX_FRAMES:]))
