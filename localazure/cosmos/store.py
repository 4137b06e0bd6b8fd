"""The account's SQLite file: what is answered has been written here before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localazure.cosmos.items import Item, Version
from localazure.cosmos.migration import ITEMS, migrate
from localazure.cosmos.model import Container
from localazure.cosmos.offers import Offer
from localazure.cosmos.physical import PhysicalRange
from localazure.storage import open_database, transaction

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS databases (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, ts INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS containers (
    number INTEGER PRIMARY KEY AUTOINCREMENT, database TEXT NOT NULL, id TEXT NOT NULL, spec TEXT NOT NULL,
    ts INTEGER NOT NULL DEFAULT 0, revision INTEGER NOT NULL DEFAULT 0, UNIQUE (database, id)
);
CREATE TABLE IF NOT EXISTS ranges (
    container INTEGER NOT NULL, number INTEGER NOT NULL, low TEXT NOT NULL, high TEXT NOT NULL, parents TEXT NOT NULL,
    lsn INTEGER NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (container, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (
    container INTEGER NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, lsn INTEGER NOT NULL, ts INTEGER NOT NULL,
    kind TEXT NOT NULL, text TEXT NOT NULL, previous TEXT NOT NULL, expired INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS versions_in_order ON versions (container, lsn);
CREATE TABLE IF NOT EXISTS offers (
    number INTEGER PRIMARY KEY AUTOINCREMENT, resource TEXT NOT NULL, link TEXT NOT NULL, content TEXT NOT NULL
);
{ITEMS}
"""


@dataclass
class Database:
    """A database: its number and the time it was made, and its containers by id."""

    number: int
    id: str
    ts: int
    containers: dict[str, Container] = field(default_factory=dict)


