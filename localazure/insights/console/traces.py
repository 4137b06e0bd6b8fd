"""Finding traces, and telling one: its spans in the order of a waterfall, with what was logged within each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from localazure.insights.console.configuration import Configuration
from localazure.insights.console.errors import BadRequest, Missing
from localazure.insights.console.reading import Reader, Row
from localazure.insights.console.waterfall import Log, Span, Waterfall, arranged
from localazure.insights.schema import SEQUENCE, SUBJECT
from localazure.insights.store import KEPT

MAX_TEXT = 200
"""Characters that somebody may search for; an id is shorter."""
MAX_FOUND = 50
MAX_TRACES = 20
"""Traces of one subject that are told."""
MAX_ROWS = 5_000
"""Spans, and lines of the log, of one trace: an order of 600 lines has a few hundred."""
_NEWEST = 100_000
"""Items among which the latest subjects are looked for."""
_TRACE = re.compile(r"[0-9a-fA-F]{32}")
_TABLES = ("requests", "dependencies", "traces", "exceptions", "customEvents")
_LEVELS = ("verbose", "information", "warning", "error", "critical")


def _each(columns: str, condition: str) -> str:
    """The same of every table that tells of a subject."""
    return " UNION ALL ".join(
        f'SELECT {columns}, "timestamp" AS moment FROM {KEPT}."{table}" WHERE "appId" = $application AND {condition}'  # noqa: S608
        for table in _TABLES
    )


def _about(condition: str) -> str:
    """The subjects of the items that a condition holds for."""
    each = _each(f'"{SUBJECT}" AS subject', f'"{SUBJECT}" IS NOT NULL AND {condition}')
    return f"SELECT subject, max(moment) AS last FROM ({each}) GROUP BY subject ORDER BY last DESC LIMIT {MAX_FOUND}"  # noqa: S608


_SUMMARY = f"""
SELECT "{SUBJECT}" AS subject, count(DISTINCT "operation_Id") AS traces, min("timestamp") AS first,
       max("timestamp") AS last, count(*) AS requests,
       count(*) FILTER ("success" = 'False') AS failed, list_sort(list(DISTINCT "cloud_RoleName")) AS services
