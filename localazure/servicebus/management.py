"""`$cbs` and `$management`: what the client asks in messages and is answered in messages.

Source: "AMQP request/response-based operations in Service Bus"; `_common/mgmt_handlers.py` of azure-servicebus 7.15.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localazure.servicebus import codec
from localazure.servicebus.engine import Broker
from localazure.servicebus.errors import BrokerError, NotAllowed, Unsupported
from localazure.servicebus.link import encoded, read
from localazure.servicebus.locks import Lock
from localazure.servicebus.queue import Queue
from localazure.servicebus.store import Message
from localazure.servicebus.tokens import Tokens

Send = Callable[[bytes], None]
Body = Mapping[str, Any]
_VENDOR = "com.microsoft:"
_ALL_SESSIONS = 253_402_300_800_000
"""Milliseconds: the year 10000, by which a client says that it does not ask for sessions changed after a moment."""


def authorize(tokens: Tokens, request: bytes) -> tuple[bytes, bool]:
    """The answer to a `$cbs` request, and whether the connection may go on."""
    parsed = codec.parse(request)
    try:
        if parsed.application.get("operation") != "put-token":
            raise Unsupported(f"the operation '{parsed.application.get('operation')}' of $cbs is not supported")
        # the client calls its signature a "jwt"; what it is shows in the token
        tokens.check(str(codec.text(parsed.value)))
        status, description = 202, "Accepted"
    except BrokerError as exc:
        status, description = 401, str(exc)
    answer = {"status-code": codec.integer(status), "status-description": codec.string(description)}
    return codec.response(parsed.properties.get("MessageId"), answer, codec.string("")), status == 202


class Management:
    """The operations on one entity."""

    def __init__(self, broker: Broker, entity: str) -> None:
        self._broker, self._entity = broker, entity
        self._operations: dict[str, Callable[[Body], Any]] = {
            "renew-lock": self._renew_lock,
            "renew-session-lock": self._renew_session_lock,
            "peek-message": self._peek,
            "receive-by-sequence-number": self._receive_deferred,
            "update-disposition": self._settle,
            "schedule-message": self._schedule,
            "cancel-scheduled-message": self._cancel,
            "get-session-state": self._get_session_state,
            "set-session-state": self._set_session_state,
            "get-message-sessions": self._sessions,
        }

    def answer(self, request: bytes, send: Send) -> None:
        """Carry out a request; `send` gets the answer, once what it says is on disk."""
        parsed = codec.parse(request)
        identifier = parsed.properties.get("MessageId")
        operation = str(parsed.application.get("operation", "")).removeprefix(_VENDOR)
        body = {codec.text(name): value for name, value in (parsed.value or {}).items()}
        try:
            handler = self._operations.get(operation)
            if handler is None:
                raise Unsupported(f"the operation '{operation}' is not supported by the local server")
            value = handler(body)
        except BrokerError as exc:
            send(_failed(identifier, exc))
            return
        except (LookupError, ValueError, TypeError, AttributeError) as exc:
            send(_failed(identifier, NotAllowed(f"the request {operation} cannot be read: {exc!r}")))
            return
        status = 204 if value is None else 200
        answer = _answer(identifier, status, "OK", value if value is not None else codec.map_({}))
        self._broker.store.afterwards(lambda: send(answer))

    def _queue(self) -> Queue:
        return self._broker.queue(self._entity)

    def _renew_lock(self, body: Body) -> Any:
        queue = self._queue()
        return codec.map_(
            {"expirations": codec.array([codec.timestamp(queue.renew(token)) for token in body["lock-tokens"]])}
        )

    def _renew_session_lock(self, body: Body) -> Any:
        until = self._queue().renew_session(str(codec.text(body["session-id"])))
        return codec.map_({"expiration": codec.timestamp(until)})

    def _peek(self, body: Body) -> Any:
        queue = self._queue()
        session_id = codec.text(body.get("session-id"))
        found = queue.peek(int(body["from-sequence-number"]), int(body["message-count"]), session_id)
        if not found:
            return None
        return _messages(queue, [(message, None) for message in found])

    def _receive_deferred(self, body: Body) -> Any:
        queue = self._queue()
        peek_lock = int(body.get("receiver-settle-mode", 1)) == 1
        session_id = codec.text(body.get("session-id"))
        return _messages(queue, queue.receive_deferred(body["sequence-numbers"], peek_lock, session_id))

    def _settle(self, body: Body) -> Any:
        queue, status = self._queue(), str(codec.text(body["disposition-status"]))
        for token in body["lock-tokens"]:
            if status == "completed":
                queue.complete(token)
            elif status == "abandoned":
                queue.abandon(token)
            elif status == "defered":
                queue.defer(token)
            elif status == "suspended":
                reason, description = (codec.text(body.get(f"deadletter-{name}")) for name in ("reason", "description"))
                queue.dead_letter(token, reason, description)
            else:
                raise NotAllowed(f"the disposition '{status}' does not exist")
        return codec.map_({})

    def _schedule(self, body: Body) -> Any:
        messages = []
        for item in body["messages"]:
            fields = {codec.text(name): value for name, value in item.items()}
            messages += read(bytes(fields["message"]), 0)
        numbers = self._broker.send(self._entity, messages, lambda: None)
        return codec.map_({"sequence-numbers": codec.array([codec.long(number) for number in numbers])})

    def _cancel(self, body: Body) -> Any:
        self._broker.cancel_scheduled(self._entity, [int(number) for number in body["sequence-numbers"]])
        return codec.map_({})

    def _get_session_state(self, body: Body) -> Any:
        queue, session_id = self._queue(), str(codec.text(body["session-id"]))
        queue.sessions.held(session_id)
        state = queue.sessions.state(session_id)
        return codec.map_({"session-state": None if state is None else codec.binary(state)})

    def _set_session_state(self, body: Body) -> Any:
        queue, session_id = self._queue(), str(codec.text(body["session-id"]))
        queue.sessions.held(session_id)
        state = body.get("session-state")
        queue.sessions.set_state(session_id, None if state is None else bytes(state))
        return codec.map_({})

    def _sessions(self, body: Body) -> Any:
        skip, top = int(body.get("skip", 0)), int(body.get("top", 100))
        after = int(body.get("last-updated-time", _ALL_SESSIONS))
        found = self._queue().session_ids(None if after >= _ALL_SESSIONS else after / 1000)[skip : skip + top]
        if not found:
            return None
        return codec.map_(
            {"skip": codec.integer(skip + len(found)), "sessions-ids": codec.array([codec.string(n) for n in found])}
        )


def _messages(queue: Queue, found: list[tuple[Message, Lock | None]]) -> Any:
    entries = []
    for message, lock in found:
        entry = {"message": codec.binary(encoded(message, queue, None if lock is None else lock.until))}
        if lock is not None:
            entry["lock-token"] = codec.uuid_(lock.token)
        entries.append(codec.map_(entry))
    return codec.map_({"messages": codec.list_(entries)})


def _failed(identifier: Any, error: BrokerError) -> bytes:
    extra = {"errorCondition": codec.symbol(error.condition)}
    return _answer(identifier, error.status, str(error), codec.map_({}), extra)


def _answer(
    identifier: Any, status: int, description: str, value: Any, extra: Mapping[str, Any] | None = None
) -> bytes:
    application = {
        "statusCode": codec.integer(status),
        "statusDescription": codec.string(description),
        **(extra or {}),
    }
    return codec.response(identifier, application, value)
