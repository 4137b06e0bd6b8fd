"""The broker's rules without a socket: peek-lock under every order of events, and the entities file."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localazure.clock import ManualClock
from localazure.servicebus.engine import Broker
from localazure.servicebus.entities import Namespace, Subscription, Topic, read
from localazure.servicebus.errors import BrokerError, EntityNotFound
from localazure.servicebus.filters import CorrelationFilter, Rule
from localazure.servicebus.locks import Lock
from localazure.servicebus.options import Options
from localazure.servicebus.store import Message
from localazure.servicebus.target import Incoming

from .conftest import ENTITIES, LARGE


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

    def detached(self, error: BrokerError | None) -> None:
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
    broker = Broker(Namespace(queues={"q": Options(lock=30, most_deliveries=3)}), None, clock)
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
            queue.dispatch()
        else:
            receiver = receivers[int(value * 2)]
            if not receiver.held:
                continue
            message, lock = receiver.held.pop(int(value * len(receiver.held)))
            try:
                arguments: tuple[Any, ...] = ({},) if step == "dead_letter" else ()
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
    dead_ids = {str(message.message_id) for message in dead}
    assert done | left | dead_ids == {str(number) for number in range(sent)}
    assert len(done) + len(left) + len(dead_ids) == sent
    assert all(message.deliveries <= 3 for message in dead)
    await asyncio.sleep(0)
    broker.close()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"MaxMessageSizeInKilobytes": 2048}, "MaxMessageSizeInKilobytes"),
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


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ({"FilterType": "Sql", "SqlFilter": {"SqlExpression": "size >"}}, "news/all: .*cannot be read"),
        ({"FilterType": "Correlation", "CorrelationFilter": {}}, "names at least one property"),
        ({"FilterType": "Correlation", "CorrelationFilter": {"Colour": "red"}}, "no system property sys.Colour"),
        ({"FilterType": "Regex"}, "the filter type 'Regex' does not exist"),
        ({**LARGE, "Action": {"SqlExpression": "SET sys.Size = 1"}}, "sys.Size is not supported"),
    ],
)
def test_a_rule_that_is_not_supported_stops_the_start(tmp_path: Path, rule: dict[str, Any], named: str) -> None:
    document = json.loads(json.dumps(ENTITIES))
    subscription = document["UserConfig"]["Namespaces"][0]["Topics"][0]["Subscriptions"][0]
    subscription["Rules"] = [{"Name": "r", "Properties": rule}]
    path = tmp_path / "entities.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=named):
        read(path)


async def test_after_a_scheduled_message_of_a_topic_the_broker_rests() -> None:
    clock = ManualClock()
    broker = Broker(Namespace(topics={"t": Topic(Options(), {"s": Subscription()})}), None, clock)
    broker.send("t", [Incoming(b"", due=clock.time() + 60)], lambda: None)
    [number] = broker.reserve("t", 1)
    broker.schedule("t", [Incoming(b"", due=clock.time() + 60)], [number])
    broker.cancel_scheduled("t", [number])
    await clock.advance(61)
    assert broker.queue("t/Subscriptions/s").depth()["active"] == 1
    assert not broker.awake
    broker.close()


def namespace(**topics: Topic) -> Namespace:
    return Namespace(queues={"declared": Options(lock=30)}, topics=topics)


async def test_what_is_declared_is_as_declared_after_a_restart_and_what_was_made_besides_is_kept(
    tmp_path: Path,
) -> None:
    path, clock = tmp_path / "servicebus.db", ManualClock()
    topic = Topic(Options(), {"s": Subscription(rules=(Rule("declared"),))})
    broker = Broker(namespace(t=topic, gone=topic), path, clock)
    broker.entities.update("declared", Options(lock=10))
    broker.entities.set_rules("t/Subscriptions/s", [Rule("changed")])
    broker.entities.create("queue", "made", Options(lock=20, metadata="m"))
    made = (Rule("r", CorrelationFilter({"Label": "l"}, {"n": 1})),)
    broker.entities.create("subscription", "t/Subscriptions/made", Options(most_deliveries=2), made)
    broker.entities.create("subscription", "gone/Subscriptions/made", Options(), made)
    broker.send("made", [Incoming(b"x")], lambda: None)
    created = broker.entities.describe("declared").created
    broker.close()
    await clock.advance(100)
    again = Broker(namespace(t=topic), path, clock)
    assert again.entities.describe("declared").options.lock == 30
    assert again.entities.describe("declared").created == created
    assert [rule.name for rule in again.entities.describe("t/Subscriptions/s").rules] == ["declared"]
    assert again.entities.describe("made").options == Options(lock=20, metadata="m")
    assert again.queue("made").depth()["active"] == 1
    kept = again.entities.describe("t/Subscriptions/made")
    assert (kept.options.most_deliveries, kept.rules) == (2, made)
    assert [found.path for found in again.entities.descriptions("topic")] == ["t"]
    again.close()


async def test_a_deleted_entity_leaves_nothing_behind(tmp_path: Path) -> None:
    broker = Broker(Namespace(), tmp_path / "servicebus.db", ManualClock())
    for _ in range(2):
        broker.entities.create("topic", "t", Options(duplicates=True))
        broker.entities.create("subscription", "t/Subscriptions/s", Options(), (Rule("$Default"),))
        broker.send("t", [Incoming(b"", message_id="1")], lambda: None)
        [message] = broker.queue("t/Subscriptions/s").messages.values()
        assert message.seq == 1
        broker.entities.delete("T")
        assert broker.depths() == {}
    broker.close()


async def test_an_entity_that_is_idle_for_its_time_is_deleted() -> None:
    clock = ManualClock()
    broker = Broker(Namespace(), None, clock)
    broker.entities.create("queue", "q", Options(idle=300))
    await clock.advance(200)
    broker.send("q", [Incoming(b"x")], lambda: None)
    await clock.advance(200)
    receiver = Receiver()
    broker.queue("q").attach(receiver)
    await clock.advance(1000)
    broker.queue("q").detach(receiver)
    await clock.advance(299)
    assert broker.queue("q").depth()["active"] == 1
    await clock.advance(302)
    with pytest.raises(EntityNotFound):
        broker.queue("q")
    assert not broker.awake
    broker.close()


async def test_the_state_of_an_older_version_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "servicebus.db"
    with sqlite3.connect(path) as old:
        old.execute(
            "CREATE TABLE sessions (entity TEXT, session_id TEXT, state BLOB, PRIMARY KEY (entity, session_id))"
        )
        old.execute("INSERT INTO sessions VALUES ('q', 'a', x'01')")
    old.close()
    broker = Broker(Namespace(queues={"q": Options(sessions=True)}), path, ManualClock())
    assert broker.queue("q").sessions.state("a") == b"\x01"
    broker.close()


async def test_a_sequence_number_is_never_given_twice_although_they_are_written_down_ahead(tmp_path: Path) -> None:
    namespace, clock, last = Namespace(queues={"q": Options()}), ManualClock(), 0
    for killed in (True, False, True):
        broker = Broker(namespace, tmp_path / "bus.db", clock)
        for _ in range(150):
            broker.send("q", [Incoming(b"")], lambda: None)
            number = max(broker.queue("q").messages)
            assert number > last
            last = number
            broker.queue("q").remove(broker.queue("q").messages[number])
        broker.store.flush()
        broker.store.kill() if killed else broker.close()
    assert last <= 3 * 150 + 3 * 101
