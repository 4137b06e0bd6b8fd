"""Azure Communication Services Email, through its own package: send one message, and ask what became of one.

A message is named by us (`Operation-Id`), so one whose answer was lost can be asked about. What is accepted counts as
sent: what a mailbox then does with it is not followed.
"""

from __future__ import annotations

import uuid
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal

from azure.core.exceptions import ClientAuthenticationError

from blueprints.notifications.declaration import EMAIL_CONNECTION, EMAIL_SENDER, EMAIL_TIMEOUT_SECONDS
from blueprints.notifications.letter import Letter
from shared.errors import Transient, Unprocessable
from shared.faultpoints import crash_point
from shared.identity import own_credential
from shared.settings import SettingError, connection_parts, settings
from shared.telemetry.span import HTTP, Span, dependency

if TYPE_CHECKING:
    from azure.communication.email.aio import EmailClient

Fate = Literal["accepted", "failed", "unknown"]
NAMES = uuid.UUID("6f1d0b52-4f3f-5c39-8a63-0d7f3a4c8e11")
"""The namespace of our messages' ids."""
VERSION = "2025-09-01"
"""Of the provider's API."""
_TRANSIENT = frozenset({401, 403, 408, 429})
"""A role that is missing or has not reached the provider yet is ours to mend: the message is good."""
_client: EmailClient | None = None


class Refused(Unprocessable):
    """The provider will not have this message, now or later: an invalid address, a sender that is not ours."""


def operation_id(recipient_id: str, mail_id: str) -> str:
    """The id under which the provider knows this e-mail: always the same."""
    return str(uuid.uuid5(NAMES, f"{recipient_id}\0{mail_id}"))


async def send(name: str, address: str, letter: Letter) -> None:
    """Hand a message over. Raises Refused, or Transient where it is not known what became of it."""
    message = {
        "senderAddress": settings().text(EMAIL_SENDER),
        "recipients": {"to": [{"address": address}]},
        "content": {"subject": letter.subject, "plainText": letter.text, "html": letter.html},
        "userEngagementTrackingDisabled": True,
    }
    crash_point("mail", "before", "send")
    with _asked("send") as span:
        try:
            await _provider().begin_send(message, operation_id=name, polling=False)
        except Exception as exc:  # the SDK's own, and those of its transport
            status = _status(exc)
            span.end(status or type(exc).__name__, success=False)
            ours = isinstance(exc, ClientAuthenticationError)  # whoever gives tokens may say 400, too
            if not ours and status is not None and 400 <= status < 500 and status not in _TRANSIENT:
                raise Refused("the mail provider refuses the message", code=f"mail-{status}") from None
            raise Transient("the mail provider does not answer at present") from None
        span.end(202, success=True)
    crash_point("mail", "after", "send")


async def fate(name: str) -> Fate:
    """What became of a message. Raises Transient where the provider does not answer."""
    from azure.core.rest import HttpRequest

    client = _provider()
    with _asked("operation") as span:
        try:
            answer = await client.send_request(
                HttpRequest(
                    "GET",
                    f"/emails/operations/{name}",
                    params={"api-version": VERSION},
                )
            )
            status = answer.status_code
            said = str(answer.json().get("status", "")) if status == 200 else ""
        except Exception as exc:  # the same
            span.end(type(exc).__name__, success=False)
            raise Transient("the mail provider does not answer at present") from None
        span.end(status, success=status in (200, 404))
    if status == 404:
        return "unknown"
    if status != 200:
        raise Transient("the mail provider does not answer at present")
    return "failed" if said in ("Failed", "Canceled") else "accepted"


async def close() -> None:
    """Give the client's connections back; the next message makes a new client."""
    global _client
    client, _client = _client, None
    if client is not None:
        await client.close()


def _asked(what: str) -> AbstractContextManager[Span]:
    return dependency(HTTP, f"email {what}", "email")


def _status(exc: Exception) -> int | None:
    status = getattr(exc, "status_code", None)
    return status if isinstance(status, int) else None


def _provider() -> EmailClient:
    global _client  # noqa: PLW0603 - one client a process is what the SDK asks for
    if _client is None:
        from azure.communication.email.aio import EmailClient
        from azure.core.credentials import AzureKeyCredential
        from azure.core.pipeline.transport import AioHttpTransport

        found = settings().connection(EMAIL_CONNECTION)
        seconds = settings().seconds(EMAIL_TIMEOUT_SECONDS)
        options: dict[str, Any] = {
            "transport": AioHttpTransport(use_env_settings=False, connection_timeout=seconds, read_timeout=seconds),
            "api_version": VERSION,
            "retry_total": 0,
        }
        if found.string:
            endpoint, key = _parts(found.string)
            _client = EmailClient(endpoint, AzureKeyCredential(key), **options)
        else:
            _client = EmailClient(found.address, own_credential(found.client_id), **options)
    return _client


def _parts(connection: str) -> tuple[str, str]:
    """Endpoint and access key of a connection string: the package's own reader of it takes every endpoint for one over
    TLS. Raises SettingError."""
    parts = {name.lower(): value for name, value in connection_parts(connection).items()}
    try:
        return parts["endpoint"].rstrip("/"), parts["accesskey"]
    except KeyError as exc:
        raise SettingError(f"{EMAIL_CONNECTION.name} is `endpoint=…;accesskey=…`; it lacks {exc}") from None
