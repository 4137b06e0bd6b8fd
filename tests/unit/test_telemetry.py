"""Spans, sampling and sending: what is told, what is kept whole, what is given up and counted."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from shared import importing
from shared.telemetry import export, trace, transport
from shared.telemetry.envelopes import envelope_of, metric_of
from shared.telemetry.metric import measured
from shared.telemetry.record import LogRecord, MetricRecord, Record, SpanRecord, Value
from shared.telemetry.sampling import HOLD_SECONDS, Sampler
from shared.telemetry.span import HTTP, dependency, request

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-00"
DRAWN, PASSED_OVER = TRACE[:-8] + "00000001", TRACE[:-8] + "ffffffff"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[SpanRecord]]:
    """What is reported, in its order."""
    records: list[Any] = []
    monkeypatch.setattr(export, "put", records.append)
    yield records


def span(trace_id: str = TRACE, **changes: Any) -> SpanRecord:
    fields: dict[str, Any] = {
        "kind": "request",
        "role": "orders",
        "name": "place",
        "trace_id": trace_id,
        "span_id": "a" * 16,
        "parent_id": "",
        "started": 1_780_000_000.25,
        "ended": 1_780_000_003.75,
        "success": True,
        "result": "202",
    }
    return SpanRecord(**{**fields, **changes})


def test_a_call_is_a_child_of_what_is_under_way(told: list[SpanRecord]) -> None:
    with request("orders", "place", PARENT) as outer, dependency(HTTP, "ask", "host") as inner:
        inner.note("charge", "2.5")
    assert [(record.kind, record.parent_id) for record in told] == [
        ("dependency", outer.context.span_id),
        ("request", "00f067aa0ba902b7"),
    ]
    assert (told[0].role, told[0].properties) == ("orders", {"charge": "2.5"})


def test_a_call_of_nobody_is_not_reported(told: list[SpanRecord]) -> None:
    with dependency(HTTP, "ask", "host"):
        pass
    assert told == []


def test_what_an_exception_leaves_is_a_failure(told: list[SpanRecord]) -> None:
    with pytest.raises(ValueError, match="secret"), request("orders", "place", None):
        raise ValueError("secret")
    assert (told[0].success, told[0].result) == (False, "ValueError")


def test_work_that_is_done_again_has_the_same_id(told: list[SpanRecord]) -> None:
    for _ in range(2):
        with request("orders", "hear", PARENT, key="event-1"):
            pass
    with request("orders", "hear", PARENT, key="event-2"):
        pass
    assert told[0].span_id == told[1].span_id != told[2].span_id


def test_calls_of_work_that_is_done_again_have_the_same_ids_each_its_own(told: list[SpanRecord]) -> None:
    for _ in range(2):
        with request("orders", "hear", PARENT, key="event-1"):
            for name in ("read", "read", "write"):
                with dependency(HTTP, name, "host"):
                    pass
    first, again = ([record.span_id for record in told[start : start + 4]] for start in (0, 4))
    assert first == again
    assert len(set(first)) == 4


def test_work_for_an_order_continues_its_trace_and_links_what_asked_for_it(told: list[SpanRecord]) -> None:
    with request("payments", "webhook", None) as webhook:
        with request("payments", "hear", PARENT), request("payments", "further", PARENT):
            pass
        with request("payments", "older", ""):
            pass
    further, hear, older, asked = told
    assert (hear.trace_id, hear.parent_id) == (TRACE, "00f067aa0ba902b7")
    links = [{"operation_Id": webhook.context.trace_id, "id": webhook.context.span_id}]
    assert json.loads(str(hear.properties["_MS.links"])) == links
    assert (older.trace_id, older.parent_id) == (webhook.context.trace_id, webhook.context.span_id)
    assert [record.properties for record in (further, older, asked)] == [{}, {}, {}]


async def test_tasks_at_the_same_time_have_their_own_spans(told: list[SpanRecord]) -> None:
    async def one(name: str) -> None:
        with request("orders", name, None):
            await asyncio.sleep(0)
            with dependency(HTTP, name, "host"):
                await asyncio.sleep(0)

    await asyncio.gather(one("a"), one("b"))
    spans = {record.span_id: record for record in told}
    assert [spans[record.parent_id].name for record in told if record.kind == "dependency"] == ["a", "b"]


def test_what_was_measured_together_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    measures: list[MetricRecord] = []
    monkeypatch.setattr(export, "measure", measures.append)
    measured("payments", "queue_seconds", [2.0, 0.5, 4.0], topic="orders")
    measured("payments", "dead_letter_seconds", [])
    (record,) = measures
    envelope = metric_of(record, "key")
    assert envelope["data"]["baseData"] == {
        "ver": 2,
        "metrics": [{"name": "queue_seconds", "value": 6.5, "count": 3, "min": 0.5, "max": 4.0}],
        "properties": {"topic": "orders"},
    }
    assert envelope["tags"]["ai.cloud.role"] == "payments"
    assert len(json.dumps(envelope)) < 450


def test_a_metric_is_sent_whatever_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    out = export.Sink("InstrumentationKey=k;IngestionEndpoint=http://localhost:1", 0.0)
    monkeypatch.setattr(export, "sink", lambda: out)
    measured("payments", "queue_seconds", [2.0])
    ((record, share),) = out._front
    assert (record.role, share) == ("payments", 1.0)
    out._front.clear()


def test_a_cold_start_is_as_long_as_the_process_is_old() -> None:
    began = time.monotonic()
    with importing.gc_paused():
        pass
    assert importing.imported_after > 0
    assert importing.age() - importing.imported_after < time.monotonic() - began + 0.1


def test_what_is_held_is_decided_also_where_nothing_more_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()

    def exporter(*_: Any) -> None:
        asked.set()
        raise ImportError

    monkeypatch.setattr(export, "LOAD_AFTER", 0)
    monkeypatch.setattr(export, "_exporter", exporter)
    out = export.Sink("InstrumentationKey=k;IngestionEndpoint=http://localhost:1", 0.0)
    out.put(span(PASSED_OVER))
    assert asked.wait(60), "its worker is what decides"


def test_what_the_order_or_the_request_says_is_not_said_again() -> None:
    about: dict[str, Value] = {"order_id": "ord_a", "event_id": "order.placed.v1:ord_a:1", "event_subject": "ord_a"}
    envelope = envelope_of(span(properties=about), "key", 1)
    assert envelope["data"]["baseData"]["properties"] == {"order_id": "ord_a", "event_id": "order.placed.v1::1"}
    line = envelope_of(LogRecord("orders", "event.failed", 3, TRACE, "b" * 16, 1_780_000_000.0, about), "key", 1)
    assert line["data"]["baseData"]["properties"] == {"order_id": "ord_a", "event_id": "order.placed.v1:ord_a:1"}
    other = about | {"order_id": "ord_b"}
    assert envelope_of(span(properties=other), "key", 1)["data"]["baseData"]["properties"] == other
    call = envelope_of(span(kind="dependency", type="HTTP", parent_id="b" * 16), "key", 1)
    assert set(call["tags"]) == {"ai.cloud.role", "ai.operation.id", "ai.operation.parentId"}
    assert "properties" not in call["data"]["baseData"]


class Held:
    """A sampler of a tenth, with a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sent: list[tuple[str, float]] = []
        self.sampler = Sampler(0.1, self.emit, lambda: self.now)

    def emit(self, record: Record, share: float) -> None:
        self.sent.append((record.trace_id, share))

    def decide(self) -> list[tuple[str, float]]:
        self.now += HOLD_SECONDS + 1
        self.sampler.release()
        return self.sent


