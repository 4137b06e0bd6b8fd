"""The application map and percentiles over time, from requests and dependencies.

An edge is a call: to a service where a request was heard with the call as its parent, otherwise to what was called.
Callers are those whose requests come over HTTP and continue nobody's trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from localazure.clock import Clock, utc
from localazure.insights.console.errors import BadRequest
from localazure.insights.console.reading import Reader, Row
from localazure.insights.store import KEPT

MAX_MINUTES = 30 * 24 * 60
POINTS = 120
"""Of a chart: one for every few pixels."""
MAX_EDGES = 500
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200)
"""Seconds that a point of a chart stands for."""

_FIGURES = """sum("itemCount")::BIGINT AS count,
       coalesce(sum("itemCount") FILTER ("success" = 'False'), 0)::BIGINT AS failed,
       round(quantile_cont("duration", 0.95), 1) AS p95"""
_WITHIN = '"appId" = $application AND "timestamp" >= $since'
_NODES = f"""
SELECT "cloud_RoleName" AS role, {_FIGURES}, round(quantile_cont("duration", 0.5), 1) AS p50
FROM {KEPT}."requests" WHERE {_WITHIN} GROUP BY 1 ORDER BY 1
"""  # noqa: S608
_EDGES = f"""
SELECT c."cloud_RoleName" AS source, h.role AS role,
       CASE WHEN h.role IS NULL THEN c."type" ELSE '' END AS type,
       CASE WHEN h.role IS NULL THEN c."target" ELSE '' END AS target, {_FIGURES}
FROM (SELECT * FROM {KEPT}."dependencies" WHERE {_WITHIN}) AS c
LEFT JOIN (
    SELECT DISTINCT "operation_Id" AS trace, "operation_ParentId" AS parent, "cloud_RoleName" AS role
    FROM {KEPT}."requests" WHERE {_WITHIN} AND "operation_ParentId" <> ''
) AS h ON h.trace = c."operation_Id" AND h.parent = c."id"
GROUP BY ALL ORDER BY count DESC LIMIT {MAX_EDGES}
"""  # noqa: S608
_ENTRIES = f"""
SELECT r."cloud_RoleName" AS role, {_FIGURES.replace('"itemCount"', 'r."itemCount"')}
FROM {KEPT}."requests" AS r WHERE {_WITHIN} AND r."operation_ParentId" = '' AND r."url" <> '' GROUP BY 1 ORDER BY 1
"""  # noqa: S608
_OPERATIONS = f"""
SELECT "cloud_RoleName" AS role, "name", {_FIGURES}
FROM {KEPT}."requests" WHERE {_WITHIN} GROUP BY 1, 2 ORDER BY 1, 2 LIMIT {MAX_EDGES}
"""  # noqa: S608
_PERCENTILES = f"""
SELECT epoch(time_bucket(to_seconds($step), "timestamp"))::BIGINT AS moment,
       quantile_cont("duration", [0.5, 0.95, 0.99]) AS percentiles, sum("itemCount")::BIGINT AS count,
       coalesce(sum("itemCount") FILTER ("success" = 'False'), 0)::BIGINT AS failed
FROM {KEPT}."requests"
WHERE {_WITHIN} AND ($role = '' OR "cloud_RoleName" = $role) AND ($name = '' OR "name" = $name)
GROUP BY 1 ORDER BY 1
"""  # noqa: S608


class Services:
    def __init__(self, reader: Reader, clock: Clock) -> None:
        self._reader, self._clock = reader, clock

    async def map(self, minutes: float) -> dict[str, Any]:
        """`{minutes, nodes, edges, entries, operations}` of the last minutes. Raises BadRequest."""
        within = {"since": self._since(minutes)}
        return {
            "minutes": minutes,
            "nodes": await self._reader.rows(_NODES, within),
            "edges": await self._reader.rows(_EDGES, within),
            "entries": await self._reader.rows(_ENTRIES, within),
            "operations": await self._reader.rows(_OPERATIONS, within),
        }

    async def percentiles(self, minutes: float, role: str, name: str) -> dict[str, Any]:
        """`{step, at[], p50[], p95[], p99[], count[], failed[]}`: a point each `step` seconds, also where nothing was.

        `at` in seconds since the epoch, durations in milliseconds. Raises BadRequest.
        """
        since = self._since(minutes)
        step = next((step for step in _STEPS if minutes * 60 / step <= POINTS), _STEPS[-1])
        parameters = {"since": since, "step": step, "role": role, "name": name}
        found = {int(row["moment"]): row for row in await self._reader.rows(_PERCENTILES, parameters)}
        begin, end = (int(moment.replace(tzinfo=UTC).timestamp()) // step * step for moment in (since, self._now()))
        at = list(range(begin, end + step, step))
        return {"step": step, "at": at, **_series([found.get(moment) for moment in at])}

    def _now(self) -> datetime:
        return utc(self._clock).replace(tzinfo=None)

    def _since(self, minutes: float) -> datetime:
        if not 0 < minutes <= MAX_MINUTES:
            raise BadRequest(f"the time shown is 1 to {MAX_MINUTES} minutes")
        return self._now() - timedelta(minutes=minutes)


def _series(rows: list[Row | None]) -> Mapping[str, list[Any]]:
    def percentile(row: Row | None, place: int) -> float | None:
        return None if row is None or row["percentiles"] is None else round(row["percentiles"][place], 2)

    return {
        "p50": [percentile(row, 0) for row in rows],
        "p95": [percentile(row, 1) for row in rows],
        "p99": [percentile(row, 2) for row in rows],
        "count": [row["count"] if row else 0 for row in rows],
        "failed": [row["failed"] if row else 0 for row in rows],
    }
