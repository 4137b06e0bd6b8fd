"""SQLite as the parts use it: one file a part, a killed process resumes where it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def open_database(path: Path | None, schema: str) -> sqlite3.Connection:
    """Open (or create) a part's file, or a private one in memory for `None`, and apply its schema.

    Write-ahead logging with `synchronous=NORMAL` keeps every committed transaction through the death
    of the process; only a power cut may lose the last ones, which is the bargain for a laptop.
    The connection is in autocommit mode: a transaction is an explicit `BEGIN IMMEDIATE` … `COMMIT`.
    """
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.executescript(schema)
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
