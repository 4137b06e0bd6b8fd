"""Application Insights, through OpenCensus, and only where a connection string says where it is.

OpenCensus is retired; nothing outside this module knows that it is used. It is imported on first need,
because its import costs a cold start more than everything else in `shared` together.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from shared.clock import timestamp
from shared.settings import APPLICATIONINSIGHTS_CONNECTION_STRING, TELEMETRY_SAMPLING, settings
from shared.telemetry import trace

_SERVER = 1
_CLIENT = 2


class _Exporter:
    """Sends finished spans, and the records of the `commerce` loggers, from background threads."""

    def __init__(self, connection_string: str, sampling: float) -> None:
        from opencensus.ext.azure.log_exporter import AzureLogHandler
        from opencensus.ext.azure.trace_exporter import AzureExporter

        class LogHandler(AzureLogHandler):  # type: ignore[misc]  # OpenCensus ships no types
            """OpenCensus sets the handler's lock to None, which Python 3.13 no longer accepts."""

            def createLock(self) -> None:
                logging.Handler.createLock(self)

        self._sampling = sampling
        self._spans = AzureExporter(connection_string=connection_string)
        self._logs = LogHandler(connection_string=connection_string, logging_sampling_rate=sampling)
        logging.getLogger("commerce").addHandler(self._logs)
        atexit.register(self._logs.flush)

    def sampled(self, context: trace.TraceContext) -> bool:
        """The same answer for every span of one trace, whichever service asks."""
        return context.sampled and int(context.trace_id[-8:], 16) / 0xFFFFFFFF <= self._sampling

    def span(self, **fields: Any) -> None:
        from opencensus.trace.span_context import SpanContext
        from opencensus.trace.span_data import SpanData
        from opencensus.trace.status import Status

        context: trace.TraceContext = fields.pop("context")
        error: BaseException | None = fields.pop("error")
        self._spans.export(
            [
                SpanData(
                    context=SpanContext(trace_id=context.trace_id, span_id=context.span_id),
                    span_id=context.span_id,
                    status=Status(0) if error is None else Status(2, type(error).__name__),
                    stack_trace=None,
                    annotations=[],
                    message_events=[],
                    links=[],
                    same_process_as_parent_span=None,
                    child_span_count=0,
                    **fields,
                )
            ]
        )


@cache
def _exporter() -> _Exporter | None:
    connection_string = settings().text(APPLICATIONINSIGHTS_CONNECTION_STRING)
    return _Exporter(connection_string, settings().ratio(TELEMETRY_SAMPLING)) if connection_string else None


@contextmanager
def span(name: str, traceparent: str | None, *, server: bool = True) -> Iterator[trace.TraceContext]:
    """One piece of work: continues `traceparent` for the length of the block, and reports it if anyone listens.

    `server` says whether the work was asked for from outside (a request, a message) or is a call to another.
    """
    exporter = _exporter()
    parent = trace.parse(traceparent)
    started = timestamp()
    error: BaseException | None = None
    with trace.entered(traceparent) as context:
        try:
            yield context
        except BaseException as exc:
            error = exc
            raise
        finally:
            if exporter is not None and exporter.sampled(context):
                exporter.span(
                    name=name,
                    context=context,
                    parent_span_id=parent.span_id if parent else None,
                    # Application Insights names a request by its method and route, whatever kind of request it is
                    attributes={"http.method": name},
                    start_time=started,
                    end_time=timestamp(),
                    span_kind=_SERVER if server else _CLIENT,
                    error=error,
                )
