"""The administration client over HTTPS: what it makes, changes, lists, counts and deletes."""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.servicebus import ServiceBusMessage

from localazure.certificate import CERTIFICATE, server_context
from localazure.servicebus.durations import FOREVER, duration, seconds

from .bench import Bus, both, take, texts

SHARED = pytest.mark.asyncio(loop_scope="session")


async def names(listed: Any) -> list[str]:
    return [item.name async for item in listed]


@SHARED
@both
async def test_the_namespace_says_what_it_is(bus: Bus) -> None:
    found = await bus.administration.get_namespace_properties()
    assert (found.name, found.messaging_sku, found.namespace_type) == ("bench", "Standard", "Messaging")
    assert found.created_at_utc.timestamp() == pytest.approx(bus.broker.started, abs=1)


@SHARED
@both
async def test_a_queue_is_made_with_the_services_defaults(bus: Bus) -> None:
    name = bus.name()
    made = await bus.administration.create_queue(name)
    found = await bus.administration.get_queue(name)
    assert made.name == found.name == name
    assert (found.lock_duration, found.max_delivery_count) == (timedelta(minutes=1), 10)
    assert found.default_message_time_to_live > timedelta(days=10_000_000)
    assert found.auto_delete_on_idle > timedelta(days=10_000_000)
    assert found.duplicate_detection_history_time_window == timedelta(minutes=10)
    assert (found.requires_session, found.requires_duplicate_detection) == (False, False)
    assert (found.dead_lettering_on_message_expiration, found.enable_batched_operations) == (False, True)
    assert (found.max_size_in_megabytes, found.max_message_size_in_kilobytes) == (1024, 256)
    assert (found.status, found.availability_status) == ("Active", "Available")
    assert (found.forward_to, found.forward_dead_lettered_messages_to, found.user_metadata) == (None, None, None)
    assert (found.enable_partitioning, found.enable_express, found.authorization_rules) == (False, False, None)


@SHARED
@both
async def test_a_queue_is_made_as_it_is_asked_for_and_used(bus: Bus) -> None:
    name, errors = bus.name(), bus.queue()
    await bus.administration.create_queue(
        name, lock_duration=timedelta(seconds=20), max_delivery_count=2, requires_session=True,
        default_message_time_to_live="PT2H", dead_lettering_on_message_expiration=True,
        requires_duplicate_detection=True, duplicate_detection_history_time_window=timedelta(minutes=5),
        max_size_in_megabytes=2048, user_metadata="about <it> & more", enable_batched_operations=False,
        forward_dead_lettered_messages_to=errors,
    )  # fmt: skip
    found = await bus.administration.get_queue(name)
    assert (found.lock_duration, found.max_delivery_count) == (timedelta(seconds=20), 2)
    assert found.default_message_time_to_live == timedelta(hours=2)
    assert found.duplicate_detection_history_time_window == timedelta(minutes=5)
    assert (found.requires_session, found.requires_duplicate_detection) == (True, True)
    assert (found.dead_lettering_on_message_expiration, found.enable_batched_operations) == (True, False)
    assert (found.max_size_in_megabytes, found.user_metadata) == (2048, "about <it> & more")
    assert found.forward_dead_lettered_messages_to.endswith(f"/{errors}")
    sender, receiver = await bus.open(
        bus.client.get_queue_sender(name), bus.client.get_queue_receiver(name, session_id="a")
    )
    await sender.send_messages([ServiceBusMessage("x", session_id="a", message_id="1") for _ in range(2)])
    [message] = await take(receiver, 1)
    await receiver.dead_letter_message(message)
    assert bus.broker.queue(errors).depth()["active"] == 1


