"""What Azure would bill of the telemetry that was recorded: the size of the rows, column by column.

Billed is the text of the columns that a row fills, whether the app sent them or the service added them. Columns that
all tables share are free, and so are names and brackets of the JSON that was sent, packed or not. Columns that the
workspace's rule drops (`infra/ingestion.json`) are not stored. Source: "Azure Monitor Logs cost calculations and
options", data size calculation, as of December 2024. It is a model: nothing here has asked Azure for `_BilledSize`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from scripts.bench.children import ROOT
from scripts.bench.options import MeasurementFailed

KEY = "00000000-0000-0000-0000-000000000001"
"""Of the local component, in the sample settings."""
FREE = frozenset({"_ResourceId", "itemId", "itemType"})
"""`_ResourceId`, `_ItemId` and `Type` of a workspace's tables."""
ADDED = {
    "iKey": "IKey",
    "appId": "ResourceGUID",
    "client_IP": "ClientIP",
    "client_Type": "ClientType",
    "client_City": "ClientCity",
    "client_StateOrProvince": "ClientStateOrProvince",
    "client_CountryOrRegion": "ClientCountryOrRegion",
}
"""What the service adds, and its name in a workspace's tables; an application's id is as long as a resource's GUID."""
INSTANCE = 16
"""Characters that the app sends of an instance's id on Azure; here it is the machine's name."""

Row = Mapping[str, Any]


def billed(row: Row, dropped: frozenset[str]) -> int:
    """Bytes of one row of `requests`, `dependencies`, `traces` or `exceptions`, without the `dropped` columns."""
    sizes = {column: _size(value) for column, value in row.items() if column not in FREE}
    if sizes.get("cloud_RoleInstance"):
        sizes["cloud_RoleInstance"] = INSTANCE
    return sum(size for column, size in sizes.items() if ADDED.get(column) not in dropped)


def dropped() -> frozenset[str]:
    """The columns that the workspace's rule drops, by their names there."""
    return frozenset(json.loads((ROOT / "infra" / "ingestion.json").read_text(encoding="utf-8"))["dropped"])


def report(tables: Mapping[str, Sequence[Row]], orders: int) -> dict[str, Any]:
    """An order's share: items by table, billed bytes, and what they would be without the rule."""
    rule = dropped()
    sizes = {table: sum(billed(row, rule) for row in rows) for table, rows in tables.items()}
    return {
        "items": {table: round(len(rows) / orders, 1) for table, rows in tables.items()},
        "bytes": round(sum(sizes.values()) / orders),
        "bytes_by_table": {table: round(size / orders) for table, size in sizes.items()},
        "bytes_without_rule": round(sum(billed(row, frozenset()) for rows in tables.values() for row in rows) / orders),
    }


async def recorded(session: aiohttp.ClientSession, insights: str, condition: str) -> dict[str, list[Row]]:
    """Table → rows for which a condition of Kusto holds. Raises MeasurementFailed for a query that is refused."""
    found: dict[str, list[Row]] = {}
    for table in ("requests", "dependencies", "traces", "exceptions"):
        query = {"query": f"{table} | where {condition}"}
        async with session.post(f"{insights}/v1/apps/{KEY}/query", json=query) as answer:
            if answer.status != 200:
                raise MeasurementFailed(f"a query is refused: {await answer.text()}")
            (table_,) = (await answer.json())["tables"]
        names = [column["name"] for column in table_["columns"]]
        found[table] = [dict(zip(names, row, strict=True)) for row in table_["rows"]]
    return found


def _size(value: Any) -> int:
    if value is None or value == "{}":
        return 0
    return len((value if isinstance(value, str) else json.dumps(value)).encode())