def test_ordinary_traces_are_drawn_by_their_id_and_say_what_they_stand_for() -> None:
    held = Held()
    for trace_id in (DRAWN, PASSED_OVER, DRAWN):
        held.sampler.add(span(trace_id))
    assert held.sent == []
    assert held.decide() == [(DRAWN, 0.1), (DRAWN, 0.1)]
    assert envelope_of(span(), "key", 0.1)["sampleRate"] == 10


def test_a_trace_that_fails_is_sent_whole_with_what_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "kept", type(trace.kept)())
    held = Held()
    held.sampler.add(span(PASSED_OVER))
    trace.kept.add(PASSED_OVER)
    held.sampler.add(span(PASSED_OVER))
    assert held.decide() == [(PASSED_OVER, 1.0), (PASSED_OVER, 1.0)]


def test_whoever_hears_of_a_trace_that_is_kept_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "kept", type(trace.kept)())
    out = export.Sink("InstrumentationKey=k;IngestionEndpoint=http://localhost:1", 0.1)
    monkeypatch.setattr(export, "sink", lambda: out)
    with request("orders", "place", f"00-{PASSED_OVER}-00f067aa0ba902b7-01", trusted=False) as mine:
        assert mine.context.traceparent.endswith("-00")
        export.keep(PASSED_OVER)
        assert mine.context.traceparent.endswith("-01")
    with request("payments", "hear", f"00-{DRAWN}-00f067aa0ba902b7-01"):
        assert DRAWN in trace.kept
    out.sampler.release(all_=True)
    assert len(out._front) == 2
    out._front.clear()


