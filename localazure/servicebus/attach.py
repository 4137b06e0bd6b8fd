"""Handles one attach frame: opens the link, or refuses it with the reason."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from localazure.servicebus.amqp import frames
from localazure.servicebus.amqp.encode import NULL
from localazure.servicebus.amqp.frames import Frame
from localazure.servicebus.amqp.message import text
from localazure.servicebus.amqp.types import Described
from localazure.servicebus.authorization import LISTEN, SEND
from localazure.servicebus.coordinator import CoordinatorLink
from localazure.servicebus.engine import MAX_MESSAGE_SIZE
from localazure.servicebus.errors import BrokerError, NoSession, NotAllowed, Unsupported
from localazure.servicebus.link import IncomingLink, OutgoingLink, RequestLink
from localazure.servicebus.names import entity_path
from localazure.servicebus.ports import SessionPort

_SESSION_FILTER = "com.microsoft:session-filter"
_SHARED_SESSION_FILTER = "com.microsoft:non-exclusive-session-filter"
_TIMEOUT = "com.microsoft:timeout"
_TICKS_AT_EPOCH = 621_355_968_000_000_000
_MAX_WAIT = 86_400.0
"""Seconds that a receiver may wait for a session."""


class Owner(SessionPort, Protocol):
    """A session that has links attached to it."""

    links: dict[int, IncomingLink | OutgoingLink | RequestLink | CoordinatorLink]
    answers: dict[tuple[str, str], RequestLink]

    def credit(self, handle: int, received: int) -> None: ...

    def wait_for(self, handle: int, attaching: Coroutine[Any, Any, None]) -> None: ...


class Attach:
    """One attach frame. The link's node is the entity's path at our end of it."""

    def __init__(self, session: Owner, frame: Frame) -> None:
        fields = frame.fields
        self._session, self._broker, self._frame = session, session.connection.broker, frame
        self._handle, self._receiver = int(fields[1]), bool(fields[2])
        self._modes = (2 if fields[3] is None else int(fields[3]), int(fields[4] or 0))
        self._peek_lock = fields[3] != 1
        self._source, self._target = fields[5], fields[6]
        self._properties = fields[13] if isinstance(fields[13], dict) else {}

    @property
    def coordinates(self) -> bool:
        """Whether the link is one to the coordinator of transactions."""
        target = self._target
        return not self._receiver and isinstance(target, Described) and target.descriptor == frames.COORDINATOR

    def carry_out(self) -> None:
        try:
            self._make()
        except BrokerError as exc:
            self._refuse(exc)

    def _make(self) -> None:
        demand = self._session.connection.demand
        if self.coordinates:
            demand("", None)
            self._add(CoordinatorLink(self._session, self._handle))
            return
        terminus = self._source if self._receiver else self._target
        node = entity_path(_fields(terminus)[0])
        if node == "$cbs":
            self._request_link(node)
        elif node.lower().endswith("/$management"):
            demand(node, None)
            self._request_link(node)
        elif self._receiver:
            demand(node, LISTEN)
            self._outgoing_link(node)
        else:
            demand(node, SEND)
            self._broker.check_target(node)
            self._add(IncomingLink(self._session, self._handle, node))

    def _add(self, link: IncomingLink | CoordinatorLink | RequestLink) -> None:
        """A link that takes messages, and credit for them."""
        self._session.links[self._handle] = link
        self._reply(frames.source(self._frame.raw(5)))
        self._session.credit(self._handle, 0)

    def _request_link(self, node: str) -> None:
        link = RequestLink(self._session, node, self._handle)
        if not self._receiver:
            self._add(link)
            return
        self._session.links[self._handle] = link
        self._reply(frames.source(self._frame.raw(5)))
        address = _fields(self._target)[0] if isinstance(self._target, Described) else None
        self._session.answers[node.lower(), str(address or "")] = link

    def _outgoing_link(self, node: str) -> None:
        queue = self._broker.source(node)
        link = OutgoingLink(self._session, self._handle, queue, self._peek_lock)
        found = _fields(self._source)[7]
        filters = found if isinstance(found, dict) else {}
        if _SHARED_SESSION_FILTER in filters:
            raise Unsupported("Non-exclusive sessions are not supported by the local server.")
        if _SESSION_FILTER not in filters:
            if queue.options.sessions:
                raise NotAllowed(f"{node} requires sessions; receive with a session receiver")
            self._session.links[self._handle] = link
            queue.attach(link)
            self._reply(frames.source(self._frame.raw(5)))
            return
        if not queue.options.sessions:
            raise NotAllowed(f"{node} has no sessions; receive without a session id")
        wanted = filters[_SESSION_FILTER]
        if isinstance(wanted, Described):
            wanted = wanted.value
        wanted = text(wanted)
        if wanted is not None and not isinstance(wanted, str):
            raise NotAllowed("a session id is a string")
        milliseconds = self._properties.get(_TIMEOUT)
        seconds = milliseconds / 1000 if isinstance(milliseconds, int) and milliseconds > 0 else 60.0
        self._session.links[self._handle] = link
        wait = self._accept(link, wanted, min(seconds, _MAX_WAIT))
        self._session.wait_for(self._handle, wait)

    async def _accept(self, link: OutgoingLink, wanted: str | None, seconds: float) -> None:
        try:
            session_id = link.queue.accept_session(wanted, link)
            if session_id is None:
                session_id = await self._next_session(link, seconds)
        except BrokerError as exc:
            self._refuse(exc)
            return
        link.session_id = session_id
        link.queue.attach(link)
        until = link.queue.sessions.held(session_id, link).until
        source = frames.source(self._frame.raw(5), {_SESSION_FILTER: session_id})
        ticks = int(until * 10_000_000) + _TICKS_AT_EPOCH
        self._reply(source, {"com.microsoft:locked-until-utc": ticks})
        link.queue.dispatch()

    async def _next_session(self, link: OutgoingLink, seconds: float) -> str:
        """Wait for a session that has messages and no holder. Raises NoSession when the time is over."""
        over = asyncio.ensure_future(self._session.connection.clock.sleep(seconds))
        news: asyncio.Future[None] = over
        try:
            while True:
                news = asyncio.ensure_future(link.queue.sessions.news())
                await asyncio.wait({over, news}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                session_id = link.queue.accept_session(None, link)
                if session_id is not None:
                    return session_id
                if over.done():
                    raise NoSession("There is no session available within the time given.")
        finally:
            over.cancel()
            news.cancel()

    def _reply(self, source: bytes, properties: dict[str, Any] | None = None) -> None:
        self._send(source, self._frame.raw(6), self._modes, properties)

    def _refuse(self, error: BrokerError) -> None:
        # a refused link is attached without its terminus, and detached with the reason
        source = NULL if self._receiver else frames.source(self._frame.raw(5))
        target = self._frame.raw(6) if self._receiver else NULL
        self._send(source, target, (2, 0))
        self._session.detached(self._handle, error)

    def _send(
        self, source: bytes, target: bytes, modes: tuple[int, int], properties: dict[str, Any] | None = None
    ) -> None:
        name, channel = self._frame.raw(0), self._session.channel
        self._session.send(
            frames.attach(
                channel, name, self._handle, not self._receiver, modes, source, target, MAX_MESSAGE_SIZE, properties
            )
        )


def _fields(terminus: Any) -> list[Any]:
    """Of a source or a target; as many as the longer has. Raises Unsupported for anything else."""
    known = isinstance(terminus, Described) and terminus.descriptor in (frames.SOURCE, frames.TARGET)
    if not known or not isinstance(terminus.value, list):
        raise Unsupported("a link needs a source or a target that is an entity")
    return [*terminus.value, *[None] * 11]
