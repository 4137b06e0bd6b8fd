"""Files that earlier versions wrote, made into the present form, in one transaction.

The first version had an item's time of expiry, and no number of its creation; the second had no resource ids, no
physical ranges and no times of databases and containers.
"""

from __future__ import annotations

import json
import sqlite3

from localazure.cosmos import physical, rids
from localazure.storage import transaction

ITEMS = """
CREATE TABLE IF NOT EXISTS items (
    container INTEGER NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, lsn INTEGER NOT NULL, rid INTEGER NOT NULL,
    etag TEXT NOT NULL, ts INTEGER NOT NULL, ttl INTEGER, text TEXT NOT NULL, PRIMARY KEY (container, key, id)
) WITHOUT ROWID;
"""
_IS_FIRST = "SELECT 1 FROM pragma_table_info('items') WHERE name = 'expires'"
_IS_SECOND = "SELECT 1 FROM pragma_table_info('containers') WHERE name = 'lsn'"
_FROM_FIRST = (
    "ALTER TABLE items RENAME TO former_items",
    ITEMS,
    """INSERT INTO items SELECT container, key, id, lsn, lsn, etag, ts,
    CASE json_type(text, '$.ttl') WHEN 'integer' THEN json_extract(text, '$.ttl') END, text FROM former_items""",
    "DROP TABLE former_items",
)
_FROM_SECOND = (
    "ALTER TABLE databases RENAME TO former_databases",
    "ALTER TABLE containers RENAME TO former_containers",
)
_FILL = (
    """INSERT INTO databases (id, ts)
    SELECT id, CAST(strftime('%s', 'now') AS INTEGER) FROM former_databases ORDER BY id""",
    """INSERT INTO containers (number, database, id, spec, ts)
    SELECT number, database, id, spec, CAST(strftime('%s', 'now') AS INTEGER) FROM former_containers""",
    "DROP TABLE former_databases",
)


def migrate(file: sqlite3.Connection, schema: str) -> None:
    """Bring the file to the schema, whether it is empty, of this version or of an earlier one."""
    with transaction(file):
        if file.execute(_IS_FIRST).fetchone():
            _run(file, _FROM_FIRST)
        second = file.execute(_IS_SECOND).fetchone()
        if second:
            _run(file, _FROM_SECOND)
        _run(file, schema.split(";"))
        if second:
            _run(file, _FILL)
            _add_ranges(file)
            _rewrite_items(file)


def _run(file: sqlite3.Connection, statements: tuple[str, ...] | list[str]) -> None:
    for statement in statements:
        file.execute(statement)


def _add_ranges(file: sqlite3.Connection) -> None:
    for number, lsn in file.execute("SELECT number, lsn FROM former_containers").fetchall():
        for each in physical.fresh(1, 1):
            row = (number, each.number, f"{each.low:x}", f"{each.high:x}", "[]", lsn, lsn)
            file.execute("INSERT INTO ranges VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    file.execute("DROP TABLE former_containers")


def _rewrite_items(file: sqlite3.Connection) -> None:
    """Give every item its resource id."""
    containers = file.execute(
        "SELECT containers.number, databases.number FROM containers JOIN databases ON database = databases.id"
    ).fetchall()
    for number, parent in containers:
        base = rids.container_bytes(parent, number)
        link = f"dbs/{rids.database(parent)}/colls/{rids.container(parent, number)}/docs/"
        rows = file.execute("SELECT key, id, rid, text FROM items WHERE container = ?", (number,)).fetchall()
        for key, item_id, rid, text in rows:
            found = rids.document(base, rid)
            document = {**json.loads(text), "_rid": found, "_self": f"{link}{found}/"}
            file.execute(
                "UPDATE items SET text = ? WHERE container = ? AND key = ? AND id = ?",
                (json.dumps(document, separators=(",", ":"), ensure_ascii=False), number, key, item_id),
            )
