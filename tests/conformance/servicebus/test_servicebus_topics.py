"""Topics, their rules and forwarding, as the official clients see them. Each test runs with both."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import MessageNotFoundError, ServiceBusError

from localazure.servicebus.filters import CorrelationFilter, FalseFilter, Rule, SqlAction, SqlFilter

from .bench import NONE, Bus, both, drained, take, texts

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def received(bus: Bus, topic: str, *subscriptions: str) -> dict[str, list[str]]:
    """What is in each subscription; nothing is there any more."""
    opened = await bus.open(*(bus.client.get_subscription_receiver(topic, name) for name in subscriptions))
    found = {}
    for name, receiver in zip(subscriptions, [opened] if len(subscriptions) == 1 else opened, strict=True):
        count = bus.broker.queue(f"{topic}/Subscriptions/{name}").depth()["active"]
        messages = await take(receiver, count)
        for message in messages:
            await receiver.complete_message(message)
        found[name] = texts(messages)
    return found


@both
async def test_a_subscription_gets_what_its_rules_let_through(bus: Bus) -> None:
    topic, sender = await bus.topic()
    bus.subscribe(topic, "all", Rule("r"))
    bus.subscribe(topic, "none", Rule("r", FalseFilter()))
    bus.subscribe(topic, "labelled", Rule("r", CorrelationFilter({"Label": "big"})))
    bus.subscribe(topic, "large", Rule("r", SqlFilter("size > 10 AND sys.Label <> 'secret'")))
    bus.subscribe(topic, "either", Rule("a", SqlFilter("size = 5")), Rule("b", CorrelationFilter({}, {"size": 5})))
    bus.subscribe(topic, "no-rules")
    bus.broker.entities.set_rules(f"{topic}/Subscriptions/no-rules", [])
    for label, size in (("big", 5), ("big", 50), ("small", 50), ("secret", 50)):
        message = ServiceBusMessage(f"{label} {size}", subject=label, application_properties={"size": size})
        await sender.send_messages(message)
    assert await received(bus, topic, "all", "none", "no-rules", "labelled", "large", "either") == {
        "all": ["big 5", "big 50", "small 50", "secret 50"],
        "none": [],
        "no-rules": [],
        "labelled": ["big 5", "big 50"],
        "large": ["big 50", "small 50"],
        "either": ["big 5"],
    }


@both
async def test_a_correlation_filter_looks_at_every_system_property(bus: Bus) -> None:
    given = {
        "MessageId": "m", "CorrelationId": "c", "ContentType": "text/plain", "Label": "l", "To": "t", "ReplyTo": "r",
        "SessionId": "s", "ReplyToSessionId": "rs",
    }  # fmt: skip
    topic, sender = await bus.topic()
    for name, value in given.items():
        bus.subscribe(topic, name, Rule("r", CorrelationFilter({name: value})))
    matching = ServiceBusMessage(
        "x", message_id="m", correlation_id="c", content_type="text/plain", subject="l", to="t", reply_to="r",
        session_id="s", reply_to_session_id="rs",
    )  # fmt: skip
    await sender.send_messages([matching, ServiceBusMessage("y", message_id="other")])
    assert await received(bus, topic, *given) == {name: ["x"] for name in given}


@both
async def test_a_rules_action_changes_what_its_subscription_gets(bus: Bus) -> None:
    topic, sender = await bus.topic("plain")
    action = SqlAction("SET sys.Label = 'seen'; SET Size = size + 1; SET [new one] = 'n'; REMOVE secret")
    bus.subscribe(topic, "changed", Rule("r", action=action))
    properties: dict[str | bytes, Any] = {"Size": 1, "secret": "s", "kept": "k", "real": 0.5}
    await sender.send_messages(ServiceBusMessage(b"body", subject="new", application_properties=properties))
    changing, plain = await bus.open(
        *(bus.client.get_subscription_receiver(topic, name) for name in ("changed", "plain"))
    )
    [message] = await take(changing, 1)
    assert (message.subject, b"".join(message.body)) == ("seen", b"body")
    assert message.application_properties == {b"Size": 2, b"kept": b"k", b"real": 0.5, b"new one": b"n"}
    [message] = await take(plain, 1)
    assert (message.subject, message.application_properties[b"Size"]) == ("new", 1)


@both
async def test_each_rule_with_an_action_makes_a_copy_and_those_without_one_together(bus: Bus) -> None:
    topic, sender = await bus.topic()
    acting = [Rule(f"r{n}", action=SqlAction(f"SET n = {n}")) for n in (1, 2)]
    bus.subscribe(topic, "s", Rule("a"), Rule("b"), *acting)
    await sender.send_messages(ServiceBusMessage("x", application_properties={"n": 0}))
    found = await take(await bus.subscriber(topic, "s"), 3)
    assert [message.application_properties[b"n"] for message in found] == [0, 1, 2]


@both
async def test_a_filter_that_fails_on_a_message_buries_it_or_lets_it_pass_by(bus: Bus) -> None:
    topic, sender = await bus.topic()
    failing = Rule("r", SqlFilter("size > 10"))
    bus.subscribe(topic, "buries", failing)
    bus.subscribe(topic, "passes", failing, DeadLetteringOnFilterEvaluationExceptions=False)
    await sender.send_messages(ServiceBusMessage("x", application_properties={"size": "not a number"}))
    paths = [f"{topic}/Subscriptions/{name}" for name in ("buries", "passes")]
    depths = bus.broker.depths()
    assert [depths[path]["active"] for path in paths] == [0, 0]
    assert [depths[f"{path}/$DeadLetterQueue"]["active"] for path in paths] == [1, 0]


@both
async def test_a_message_scheduled_to_a_topic_comes_at_its_time_unless_it_is_cancelled(bus: Bus) -> None:
    topic, sender = await bus.topic()
    bus.subscribe(topic, "s", Rule("r", SqlFilter("n = 1")))
    receiver = await bus.subscriber(topic, "s")
    moment = datetime.fromtimestamp(bus.clock.time() + 60, UTC)
    messages = [ServiceBusMessage(text, application_properties={"n": 1}) for text in ("kept", "no")]
    kept, cancelled = await sender.schedule_messages(messages, moment)
    assert kept != cancelled
    await sender.cancel_scheduled_messages(cancelled)
    with pytest.raises(MessageNotFoundError):
        await sender.cancel_scheduled_messages(cancelled)
    assert await receiver.receive_messages(1, max_wait_time=NONE) == []
    await bus.clock.advance(61)
    assert texts(await drained(receiver)) == ["kept"]


@both
async def test_a_topic_takes_a_message_id_once(bus: Bus) -> None:
    topic = bus.create("topic", {"RequiresDuplicateDetection": True})
    bus.subscribe(topic, "s")
    sender = await bus.open(bus.client.get_topic_sender(topic))
    await sender.send_messages([ServiceBusMessage(text, message_id="same") for text in "ab"])
    assert await received(bus, topic, "s") == {"s": ["a"]}


@both
async def test_a_subscription_has_a_time_to_live_a_count_and_dead_letters_of_its_own(bus: Bus) -> None:
    topic, sender = await bus.topic("long")
    bus.subscribe(topic, "short", MaxDeliveryCount=1, DefaultMessageTimeToLive="PT1M")
    await sender.send_messages([ServiceBusMessage("x"), ServiceBusMessage("y")])
    short, dead = await bus.open(
        bus.client.get_subscription_receiver(topic, "short"),
        bus.client.get_subscription_receiver(topic, "short", sub_queue="deadletter"),
    )
    [message] = await take(short, 1)
    await short.abandon_message(message)
    [message] = await take(dead, 1)
    assert (str(message), message.dead_letter_source) == ("x", f"{topic}/Subscriptions/short")
    await bus.clock.advance(61)
    assert await short.receive_messages(1, max_wait_time=NONE) == []
    assert await received(bus, topic, "long") == {"long": ["x", "y"]}


@both
async def test_a_queue_forwards_to_a_queue_and_a_topic(bus: Bus) -> None:
    topic, _ = await bus.topic()
    bus.subscribe(topic, "s", Rule("r", SqlFilter("n = 1")))
    middle = bus.queue(ForwardTo=topic)
    first = bus.queue(ForwardTo=middle)
    sender = await bus.sender(first)
    messages = [ServiceBusMessage(str(n), message_id=str(n), application_properties={"n": n}) for n in (1, 2)]
    await sender.send_messages(messages)
    receiver = await bus.subscriber(topic, "s")
    [message] = await take(receiver, 1)
    assert (str(message), message.message_id, message.delivery_count) == ("1", "1", 0)
    assert (message.enqueued_sequence_number, message.sequence_number) == (1, 1)
    assert await receiver.receive_messages(1, max_wait_time=NONE) == []


@both
async def test_nobody_receives_from_an_entity_that_forwards(bus: Bus) -> None:
    first = bus.queue(ForwardTo=bus.queue())
    with pytest.raises(ServiceBusError, match="forwards its messages"):
        async with bus.client.get_queue_receiver(first) as receiver:
            await receiver.receive_messages(1, max_wait_time=1)


@both
async def test_scheduled_messages_are_forwarded_when_they_are_due(bus: Bus) -> None:
    last, _, receiver, _ = await bus.line()
    sender = await bus.sender(bus.queue(ForwardTo=last))
    await sender.schedule_messages(ServiceBusMessage("x"), datetime.fromtimestamp(bus.clock.time() + 60, UTC))
    assert await receiver.receive_messages(1, max_wait_time=NONE) == []
    await bus.clock.advance(61)
    assert texts(await take(receiver, 1)) == ["x"]


@both
async def test_dead_letters_are_forwarded_with_their_reason(bus: Bus) -> None:
    errors, _, receiver, _ = await bus.line()
    name, sender, source, _ = await bus.line(ForwardDeadLetteredMessagesTo=errors)
    await sender.send_messages(ServiceBusMessage("x"))
    [message] = await take(source, 1)
    await source.dead_letter_message(message, reason="poison", error_description="cannot be read")
    [dead] = await take(receiver, 1)
    assert (str(dead), dead.dead_letter_reason, dead.dead_letter_error_description) == ("x", "poison", "cannot be read")
    assert dead.dead_letter_source == name


@both
async def test_a_chain_of_more_than_four_hops_buries_the_message(bus: Bus) -> None:
    chain: list[str] = [bus.queue()]
    for _ in range(5):
        chain.append(bus.queue(ForwardTo=chain[-1]))
    sender = await bus.sender(chain[-1])
    await sender.send_messages(ServiceBusMessage("x"))
    dead = await bus.receiver(chain[1], sub_queue="deadletter")
    [message] = await take(dead, 1)
    assert message.dead_letter_reason == "MaxTransferHopCountExceeded"


@both
async def test_what_cannot_be_forwarded_is_buried_where_it_came_from(bus: Bus) -> None:
    last = bus.queue()
    first = bus.queue(ForwardTo=last)
    bus.broker.entities.delete(last)
    sender, dead = await bus.open(
        bus.client.get_queue_sender(first), bus.client.get_queue_receiver(first, sub_queue="deadletter")
    )
    await sender.send_messages(ServiceBusMessage("x"))
    [message] = await take(dead, 1)
    assert message.dead_letter_reason == "EntityNotFound"


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ({"MaxMessageSizeInKilobytes": 1024}, "MaxMessageSizeInKilobytes is not supported"),
        ({"LockDuration": "PT10M"}, "LockDuration is out of its range"),
        ({"LockDuration": "1 minute"}, "1 minute"),
        ({"MaxDeliveryCount": 0}, "MaxDeliveryCount is out of its range"),
        ({"Status": "Creating"}, "no status 'Creating'"),
        ({"Colour": "red"}, "no property Colour"),
    ],
)
@both
async def test_what_an_entity_cannot_be_is_refused_by_name(bus: Bus, properties: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        bus.queue(**properties)
