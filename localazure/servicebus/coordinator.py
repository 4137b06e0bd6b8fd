"""The coordinator: a link whose messages declare and discharge transactions.

Source: AMQP 1.0 (OASIS), part 4, section 4.2.
"""

from __future__ import annotations

from typing import Any

from localazure.servicebus.amqp import frames
from localazure.servicebus.amqp.frames import Frame
from localazure.servicebus.amqp.message import parse
from localazure.servicebus.amqp.types import DecodeError, Described
from localazure.servicebus.errors import BrokerError, Malformed, Unsupported
from localazure.servicebus.link import Assembly
from localazure.servicebus.ports import SessionPort


class CoordinatorLink:
    """A client's sender of `declare` and `discharge`."""

    def __init__(self, session: SessionPort, handle: int) -> None:
        self._session, self.handle = session, handle
        self._assembly = Assembly(session, handle)

    def transfer(self, frame: Frame) -> None:
        """Raises TooLarge."""
        found = self._assembly.add(frame)
        if found is not None:
            self._request(*found[:2])

    def _request(self, first: list[Any], payload: bytes) -> None:
        number, session = int(first[1]), self._session

        def answer(state: bytes) -> None:
            if not first[4]:
                session.send(frames.disposition(session.channel, False, number, state))

        try:
            state = self._carry_out(parse(payload).value)
        except DecodeError as exc:
            error: BrokerError = Malformed(f"the request to the coordinator cannot be read: {exc}")
            answer(frames.rejected((error.condition, str(error))))
        except BrokerError as exc:
            answer(frames.rejected((exc.condition, str(exc))))
        else:
            session.connection.broker.store.afterwards(lambda: answer(state))

    def _carry_out(self, request: Any) -> bytes:
        transactions = self._session.connection.transactions
        if isinstance(request, Described) and isinstance(request.value, list):
            fields = [*request.value, None, None]
            if request.descriptor == frames.DECLARE:
                if fields[0] is not None:
                    raise Unsupported("global transactions are not supported by the local server")
                return frames.declared(transactions.declare())
            if request.descriptor == frames.DISCHARGE and isinstance(fields[0], bytes):
                transactions.discharge(fields[0], bool(fields[1]))
                return frames.accepted()
        raise DecodeError("neither declare nor discharge")

    def close(self) -> None:
        pass
