"""Messages, the operations that send them, and the inbox. Knows no protocol."""

from __future__ import annotations

import re
import sqlite3
import uuid
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from localazure.clock import Clock, utc
from localazure.email.errors import InvalidRequest, SenderRefused, UnknownOperation, UnsupportedFeature
from localazure.storage import open_database, transaction

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, status TEXT NOT NULL, at TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS recipients (
    address TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (address, seq)
) WITHOUT ROWID;
"""
MAX_RECIPIENTS = 50
"""Source: "Service limits for Azure Communication Services", Email, size limits."""
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Recipient(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    address: str
    display_name: str = ""


class Content(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    subject: Annotated[str, msgspec.Meta(min_length=1)]
    plain_text: str = ""
    html: str = ""


class Recipients(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    to: list[Recipient] = []
    cc: list[Recipient] = []
    bcc: list[Recipient] = []

    @property
    def all(self) -> list[Recipient]:
        return [*self.to, *self.cc, *self.bcc]


class Message(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One e-mail, as it is sent."""

    sender_address: str
    content: Content
    recipients: Recipients
    reply_to: list[Recipient] = []
    headers: dict[str, str] = {}
    user_engagement_tracking_disabled: bool = False
    attachments: list[Any] = []


@dataclass(frozen=True)
class Sent:
    """A message that was accepted, and how its operation stands."""

    id: str
    status: str
    at: str
    message: Message


class Engine:
    """One SQLite connection, used from one thread."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock, senders: frozenset[str]) -> None:
        self._connection, self._clock, self._senders = connection, clock, senders

    def send(self, body: bytes, operation_id: str, *, fails: bool = False) -> Sent:
        """Accept a message. One that was accepted under this id before is not sent again.

        Raises InvalidRequest, SenderRefused.
        """
        message = _read(body)
        if self._senders and message.sender_address not in self._senders:
            raise SenderRefused("The specified sender domain has not been linked.")
        operation_id = operation_id or str(uuid.uuid4())
        addresses = {recipient.address.lower() for recipient in message.recipients.all}
        with transaction(self._connection):
            known = self._row(operation_id)
            if known is None:
                cursor = self._connection.execute(
                    "INSERT INTO messages (id, status, at, body) VALUES (?, ?, ?, ?)",
                    (
                        operation_id,
                        "Failed" if fails else "Succeeded",
                        utc(self._clock).isoformat(timespec="milliseconds"),
                        body,
                    ),
                )
                self._connection.executemany(
                    "INSERT INTO recipients VALUES (?, ?)", [(address, cursor.lastrowid) for address in addresses]
                )
        return self.operation(operation_id)

    def operation(self, operation_id: str) -> Sent:
        """Raises UnknownOperation."""
        row = self._row(operation_id)
        if row is None:
            raise UnknownOperation("There is no such operation.")
        return _sent(row)

    def inbox(self, address: str = "") -> list[Sent]:
        """What arrived, the newest first: all of it, or what was sent to one address."""
        wanted = "WHERE status = 'Succeeded' AND (? = '' OR seq IN (SELECT seq FROM recipients WHERE address = ?))"
        rows = self._connection.execute(
            f"SELECT id, status, at, body FROM messages {wanted} ORDER BY seq DESC",  # noqa: S608 - fixed text
            (address.lower(), address.lower()),
        )
        return [_sent(row) for row in rows]

    def clear(self) -> None:
        """Empty the inbox, and forget every operation."""
        with transaction(self._connection):
            self._connection.execute("DELETE FROM messages")
            self._connection.execute("DELETE FROM recipients")

    def close(self) -> None:
        self._connection.close()

    def _row(self, operation_id: str) -> tuple[str, str, str, bytes] | None:
        row: tuple[str, str, str, bytes] | None = self._connection.execute(
            "SELECT id, status, at, body FROM messages WHERE id = ?", (operation_id,)
        ).fetchone()
        return row


def opened(path: Any, clock: Clock, senders: frozenset[str]) -> Engine:
    """The engine with its file, or in memory for `None`."""
    return Engine(open_database(path, SCHEMA), clock, senders)


def _sent(row: tuple[str, str, str, bytes]) -> Sent:
    return Sent(row[0], row[1], row[2], msgspec.json.decode(row[3], type=Message))


def _read(body: bytes) -> Message:
    try:
        message = msgspec.json.decode(body, type=Message)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        raise InvalidRequest(f"Request body validation error: {exc}") from exc
    if message.attachments:
        raise UnsupportedFeature("attachments")
    if not message.content.plain_text and not message.content.html:
        raise InvalidRequest("Request body validation error: the content has neither plainText nor html")
    everybody = message.recipients.all
    if not 0 < len(everybody) <= MAX_RECIPIENTS:
        raise InvalidRequest(f"Request body validation error: a message has 1 to {MAX_RECIPIENTS} recipients")
    for address in (message.sender_address, *(each.address for each in (*everybody, *message.reply_to))):
        if not _ADDRESS.fullmatch(address):
            raise InvalidRequest("Request body validation error: an e-mail address is malformed")
    return message
