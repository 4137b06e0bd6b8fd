"""`$cbs` and `$management`: what the client asks in messages and is answered in messages.

Source: "AMQP request/response-based operations in Service Bus"; `_common/mgmt_handlers.py` of azure-servicebus 7.15.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from localazure.servicebus import rule_maps, settlement
from localazure.servicebus.amqp.decode import exact
from localazure.servicebus.amqp.encode import array, long, timestamp, wide_string
from localazure.servicebus.amqp.message import VALUE, parse, response, sections
from localazure.servicebus.amqp.types import DecodeError, Encoded, Int32, Symbol
from localazure.servicebus.authorization import LISTEN, SEND, root
from localazure.servicebus.errors import BrokerError, EntityExists, EntityNotFound, NotAllowed, Unsupported
from localazure.servicebus.filters import Rule
from localazure.servicebus.locks import Lock
from localazure.servicebus.messages import encoded, read
from localazure.servicebus.names import check_name, entity_path
from localazure.servicebus.ports import ConnectionPort, SessionPort
from localazure.servicebus.queue import Queue
from localazure.servicebus.store import Message
from localazure.servicebus.target import Incoming
from localazure.servicebus.transactions import Operation

Send = Callable[[str, bytes], None]
"""Reply-to of the request, and the answer."""
Body = Mapping[str, Any]
_VENDOR = "com.microsoft:"
_ALL_SESSIONS = 253_402_300_800_000
"""Milliseconds: the year 10000, by which a client says that it does not ask for sessions changed after a moment."""
_MAX_DELETED = 4_000
"""Messages that one request deletes, by the service's documentation."""


class _Handler(NamedTuple):
    right: str
    call: Callable[[Body], Any]


def authorize(connection: ConnectionPort, request: bytes, send: Send) -> None:
    """Takes the token of a `$cbs` request in; `send` gets the answer. Raises DecodeError."""
    parsed = parse(request)
    identifier, reply_to = parsed.property("MessageId"), str(parsed.property("ReplyTo") or "")
    operation, resource = parsed.application.get("operation"), str(parsed.application.get("name", ""))

    def answer(error: BrokerError | None) -> None:
        status, description = _verdict(connection, resource, error)
        told = {"status-code": Int32(status), "status-description": description}
        send(reply_to, response(identifier, told, ""))

    if operation != "put-token":
        answer(Unsupported(f"the operation '{operation}' of $cbs is not supported"))
        return
    # the client calls its signature a "jwt"; what it is shows in the token
    connection.authorize(resource, str(parsed.value), answer)


def _verdict(connection: ConnectionPort, resource: str, error: BrokerError | None) -> tuple[int, str]:
    """Status and description of the answer to a token; `error` is what is wrong with it."""
    if error is not None:
        return error.status if error.status == 503 else 401, str(error)
    try:
        _check_exists(connection, resource)
    except EntityNotFound as exc:
        return exc.status, str(exc)
    except BrokerError as exc:
        return 401, str(exc)
    return 202, "Accepted"


def _check_exists(connection: ConnectionPort, resource: str) -> None:
    """The service looks after the token whether there is what it is for. Raises EntityNotFound, in the service's words:
    clients go by them."""
    try:
        connection.broker.check_exists(entity_path(resource))
    except EntityNotFound:
        raise EntityNotFound(
            f"The messaging entity '{resource}' could not be found. "
            "To know more visit https://aka.ms/sbResourceMgrExceptions."
        ) from None


