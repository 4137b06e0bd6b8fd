"""The saga that is measured on every engine: five steps, each of which writes one row and commits it.

The file of rows is in write-ahead logging with `synchronous=NORMAL`, as everything of `localazure` is. This module
imports nothing of ours, so that an engine's own environment can load it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing

STEPS = ("place", "reserve", "authorise", "confirm", "capture")
ROWS = "BENCH_ROWS"
"""Environment variable: the file that the steps write to."""

_local = threading.local()


def prepare(path: str) -> None:
    """Make the file of rows before processes open it: of two that switch its journal at once, one is refused."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS steps (order_id TEXT, step TEXT, PRIMARY KEY (order_id, step)) WITHOUT ROWID"
        )


def write(step: str, order_id: str) -> str:
    """Do one step of one order; answers the step's name. A repeat changes nothing."""
    _connection().execute("INSERT OR IGNORE INTO steps (order_id, step) VALUES (?, ?)", (order_id, step))
    return step


def complete(path: str) -> int:
    """How many orders have all their steps in the file."""
    with sqlite3.connect(path) as connection:
        query = "SELECT COUNT(*) FROM (SELECT 1 FROM steps GROUP BY order_id HAVING COUNT(*) = ?)"
        return int(connection.execute(query, (len(STEPS),)).fetchone()[0])


def _connection() -> sqlite3.Connection:
    """One connection for each thread; SQLite itself lets one of them write at a time."""
    if not hasattr(_local, "connection"):
        connection = sqlite3.connect(os.environ[ROWS], isolation_level=None, timeout=30)
        connection.execute("PRAGMA synchronous=NORMAL")
        _local.connection = connection
    return _local.connection  # type: ignore[no-any-return]  # a thread-local has no types