@SHARED
@both
async def test_a_queue_is_updated_and_what_is_fixed_is_not(bus: Bus) -> None:
    name = bus.name()
    queue = await bus.administration.create_queue(name)
    await bus.clock.advance(5)
    queue.lock_duration = timedelta(seconds=15)
    queue.status = "SendDisabled"
    await bus.administration.update_queue(queue, max_delivery_count=7)
    found = await bus.administration.get_queue(name)
    assert (found.lock_duration, found.status, found.max_delivery_count) == (timedelta(seconds=15), "SendDisabled", 7)
    assert bus.broker.queue(name).options.most_deliveries == 7
    times = await bus.administration.get_queue_runtime_properties(name)
    assert times.updated_at_utc - times.created_at_utc == timedelta(seconds=5)
    with pytest.raises(HttpResponseError, match="RequiresSession cannot be changed"):
        await bus.administration.update_queue(queue, requires_session=True)
    queue.name = bus.name()
    with pytest.raises(ResourceNotFoundError):
        await bus.administration.update_queue(queue)


@SHARED
@both
async def test_an_existing_queue_is_not_made_again_and_a_deleted_one_is_gone(bus: Bus) -> None:
    name = bus.name()
    await bus.administration.create_queue(name)
    with pytest.raises(ResourceExistsError):
        await bus.administration.create_queue(name.upper())
    with pytest.raises(ResourceExistsError):
        await bus.administration.create_topic(name)
    await bus.administration.delete_queue(name)
    with pytest.raises(ResourceNotFoundError):
        await bus.administration.get_queue(name)
    with pytest.raises(ResourceNotFoundError):
        await bus.administration.delete_queue(name)


@SHARED
@both
async def test_a_queue_says_what_is_in_it(bus: Bus) -> None:
    name, sender, receiver, _ = await bus.line()
    await sender.send_messages([ServiceBusMessage("x" * 100) for _ in range(5)])
    moment = (await bus.administration.get_queue_runtime_properties(name)).created_at_utc + timedelta(hours=1)
    await sender.schedule_messages([ServiceBusMessage("later")] * 2, moment)
    dying, deferred = await take(receiver, 2)
    await receiver.dead_letter_message(dying)
    await receiver.defer_message(deferred)
    found = await bus.administration.get_queue_runtime_properties(name)
    assert (found.active_message_count, found.dead_letter_message_count, found.scheduled_message_count) == (4, 1, 2)
    assert (found.transfer_message_count, found.transfer_dead_letter_message_count) == (0, 0)
    assert found.total_message_count == 7
    assert 500 < found.size_in_bytes < 2000
    assert found.accessed_at_utc.timestamp() == pytest.approx(bus.clock.time(), abs=1)
    assert name in await names(bus.administration.list_queues_runtime_properties())


@SHARED
@both
async def test_entities_are_listed_page_by_page(bus: Bus) -> None:
    topic = bus.name()
    await bus.administration.create_topic(topic)
    assert await names(bus.administration.list_subscriptions(topic)) == []
    made = [f"s{number:03}" for number in range(105)]
    for name in made:
        bus.subscribe(topic, name)
    assert await names(bus.administration.list_subscriptions(topic)) == made
    assert await names(bus.administration.list_subscriptions_runtime_properties(topic, max_page_size=40)) == made
    assert await names(bus.administration.list_subscriptions(topic, start_index=100)) == made[100:]
    assert topic in await names(bus.administration.list_topics())
    assert topic in await names(bus.administration.list_topics_runtime_properties())
    assert topic not in await names(bus.administration.list_queues())