class Endpoint:
    """Answers what it is told to, and keeps what it was sent."""

    def __init__(self, *statuses: int | Exception) -> None:
        self.statuses, self.batches = list(statuses), list[Any]()
        self.errors: list[dict[str, Any]] = []

    def post(self, _url: str, body: bytes, **_: Any) -> Any:
        status = self.statuses.pop(0) if self.statuses else 200
        if isinstance(status, Exception):
            raise status
        self.batches.append(json.loads(gzip.decompress(body)))
        answer = {"status_code": status, "headers": {"Retry-After": "7"}, "json": lambda _: {"errors": self.errors}}
        return type("Answer", (), answer)()


class Sending:
    def __init__(self, *statuses: int | Exception) -> None:
        self.now = 0.0
        self.endpoint = Endpoint(*statuses)
        self.transport = transport.Transport("http://localhost", now=lambda: self.now)
        self.transport._session = self.endpoint  # type: ignore[assignment]


@pytest.mark.parametrize("status", [429, 500, 503, OSError("no route")], ids=str)
def test_what_is_not_taken_now_is_sent_again_later(status: int | Exception) -> None:
    sending = Sending(status)
    sending.transport.send([{"a": 1}])
    sending.transport.send([{"b": 2}])
    assert [batch for batch in sending.endpoint.batches if batch == [{"b": 2}]] == []
    sending.now += 10
    sending.transport.send([])
    assert sending.endpoint.batches[-2:] == [[{"a": 1}], [{"b": 2}]]
    assert sending.transport.dropped == 0


def test_an_outage_takes_bounded_memory_and_is_counted() -> None:
    sending = Sending(*[OSError("down")] * 1000)
    for _ in range(transport.KEPT_BATCHES + 10):
        sending.transport.send([{}] * 100)
    assert sending.transport.dropped == 1000
    assert len(sending.transport._again) == transport.KEPT_BATCHES


def test_of_a_batch_taken_in_part_what_may_pass_is_sent_again() -> None:
    sending = Sending(206)
    sending.endpoint.errors = [{"index": 0, "statusCode": 400}, {"index": 2, "statusCode": 500}]
    sending.transport.send([{"a": 1}, {"b": 2}, {"c": 3}])
    sending.now += 10
    sending.transport.send([])
    assert sending.endpoint.batches[1:] == [[{"c": 3}]]
    assert sending.transport.dropped == 1


def test_what_is_refused_for_good_is_counted() -> None:
    sending = Sending(400)
    sending.transport.send([{}, {}])
    assert sending.transport.dropped == 2


def test_an_exception_is_told_by_type_and_place_alone() -> None:
    record = LogRecord(
        "orders", "order.failed", 3, TRACE, "b" * 16, 1_780_000_000.0, {}, "KeyError", (("find", "f.py", 7),)
    )
    data = envelope_of(record, "key", 1)["data"]
    assert data["baseType"] == "ExceptionData"
    (one,) = data["baseData"]["exceptions"]
    assert (one["typeName"], one["message"]) == ("KeyError", "order.failed")
    assert one["parsedStack"] == [{"level": 0, "method": "find", "fileName": "f.py", "line": 7}]


def test_a_request_as_application_insights_wants_it() -> None:
    envelope = envelope_of(span(url="/v1/orders", success=False, result="503"), "key", 1)
    assert envelope["data"]["baseData"] == {
        "ver": 2,
        "id": "a" * 16,
        "name": "place",
        "duration": "0.00:00:03.500000",
        "success": False,
        "responseCode": "503",
        "url": "/v1/orders",
    }
    assert envelope["time"] == "2026-05-28T20:26:40.250000Z"
    assert envelope["tags"]["ai.operation.name"] == "place"
    assert "sampleRate" not in envelope