FROM {KEPT}."requests" WHERE "appId" = $application AND "{SUBJECT}" IN (SELECT unnest($subjects::VARCHAR[]))
GROUP BY 1 ORDER BY last DESC
"""  # noqa: S608
_OF_SUBJECT = _each('"operation_Id" AS trace', f'"{SUBJECT}" = $subject')
_TRACES_OF = f"""
SELECT trace, min(moment) AS first FROM ({_OF_SUBJECT}) WHERE trace <> ''
GROUP BY trace ORDER BY first LIMIT {MAX_TRACES}
"""  # noqa: S608
_OF_TRACE = '"appId" = $application AND "operation_Id" = $trace'
_SHARED = (
    '"timestamp" AS moment, "operation_ParentId" AS parent, "cloud_RoleName" AS role, "customDimensions" AS dimensions'
)
_CALL = f'{_SHARED}, "id", "name", "success", "resultCode" AS result, "duration"'
_SPANS = f"""
SELECT 'request' AS kind, {_CALL}, '' AS type, "source" AS target, "url" AS data
FROM {KEPT}."requests" WHERE {_OF_TRACE}
UNION ALL
SELECT 'dependency' AS kind, {_CALL}, "type", "target", "data" FROM {KEPT}."dependencies" WHERE {_OF_TRACE}
ORDER BY moment LIMIT {MAX_ROWS + 1}
"""  # noqa: S608
_LOGS = f"""
SELECT {_SHARED}, "message", "severityLevel" AS level FROM {KEPT}."traces" WHERE {_OF_TRACE}
UNION ALL
SELECT {_SHARED}, "problemId" || ': ' || "message", coalesce("severityLevel", 3) FROM {KEPT}."exceptions"
WHERE {_OF_TRACE}
UNION ALL
SELECT {_SHARED}, "name", 1 FROM {KEPT}."customEvents" WHERE {_OF_TRACE}
ORDER BY moment LIMIT {MAX_ROWS}
"""  # noqa: S608


class Traces:
    def __init__(self, reader: Reader, configuration: Configuration) -> None:
        self._reader, self._configuration = reader, configuration

    async def latest(self, newest: int) -> list[Row]:
        """What was told of last. `newest`: the sequence number of the newest item."""
        found = await self._reader.rows(_about(f'"{SEQUENCE}" > $after'), {"after": newest - _NEWEST})
        return await self.summaries([row["subject"] for row in found])

    async def search(self, text: str) -> dict[str, Any]:
        """`{trace}` for the id of a trace, otherwise `{subjects}` whose ids begin with the text. Raises BadRequest."""
        wanted = text.strip()
        if len(wanted) > MAX_TEXT:
            raise BadRequest(f"search for {MAX_TEXT} characters at most")
        if _TRACE.fullmatch(wanted) and await self._reader.rows(_SPANS, {"trace": wanted.lower()}):
            return {"trace": wanted.lower(), "subjects": []}
        found = await self._reader.rows(_about(f'starts_with("{SUBJECT}", $text)'), {"text": wanted})
        return {"trace": None, "subjects": await self.summaries([row["subject"] for row in found])}

    async def summaries(self, subjects: Sequence[str]) -> list[Row]:
        """Of each subject `{subject, traces, first, last, requests, failed, services}`, the latest first."""
        if not subjects:
            return []
        return await self._reader.rows(_SUMMARY, {"subjects": list(subjects[:MAX_FOUND])})

    async def of_subject(self, subject: str) -> dict[str, Any]:
        """`{subject, traces}`: every trace that says it is about the subject. Raises Missing."""
        found = await self._reader.rows(_TRACES_OF, {"subject": subject[:MAX_TEXT]})
        if not found:
            raise Missing(f"nothing is known of {subject[:MAX_TEXT]}: telemetry comes some seconds later")
        return {"subject": subject, "traces": [await self.told(row["trace"]) for row in found]}

    async def told(self, trace: str) -> dict[str, Any]:
        """One trace as a waterfall. Raises Missing."""
        rows = await self._reader.rows(_SPANS, {"trace": trace})
        logs = await self._reader.rows(_LOGS, {"trace": trace})
        if not rows and not logs:
            raise Missing(f"there is no trace {trace[:MAX_TEXT]}")
        spans = [_span(row) for row in rows[:MAX_ROWS]]
        told = arranged(spans, [_log(row) for row in logs])
        return {"trace": trace, "partial": len(rows) > MAX_ROWS, **self._document(told)}

    def _document(self, told: Waterfall) -> dict[str, Any]:
        return {
            "started": told.started,
            "milliseconds": told.milliseconds,
            "spans": [span.document() for span in told.spans],
            "logs": [log.document() for log in told.loose],
            "totals": [
                {"dimension": measure.dimension, "unit": measure.unit, "total": _total(told.spans, measure.dimension)}
                for measure in self._configuration.measures
                if measure.sum
            ],
        }


def _total(spans: Sequence[Span], dimension: str) -> float:
    return round(sum(_number(span.dimensions.get(dimension)) for span in spans), 2)


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def _span(row: Row) -> Span:
    return Span(
        id=row["id"],
        parent=row["parent"],
        kind=row["kind"],
        role=row["role"],
        name=row["name"],
        type=row["type"],
        target=row["target"],
        data=row["data"],
        result=row["result"],
        success=row["success"] != "False",
        at=row["moment"],
        duration=row["duration"] or 0.0,
        dimensions=_dimensions(row),
    )


def _log(row: Row) -> Log:
    level = _LEVELS[row["level"]] if row["level"] is not None else _LEVELS[1]
    return Log(row["moment"], row["parent"], row["role"], level, row["message"], _dimensions(row))


def _dimensions(row: Row) -> Mapping[str, str]:
    return dict(json.loads(row["dimensions"] or "{}"))