class Store:
    """Reads everything at the start, and then only writes."""

    def __init__(self, path: Path | None) -> None:
        self._db = open_database(path, "")
        migrate(self._db, _SCHEMA)

    def close(self) -> None:
        self._db.close()

    def transaction(self) -> AbstractContextManager[None]:
        """All of the block, or nothing of it."""
        return transaction(self._db)

    def databases(self) -> dict[str, Database]:
        """All of them, with their containers and items."""
        found = {row[1]: Database(*row) for row in self._db.execute("SELECT number, id, ts FROM databases").fetchall()}
        for container in self._containers({database.id: database.number for database in found.values()}):
            found[container.database].containers[container.id] = container
        return found

    def add_database(self, database: str, ts: int) -> int:
        return _number(self._db.execute("INSERT INTO databases (id, ts) VALUES (?, ?)", (database, ts)).lastrowid)

    def drop_database(self, database: str) -> None:
        for (number,) in self._db.execute("SELECT number FROM containers WHERE database = ?", (database,)).fetchall():
            self.drop_container(number)
        self._db.execute("DELETE FROM databases WHERE id = ?", (database,))

    def _containers(self, numbers: Mapping[str, int]) -> Iterator[Container]:
        rows = self._db.execute("SELECT number, database, spec, ts, revision FROM containers").fetchall()
        for number, database, spec, ts, revision in rows:
            container = Container(number, database, json.loads(spec), 0, numbers[database], ts, revision)
            written = "SELECT MAX(sequence) FROM ranges WHERE container = ?"
            container.sequence = self._db.execute(written, (number,)).fetchone()[0] or 0
            container.ranges = self._ranges(number, container.hash_version) or container.ranges
            items = self._db.execute(
                "SELECT key, id, lsn, rid, etag, ts, ttl, text FROM items WHERE container = ?", (number,)
            )
            container.load(Item(*row) for row in items)
            if container.retention:
                container.load_versions(self._versions(number))
            yield container

    def _versions(self, container: int) -> Iterator[Version]:
        rows = self._db.execute(
            "SELECT key, id, lsn, ts, kind, text, previous, expired FROM versions WHERE container = ? "
            "ORDER BY lsn, rowid",
            (container,),
        )
        return (Version(*row) for row in rows)

    def add_versions(self, container: int, versions: Iterable[Version]) -> None:
        self._db.executemany(
            "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(container, v.key, v.id, v.lsn, v.ts, v.kind, v.text, v.previous, v.expired) for v in versions],
        )

    def drop_versions(self, container: int, before: float) -> None:
        self._db.execute("DELETE FROM versions WHERE container = ? AND ts < ?", (container, before))

    def _ranges(self, container: int, hash_version: int) -> list[PhysicalRange]:
        rows = self._db.execute(
            "SELECT number, low, high, parents, lsn FROM ranges WHERE container = ?", (container,)
        ).fetchall()
        found = [
            PhysicalRange(number, int(low, 16), int(high, 16), hash_version, tuple(json.loads(parents)), lsn)
            for number, low, high, parents, lsn in rows
        ]
        return sorted(found, key=lambda each: each.low)

    def add_container(self, container: Container) -> int:
        cursor = self._db.execute(
            "INSERT INTO containers (database, id, spec, ts) VALUES (?, ?, ?, ?)",
            (container.database, container.id, json.dumps(container.spec), container.ts),
        )
        number = _number(cursor.lastrowid)
        self._add_ranges(number, container.ranges, 0)
        return number

    def change_container(self, container: Container) -> None:
        self._db.execute(
            "UPDATE containers SET spec = ?, ts = ?, revision = ? WHERE number = ?",
            (json.dumps(container.spec), container.ts, container.revision, container.number),
        )

    def drop_container(self, number: int) -> None:
        for table in ("items", "ranges", "versions"):
            self._db.execute(f"DELETE FROM {table} WHERE container = ?", (number,))  # noqa: S608  # our own names
        self._db.execute("DELETE FROM containers WHERE number = ?", (number,))

    def split_range(self, container: Container, old: PhysicalRange, halves: Sequence[PhysicalRange]) -> None:
        self._db.execute("DELETE FROM ranges WHERE container = ? AND number = ?", (container.number, old.number))
        self._add_ranges(container.number, halves, container.sequence)

    def _add_ranges(self, container: int, ranges: Iterable[PhysicalRange], sequence: int) -> None:
        self._db.executemany(
            "INSERT INTO ranges VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    container,
                    each.number,
                    f"{each.low:x}",
                    f"{each.high:x}",
                    json.dumps(each.parents),
                    each.lsn,
                    sequence,
                )
                for each in ranges
            ],
        )

    def offers(self) -> list[Offer]:
        rows = self._db.execute("SELECT number, resource, link, content FROM offers ORDER BY number")
        return [Offer(number, resource, link, json.loads(content)) for number, resource, link, content in rows]

    def add_offer(self, resource: str, link: str, content: dict[str, Any]) -> int:
        row = (resource, link, json.dumps(content))
        return _number(self._db.execute("INSERT INTO offers (resource, link, content) VALUES (?, ?, ?)", row).lastrowid)

    def change_offer(self, number: int, content: dict[str, Any]) -> None:
        self._db.execute("UPDATE offers SET content = ? WHERE number = ?", (json.dumps(content), number))

    def drop_offer(self, resource: str) -> None:
        self._db.execute("DELETE FROM offers WHERE resource = ?", (resource,))

    def write(
        self,
        container: int,
        sequence: int,
        lsns: Mapping[int, int],
        puts: Iterable[Item],
        drops: Iterable[tuple[str, str]],
    ) -> None:
        """One request's changes; `lsns` are those of the physical ranges that changed."""
        for number, lsn in lsns.items():
            row = (lsn, sequence, container, number)
            self._db.execute("UPDATE ranges SET lsn = ?, sequence = ? WHERE container = ? AND number = ?", row)
        self._db.executemany(
            "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (container, item.key, item.id, item.lsn, item.rid, item.etag, item.ts, item.ttl, item.text)
                for item in puts
            ],
        )
        for key, item_id in drops:
            row_of_item = (container, key, item_id)
            self._db.execute("DELETE FROM items WHERE container = ? AND key = ? AND id = ?", row_of_item)


def _number(rowid: int | None) -> int:
    assert rowid is not None, "an inserted row has a number"
    return rowid
