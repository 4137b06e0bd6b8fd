"""Application Insights: takes telemetry, keeps it in tables, answers Kusto queries over them; and the console."""

from __future__ import annotations

from localazure.part import Config, Part, Server


async def _start(config: Config) -> Server:
    from localazure.insights.wire import start

    return await start(config)


MEMORY = 3 << 30
"""Bytes of address space. A value that a query makes is bounded by nothing else: beyond this, the query fails."""

PART = Part(
    name="insights",
    summary="Application Insights' ingestion, Kusto queries over what came in, and the console",
    default_port=8083,
    start=_start,
    memory=MEMORY,
    options={
        "keys": "the instrumentation keys that are known, separated by commas; each is also the id of its application "
        "(default 00000000-0000-0000-0000-000000000001)",
        "retention_days": "how long an item is kept (default 30)",
        "console": "JSON file of what the console's items are about (default: their traces alone)",
        "queries": "directory of the console's saved queries, files that end in .kql (default: there are none)",
        "addresses": "JSON object of part name → address: what the console shows beside telemetry (default: nothing)",
        "max_items": "how many items are kept at most; the oldest are forgotten (default 1000000)",
    },
)
