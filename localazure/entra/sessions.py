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
    expires REAL NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Session:
    """What a refresh token stands for: an account, and the scope parameter it was first asked with."""

    account: str
    asked: str


class RefreshTokens:
    """As in Entra, using a token gives a new one and leaves the old one valid until it expires."""

    def __init__(self, database: sqlite3.Connection, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def issue(self, client_id: str, account: str, asked: str) -> str:
        token = f"1.{secrets.token_urlsafe(48)}"
        now = self._clock.time()
        self._database.execute("DELETE FROM refresh_tokens WHERE expires <= ?", (now,))
        self._database.execute(
            "INSERT INTO refresh_tokens VALUES (?, ?, ?, ?, ?)",
            (_hash(token), client_id, account, asked, now + LIFETIME),
        )
        return token

    def find(self, token: str, client_id: str) -> Session | None:
        """The session of a token that is valid and was issued to this client."""
        row = self._database.execute(
            "SELECT account, asked FROM refresh_tokens WHERE hash = ? AND client_id = ? AND expires > ?",
            (_hash(token), client_id, self._clock.time()),
        ).fetchone()
        return None if row is None else Session(*row)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
