"""Where records go: to Application Insights through OpenCensus, and only where a connection string says where it is.

OpenCensus is retired; nothing outside this module knows that it is used: its queue, its worker, its connection
strings. Its import costs more than everything else in `shared` together, so a thread imports it after the first
record; until then records wait here. Nothing here raises, and nothing waits: what there is no room for is counted.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any

from shared import importing
from shared.settings import (
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING,
    APPLICATIONINSIGHTS_CONNECTION_STRING,
    TELEMETRY_SAMPLING,
    SettingError,
    connection_parts,
    settings,
)
from shared.telemetry import trace
from shared.telemetry.envelopes import Envelope, envelope_of, metric_of
from shared.telemetry.record import MetricRecord, Record
from shared.telemetry.sampling import Sampler
from shared.telemetry.transport import Transport

CAPACITY = 8192
"""Records that may wait: about 8 MB."""
LOAD_AFTER = 1.0
"""Seconds from the first record until OpenCensus is imported: a cold start is over by then."""
INTERVAL = 5.0
"""Seconds between two batches that are not full."""
BATCH = 500
"""Records in one request: what a request costs both ends is then a small part of what its records cost."""
LAST_SECONDS = 2.0
"""For an answer while the process ends."""

log = logging.getLogger("commerce.telemetry")
Weighed = tuple[Record | MetricRecord, float]


class Sink:
    """The process's one way out."""

    def __init__(self, connection_string: str, share: float) -> None:
        parts = connection_parts(connection_string)
        self._connection_string = connection_string
        self._key = parts.get("InstrumentationKey", "")
        self._transport = Transport(
            parts.get("IngestionEndpoint", "https://dc.services.visualstudio.com"), _token_source()
        )
        self.sampler = Sampler(share, self._enqueue)
        self._front: deque[Weighed] = deque()
        self._exporter: Any = None
        self._lock = threading.Lock()
        self._loading: threading.Timer | None = None
        self._overflow = 0
        self._told = 0
        atexit.register(self._finish)

    @property
    def dropped(self) -> int:
        """Records that were given up since the process began."""
        return self._overflow + self._transport.dropped

    def _enqueue(self, record: Record | MetricRecord, share: float) -> None:
        exporter = self._exporter
        if exporter is not None:
            if not exporter.offer((record, share)):
                self._overflow += 1
            return
        with self._lock:
            if len(self._front) >= CAPACITY:
                self._overflow += 1
                return
            self._front.append((record, share))
        self._begin()

    def _begin(self) -> None:
        """Have OpenCensus loaded, whose worker also decides what is held: also where nothing has been drawn yet."""
        with self._lock:
            if self._loading is None:
                self._loading = threading.Timer(LOAD_AFTER, self._load)
                self._loading.daemon = True
                self._loading.start()

    def put(self, record: Record) -> None:
        self._begin()
        self.sampler.add(record)

    def _load(self) -> None:
        try:
            exporter = _exporter(self._connection_string, self)
        except Exception as exc:  # a connection string that cannot be read, or a package that is not there
            log.error("telemetry.unavailable: %s", type(exc).__name__)
            return
        with self._lock:
            if seconds := importing.imported_after:
                role = self._front[0][0].role if self._front else ""
                start = MetricRecord(role, "cold_start_seconds", time.time(), 1, seconds, seconds, seconds)
                exporter.offer((start, 1.0))
            self._exporter = exporter
            while self._front:
                exporter.offer(self._front.popleft())

    def send(self, batch: list[Weighed]) -> None:
        """On the exporter's own thread, every few seconds, also where nothing waits."""
        self.sampler.release()
        self._transport.send([self._envelope(record, share) for record, share in batch])
        if self.dropped > self._told:
            log.warning("telemetry.dropped: %d records since the start", self.dropped)
            self._told = self.dropped

    def _envelope(self, record: Record | MetricRecord, share: float) -> Envelope:
        if isinstance(record, MetricRecord):
            return metric_of(record, self._key)
        return envelope_of(record, self._key, share)

    def measure(self, record: MetricRecord) -> None:
        self._enqueue(record, 1.0)

    def _finish(self) -> None:
        """Send what is left when the process ends, which an endpoint that does not answer holds up for seconds."""
        with suppress(Exception):
            self.sampler.release(all_=True)
            self._transport.seconds = LAST_SECONDS
            if self._loading is not None:
                self._loading.cancel()
            if self._exporter is not None:
                self._exporter.finish(2 * LAST_SECONDS)
                return
            while self._front:
                self.send([self._front.popleft() for _ in range(min(BATCH, len(self._front)))])


def _exporter(connection_string: str, sink: Sink) -> Any:
    import queue

    from opencensus.ext.azure.trace_exporter import AzureExporter

    class Exporter(AzureExporter):  # type: ignore[misc]  # OpenCensus ships no types
        """OpenCensus's bounded queue and worker, with envelopes and transport of our own."""

        def __init__(self) -> None:
            super().__init__(
                connection_string=connection_string,
                enable_local_storage=False,
                queue_capacity=CAPACITY,
                export_interval=INTERVAL,
                max_batch_size=BATCH,
            )

        def _check_stats_collection(self) -> bool:
            return False  # it would send statistics of its own to Microsoft

        def offer(self, item: Weighed) -> bool:
            """Whether there is room."""
            try:
                self._queue._queue.put_nowait(item)  # its own `put` logs what it drops, for each record
            except queue.Full:
                return False
            return True

        def emit(self, batch: Any, event: Any = None) -> None:
            try:
                sink.send(list(batch))
            except Exception as exc:
                log.error("telemetry.failed: %s", type(exc).__name__)
            finally:
                if event is not None:
                    event.set()

        def finish(self, seconds: float) -> None:
            self._worker.stop(seconds)

    return Exporter()


def _token_source() -> Any:
    """Of the app's identity, where the component takes no keys; `None` elsewhere."""
    text = settings().text(APPLICATIONINSIGHTS_AUTHENTICATION_STRING)
    if not text:
        return None
    parts = connection_parts(text)

    @cache
    def credential() -> Any:
        from azure.identity import ManagedIdentityCredential

        return ManagedIdentityCredential(client_id=parts.get("ClientId"))

    return lambda scope: str(credential().get_token(scope).token)


@cache
def sink() -> Sink | None:
    """The process's sink, `None` where no connection string is set."""
    try:
        connection_string = settings().text(APPLICATIONINSIGHTS_CONNECTION_STRING)
        return Sink(connection_string, settings().ratio(TELEMETRY_SAMPLING)) if connection_string else None
    except SettingError as exc:
        log.error("telemetry.unavailable: %s", exc)
        return None


def put(record: Record) -> None:
    """Report it, if anyone listens."""
    if (out := sink()) is not None:
        out.put(record)


def measure(record: MetricRecord) -> None:
    """Report what was measured, if anyone listens."""
    if (out := sink()) is not None:
        out.measure(record)


def keep(trace_id: str) -> None:
    """The trace failed, or was slow: all of it is sent, here and by whoever hears of it from now on."""
    if (out := sink()) is not None and not out.sampler.records_all:
        trace.kept.add(trace_id)


def entering(context: trace.TraceContext, *, trusted: bool) -> trace.TraceContext:
    """A span's context as it begins here: what another service of ours (`trusted`) keeps is kept here, too."""
    out = sink()
    if out is None or out.sampler.records_all:
        return context if context.sampled else replace(context, sampled=True)
    if trusted and context.sampled:
        trace.kept.add(context.trace_id)
    return replace(context, sampled=False)
