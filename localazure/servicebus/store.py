"""The broker's SQLite file. Changes are gathered and written together; then, and not before, they are acknowledged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localazure.servicebus.amqp.encode import string
from localazure.servicebus.content import with_application
from localazure.servicebus.descriptions import Description, dump, load
from localazure.storage import open_database, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    entity TEXT NOT NULL, seq INTEGER NOT NULL, state TEXT NOT NULL, deliveries INTEGER NOT NULL,
    meta TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (entity, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS numbers (entity TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (
    entity TEXT NOT NULL, message_id TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (entity, message_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sessions (
    entity TEXT NOT NULL, session_id TEXT NOT NULL, state BLOB NOT NULL, at REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (entity, session_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entities (
    path TEXT PRIMARY KEY, kind TEXT NOT NULL, document TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL,
    declared INTEGER NOT NULL
) WITHOUT ROWID;
"""
_FORGET = tuple(f"DELETE FROM {table} WHERE entity = ?" for table in ("messages", "numbers", "seen", "sessions"))  # noqa: S608 - fixed names


@dataclass
class Message:
    """One message in one queue. `content` is everything behind the annotations, byte for byte as it was sent."""

    seq: int
    content: bytes
    message_id: str | None
    session_id: str | None
    enqueued: float
    expires: float
    state: str = "active"
    """`active`, `deferred` or `scheduled`; a lock is not a state, because it does not outlive the process."""
    due: float | None = None
    deliveries: int = 0
    annotations: dict[str, Any] = field(default_factory=dict)
    """What the broker goes by: a partition key, where a dead letter came from."""
    own: tuple[bytes, ...] = ()
    """Annotations of the sender's own, encoded: key, value, key, value."""
    delivery: tuple[bytes, ...] = ()
    """The same of the sender's delivery annotations."""
    durable: bool | None = None
    priority: int | None = None

    def meta(self) -> str:
        told: dict[str, Any] = {
            "message_id": self.message_id,
            "session_id": self.session_id,
            "enqueued": self.enqueued,
            "expires": self.expires,
            "due": self.due,
            "annotations": self.annotations,
        }
        if self.own:
            told["own"] = [part.hex() for part in self.own]
        if self.delivery:
            told["delivery"] = [part.hex() for part in self.delivery]
        if self.durable is not None or self.priority is not None:
            told |= {"durable": self.durable, "priority": self.priority}
        return json.dumps(told)


def _message(seq: int, state: str, deliveries: int, meta: str, content: bytes) -> Message:
    told = json.loads(meta)
    for name in ("own", "delivery"):
        told[name] = tuple(bytes.fromhex(part) for part in told.get(name, ()))
    # an older version kept a dead letter's reason beside its content
    why = {"DeadLetterReason": told.pop("reason", None), "DeadLetterErrorDescription": told.pop("description", None)}
    written = {name: string(text) for name, text in why.items() if text is not None}
    if written:
        content = with_application(content, written)
    return Message(seq=seq, state=state, deliveries=deliveries, content=content, **told)


class Store:
    """Writes in groups: all changes of one turn of the event loop are one transaction."""

    def __init__(self, path: Path | None) -> None:
        self._db = open_database(path, _SCHEMA)
        if "at" not in {column[1] for column in self._db.execute("PRAGMA table_info(sessions)")}:
            self._db.execute("ALTER TABLE sessions ADD COLUMN at REAL NOT NULL DEFAULT 0")  # a file of an older version
        self._changes: list[tuple[str, tuple[Any, ...]]] = []
        self._afterwards: list[Callable[[], None]] = []
        self._scheduled = False

    def close(self) -> None:
        """Write what is still to be written, and close."""
        self.flush()
        self._db.close()

    def kill(self) -> None:
        """As if the process had died: what was not written is lost."""
        self._changes.clear()
        self._afterwards.clear()
        self._db.close()

    @property
    def pending(self) -> bool:
        """Whether something is still to be written, or to be said after that."""
        return self._scheduled

    def afterwards(self, call: Callable[[], None]) -> None:
        """Call it when everything asked for so far is in the file."""
        self._afterwards.append(call)
        self._schedule()

    def flush(self) -> None:
        self._scheduled = False
        changes, self._changes = self._changes, []
        afterwards, self._afterwards = self._afterwards, []
        if changes:
            with transaction(self._db):
                for statement, values in changes:
                    self._db.execute(statement, values)
        for call in afterwards:
            call()

    def put(self, entity: str, message: Message) -> None:
        self._change(
            "INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?, ?, ?)",
            entity, message.seq, message.state, message.deliveries, message.meta(), message.content,
        )  # fmt: skip

    def count(self, entity: str, message: Message) -> None:
        """Write down how often the message was delivered, and its state."""
        self._change(
            "UPDATE messages SET deliveries = ?, state = ? WHERE entity = ? AND seq = ?",
            message.deliveries, message.state, entity, message.seq,
        )  # fmt: skip

    def remove(self, entity: str, seq: int) -> None:
        self._change("DELETE FROM messages WHERE entity = ? AND seq = ?", entity, seq)

    def number(self, entity: str, last: int) -> None:
        self._change("INSERT OR REPLACE INTO numbers VALUES (?, ?)", entity, last)

    def saw(self, entity: str, message_id: str, at: float) -> None:
        self._change("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", entity, message_id, at)

    def forget_seen(self, entity: str, before: float) -> None:
        self._change("DELETE FROM seen WHERE entity = ? AND at < ?", entity, before)

    def session(self, entity: str, session_id: str, state: bytes | None, at: float) -> None:
        if state is None:
            self._change("DELETE FROM sessions WHERE entity = ? AND session_id = ?", entity, session_id)
        else:
            self._change("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?)", entity, session_id, state, at)

    def forget(self, entity: str) -> None:
        """Remove whatever is kept for an entity, its sequence numbers included."""
        for statement in _FORGET:
            self._change(statement, entity)

    def describe(self, described: Description) -> None:
        row = (described.kind, dump(described), described.created, described.updated, described.declared)
        self._change("INSERT OR REPLACE INTO entities VALUES (?, ?, ?, ?, ?, ?)", described.path, *row)

    def undescribe(self, path: str) -> None:
        self._change("DELETE FROM entities WHERE path = ?", path)

    def descriptions(self) -> list[Description]:
        """By path, so that a topic comes before its subscriptions."""
        rows = self._db.execute("SELECT kind, path, document, created, updated, declared FROM entities ORDER BY path")
        return [load(*row) for row in rows]

    def messages(self, entity: str) -> Iterator[Message]:
        rows = self._db.execute(
            "SELECT seq, state, deliveries, meta, content FROM messages WHERE entity = ? ORDER BY seq", (entity,)
        )
        for seq, state, deliveries, meta, content in rows:
            yield _message(seq, state, deliveries, meta, content)

    def last_number(self, entity: str) -> int:
        row = self._db.execute("SELECT last FROM numbers WHERE entity = ?", (entity,)).fetchone()
        return 0 if row is None else int(row[0])

    def seen(self, entity: str) -> dict[str, float]:
        return dict(self._db.execute("SELECT message_id, at FROM seen WHERE entity = ? ORDER BY at", (entity,)))

    def sessions(self, entity: str) -> dict[str, tuple[bytes, float]]:
        """Session → its state, and when it was set."""
        rows = self._db.execute("SELECT session_id, state, at FROM sessions WHERE entity = ?", (entity,))
        return {session_id: (state, at) for session_id, state, at in rows}

    def _change(self, statement: str, *values: Any) -> None:
        self._changes.append((statement, values))
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)
