"""Refresh tokens: opaque, kept as hashes, so that the file gives nobody a session."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from dataclasses import dataclass

from localazure.clock import Clock

LIFETIME = 90 * 24 * 3600.0  # Entra's default for clients that are not single-page applications

SCHEMA = """
CREATE TABLE IF NOT EXISTS refresh_tokens (
    hash BLOB PRIMARY KEY,
    client_id TEXT NOT NULL,
    account TEXT NOT NULL,
    asked TEXT NOT NULL,
    expires REAL NOT NULL,
    family BLOB
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Session:
    """What a refresh token stands for: an account, and the scope parameter it was first asked with.

    `family` names the authorization code it comes from, if it comes from one: all tokens of a code fall together.
    """

    account: str
    asked: str
    family: bytes | None = None


class RefreshTokens:
    """As in Entra, using a token gives a new one and leaves the old one valid until it expires."""

    def __init__(self, database: sqlite3.Connection, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        columns = {row[1] for row in database.execute("PRAGMA table_info(refresh_tokens)")}
        if "family" not in columns:  # the file was written before there were codes
            database.execute("ALTER TABLE refresh_tokens ADD COLUMN family BLOB")

    def issue(self, client_id: str, session: Session) -> str:
        token = f"1.{secrets.token_urlsafe(48)}"
        now = self._clock.time()
        self._database.execute("DELETE FROM refresh_tokens WHERE expires <= ?", (now,))
        self._database.execute(
            "INSERT INTO refresh_tokens (hash, client_id, account, asked, expires, family) VALUES (?, ?, ?, ?, ?, ?)",
            (_hash(token), client_id, session.account, session.asked, now + LIFETIME, session.family),
        )
        return token

    def revoke(self, family: bytes) -> None:
        """End every session that comes from one authorization code."""
        self._database.execute("DELETE FROM refresh_tokens WHERE family = ?", (family,))

    def find(self, token: str, client_id: str) -> Session | None:
        """The session of a token that is valid and was issued to this client."""
        row = self._database.execute(
            "SELECT account, asked, family FROM refresh_tokens WHERE hash = ? AND client_id = ? AND expires > ?",
            (_hash(token), client_id, self._clock.time()),
        ).fetchone()
        return None if row is None else Session(*row)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
