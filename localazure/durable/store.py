"""The task hub's SQLite file. One transaction makes an episode: what it read, what it added, what it set going."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localazure.durable import membership
from localazure.durable.entity import Entity, EntityId
from localazure.durable.model import HistoryEvent, Instance, instance_of
from localazure.storage import open_database, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS instances (
    id TEXT PRIMARY KEY, status TEXT NOT NULL, created TEXT NOT NULL, record TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS instances_by_status ON instances (status);
CREATE TABLE IF NOT EXISTS history (
    instance_id TEXT NOT NULL, seq INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (instance_id, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, instance_id TEXT NOT NULL, event TEXT NOT NULL,
    visible REAL NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS inbox_by_instance ON inbox (instance_id);
CREATE TABLE IF NOT EXISTS entities (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL, updated TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS activities (
    instance_id TEXT NOT NULL, execution_id TEXT NOT NULL, task_id INTEGER NOT NULL, name TEXT NOT NULL, input TEXT,
    run TEXT NOT NULL DEFAULT '', visible REAL NOT NULL DEFAULT 0, PRIMARY KEY (instance_id, execution_id, task_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS timers (
    instance_id TEXT NOT NULL, execution_id TEXT NOT NULL, task_id INTEGER NOT NULL, due REAL NOT NULL,
    PRIMARY KEY (instance_id, execution_id, task_id)
) WITHOUT ROWID;
"""
_ADDED: Sequence[tuple[str, str, str]] = (
    ("inbox", "visible", "REAL NOT NULL DEFAULT 0"),
    ("activities", "run", "TEXT NOT NULL DEFAULT ''"),
    ("activities", "visible", "REAL NOT NULL DEFAULT 0"),
)
"""Columns that a file of an earlier version does not have."""
_ACTIVITY = "instance_id, execution_id, task_id, name, input"


@dataclass(frozen=True)
class Activity:
    """An activity that was scheduled and has not answered."""

    instance_id: str
    execution_id: str
    task_id: int
    name: str
    input: str | None


@dataclass(frozen=True)
class Timer:
    """A timer that has not fired. `due` is in seconds since the epoch."""

    instance_id: str
    execution_id: str
    task_id: int
    due: float


@dataclass(frozen=True)
class Filter:
    """Which instances are meant; the moments are RFC 3339 in UTC with microseconds, both included."""

    statuses: Sequence[str] = ()
    created_from: str = ""
    created_to: str = "~"
    prefix: str = ""


