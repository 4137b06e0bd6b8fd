"""A client's wish for a link, and what becomes of it: a link, or a refusal that says why."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from localazure.servicebus import codec
from localazure.servicebus.engine import LARGEST_MESSAGE
from localazure.servicebus.errors import BrokerError, NoSession, NotAllowed, Unsupported
from localazure.servicebus.link import CREDIT, IncomingLink, OutgoingLink, RequestLink

if TYPE_CHECKING:
    from localazure.servicebus.session import Session

_SESSION_FILTER = b"com.microsoft:session-filter"
_TIMEOUT = b"com.microsoft:timeout"
_TICKS_AT_EPOCH = 621_355_968_000_000_000


class Attach:
    """One attach frame. `receiver` is the client's role; `node` the entity's path at our end of the link."""

    def __init__(self, session: Session, fields: list[Any]) -> None:
        self._session, self._broker = session, session.connection.broker
        self._name, self.handle, self._receiver = fields[0], int(fields[1]), bool(fields[2])
        self._modes = (2 if fields[3] is None else int(fields[3]), int(fields[4] or 0))
        self._peek_lock = fields[3] != 1
        self._source, self._target = fields[5], fields[6]
        self._properties = fields[13] or {}

    def carry_out(self) -> None:
        try:
            self._make()
        except BrokerError as exc:
            self._refuse(exc)

    def _make(self) -> None:
        terminus = self._source if self._receiver else self._target
        if not isinstance(terminus, list):
            raise Unsupported("transactions are not supported by the local server")
        node = entity_path(terminus[0])
        if node == "$cbs" or node.lower().endswith("$management"):
            self._request_link(node)
        elif not self._session.connection.authorized:
            raise NotAllowed("put a token into $cbs before anything else")
        elif self._receiver:
            self._outgoing_link(node)
        else:
            self._broker.check_target(node)
            self._session.links[self.handle] = IncomingLink(self._session, self.handle, self._broker, node)
            self._reply(codec.source_of(self._source))
            self._session.credit(self.handle, 0, CREDIT)

    def _request_link(self, node: str) -> None:
        link = RequestLink(node, self.handle)
        self._session.links[self.handle] = link
        self._reply(codec.source_of(self._source))
        if self._receiver:
            self._session.answers[node.lower()] = link
        else:
            self._session.credit(self.handle, 0, CREDIT)

    def _outgoing_link(self, node: str) -> None:
        queue = self._broker.source(node)
        link = OutgoingLink(self._session, self.handle, queue, self._peek_lock)
        filters = (self._source[7] if len(self._source) > 7 else None) or {}
        self._session.links[self.handle] = link
        if _SESSION_FILTER not in filters:
            if queue.options.sessions:
                raise NotAllowed(f"{node} requires sessions; receive with a session receiver")
            queue.attach(link)
            self._reply(codec.source_of(self._source))
            return
        if not queue.options.sessions:
            raise NotAllowed(f"{node} has no sessions; receive without a session id")
        wanted = codec.text(filters[_SESSION_FILTER])
        milliseconds = self._properties.get(_TIMEOUT) or 60_000
        self._session.wait_for(self.handle, self._accept(link, wanted, milliseconds / 1000))

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
        source = codec.source_of(self._source, {_SESSION_FILTER: session_id})
        ticks = int(until * 10_000_000) + _TICKS_AT_EPOCH
        self._reply(source, {b"com.microsoft:locked-until-utc": codec.long(ticks)})
        link.queue.pump()

    async def _next_session(self, link: OutgoingLink, seconds: float) -> str:
        """Wait for a session that has messages and no holder. Raises NoSession when the time is over."""
        over = asyncio.ensure_future(self._session.connection.clock.sleep(seconds))
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

    def _reply(self, source: Any, properties: dict[bytes, Any] | None = None) -> None:
        target = codec.target_of(self._target)
        self._send(source, target, self._modes, properties)

    def _refuse(self, error: BrokerError) -> None:
        # a refused link is attached without its terminus, and detached with the reason
        source = None if self._receiver else codec.source_of(self._source)
        target = codec.target_of(self._target) if self._receiver else None
        self._send(source, target, (2, 0))
        self._session.send(codec.detach(self.handle, (error.condition, str(error))))
        self._session.links.pop(self.handle, None)

    def _send(
        self, source: Any, target: Any, modes: tuple[int, int], properties: dict[bytes, Any] | None = None
    ) -> None:
        self._session.send(
            codec.attach(
                self._name, self.handle, not self._receiver, modes, source, target, LARGEST_MESSAGE, properties
            )
        )


def entity_path(address: Any) -> str:
    """`amqps://host:port/t/Subscriptions/s` or a bare path → the entity's path."""
    path = str(codec.text(address))
    if "://" in path:
        path = path.partition("://")[2].partition("/")[2]
    return path.strip("/")
