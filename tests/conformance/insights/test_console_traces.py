"""Finding a subject and telling its traces, from telemetry of any shape that the ingestion takes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.insights.console.configuration import read, saved_queries
from localazure.insights.console.waterfall import Log, Span, arranged
from localazure.insights.store import Store

from .conftest import Insights, envelope, running

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SHOWN = {
    "subject": {"title": "Tickets", "dimension": "ticket_id"},
    "measures": [{"dimension": "charge", "unit": "RU", "sum": True}],
}


@pytest.fixture
async def insights(tmp_path: Path) -> AsyncIterator[Insights]:
    file = tmp_path / "console.json"
    file.write_text(json.dumps(SHOWN))
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "slow.kql").write_text("// What took long\nrequests | where duration > 1000")
    async with running({"console": str(file), "queries": str(tmp_path)}) as made:
        yield made


def span(
    identifier: str,
    parent: str = "",
    role: str = "box-office",
    trace: str = TRACE,
    kind: str = "RequestData",
    **also: Any,
) -> dict[str, Any]:
    tags = {"ai.operation.id": trace, "ai.operation.parentId": parent, "ai.cloud.role": role}
    return envelope(kind, _tags=tags, id=identifier, **also)


async def get(insights: Insights, view: str, **parameters: Any) -> Any:
    async with insights.session.get(f"{insights.url}/console/api/{view}", params=parameters) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def status(insights: Insights, view: str, **parameters: Any) -> int:
    async with insights.session.get(f"{insights.url}/console/api/{view}", params=parameters) as answer:
        return answer.status


async def told(insights: Insights) -> None:
    """A ticket that is bought over two services, with a log line and a charge, and another one."""
    await insights.send(
        span("a", ago=3, properties={"ticket_id": "T-1"}),
        span("b", "a", kind="RemoteDependencyData", ago=2.9, properties={"charge": "2.5"}),
        span("c", "b", "doors", ago=2, success=False, responseCode="500", properties={"ticket_id": "T-1"}),
        envelope(
            "MessageData", ago=1.9, message="let in",
            _tags={"ai.operation.id": TRACE, "ai.operation.parentId": "c", "ai.cloud.role": "doors"},
        ),
        span("z", trace="f" * 32, ago=1, properties={"ticket_id": "T-22"}),
    )  # fmt: skip


async def test_the_latest_come_first_and_say_what_they_are(insights: Insights) -> None:
    await told(insights)
    found = (await get(insights, "search"))["subjects"]
    assert [each["subject"] for each in found] == ["T-22", "T-1"]
    assert (found[1]["requests"], found[1]["failed"], found[1]["services"]) == (2, 1, ["box-office", "doors"])


@pytest.mark.parametrize(
    ("text", "subjects"),
    [("T-1", ["T-1"]), ("T-", ["T-22", "T-1"]), ("%", []), ("' OR 1=1 --", []), ("T_1", []), (" T-22 ", ["T-22"])],
)
async def test_a_subject_is_found_by_how_its_id_begins(insights: Insights, text: str, subjects: list[str]) -> None:
    await told(insights)
    assert [each["subject"] for each in (await get(insights, "search", text=text))["subjects"]] == subjects


async def test_a_trace_is_found_by_its_id(insights: Insights) -> None:
    await told(insights)
    assert (await get(insights, "search", text=TRACE.upper()))["trace"] == TRACE
    assert (await get(insights, "search", text="0" * 32))["trace"] is None
    assert await status(insights, "search", text="x" * 500) == 400


async def test_a_subject_is_told_as_a_waterfall_with_its_charges_and_logs(insights: Insights) -> None:
    await told(insights)
    (trace,) = (await get(insights, "subject", id="T-1"))["traces"]
    assert [(each["id"], each["depth"], each["success"]) for each in trace["spans"]] == [
        ("a", 0, True), ("b", 1, True), ("c", 2, False)]  # fmt: skip
    assert [log["message"] for log in trace["spans"][2]["logs"]] == ["let in"]
    assert trace["totals"] == [{"dimension": "charge", "unit": "RU", "total": 2.5}]
    assert trace["spans"][1]["offset"] == pytest.approx(100, abs=1)


async def test_what_is_not_known_is_not_there(insights: Insights) -> None:
    assert await status(insights, "subject", id="T-1") == 404
    assert await status(insights, "trace", id="'; DROP TABLE kept.requests; --") == 404


async def test_another_applications_items_are_not_shown() -> None:
    async with running({"keys": "00000000-0000-0000-0000-000000000001,other"}) as insights:
        await insights.send(span("a", _iKey="other"))
        assert await status(insights, "trace", id=TRACE) == 404


async def test_saved_queries_come_with_what_they_are_for(insights: Insights) -> None:
    (query,) = (await get(insights, "about"))["queries"]
    assert (query["name"], query["about"]) == ("queries/slow", "What took long")


async def test_a_query_is_answered_as_the_service_does(insights: Insights) -> None:
    await told(insights)
    url = f"{insights.url}/console/api/query"
    async with insights.session.post(url, json={"query": "requests | count", "timespan": "PT1H"}) as answer:
        assert (await answer.json())["tables"][0]["rows"] == [[3]]


async def test_a_page_is_told_of_what_comes(insights: Insights) -> None:
    url = f"{insights.url}/console/api/live?watch=telemetry"
    async with insights.session.get(url) as answer:
        lines = [await answer.content.readline() for _ in range(4)]
        assert lines[2:] == [b"event: telemetry\n", b'data: {"sequence":0}\n']
        await told(insights)
        assert [await answer.content.readline() for _ in range(3)][2] == b'data: {"sequence":5}\n'


async def test_items_from_before_there_were_subjects_are_found(tmp_path: Path) -> None:
    file = tmp_path / "insights.duckdb"
    store = Store(file, "ticket_id")
    store.append([("requests", {"timestamp": "2026-01-01T00:00:00", "customDimensions": {"ticket_id": "T-1"}})])
    store.close()
    with duckdb.connect(str(file)) as connection:
        for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            connection.execute(f'ALTER TABLE kept."{table}" DROP COLUMN _subject')
    store = Store(file, "ticket_id")
    assert store.reader().execute("SELECT _subject FROM kept.requests").fetchall() == [("T-1",)]
    assert store.sequence == 1
    store.close()


@pytest.mark.parametrize(
    "document",
    [
        "[]",
        "{",
        '{"subject": {"dimension": "a\\"b"}}',
        '{"lookups": [{"title": "x"}]}',
        '{"measures": [{"unit": "x"}]}',
    ],
)
def test_a_file_that_says_nothing_sensible_is_named(tmp_path: Path, document: str) -> None:
    file = tmp_path / "console.json"
    file.write_text(document)
    with pytest.raises(ValueError, match=r"console\.json"):
        read(str(file))


def test_a_saved_query_that_is_too_large_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "large.kql").write_text("x" * 100_000)
    assert saved_queries(str(tmp_path)) == []


NAMES = st.sampled_from(["", "a", "b", "c", "d", "e"])
SPANS = st.lists(st.tuples(NAMES, NAMES, st.booleans(), st.integers(0, 59)), min_size=1, max_size=12)


@given(SPANS, st.lists(NAMES, max_size=5))
def test_every_span_is_told_once_whoever_its_parent_is(told: list[tuple[str, str, bool, int]], logs: list[str]) -> None:
    spans = [
        Span(name, parent, "request", "r", "n", "", "", "", "200", success, f"2026-01-01T00:00:{second:02d}Z", 1, {})
        for name, parent, success, second in told
    ]
    found = arranged(spans, [Log("2026-01-01T00:00:00Z", name, "r", "warning", "m", {}) for name in logs])
    nameless = sum(not name for name, *_ in told)
    assert len(found.spans) == len({name for name, *_ in told if name}) + nameless
    assert sum(each.told for each in found.spans) == len(told)
    assert sum(len(each.logs) for each in found.spans) + len(found.loose) == len(logs)
    seen = set[str]()
    for each in found.spans:
        assert each.offset >= 0
        assert each.depth == 0 or each.parent in seen
        seen.add(each.id)