class Store:
    """Plain reads and writes; the caller says where a transaction begins and ends."""

    def __init__(self, path: Path | None) -> None:
        self._db: sqlite3.Connection = open_database(path, _SCHEMA + membership.SCHEMA)
        self.membership = membership.Membership(self._db)
        with self.transaction():
            for table, column, kind in _ADDED:
                if column not in {row[1] for row in self._db.execute(f"PRAGMA table_info({table})")}:
                    self._db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")

    def close(self) -> None:
        self._db.close()

    def transaction(self) -> AbstractContextManager[None]:
        """All of the block, or nothing of it."""
        return transaction(self._db)

    def load(self, instance_id: str) -> Instance | None:
        row = self._db.execute("SELECT record FROM instances WHERE id = ?", (instance_id,)).fetchone()
        if row is None:
            return None
        events = self._db.execute("SELECT event FROM history WHERE instance_id = ? ORDER BY seq", (instance_id,))
        return instance_of(json.loads(row[0]), [json.loads(event) for (event,) in events])

    def save(self, instance: Instance, added: Sequence[HistoryEvent], *, afresh: bool = False) -> int:
        """Write the instance; `added` are its last history events, all there are if it starts `afresh`.

        Answers how many characters of history that was.
        """
        self._db.execute(
            "INSERT OR REPLACE INTO instances (id, status, created, record) VALUES (?, ?, ?, ?)",
            (instance.id, instance.status, instance.created, json.dumps(instance.record())),
        )
        if afresh:
            self._db.execute("DELETE FROM history WHERE instance_id = ?", (instance.id,))
        first = len(instance.history) - len(added)
        texts = [json.dumps(event) for event in added]
        self._db.executemany(
            "INSERT INTO history (instance_id, seq, event) VALUES (?, ?, ?)",
            [(instance.id, first + place, text) for place, text in enumerate(texts)],
        )
        return sum(map(len, texts))

    def delete(self, instance_id: str) -> None:
        for table, column in (
            ("instances", "id"), ("history", "instance_id"), ("inbox", "instance_id"), ("activities", "instance_id"),
            ("timers", "instance_id"),
        ):  # fmt: skip
            self._db.execute(f"DELETE FROM {table} WHERE {column} = ?", (instance_id,))  # noqa: S608 - fixed names

    def instances(self, wanted: Filter, first: str = "", most: int = -1) -> list[Instance]:
        """Instances without their history, in the order of their ids from `first` on, at most so many; -1: all."""
        marks = ", ".join("?" * len(wanted.statuses))
        # of the instances of a status there are few as a rule, of all that have ended there may be very many
        source = "instances INDEXED BY instances_by_status" if wanted.statuses else "instances"
        condition = f" AND status IN ({marks})" if wanted.statuses else ""
        query = f"""
            SELECT record FROM {source}
            WHERE id >= ? AND id < ? AND created >= ? AND created <= ? {condition} ORDER BY id LIMIT ?
        """  # noqa: S608 - what is put in has nothing but fixed names and question marks
        rows = self._db.execute(
            query,
            (*_range(wanted.prefix, first), wanted.created_from, wanted.created_to, *wanted.statuses, most),
        )
        return [instance_of(json.loads(record), []) for (record,) in rows]

    def entities(self, prefix: str, since: str, until: str, first: str, most: int) -> list[Entity]:
        """Entities that exist, in the order of their ids from `first` on, by the time of their last operation."""
        rows = self._db.execute(
            """
            SELECT name, key, state, updated FROM entities
            WHERE id >= ? AND id < ? AND updated >= ? AND updated <= ? ORDER BY id LIMIT ?
            """,
            (*_range(prefix, first), since, until, most),
        )
        return [Entity(EntityId(*row[:2]), *row[2:]) for row in rows]

    def execution(self, instance_id: str) -> str | None:
        """The execution id that an instance has now."""
        query = "SELECT json_extract(record, '$.execution_id') FROM instances WHERE id = ?"
        row = self._db.execute(query, (instance_id,)).fetchone()
        return None if row is None else str(row[0])

    def entity(self, identifier: EntityId) -> Entity:
        """The entity, also one that does not exist yet."""
        row = self._db.execute("SELECT state, updated FROM entities WHERE id = ?", (str(identifier),)).fetchone()
        return Entity(identifier, *row) if row is not None else Entity(identifier, None)

    def save_entity(self, entity: Entity) -> None:
        """Write its state; forget one that exists no more."""
        if entity.state is None:
            self._db.execute("DELETE FROM entities WHERE id = ?", (str(entity.id),))
            return
        self._db.execute(
            "INSERT OR REPLACE INTO entities (id, name, key, state, updated) VALUES (?, ?, ?, ?, ?)",
            (str(entity.id), entity.id.name, entity.id.key, entity.state, entity.updated),
        )

    def put_message(self, receiver: str, message: dict[str, Any], visible: float) -> None:
        """`receiver` is an instance's id, its message an event; or an entity's, its message a request.

        `visible` is when it may be read, in seconds since the epoch; 0: whatever becomes of who has fetched it.
        """
        self._db.execute(
            "INSERT INTO inbox (instance_id, event, visible) VALUES (?, ?, ?)", (receiver, json.dumps(message), visible)
        )

    def messages(self, receiver: str, now: float, most: int = -1) -> list[tuple[int, dict[str, Any]]]:
        """What may be read, in the order in which it came, each with the number that takes it away; -1: all."""
        query = "SELECT seq, event FROM inbox WHERE instance_id = ? AND visible <= ? ORDER BY seq LIMIT ?"
        return [(seq, json.loads(message)) for seq, message in self._db.execute(query, (receiver, now, most))]

    def take_messages(self, sequence_numbers: Iterable[int]) -> None:
        self._db.executemany("DELETE FROM inbox WHERE seq = ?", [(seq,) for seq in sequence_numbers])

    def waiting(self, now: float) -> list[str]:
        """Who has messages unread that may be read."""
        query = "SELECT DISTINCT instance_id FROM inbox WHERE visible <= ?"
        return [row[0] for row in self._db.execute(query, (now,))]

    def unread(self, now: float) -> dict[str, int]:
        """How many messages that may be read each of those has."""
        query = "SELECT instance_id, count(*) FROM inbox WHERE visible <= ? GROUP BY instance_id"
        return dict(self._db.execute(query, (now,)).fetchall())

    def open_activities(self) -> int:
        """Activities that have not answered, fetched or not."""
        return int(self._db.execute("SELECT count(*) FROM activities").fetchone()[0])

    def next_visible(self, now: float) -> float | None:
        """When the next message or activity comes back that a dead host had fetched."""
        query = """
            SELECT min(visible) FROM (
                SELECT visible FROM inbox WHERE visible > ? UNION ALL SELECT visible FROM activities WHERE visible > ?
            )
        """
        (found,) = self._db.execute(query, (now, now)).fetchone()
        return None if found is None else float(found)

    def put_activity(self, activity: Activity, run: str, now: float) -> None:
        """`run` is the host's that has fetched it with that; empty: nobody's, and anybody may."""
        self._db.execute(
            f"INSERT INTO activities ({_ACTIVITY}, run, visible) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (activity.instance_id, activity.execution_id, activity.task_id, activity.name, activity.input, run, now),
        )

    def has_unfetched(self, now: float) -> bool:
        """Whether there are activities that nobody has fetched."""
        query = "SELECT EXISTS (SELECT 1 FROM activities WHERE run = '' AND visible <= ?)"
        return bool(self._db.execute(query, (now,)).fetchone()[0])

    def fetch_activities(self, run: str, now: float, most: int) -> list[Activity]:
        """Activities that nobody has fetched, from now on fetched by `run`; within a transaction."""
        query = f"SELECT {_ACTIVITY} FROM activities WHERE run = '' AND visible <= ? LIMIT ?"  # noqa: S608
        found = [Activity(*row) for row in self._db.execute(query, (now, most))]
        self._db.executemany(
            "UPDATE activities SET run = ?, visible = ? WHERE instance_id = ? AND execution_id = ? AND task_id = ?",
            [(run, now, activity.instance_id, activity.execution_id, activity.task_id) for activity in found],
        )
        return found

    def take_activity(self, activity: Activity) -> bool:
        """False if the activity is not wanted any more: its answer came before, or its instance is gone."""
        found = self._db.execute(
            "DELETE FROM activities WHERE instance_id = ? AND execution_id = ? AND task_id = ?",
            (activity.instance_id, activity.execution_id, activity.task_id),
        )
        return found.rowcount == 1

    def put_timer(self, timer: Timer) -> None:
        self._db.execute(
            "INSERT INTO timers VALUES (?, ?, ?, ?)", (timer.instance_id, timer.execution_id, timer.task_id, timer.due)
        )

    def take_timer(self, instance_id: str, execution_id: str, task: int) -> bool:
        """False if there is no such timer any more."""
        found = self._db.execute(
            "DELETE FROM timers WHERE instance_id = ? AND execution_id = ? AND task_id = ?",
            (instance_id, execution_id, task),
        )
        return found.rowcount == 1

    def timers(self) -> list[Timer]:
        return [Timer(*row) for row in self._db.execute("SELECT * FROM timers")]

    def forget_work(self, instance_id: str) -> None:
        """Drop the timers and activities of an execution that has ended."""
        self._db.execute("DELETE FROM timers WHERE instance_id = ?", (instance_id,))
        self._db.execute("DELETE FROM activities WHERE instance_id = ?", (instance_id,))


def _range(prefix: str, first: str) -> tuple[str, str]:
    """The first id there may be of those that begin with `prefix`, from `first` on, and one behind the last."""
    return max(prefix, first), prefix + chr(sys.maxunicode)