@SHARED
@both
async def test_a_topic_is_made_changed_counted_and_deleted_with_its_subscriptions(bus: Bus) -> None:
    name = bus.name()
    made = await bus.administration.create_topic(
        name, default_message_time_to_live=timedelta(days=1), requires_duplicate_detection=True, user_metadata="m"
    )
    assert (made.default_message_time_to_live, made.requires_duplicate_detection) == (timedelta(days=1), True)
    await bus.administration.update_topic(made, user_metadata="n", max_size_in_megabytes=3072)
    found = await bus.administration.get_topic(name)
    assert (found.user_metadata, found.max_size_in_megabytes, found.support_ordering) == ("n", 3072, True)
    for subscription in ("a", "b"):
        await bus.administration.create_subscription(name, subscription)
    sender = await bus.open(bus.client.get_topic_sender(name))
    await sender.send_messages(ServiceBusMessage("x" * 100))
    counted = await bus.administration.get_topic_runtime_properties(name)
    await sender.schedule_messages(ServiceBusMessage("later"), counted.created_at_utc + timedelta(hours=1))
    counted = await bus.administration.get_topic_runtime_properties(name)
    assert (counted.subscription_count, counted.scheduled_message_count) == (2, 1)
    assert counted.size_in_bytes > 200
    await bus.administration.delete_topic(name)
    with pytest.raises(ResourceNotFoundError):
        await bus.administration.get_topic(name)
    with pytest.raises(ResourceNotFoundError):
        await bus.administration.get_subscription(name, "a")


@SHARED
@both
async def test_a_subscription_is_made_changed_counted_and_deleted(bus: Bus) -> None:
    topic, sender = await bus.topic()
    made = await bus.administration.create_subscription(
        topic, "s", lock_duration=timedelta(seconds=20), max_delivery_count=1, default_message_time_to_live="PT1H",
        dead_lettering_on_message_expiration=True, dead_lettering_on_filter_evaluation_exceptions=False,
        user_metadata="m",
    )  # fmt: skip
    assert (made.name, made.lock_duration, made.max_delivery_count) == ("s", timedelta(seconds=20), 1)
    assert (made.requires_session, made.dead_lettering_on_filter_evaluation_exceptions) == (False, False)
    await bus.administration.update_subscription(topic, made, max_delivery_count=2)
    found = await bus.administration.get_subscription(topic, "s")
    assert (found.max_delivery_count, found.default_message_time_to_live) == (2, timedelta(hours=1))
    with pytest.raises(ResourceExistsError):
        await bus.administration.create_subscription(topic, "s")
    await sender.send_messages([ServiceBusMessage("x"), ServiceBusMessage("y")])
    receiver = await bus.subscriber(topic, "s")
    await receiver.dead_letter_message((await take(receiver, 1))[0])
    counted = await bus.administration.get_subscription_runtime_properties(topic, "s")
    assert (counted.active_message_count, counted.dead_letter_message_count) == (1, 1)
    assert counted.total_message_count == 2
    await bus.administration.delete_subscription(topic, "s")
    with pytest.raises(ResourceNotFoundError):
        await bus.administration.get_subscription(topic, "s")
    with pytest.raises(ResourceNotFoundError):
        await bus.administration.create_subscription("missing", "s")


@SHARED
@both
async def test_a_subscription_forwards_to_an_entity_that_exists(bus: Bus) -> None:
    topic, sender = await bus.topic()
    name, _, receiver, _ = await bus.line()
    made = await bus.administration.create_subscription(topic, "s", forward_to=name)
    assert made.forward_to.endswith(f"/{name}")
    await sender.send_messages(ServiceBusMessage("x"))
    assert texts(await take(receiver, 1)) == ["x"]
    with pytest.raises(HttpResponseError, match="no queue and no topic 'nowhere'"):
        await bus.administration.create_subscription(topic, "t", forward_to="nowhere")


@SHARED
@both
async def test_forwarding_begins_and_ends_with_an_update(bus: Bus) -> None:
    name, sender, receiver, _ = await bus.line()
    queue = await bus.administration.create_queue(bus.name())
    source = await bus.sender(queue.name)
    await source.send_messages(ServiceBusMessage("waiting"))
    await bus.administration.update_queue(queue, forward_to=name)
    assert texts(await take(receiver, 1)) == ["waiting"]
    await bus.administration.update_queue(queue)
    await source.send_messages(ServiceBusMessage("stays"))
    assert bus.broker.queue(queue.name).depth()["active"] == 1
    del sender


