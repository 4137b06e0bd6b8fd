"""The part's file: one DuckDB database, written in batches and read by queries that can do nothing else.

Nothing outside the file can be reached through a connection: the configuration is locked before anything is asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from localazure.insights.rows import Row
from localazure.insights.schema import HIDDEN, SEQUENCE, STORED, SUBJECT, TABLES, definitions

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KEPT = "kept"
"""Where the tables lie: outside the path on which a query's names are looked up."""
_LOCKED = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "max_temp_directory_size": "0KB",
    "memory_limit": "512MB",
    "threads": "2",
}
"""No files, no network, no extensions, no variables of this process; one query cannot fill memory or disk."""

Period = tuple[datetime | None, datetime | None]
"""From (inclusive) and until (exclusive), UTC without saying so; `None`: open."""


def _insertion(table: str) -> str:
    kinds = {name: STORED[kind] for name, kind in TABLES[table].items()} | HIDDEN
    columns = ", ".join(f'"{name}"' for name in kinds)
    values = ", ".join(f'item."{name}"' for name in kinds)
    items = f"SELECT unnest(from_json(?::JSON, '{json.dumps([kinds])}')) AS item"
    return f'INSERT INTO {KEPT}."{table}" ({columns}) SELECT {values} FROM ({items})'  # noqa: S608


class Store:
    """`append` and `forget` are called from one thread at a time; `reader` from any."""

    def __init__(self, path: Path | None, subject: str = "") -> None:
        """`subject`: the custom dimension that says what an item is about."""
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = duckdb.connect(":memory:" if path is None else str(path), config=dict(_LOCKED))
        self._connection.execute("SET GLOBAL TimeZone = 'UTC'")
        self._connection.execute("SET lock_configuration = true")
        self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {KEPT}; {definitions(KEPT)}")
        self._subject = subject
        self._add_subject()
        self._insertions = {table: _insertion(table) for table in TABLES}
        self.sequence = self._last()

    def _add_subject(self) -> None:
        """To the tables of a file from before there was such a column."""
        for table in TABLES:
            listed = self._connection.execute(f"PRAGMA table_info('{KEPT}.{table}')").fetchall()
            if SUBJECT not in {column[1] for column in listed}:
                self._connection.execute(f'ALTER TABLE {KEPT}."{table}" ADD COLUMN "{SUBJECT}" VARCHAR')
                self._connection.execute(
                    f'UPDATE {KEPT}."{table}" SET "{SUBJECT}" = json_extract_string("customDimensions", ?)',  # noqa: S608
                    [f'$."{self._subject}"'],
                )

    def _last(self) -> int:
        """The sequence number of the newest item, 0 where there is none."""
        newest = ", ".join(f'(SELECT max("{SEQUENCE}") FROM {KEPT}."{table}")' for table in TABLES)  # noqa: S608
        found = self._connection.execute(f"SELECT greatest({newest})").fetchone()
        return int(found[0]) if found and found[0] is not None else 0

    def append(self, items: Iterable[tuple[str, Row]]) -> None:
        """Write all rows, or none."""
        by_table: dict[str, list[Row]] = {}
        for table, row in items:
            self.sequence += 1
            hidden = {SEQUENCE: self.sequence, SUBJECT: row["customDimensions"].get(self._subject)}
            by_table.setdefault(table, []).append(row | hidden)
        self._connection.execute("BEGIN")
        try:
            for table, rows in by_table.items():
                self._connection.execute(self._insertions[table], [json.dumps(rows)])
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def forget(self, before: datetime, most: int) -> None:
        """Delete what is older than `before`, and all but the newest `most` items."""
        for table in TABLES:
            self._connection.execute(
                f'DELETE FROM {KEPT}."{table}" WHERE "timestamp" < ? OR "{SEQUENCE}" <= ?',  # noqa: S608
                [before, self.sequence - most],
            )
        self._connection.execute("CHECKPOINT")

    def reader(self) -> DuckDBPyConnection:
        """A connection for one query, on which no table has a name yet. Close it."""
        return self._connection.cursor()

    def counts(self) -> Mapping[str, int]:
        """How many rows each table has."""
        cursor = self._connection.cursor()
        return {
            table: int(cursor.execute(f'SELECT count(*) FROM {KEPT}."{table}"').fetchall()[0][0])  # noqa: S608
            for table in TABLES
        }

    def close(self) -> None:
        self._connection.close()


def restrict(connection: DuckDBPyConnection, application: str, period: Period) -> None:
    """Each table, by its name, is from now on what one application sent within a period."""
    conditions = ['"appId" = ' + _literal(application)]
    for sign, moment in ((">=", period[0]), ("<", period[1])):
        if moment is not None:
            conditions.append(f'"timestamp" {sign} TIMESTAMP {_literal(moment.isoformat(sep=" "))}')
    for table, columns in TABLES.items():
        listed = ", ".join(f'"{name}"' for name in columns)
        connection.execute(
            f'CREATE TEMP VIEW "{table}" AS SELECT {listed} FROM {KEPT}."{table}" '  # noqa: S608
            f"WHERE {' AND '.join(conditions)}"
        )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
