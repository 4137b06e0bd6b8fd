"""The part's file: trackers, events, and webhooks still to be delivered.

Everything one request changes is written inside one `transaction`.
"""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager

import msgspec

from localazure import webhooks
from localazure.easypost.errors import NotFound
from localazure.easypost.model import Event, Tracker
from localazure.storage import transaction

SCHEMA = f"""{webhooks.SCHEMA}
CREATE TABLE IF NOT EXISTS trackers (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    code TEXT NOT NULL,
    carrier TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS trackers_by_code ON trackers (code, carrier);
CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
"""
_encode = msgspec.json.Encoder().encode
_tracker = msgspec.json.Decoder(Tracker)
_event = msgspec.json.Decoder(Event)


class Store(webhooks.Deliveries):
    """One SQLite connection, used from one thread."""

    def __init__(self, database: sqlite3.Connection) -> None:
        super().__init__(database)

    def close(self) -> None:
        self._database.close()

    def transaction(self) -> AbstractContextManager[None]:
        """All of the block, or nothing of it."""
        return transaction(self._database)

    def add(self, tracker: Tracker) -> None:
        self._database.execute(
            "INSERT INTO trackers (id, code, carrier, body) VALUES (?, ?, ?, ?)",
            (tracker.id, tracker.tracking_code, tracker.carrier, _encode(tracker)),
        )

    def replace(self, tracker: Tracker) -> None:
        self._database.execute("UPDATE trackers SET body = ? WHERE id = ?", (_encode(tracker), tracker.id))

    def get(self, identity: str) -> Tracker:
        """Raises NotFound."""
        row = self._database.execute("SELECT body FROM trackers WHERE id = ?", (identity,)).fetchone()
        if row is None:
            raise NotFound("The requested resource could not be found.")
        return _tracker.decode(row[0])

    def followed(self, tracking_code: str, carrier: str) -> Tracker | None:
        row = self._database.execute(
            "SELECT body FROM trackers WHERE code = ? AND carrier = ?", (tracking_code, carrier)
        ).fetchone()
        return None if row is None else _tracker.decode(row[0])

    def of_code(self, tracking_code: str) -> list[Tracker]:
        """Those of every carrier."""
        rows = self._database.execute("SELECT body FROM trackers WHERE code = ? ORDER BY seq", (tracking_code,))
        return [_tracker.decode(body) for (body,) in rows]

    def page(self, most: int, before: str | None, code: str | None, carrier: str | None) -> list[Tracker]:
        """Newest first, at most so many, before the tracker `before`. Raises NotFound for one that is not there."""
        position: int | None = None
        if before is not None:
            row = self._database.execute("SELECT seq FROM trackers WHERE id = ?", (before,)).fetchone()
            if row is None:
                raise NotFound("The requested resource could not be found.", "before_id")
            position = row[0]
        rows = self._database.execute(
            "SELECT body FROM trackers WHERE (? IS NULL OR seq < ?) AND (? IS NULL OR code = ?) "
            "AND (? IS NULL OR carrier = ?) ORDER BY seq DESC LIMIT ?",
            (position, position, code, code, carrier, carrier, most),
        )
        return [_tracker.decode(body) for (body,) in rows]

    def add_event(self, event: Event) -> None:
        self._database.execute("INSERT INTO events VALUES (?, ?)", (event.id, _encode(event)))

    def event(self, identity: str) -> Event:
        """Raises NotFound."""
        row = self._database.execute("SELECT body FROM events WHERE id = ?", (identity,)).fetchone()
        if row is None:
            raise NotFound("The requested resource could not be found.")
        return _event.decode(row[0])
