"""Authorization codes and the sign-ins they come from: opaque, kept as hashes, short-lived and good for one use."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from dataclasses import dataclass

import msgspec

from localazure.clock import Clock

CODE_LIFE = 600.0  # seconds; RFC 6749, section 4.1.2, and Entra's own
SIGN_IN_LIFE = 900.0  # seconds a sign-in page may stay open
KEPT = 86_400.0  # seconds a code is remembered past its life, so that it can be called expired and not unknown

SCHEMA = """
CREATE TABLE IF NOT EXISTS sign_ins (
    hash BLOB PRIMARY KEY,
    request BLOB NOT NULL,
    expires REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS codes (
    hash BLOB PRIMARY KEY,
    request BLOB NOT NULL,
    account TEXT NOT NULL,
    expires REAL NOT NULL,
    used INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
"""


class Request(msgspec.Struct, frozen=True):
    """What a client asked the authorize endpoint for, once it was found in order."""

    client_id: str
    redirect_uri: str
    scope: str
    state: str | None = None
    nonce: str | None = None
    challenge: str | None = None
    login_hint: str = ""


class SignIns:
    """Sign-ins under way: each page carries the unguessable id of one, and submitting it uses the id up."""

    def __init__(self, database: sqlite3.Connection, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def open(self, request: Request) -> str:
        """The id the page carries."""
        transaction, now = secrets.token_urlsafe(32), self._clock.time()
        self._database.execute("DELETE FROM sign_ins WHERE expires <= ?", (now,))
        self._database.execute(
            "INSERT INTO sign_ins (hash, request, expires) VALUES (?, ?, ?)",
            (_hash(transaction), msgspec.json.encode(request), now + SIGN_IN_LIFE),
        )
        return transaction

    def take(self, transaction: str) -> Request | None:
        """What the sign-in is for, once: a second call with the same id finds nothing, nor does one that is late."""
        row = self._database.execute(
            "DELETE FROM sign_ins WHERE hash = ? RETURNING request, expires", (_hash(transaction),)
        ).fetchone()
        if row is None or row[1] <= self._clock.time():
            return None
        return msgspec.json.decode(row[0], type=Request)


@dataclass(frozen=True)
class Code:
    """What a code stands for. Every refresh token that comes of it belongs to the family named here."""

    family: bytes
    request: Request
    account: str
    expired: bool
    used: bool


class Codes:
    """The codes of the last day."""

    def __init__(self, database: sqlite3.Connection, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def issue(self, request: Request, account: str) -> str:
        code, now = f"1.{secrets.token_urlsafe(48)}", self._clock.time()
        self._database.execute("DELETE FROM codes WHERE expires <= ?", (now - KEPT,))
        self._database.execute(
            "INSERT INTO codes (hash, request, account, expires) VALUES (?, ?, ?, ?)",
            (_hash(code), msgspec.json.encode(request), account, now + CODE_LIFE),
        )
        return code

    def find(self, code: str) -> Code | None:
        """A code that was issued here, in whatever state it is."""
        row = self._database.execute(
            "SELECT hash, request, account, expires, used FROM codes WHERE hash = ?", (_hash(code),)
        ).fetchone()
        if row is None:
            return None
        family, request, account, expires, used = row
        return Code(
            family=family,
            request=msgspec.json.decode(request, type=Request),
            account=account,
            expired=expires <= self._clock.time(),
            used=bool(used),
        )

    def use(self, code: Code) -> bool:
        """Mark it used; False for one that was used before, whoever came first."""
        changed = self._database.execute("UPDATE codes SET used = 1 WHERE hash = ? AND NOT used", (code.family,))
        return changed.rowcount == 1

    @staticmethod
    def family(code: str) -> bytes:
        """The family of a code, known here or long forgotten."""
        return _hash(code)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
