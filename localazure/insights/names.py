"""What a translated query reads: the tables of Application Insights, and nothing else that DuckDB has.

DuckDB finds system tables, files and functions by the same names as tables. Its own parser says which a statement
has, before any of them is looked up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from localazure.insights.errors import BadQuery, Unsupported
from localazure.insights.schema import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SERIES = frozenset({"unnest", "generate_series", "range"})
"""Functions that give rows from values alone."""


def check(connection: DuckDBPyConnection, sql: str) -> None:
    """Raises BadQuery for a name that is not a table, Unsupported for one of another database."""
    found = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
    try:
        tree = json.loads(found[0][0])
    except RecursionError:
        raise BadQuery("the query is nested too deeply", "SyntaxError") from None
    if tree["error"] or len(tree["statements"]) != 1:
        raise Unsupported("what is not one query")
    nodes = list(_nodes(tree))
    bound = {entry["key"] for node in nodes if "cte_map" in node for entry in node["cte_map"]["map"]}
    for node in nodes:
        if node.get("type") == "BASE_TABLE":
            _check_table(node, bound)
        elif node.get("type") == "TABLE_FUNCTION" and node["function"]["function_name"] not in _SERIES:
            raise Unsupported(f"function:{node['function']['function_name']}")


def _check_table(node: dict[str, Any], bound: set[str]) -> None:
    name, path = node["table_name"], [node["catalog_name"], node["schema_name"], node["table_name"]]
    if any(path[:-1]):
        raise Unsupported(f"another database ({'.'.join(filter(None, path))})")
    if name not in TABLES and name not in bound:
        raise BadQuery(f"Failed to resolve table or column expression named '{name}'", "SemanticError")


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
