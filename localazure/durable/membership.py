"""The hosts of a task hub and the partitions each of them reads, in the hub's own file.

The file knows which run of a host holds which partition, so nothing is written when a message is fetched: what a dead
run has left unread in its partitions is what it had fetched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from localazure.durable.partitions import Partition, partition_of

SCHEMA = """
CREATE TABLE IF NOT EXISTS hosts (
    run TEXT PRIMARY KEY, name TEXT NOT NULL, port INTEGER NOT NULL, until REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS partitions (
    number INTEGER PRIMARY KEY, owner TEXT NOT NULL DEFAULT '', next TEXT NOT NULL DEFAULT ''
);
"""


@dataclass(frozen=True)
class Member:
    """One run of a host. `port` is where it wants to be told that there is something to do."""

    run: str
    name: str
    port: int
    until: float
    """When it counts as dead, unless it has said before that it lives: seconds since the epoch."""


class Membership:
    """Plain reads and writes; the caller says where a transaction begins and ends."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def partitions(self, count: int) -> list[Partition]:
        """All of them. There are as many as there were at first, whatever is asked for."""
        query = "SELECT number, owner, next FROM partitions ORDER BY number"
        rows = self._db.execute(query).fetchall()
        if not rows:
            self._db.executemany("INSERT INTO partitions (number) VALUES (?)", [(number,) for number in range(count)])
            rows = self._db.execute(query).fetchall()
        return [Partition(*row) for row in rows]

    def write(self, partitions: Iterable[Partition]) -> None:
        self._db.executemany(
            "UPDATE partitions SET owner = ?, next = ? WHERE number = ?",
            [(row.owner, row.next, row.number) for row in partitions],
        )

    def members(self) -> list[Member]:
        return [Member(*row) for row in self._db.execute("SELECT run, name, port, until FROM hosts ORDER BY run")]

    def join(self, member: Member) -> None:
        """Be there, or go on being there."""
        self._db.execute(
            "INSERT OR REPLACE INTO hosts (run, name, port, until) VALUES (?, ?, ?, ?)",
            (member.run, member.name, member.port, member.until),
        )

    def leave(self, run: str) -> None:
        """Give everything back."""
        self._db.execute("DELETE FROM hosts WHERE run = ?", (run,))
        self._db.execute("UPDATE partitions SET owner = '' WHERE owner = ?", (run,))
        self._db.execute("UPDATE partitions SET next = '' WHERE next = ?", (run,))
        self._db.execute("UPDATE activities SET run = '' WHERE run = ?", (run,))

    def hide(self, run: str, last: float, messages: float, activities: float) -> None:
        """What the run had fetched until `last`, its last sign of life, is nobody's for so many seconds more."""
        rows = self._db.execute("SELECT number, owner FROM partitions").fetchall()
        owned = {number for number, owner in rows if owner == run}
        unread = self._db.execute("SELECT seq, instance_id FROM inbox WHERE visible BETWEEN 1 AND ?", (last,))
        fetched = [(seq,) for seq, identifier in unread if partition_of(identifier, len(rows)) in owned]
        self._db.executemany(f"UPDATE inbox SET visible = visible + {messages:f} WHERE seq = ?", fetched)  # noqa: S608
        self._db.execute("UPDATE activities SET visible = visible + ? WHERE run = ?", (activities, run))
