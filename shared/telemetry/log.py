"""Structured logs: each line is one JSON object that carries the trace, the order and the event it belongs to.

Values that could be secret never get this far: callers log ids and codes, not bodies, tokens or addresses.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from shared.telemetry import trace

Field = str | int | float | bool | None

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

    def warning(self, event: str, **fields: Field) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, *, exc_info: BaseException | None = None, **fields: Field) -> None:
        self._write(logging.ERROR, event, fields, exc_info)

    def _write(self, level: int, event: str, fields: dict[str, Field], exc_info: BaseException | None = None) -> None:
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
        extra = {"custom_dimensions": entry, "traceId": context.trace_id, "spanId": context.span_id}
        self._logger.log(level, json.dumps(entry, ensure_ascii=False), exc_info=exc_info, extra=extra)