@SHARED
@both
async def test_a_queue_with_sessions_forwards_and_has_them_again_when_it_stops(bus: Bus) -> None:
    name, _, receiver, _ = await bus.line()
    queue = await bus.administration.create_queue(bus.name(), requires_session=True, forward_to=name)
    sender = await bus.sender(queue.name)
    await sender.send_messages(ServiceBusMessage("on", session_id="a"))
    assert texts(await take(receiver, 1)) == ["on"]
    queue.forward_to = None
    await bus.administration.update_queue(queue)
    await sender.send_messages(ServiceBusMessage("stays", session_id="a"))
    assert texts(await take(await bus.receiver(queue.name, session_id="a"), 1)) == ["stays"]


@SHARED
@both
async def test_a_queue_that_forwards_to_itself_ends_in_its_dead_letters(bus: Bus) -> None:
    name, sender, _, dead = await bus.line()
    queue = await bus.administration.get_queue(name)
    queue.forward_to = name
    await bus.administration.update_queue(queue)
    await sender.send_messages(ServiceBusMessage("x"))
    [message] = await take(dead, 1)
    assert message.dead_letter_reason == "MaxTransferHopCountExceeded"


@SHARED
@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ({"max_message_size_in_kilobytes": 2048}, "MaxMessageSizeInKilobytes is not supported"),
        ({"lock_duration": "PT10M"}, "LockDuration is out of its range"),
        ({"lock_duration": "P1M"}, "is not an ISO 8601 duration"),
    ],
)
@both
async def test_a_queue_that_cannot_be_is_refused_by_name(bus: Bus, properties: dict[str, Any], named: str) -> None:
    with pytest.raises(HttpResponseError, match=named):
        await bus.administration.create_queue(bus.name(), **properties)


@SHARED
@both
async def test_a_name_that_cannot_be_is_refused(bus: Bus) -> None:
    for name in ("-x", "x y", "x" * 261):
        with pytest.raises(HttpResponseError, match="cannot name a queue"):
            await bus.administration.create_queue(name)
    await bus.administration.create_queue(f"site/page/{bus.name()}")


@SHARED
@both
async def test_administration_needs_the_key(bus: Bus) -> None:
    good = bus.server.management_connection_string
    async with bus.administrate(good) as client:
        assert (await client.get_namespace_properties()).name == "bench"
    async with bus.administrate(good.replace("SAS_KEY_VALUE", "WRONG")) as client:
        with pytest.raises(ClientAuthenticationError):
            await client.get_namespace_properties()


@SHARED
@both
async def test_a_client_that_does_not_trust_the_certificate_does_not_connect(bus: Bus) -> None:
    async with bus.administrate(bus.server.management_connection_string, connection_verify=True) as client:
        with pytest.raises(ServiceRequestError):
            await client.get_namespace_properties()


@SHARED
@both
async def test_the_environment_can_say_what_to_trust(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `requests` reads it; the asynchronous client has to be told."""
    if bus.kind == "async":
        return
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bus.server.certificate))
    async with bus.administrate(bus.server.management_connection_string, connection_verify=True) as client:
        assert (await client.get_namespace_properties()).name == "bench"


def test_the_certificate_is_made_once_and_is_this_machines_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    server_context(state)
    first = (state / CERTIFICATE).read_bytes()
    server_context(state)
    assert (state / CERTIFICATE).read_bytes() == first
    [key] = [path for path in state.iterdir() if "key" in path.name]
    assert key.stat().st_mode & 0o077 == 0
    context = ssl.create_default_context(cafile=state / CERTIFICATE)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert context.get_ca_certs()[0]["subject"] == ((("commonName", "localazure"),),)
    (state / CERTIFICATE).unlink()
    server_context(state)
    assert (state / CERTIFICATE).read_bytes() != first


@pytest.mark.parametrize("value", [1, 60, 1.5, 86_400, 90_061, 14 * 86_400, FOREVER])
def test_durations_are_written_as_they_are_read(value: float) -> None:
    assert seconds(duration(value)) == value