class Management:
    """The operations on one entity. `node` is its path with `/$management` behind it."""

    def __init__(self, session: SessionPort, node: str) -> None:
        self._session, self._broker = session, session.connection.broker
        self._node, self._entity = node, node.rpartition("/")[0]
        self._transaction: bytes | None = None
        self._operations: dict[str, _Handler] = {
            "renew-lock": _Handler(LISTEN, self._renew_lock),
            "renew-session-lock": _Handler(LISTEN, self._renew_session_lock),
            "peek-message": _Handler(LISTEN, self._peek),
            "receive-by-sequence-number": _Handler(LISTEN, self._receive_deferred),
            "update-disposition": _Handler(LISTEN, self._settle),
            "schedule-message": _Handler(SEND, self._schedule),
            "cancel-scheduled-message": _Handler(SEND, self._cancel),
            "get-session-state": _Handler(LISTEN, self._get_session_state),
            "set-session-state": _Handler(LISTEN, self._set_session_state),
            "get-message-sessions": _Handler(LISTEN, self._sessions),
            "batch-delete-messages": _Handler(LISTEN, self._delete_batch),
            "add-rule": _Handler(LISTEN, self._add_rule),
            "remove-rule": _Handler(LISTEN, self._remove_rule),
            "enumerate-rules": _Handler(LISTEN, self._rules),
        }

    def answer(self, request: bytes, send: Send, transaction: bytes | None = None) -> None:
        """Carry out a request; `send` gets the answer, once what it says is on disk. Raises DecodeError."""
        parsed = parse(request)
        identifier, reply_to = parsed.property("MessageId"), str(parsed.property("ReplyTo") or "")
        operation = str(parsed.application.get("operation", "")).removeprefix(_VENDOR)
        self._transaction = transaction
        try:
            handler = self._operations.get(operation)
            if handler is None:
                raise Unsupported(f"the operation '{operation}' is not supported by the local server")
            self._session.connection.demand(self._node, handler.right)
            value = handler.call(_body(request))
        except BrokerError as exc:
            send(reply_to, _failed(identifier, exc))
            return
        except (LookupError, ValueError, TypeError, AttributeError, OverflowError) as exc:
            send(reply_to, _failed(identifier, NotAllowed(f"the request {operation} cannot be read: {exc!r}")))
            return
        status = 204 if value is None else 200
        answer = _answer(identifier, status, "OK", {} if value is None else value)
        self._broker.store.afterwards(lambda: send(reply_to, answer))

    def _queue(self) -> Queue:
        return self._broker.queue(self._entity)

    def _do(self, operation: Operation) -> None:
        """At once, or when the transaction of the request is committed."""
        if self._transaction is None:
            operation.check()
            operation.commit()
        else:
            transactions = self._session.connection.transactions
            transactions.enlist(self._transaction, root(self._entity), self._session.mixes, operation)

    def _renew_lock(self, body: Body) -> Any:
        queue = self._queue()
        ends = [queue.renew(token) for token in body["lock-tokens"]]
        return {"expirations": _array(timestamp, [int(end * 1000) for end in ends])}

    def _renew_session_lock(self, body: Body) -> Any:
        until = self._queue().renew_session(str(body["session-id"]))
        return {"expiration": Encoded(timestamp(int(until * 1000)))}

    def _peek(self, body: Body) -> Any:
        queue = self._queue()
        found = queue.peek(int(body["from-sequence-number"]), int(body["message-count"]), _session_id(body))
        return _messages(queue, [(message, None) for message in found]) if found else None

    def _receive_deferred(self, body: Body) -> Any:
        queue = self._queue()
        peek_lock = int(body.get("receiver-settle-mode", 1)) == 1
        return _messages(queue, queue.receive_deferred(body["sequence-numbers"], peek_lock, _session_id(body)))

    def _settle(self, body: Body) -> Any:
        queue, told = self._queue(), settlement.by_status(body)
        for token in body["lock-tokens"]:
            self._do(settlement.operation(queue, token, told))
        return {}

    def _schedule(self, body: Body) -> Any:
        messages: list[Incoming] = []
        for item in body["messages"]:
            messages += read(bytes(item["message"]), 0)
        broker, entity = self._broker, self._entity
        broker.check_messages(entity, messages)
        numbers = broker.reserve(entity, len(messages))
        operation = Operation(
            check=lambda: broker.check_messages(entity, messages),
            commit=lambda: broker.schedule(entity, messages, numbers),
        )
        self._do(operation)
        return {"sequence-numbers": _array(long, numbers)}

    def _cancel(self, body: Body) -> Any:
        numbers = [int(number) for number in body["sequence-numbers"]]
        broker, entity = self._broker, self._entity
        operation = Operation(
            check=lambda: broker.check_scheduled(entity, numbers),
            commit=lambda: broker.cancel_scheduled(entity, numbers),
        )
        self._do(operation)
        return {}

    def _get_session_state(self, body: Body) -> Any:
        sessions, session_id = self._queue().sessions, str(body["session-id"])
        sessions.held(session_id)
        return {"session-state": sessions.state(session_id)}

    def _set_session_state(self, body: Body) -> Any:
        sessions, session_id = self._queue().sessions, str(body["session-id"])
        told = body.get("session-state")
        state = None if told is None else bytes(told)
        operation = Operation(
            check=lambda: sessions.held(session_id), commit=lambda: sessions.set_state(session_id, state)
        )
        self._do(operation)
        return {}

    def _sessions(self, body: Body) -> Any:
        skip, top = int(body.get("skip", 0)), int(body.get("top", 100))
        after = int(body.get("last-updated-time", _ALL_SESSIONS))
        found = self._queue().session_ids(None if after >= _ALL_SESSIONS else after / 1000)[skip : skip + top]
        if not found:
            return None
        return {"skip": Int32(skip + len(found)), "sessions-ids": _array(wide_string, found)}

    def _delete_batch(self, body: Body) -> Any:
        most = min(int(body["message-count"]), _MAX_DELETED)
        count = self._queue().delete_batch(most, int(body["enqueued-time-utc"]) / 1000)
        return {"message-count": Int32(count)} if count else None

    def _add_rule(self, body: Body) -> Any:
        name = str(body["rule-name"])
        check_name("rule", name)
        rules = self._known_rules()
        if name.lower() in rules:
            raise EntityExists(f"The rule '{name}' of '{self._entity}' already exists.")
        made = rule_maps.read(name, body["rule-description"], self._broker.now())
        self._broker.entities.set_rules(self._entity, [*rules.values(), made])
        return {}

    def _remove_rule(self, body: Body) -> Any:
        name, rules = str(body["rule-name"]), self._known_rules()
        if rules.pop(name.lower(), None) is None:
            raise EntityNotFound(f"The messaging entity '{self._entity}/Rules/{name}' could not be found.")
        self._broker.entities.set_rules(self._entity, rules.values())
        return {}

    def _rules(self, body: Body) -> Any:
        skip, top = int(body.get("skip") or 0), int(body.get("top") or 100)
        found = list(self._known_rules().values())[skip : skip + top]
        created = self._broker.entities.describe(self._entity).created
        return {"rules": [{"rule-description": rule_maps.told(rule, created)} for rule in found]} if found else None

    def _known_rules(self) -> dict[str, Rule]:
        described = self._broker.entities.describe(self._entity)
        if described.kind != "subscription":
            raise NotAllowed(f"'{self._entity}' is a {described.kind}; only subscriptions have rules")
        return {rule.name.lower(): rule for rule in described.rules}


