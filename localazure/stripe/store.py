"""The part's file: objects, their metadata, idempotency keys and webhooks still to be delivered.

Everything one request changes is written inside one `transaction`: the effect, the key's answer and the webhooks
exist together or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from localazure import webhooks
from localazure.storage import transaction
from localazure.stripe.commands import Page
from localazure.stripe.errors import ResourceMissing
from localazure.stripe.model import Charge, Dispute, Event, Intent, Refund

SCHEMA = f"""{webhooks.SCHEMA}
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    parent TEXT NOT NULL,
    created INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_by_parent ON objects (kind, parent, seq);
CREATE TABLE IF NOT EXISTS intent_metadata (
    key TEXT NOT NULL, value TEXT NOT NULL, intent TEXT NOT NULL, PRIMARY KEY (key, value, intent)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS idempotency_keys (
    key TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    parameters TEXT NOT NULL,
    status INTEGER NOT NULL,
    body BLOB NOT NULL,
    request TEXT NOT NULL,
    created REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS idempotency_keys_by_age ON idempotency_keys (created);
"""

Object = TypeVar("Object", Intent, Charge, Refund, Dispute, Event)

_NAMES: dict[type, str] = {
    Intent: "payment_intent",
    Charge: "charge",
    Refund: "refund",
    Dispute: "dispute",
    Event: "event",
}
_BOUNDS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_encoder = msgspec.json.Encoder()
_decoders: dict[type, msgspec.json.Decoder[Any]] = {kind: msgspec.json.Decoder(kind) for kind in _NAMES}


@dataclass(frozen=True)
class Answer:
    """What a request was answered with, as an idempotency key keeps it."""

    status: int
    body: bytes
    request: str


@dataclass(frozen=True)
class Remembered:
    """An idempotency key: which request it belongs to, and that request's answer."""

    path: str
    parameters: str
    answer: Answer


class Store(webhooks.Deliveries):
    """One SQLite connection, used from one thread."""

    def close(self) -> None:
        self._database.close()

    def transaction(self) -> AbstractContextManager[None]:
        """All of the block, or nothing of it."""
        return transaction(self._database)

    # Objects

    def add(self, thing: Intent | Charge | Refund | Dispute | Event, parent: str = "") -> None:
        self._database.execute(
            "INSERT INTO objects (kind, id, parent, created, body) VALUES (?, ?, ?, ?, ?)",
            (_NAMES[type(thing)], thing.id, parent, thing.created, _encoder.encode(thing)),
        )
        if isinstance(thing, Intent):
            self._index_metadata(thing)

    def replace(self, thing: Intent | Charge | Dispute) -> None:
        self._database.execute("UPDATE objects SET body = ? WHERE id = ?", (_encoder.encode(thing), thing.id))

    def replace_metadata(self, before: Intent, after: Intent) -> None:
        self._database.executemany(
            "DELETE FROM intent_metadata WHERE key = ? AND value = ? AND intent = ?",
            [(key, value, before.id) for key, value in before.metadata.items()],
        )
        self._index_metadata(after)

    def _index_metadata(self, intent: Intent) -> None:
        self._database.executemany(
            "INSERT INTO intent_metadata VALUES (?, ?, ?)",
            [(key, value, intent.id) for key, value in intent.metadata.items()],
        )

    def find(self, kind: type[Object], identity: str) -> Object | None:
        row = self._database.execute(
            "SELECT body FROM objects WHERE id = ? AND kind = ?", (identity, _NAMES[kind])
        ).fetchone()
        return None if row is None else self._read(kind, row[0])

    def get(self, kind: type[Object], identity: str, param: str = "id") -> Object:
        """Raises ResourceMissing."""
        found = self.find(kind, identity)
        if found is None:
            raise ResourceMissing(_NAMES[kind], identity, param)
        return found

    def all(self, kind: type[Object]) -> list[Object]:
        rows = self._database.execute("SELECT body FROM objects WHERE kind = ? ORDER BY seq", (_NAMES[kind],))
        return [self._read(kind, body) for (body,) in rows]

    def of(self, kind: type[Object], parent: str) -> list[Object]:
        rows = self._database.execute(
            "SELECT body FROM objects WHERE kind = ? AND parent = ? ORDER BY seq", (_NAMES[kind], parent)
        )
        return [self._read(kind, body) for (body,) in rows]

    def page(self, kind: type[Object], page: Page, condition: str = "1", values: Sequence[str] = ()) -> list[Object]:
        """Newest first, one more than the limit where there are more. Raises ResourceMissing for a bad cursor."""
        where, bound, forwards = [f"kind = ? AND ({condition})"], [_NAMES[kind], *values], True
        for name, moment in page.created.items():
            where.append(f"created {_BOUNDS[name]} {moment:d}")
        if page.starting_after:
            where.append(f"seq < {self._position(kind, page.starting_after, 'starting_after'):d}")
        if page.ending_before:
            where.append(f"seq > {self._position(kind, page.ending_before, 'ending_before'):d}")
            forwards = False
        rows = self._database.execute(
            f"SELECT body FROM objects WHERE {' AND '.join(where)} "  # noqa: S608 - conditions are our own, values bound
            f"ORDER BY seq {'DESC' if forwards else 'ASC'} LIMIT {page.limit + 1:d}",
            bound,
        ).fetchall()
        return [self._read(kind, body) for (body,) in rows]

    def search(
        self, condition: str, values: Sequence[str | int], before: int | None, most: int
    ) -> list[tuple[int, Intent]]:
        """Intents that meet a condition, newest first, each with its position."""
        position = "" if before is None else f" AND seq < {before:d}"
        rows = self._database.execute(
            f"SELECT seq, body FROM objects WHERE kind = 'payment_intent' AND ({condition}){position} "  # noqa: S608 - as above
            f"ORDER BY seq DESC LIMIT {most:d}",
            values,
        )
        return [(seq, self._read(Intent, body)) for seq, body in rows]

    def _position(self, kind: type, identity: str, param: str) -> int:
        row = self._database.execute(
            "SELECT seq FROM objects WHERE id = ? AND kind = ?", (identity, _NAMES[kind])
        ).fetchone()
        if row is None:
            raise ResourceMissing(_NAMES[kind], identity, param)
        return int(row[0])

    @staticmethod
    def _read(kind: type[Object], body: bytes) -> Object:
        thing: Object = _decoders[kind].decode(body)
        return thing

    # Idempotency keys

    def remember(self, key: str, path: str, parameters: str, answer: Answer, now: float) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO idempotency_keys VALUES (?, ?, ?, ?, ?, ?, ?)",
            (key, path, parameters, answer.status, answer.body, answer.request, now),
        )

    def recall(self, key: str, since: float) -> Remembered | None:
        row = self._database.execute(
            "SELECT path, parameters, status, body, request FROM idempotency_keys WHERE key = ? AND created > ?",
            (key, since),
        ).fetchone()
        return None if row is None else Remembered(row[0], row[1], Answer(*row[2:]))

    def forget(self, until: float) -> None:
        self._database.execute("DELETE FROM idempotency_keys WHERE created <= ?", (until,))
