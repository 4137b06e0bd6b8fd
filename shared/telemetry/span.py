"""Spans: a piece of work asked for from outside (`request`), and a call to something else (`dependency`).

They carry the trace context whether or not anybody records it, so a trace never depends on telemetry.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Literal

from shared.telemetry import export, trace
from shared.telemetry.record import Property, SpanRecord, Value

SLOW_SECONDS = 5.0
"""A request that takes longer has its trace kept whole: ten times what an order usually takes."""
COSMOS = "Azure DocumentDB"
SERVICE_BUS = "Azure Service Bus"
DURABLE = "Azure Durable Functions"
HTTP = "HTTP"
IN_PROCESS = "InProc"


@dataclass(slots=True)
class Span:
    """One that is under way. What is set on it is reported when it ends."""

    role: str
    name: str
    context: trace.TraceContext
    parent_id: str
    result: str = ""
    success: bool = True
    properties: dict[str, Value] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    """Calls begun within it, by name."""

    def note(self, name: Property, value: Value) -> None:
        self.properties[name] = value

    def end(self, result: str | int, *, success: bool) -> None:
        self.result, self.success = str(result), success


_under_way: ContextVar[Span | None] = ContextVar("span", default=None)


def under_way() -> Span | None:
    """The span of this task, if one is under way."""
    return _under_way.get()


def request(
    service: str,
    name: str,
    traceparent: str | None,
    *,
    key: str = "",
    source: str = "",
    url: str = "",
    trusted: bool = True,
) -> AbstractContextManager[Span]:
    """Work of `service` that was asked for from outside: continues `traceparent`, or what is under way, or a new trace.

    Where it continues another trace than the one under way, a link names that one: a webhook's call, or a timer's
    round. Whether a trace is kept is said by our own services alone (`trusted`). `key` makes the span's id follow from
    it (`TraceContext.child`): for work that a crash repeats. An exception that leaves the block makes it a failure.
    """
    outer = _under_way.get()
    parent = trace.parse(traceparent) or (outer.context if outer else None)
    context = parent.child(key) if parent else trace.new_trace()
    context = export.entering(context, trusted=trusted and parent is not None)
    span = Span(service, name, context, parent.span_id if parent else "")
    if outer is not None and outer.context.trace_id != context.trace_id:
        span.note("_MS.links", f'[{{"operation_Id":"{outer.context.trace_id}","id":"{outer.context.span_id}"}}]')
    return _Running("request", span, source=source, url=url)


@contextmanager
def for_order(service: str, name: str, order_id: str, traceparent: str, key: str) -> Iterator[None]:
    """What a later call, a webhook or a timer does for an order: it belongs to the order's trace, with a link to its
    own. `key` tells it from whatever else is done under `name`."""
    with request(service, name, traceparent, key=key) as span:
        span.note("order_id", order_id)
        yield


def dependency(
    type_: str,
    name: str,
    target: str,
    data: str = "",
    *,
    within: Span | None = None,
    key: str = "",
) -> AbstractContextManager[Span]:
    """A call to something else, by the span under way. Where none is, it belongs to no trace and is not reported.

    `within` names another span of ours that the call belongs to; for `key` see `request`: without one, the id follows
    from what the call belongs to, and how many of its name came before.
    """
    outer = within or _under_way.get()
    if outer is None:
        return nullcontext(Span("", name, trace.current(), ""))
    if not key:
        outer.calls[name] = number = outer.calls.get(name, 0) + 1
        key = f"{outer.context.span_id}/{name}/{number}"
    span = Span(outer.role, name, outer.context.child(key), outer.context.span_id)
    return _Running("dependency", span, type=type_, target=target, data=data)


def report(
    service: str,
    name: str,
    context: trace.TraceContext,
    parent_id: str,
    started: datetime,
    ended: datetime,
    *,
    source: str = "",
    type: str = "",
) -> None:
    """A span whose beginning and end are known: nothing of it is under way here. With a `type`, a dependency."""
    if not type and (ended - started).total_seconds() > SLOW_SECONDS:
        export.keep(context.trace_id)
    export.put(
        SpanRecord(
            kind="dependency" if type else "request",
            role=service,
            name=name,
            trace_id=context.trace_id,
            span_id=context.span_id,
            parent_id=parent_id,
            started=started.timestamp(),
            ended=ended.timestamp(),
            success=True,
            result="OK",
            source=source,
            type=type,
        )
    )


class _Running:
    """A span's block: the span is under way within it, and is reported when it is left. Each call has one."""

    __slots__ = ("_also", "_began", "_context", "_kind", "_outer", "_span", "_started")

    _outer: Token[Span | None]
    _context: Token[trace.TraceContext | None]

    def __init__(self, kind: Literal["request", "dependency"], span: Span, **also: str) -> None:
        self._kind, self._span, self._also = kind, span, also

    def __enter__(self) -> Span:
        self._started, self._began = time.time(), time.perf_counter()
        self._outer = _under_way.set(self._span)
        self._context = trace.enter(self._span.context)
        return self._span

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        span = self._span
        if error is not None and not span.result:
            span.end(getattr(error, "code", None) or type(error).__name__, success=False)
        trace.leave(self._context)
        _under_way.reset(self._outer)
        seconds = time.perf_counter() - self._began
        if self._kind == "request" and (not span.success or seconds > SLOW_SECONDS):
            export.keep(span.context.trace_id)
        export.put(
            SpanRecord(
                kind=self._kind,
                role=span.role,
                name=span.name,
                trace_id=span.context.trace_id,
                span_id=span.context.span_id,
                parent_id=span.parent_id,
                started=self._started,
                ended=self._started + seconds,
                success=span.success,
                result=span.result or "OK",
                properties=span.properties,
                **self._also,
            )
        )