def _body(request: bytes) -> Body:
    """The map that a request carries, with every number in its own type."""
    for code, raw in sections(request):
        if code == VALUE:
            value = exact(raw)[0].value
            if isinstance(value, dict):
                return {str(name): item for name, item in value.items()}
            if value is not None:
                raise DecodeError("the body is not a map")
    return {}


def _session_id(body: Body) -> str | None:
    told = body.get("session-id")
    return None if told is None else str(told)


def _array(kind: Callable[[Any], bytes], values: list[Any]) -> Encoded:
    return Encoded(array(kind, values))


def _messages(queue: Queue, found: list[tuple[Message, Lock | None]]) -> Any:
    entries = []
    for message, lock in found:
        entry: dict[str, Any] = {"message": encoded(message, queue, lock)}
        if lock is not None:
            entry["lock-token"] = lock.token
        entries.append(entry)
    return {"messages": entries}


def _failed(identifier: Any, error: BrokerError) -> bytes:
    return _answer(identifier, error.status, str(error), {}, {"errorCondition": Symbol(error.condition)})


def _answer(
    identifier: Any, status: int, description: str, value: Any, extra: Mapping[str, Any] | None = None
) -> bytes:
    application = {"statusCode": Int32(status), "statusDescription": description, **(extra or {})}
    return response(identifier, application, value)
