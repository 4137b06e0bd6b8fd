"""The account's SQLite file: what is answered has been written here before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from localazure.cosmos.model import Container, Item
from localazure.storage import open_database, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS databases (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS containers (
    number INTEGER PRIMARY KEY AUTOINCREMENT, database TEXT NOT NULL, id TEXT NOT NULL, spec TEXT NOT NULL,
    lsn INTEGER NOT NULL DEFAULT 0, UNIQUE (database, id)
);
CREATE TABLE IF NOT EXISTS items (
    container INTEGER NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, lsn INTEGER NOT NULL, rid INTEGER NOT NULL,
    etag TEXT NOT NULL, ts INTEGER NOT NULL, ttl INTEGER, text TEXT NOT NULL, PRIMARY KEY (container, key, id)
) WITHOUT ROWID;
"""


_FIRST_SCHEMA = "SELECT 1 FROM pragma_table_info('items') WHERE name = 'expires'"
_FROM_FIRST_SCHEMA = """
ALTER TABLE items RENAME TO former_items;
{schema}
INSERT INTO items SELECT container, key, id, lsn, lsn, etag, ts,
    CASE json_type(text, '$.ttl') WHEN 'integer' THEN json_extract(text, '$.ttl') END, text FROM former_items;
DROP TABLE former_items;
"""


class Store:
    """Reads everything at the start, and then only writes."""

    def __init__(self, path: Path | None) -> None:
        self._db = open_database(path, _SCHEMA)
        if self._db.execute(_FIRST_SCHEMA).fetchone():
            self._db.executescript(f"BEGIN IMMEDIATE;{_FROM_FIRST_SCHEMA.format(schema=_SCHEMA)}COMMIT;")

    def close(self) -> None:
        self._db.close()

    def transaction(self) -> AbstractContextManager[None]:
        """All of the block, or nothing of it."""
        return transaction(self._db)

    def databases(self) -> list[str]:
        return [row[0] for row in self._db.execute("SELECT id FROM databases")]

    def add_database(self, database: str) -> None:
        self._db.execute("INSERT INTO databases VALUES (?)", (database,))

    def drop_database(self, database: str) -> None:
        for (number,) in self._db.execute("SELECT number FROM containers WHERE database = ?", (database,)).fetchall():
            self.drop_container(number)
        self._db.execute("DELETE FROM databases WHERE id = ?", (database,))

    def containers(self) -> Iterator[Container]:
        for number, database, spec, lsn in self._db.execute("SELECT number, database, spec, lsn FROM containers"):
            container = Container(number, database, json.loads(spec), lsn)
            rows = self._db.execute(
                "SELECT key, id, lsn, rid, etag, ts, ttl, text FROM items WHERE container = ?", (number,)
            )
            container.load(Item(*row) for row in rows)
            yield container

    def add_container(self, database: str, spec: dict[str, object]) -> int:
        cursor = self._db.execute(
            "INSERT INTO containers (database, id, spec) VALUES (?, ?, ?)", (database, spec["id"], json.dumps(spec))
        )
        assert cursor.lastrowid is not None, "an inserted row has a number"
        return cursor.lastrowid

    def change_container(self, container: Container) -> None:
        self._db.execute(
            "UPDATE containers SET spec = ? WHERE number = ?", (json.dumps(container.spec), container.number)
        )

    def drop_container(self, number: int) -> None:
        self._db.execute("DELETE FROM items WHERE container = ?", (number,))
        self._db.execute("DELETE FROM containers WHERE number = ?", (number,))

    def write(self, container: int, lsn: int, puts: Iterable[Item], drops: Iterable[tuple[str, str]]) -> None:
        """One request's changes."""
        self._db.execute("UPDATE containers SET lsn = ? WHERE number = ?", (lsn, container))
        self._db.executemany(
            "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (container, item.key, item.id, item.lsn, item.rid, item.etag, item.ts, item.ttl, item.text)
                for item in puts
            ],
        )
        self._db.executemany(
            "DELETE FROM items WHERE container = ? AND key = ? AND id = ?",
            [(container, key, item_id) for key, item_id in drops],
        )
