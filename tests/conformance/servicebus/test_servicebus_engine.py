"""The broker's rules without a socket: peek-lock under every order of events, filters, and the entities file."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localazure.clock import ManualClock
from localazure.servicebus.engine import Broker, Incoming
from localazure.servicebus.entities import Namespace, QueueOptions, read
from localazure.servicebus.errors import BrokerError
from localazure.servicebus.filters import correlation_filter, sql_filter
from localazure.servicebus.queue import Lock
from localazure.servicebus.store import Message
from tests.conformance.servicebus.conftest import ENTITIES


class Receiver:
    """A consumer that takes what it is given."""

    def __init__(self) -> None:
        self.session_id: str | None = None
        self.peek_lock = True
        self.credit = 0
        self.held: list[tuple[Message, Lock]] = []

    def wants(self) -> bool:
        return self.credit > 0

    def deliver(self, message: Message, lock: Lock | None) -> None:
        self.credit -= 1
        assert lock is not None
        self.held.append((message, lock))

    def lost(self, error: BrokerError) -> None:
        raise AssertionError(f"there are no sessions here: {error}")


STEPS = st.lists(
    st.one_of(
        st.just(("send", 0.0)),
        st.tuples(st.sampled_from(["receive", "complete", "abandon", "dead_letter", "release"]), st.floats(0, 0.99)),
        st.tuples(st.just("wait"), st.sampled_from([1.0, 20.0, 31.0])),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(STEPS)
async def test_no_message_is_lost_doubled_or_held_by_two(steps: list[tuple[str, float]]) -> None:
    clock = ManualClock()
    broker = Broker(Namespace(queues={"q": QueueOptions(lock=30, most_deliveries=3)}), None, clock)
    queue, receivers = broker.queue("q"), [Receiver(), Receiver()]
    for receiver in receivers:
        queue.attach(receiver)
    sent, done = 0, set[str]()
    for step, value in steps:
        if step == "send":
            broker.send("q", [Incoming(b"", message_id=str(sent))], lambda: None)
            sent += 1
        elif step == "wait":
            await clock.advance(value)
        elif step == "receive":
            receivers[int(value * 2)].credit += 1
            queue.pump()
        else:
            receiver = receivers[int(value * 2)]
            if not receiver.held:
                continue
            message, lock = receiver.held.pop(int(value * len(receiver.held)))
            try:
                arguments = (None, None) if step == "dead_letter" else ()
                getattr(queue, step)(lock.token, *arguments)
            except BrokerError:
                assert lock.until <= clock.time()
                continue
            if step == "complete":
                assert message.message_id not in done
                done.add(str(message.message_id))
        live = [lock for receiver in receivers for _, lock in receiver.held if lock.until > clock.time()]
        assert len({lock.message.seq for lock in live}) == len(live)
    dead = broker.queue("q/$DeadLetterQueue").messages.values()
    left = {str(message.message_id) for message in queue.messages.values()}
    buried = {str(message.message_id) for message in dead}
    assert done | left | buried == {str(number) for number in range(sent)}
    assert len(done) + len(left) + len(buried) == sent
    assert all(message.deliveries <= 3 for message in dead)
    await asyncio.sleep(0)
    broker.close()


@pytest.mark.parametrize(
    ("text", "properties", "fits"),
    [
        ("size > 10", {"size": 11}, True),
        ("size > 10", {"size": 10}, False),
        ("size > 10", {}, False),
        ("NOT (size > 10)", {}, False),
        ("size IS NULL", {}, True),
        ("size IS NOT NULL AND color IN ('red', 'it''s')", {"size": 1, "color": "it's"}, True),
        ("sys.Label LIKE 'order.%' OR EXISTS(vip)", {"sys.Label": "order.placed"}, True),
        ("sys.Label LIKE 'order.%' OR EXISTS(vip)", {"vip": False}, True),
        ("(a + b) * 2 = 10 AND [odd name] <> TRUE", {"a": 2, "b": 3, "odd name": False}, True),
        ("1 = 1", {}, True),
    ],
)
def test_a_sql_filter_decides_as_the_language_says(text: str, properties: dict[str, Any], fits: bool) -> None:
    assert sql_filter(text)(properties) is fits


@pytest.mark.parametrize("text", ["", "size >", "size = = 1", "DROP TABLE x"])
def test_a_sql_filter_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        sql_filter(text)


def test_a_correlation_filter_asks_for_everything_it_names() -> None:
    fits = correlation_filter({"Label": "a", "Properties": {"x": 1}})
    assert fits({"sys.Label": "a", "x": 1, "y": 2})
    assert not fits({"sys.Label": "a"})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"ForwardTo": "other"}, "ForwardTo"),
        ({"EnablePartitioning": True}, "EnablePartitioning"),
        ({"LockDuration": "1 minute"}, "1 minute"),
    ],
)
def test_an_entity_that_is_not_supported_stops_the_start(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    document = json.loads(json.dumps(ENTITIES))
    document["UserConfig"]["Namespaces"][0]["Queues"][0]["Properties"] |= change
    path = tmp_path / "entities.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=named):
        read(path)
