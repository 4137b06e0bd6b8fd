"""Dead letters: looked at, sent again to the one subscription that failed, set aside; nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from blueprints.operations import redrive, service, store
from blueprints.operations.shapes import DeadLetterFilter, StartRedrive
from shared.clock import timestamp
from shared.errors import Conflict, InvalidRequest, NotFound
from shared.messaging import dead_letters
from shared.redaction import HIDDEN
from shared.tasks.task import Task, task_id
from shared.tasks.triggers import take_step
from shared.web.auth import Principal
from tests.integration.services.dying import (
    BESIDE,
    LABEL,
    NAME,
    TOPIC,
    consuming,
    dead,
    emptied,
    handled,
    message_of,
    order,
    poisoned,
    receiver,
    subjects,
)

ADMIN = Principal("admin", frozenset({"operations.write"}), frozenset({"admin"}))


@pytest.fixture(autouse=True)
async def bus(addresses: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ServiceBusClient]:
    """The broker, with both subscriptions to orders empty; what waits for others waits less long."""
    for name, value in {"RECEIVE_SECONDS": 0.3, "PAUSE": 0.05, "STEP_SECONDS": 2.0}.items():
        monkeypatch.setattr(redrive, name, value)
    async with ServiceBusClient.from_connection_string(addresses["servicebus"]) as client:
        await asyncio.gather(*(emptied(client, name, dead=dead) for name in (NAME, BESIDE) for dead in (False, True)))
        yield client


def asked(**more: Any) -> StartRedrive:
    return StartRedrive(**{"topic": TOPIC, "service": NAME, "why": "a test", "rate": 1_000, "dry_run": False, **more})


async def started(body: StartRedrive, key: str = "") -> Task:
    key = key or secrets.token_hex(4)
    wanted = task_id(redrive.KIND, ADMIN.subject, key)
    await service.claim(body, wanted)
    now = timestamp()
    given = service.redrive_given(body)
    return await store.TASKS.add(
        Task(id=wanted, kind=redrive.KIND, owner=ADMIN.subject, given=given, created_at=now, updated_at=now)
    )


async def ended(task: Task) -> Task:
    """The task, once its steps have been taken, as its orchestrator takes them."""
    async with asyncio.timeout(60):
        while True:
            outcome = await take_step(store.TASKS, {redrive.KIND: redrive.step}, task.id)
            if outcome["ended"]:
                found = await store.TASKS.read(task.id)
                assert found is not None
                return found
            await asyncio.sleep(outcome["pause"])


async def test_a_dead_letter_goes_back_to_the_subscription_that_failed_and_to_no_other(bus: ServiceBusClient) -> None:
    (order_id,) = await dead(bus, 1)
    async with consuming(bus, handled) as given:
        task = await ended(await started(asked()))
    assert task.status == "completed" and task.result is not None
    assert {name: task.result[name] for name in ("matched", "sent", "handled", "came_back", "waiting")} == {
        "matched": 1, "sent": 1, "handled": 1, "came_back": 0, "waiting": 0,
    }  # fmt: skip
    (message,) = given
    assert (message.session_id, message.to, message.subject) == (order_id, NAME, "redrive")
    assert message.message_id != f"order.placed.v1:{order_id}:1", "the broker would drop the id that it knows"
    assert msgspec.json.decode(b"".join(message.body))["id"] == f"order.placed.v1:{order_id}:1"
    properties = {key.decode() if isinstance(key, bytes) else key for key in message.application_properties or {}}
    assert "version" in properties and not properties & {"DeadLetterReason", "DeadLetterErrorDescription"}
    assert await emptied(bus, BESIDE, dead=False) == []
    assert await emptied(bus, NAME, dead=True) == []


async def test_a_dry_run_counts_and_sends_nothing(bus: ServiceBusClient) -> None:
    await dead(bus, 3)
    async with consuming(bus, handled) as given:
        task = await ended(await started(asked(dry_run=True)))
    assert task.result == {
        "dry_run": True, "matched": 3, "event_types": {LABEL: 3}, "reasons": {"MaxDeliveryCountExceeded": 3},
    }  # fmt: skip
    assert given == [] and len(await emptied(bus, NAME, dead=True)) == 3


async def test_what_would_die_again_stops_the_redrive_after_its_probe(bus: ServiceBusClient) -> None:
    orders = await dead(bus, 10)
    async with consuming(bus, poisoned) as given:
        task = await ended(await started(asked()))
    assert task.status == "failed" and task.problem is not None and task.problem.code == "came-back"
    assert len(given) == redrive.PROBE
    assert task.result is not None and task.result["came_back"] == redrive.PROBE
    page = await service.redriven(task, None, 100)
    assert Counter(sent.fate for sent in page.items) == {"came_back": redrive.PROBE}
    assert subjects(await emptied(bus, NAME, dead=True)) == sorted(orders), "none is lost"


async def test_a_filter_and_a_selection_choose(bus: ServiceBusClient) -> None:
    one, other = await dead(bus, 2)
    await dead(bus, 2, reason="TTLExpiredException")
    async with consuming(bus, handled) as given:
        await ended(await started(asked(filter=DeadLetterFilter(subject=other))))
        assert subjects(given) == [other]
        await ended(await started(asked(filter=DeadLetterFilter(min_age_seconds=3600))))
        assert subjects(given) == [other]
        found = (await service.dead_letters_page({"subject": one}, None, 10)).items
        await ended(await started(asked(dead_letter_ids=[letter.id for letter in found])))
        assert subjects(given) == sorted([one, other])
        task = await ended(await started(asked(filter=DeadLetterFilter(reason="TTLExpiredException"))))
    assert task.result is not None and task.result["handled"] == 2
    assert await emptied(bus, NAME, dead=True) == []


class Crash(BaseException):
    """The process is gone: nothing that follows is done."""


_receiver = dead_letters.receiver


@asynccontextmanager
async def released_by_a_crash(topic: str, name: str, *, dead: bool = True) -> AsyncIterator[ServiceBusReceiver]:
    """A receiver whose locks run out at once when its process dies, instead of a minute later."""
    held: list[ServiceBusReceivedMessage] = []
    async with _receiver(topic, name, dead=dead) as receiving:
        receive = receiving.receive_messages

        async def remembered(*args: Any, **options: Any) -> list[ServiceBusReceivedMessage]:
            held[:] = await receive(*args, **options)
            return list(held)

        receiving.receive_messages = remembered  # type: ignore[method-assign]
        try:
            yield receiving
        except Crash:
            for message in held:
                await receiving.abandon_message(message)
            raise


@pytest.mark.parametrize("point", ["redrive.sent", "redrive.noted"])
async def test_a_crash_between_sending_and_completing_neither_loses_nor_doubles(
    bus: ServiceBusClient, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    orders = await dead(bus, 8)
    passed = 0

    def crash(name: str, *_: str) -> None:
        nonlocal passed
        passed += name == point
        if passed == 2 and name == point:
            raise Crash

    monkeypatch.setattr(redrive, "crash_point", crash)
    monkeypatch.setattr(dead_letters, "receiver", released_by_a_crash)
    async with consuming(bus, handled) as given:
        task = await started(asked())
        with pytest.raises(Crash):
            await ended(task)
        task = await ended(task)
    assert task.status == "completed", task
    assert subjects(given) == sorted(orders)
    assert task.result is not None and task.result["handled"] == len(orders)


async def test_a_cancelled_redrive_leaves_what_it_has_not_sent_where_it_is(bus: ServiceBusClient) -> None:
    orders = await dead(bus, 40)
    async with consuming(bus, handled) as given:
        task = await started(asked(rate=10))
        cancelling = asyncio.create_task(_cancelled(task))
        task = await ended(task)
        await cancelling
    assert task.status == "cancelled" and task.result is not None
    left = await emptied(bus, NAME, dead=True)
    assert 0 < len(given) < len(orders) and task.result["sent"] == len(given)
    assert subjects([*given, *left]) == sorted(orders)


async def _cancelled(task: Task) -> None:
    while True:
        found = await store.TASKS.read(task.id)
        if found is not None and found.progress.done >= redrive.PROBE:
            await store.TASKS.cancel(found)
            return
        await asyncio.sleep(0.02)


async def test_one_redrive_has_a_subscription_at_a_time(bus: ServiceBusClient) -> None:
    await dead(bus, 1)
    first = await started(asked(), "first")
    with pytest.raises(Conflict) as refused:
        await started(asked(), "second")
    assert refused.value.code == "redrive-under-way" and first.id in refused.value.detail
    await service.claim(asked(dry_run=True), "tsk_dry")
    async with consuming(bus, handled):
        await ended(first)
    second = await started(asked(), "second")
    assert (await ended(second)).result is not None


async def test_a_redrive_that_lost_its_subscription_sends_nothing_more(bus: ServiceBusClient) -> None:
    await dead(bus, 1)
    body = asked()
    # it has claimed and is not written yet, as another comes
    late = task_id(redrive.KIND, ADMIN.subject, "late")
    await service.claim(body, late)
    other = await started(body, "other")
    task = await started_without_claim(body, "late")
    assert task.id == late
    async with consuming(bus, handled) as given:
        late_task = await ended(task)
        assert (late_task.status, late_task.problem and late_task.problem.code) == ("failed", "redrive-superseded")
        assert (await ended(other)).status == "completed"
    assert len(given) == 1


async def started_without_claim(body: StartRedrive, key: str) -> Task:
    now, wanted = timestamp(), task_id(redrive.KIND, ADMIN.subject, key)
    given = service.redrive_given(body)
    return await store.TASKS.add(
        Task(id=wanted, kind=redrive.KIND, owner=ADMIN.subject, given=given, created_at=now, updated_at=now)
    )


async def test_pages_show_every_dead_letter_once(bus: ServiceBusClient) -> None:
    orders = await dead(bus, 23)
    seen, cursor = [], None
    while True:
        page = await service.dead_letters_page({"topic": TOPIC}, cursor, 5)
        seen += [letter.subject for letter in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted(orders)
    with pytest.raises(InvalidRequest):
        first = await service.dead_letters_page({"topic": TOPIC}, None, 5)
        await service.dead_letters_page({"topic": "carts"}, first.next_cursor, 5)


async def test_queues_tell_what_waits_and_what_is_dead(bus: ServiceBusClient) -> None:
    await dead(bus, 2)
    async with bus.get_topic_sender(TOPIC) as sender:
        await sender.send_messages(message_of(order(0)))
    (queue,) = [each for each in (await service.queues()).items if (each.topic, each.service) == (TOPIC, NAME)]
    assert (queue.waiting, queue.scheduled, queue.dead_lettered, queue.counted_all) == (1, 0, 2, True)
    assert queue.oldest_waiting_seconds is not None and queue.oldest_dead_letter_seconds is not None
    assert queue.oldest_dead_letter_seconds >= queue.oldest_waiting_seconds


async def test_a_dead_letter_is_read_without_what_may_be_personal(bus: ServiceBusClient) -> None:
    (order_id,) = await dead(bus, 1)
    (listed,) = (await service.dead_letters_page({"subject": order_id}, None, 5)).items
    letter = await service.dead_letter(listed.id)
    assert letter.data is not None
    assert letter.data["order_id"] == order_id
    assert letter.data["customer_id"] == letter.data["payment_method"] == HIDDEN
    assert (letter.reason, letter.description, letter.problem) == ("MaxDeliveryCountExceeded", "x", "")
    assert letter.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    for name in ("orders.payments.999999", "orders.carts.1", "nowhere.payments.1"):
        with pytest.raises(NotFound):
            await service.dead_letter(name)


async def test_what_is_no_event_is_told_by_its_shape_alone(bus: ServiceBusClient) -> None:
    async with bus.get_topic_sender(TOPIC) as sender:
        await sender.send_messages(ServiceBusMessage("card 4242424242424242", message_id="odd-1", subject=LABEL))
    async with receiver(bus, NAME, dead=False) as receiving:
        (message,) = await receiving.receive_messages(1, max_wait_time=5)
        await receiving.dead_letter_message(message, "MaxDeliveryCountExceeded", "x")
    (listed,) = (await service.dead_letters_page({"subject": "", "service": NAME}, None, 5)).items
    letter = await service.dead_letter(listed.id)
    assert (letter.event_id, letter.event_type, letter.problem) == ("odd-1", LABEL, "not an event: not JSON")
    assert letter.data is None and "4242" not in str(msgspec.to_builtins(letter))


async def test_setting_aside_keeps_the_dead_letter_with_the_reason_and_leaves_the_others(bus: ServiceBusClient) -> None:
    first, second, third = await dead(bus, 3)
    (listed,) = (await service.dead_letters_page({"subject": second}, None, 5)).items
    kept = await service.put_aside(ADMIN, listed.id, "a test order")
    again = await service.put_aside(ADMIN, listed.id, "for another reason")
    assert kept == again and (kept.why, kept.by, kept.subject) == ("a test order", "admin", second)
    assert subjects(await emptied(bus, NAME, dead=True)) == sorted([first, third])
    assert kept.id in {each.id for each in (await service.set_aside_page(None, 100)).items}
    document = await store.find_set_aside(kept.id, f"{TOPIC}.{NAME}")
    assert document is not None and second.encode() in document.body, "the message itself is kept"


async def test_setting_aside_goes_on_after_a_crash(bus: ServiceBusClient, monkeypatch: pytest.MonkeyPatch) -> None:
    (order_id,) = await dead(bus, 1)
    (listed,) = (await service.dead_letters_page({"subject": order_id}, None, 5)).items

    def crash(name: str, *_: str) -> None:
        raise Crash

    monkeypatch.setattr(service, "crash_point", crash)
    with pytest.raises(Crash):
        await service.put_aside(ADMIN, listed.id, "a test order")
    monkeypatch.setattr(service, "crash_point", lambda *_: None)
    kept = await service.put_aside(ADMIN, listed.id, "a test order")
    assert kept.subject == order_id and await emptied(bus, NAME, dead=True) == []


@pytest.mark.parametrize("count", [300])
async def test_many_are_redriven_at_a_stated_rate(bus: ServiceBusClient, count: int) -> None:
    orders = await dead(bus, count)
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with consuming(bus, handled) as given:
        task = await ended(await started(asked(rate=150)))
    assert task.result is not None and task.result["handled"] == count
    assert subjects(given) == sorted(orders)
    assert loop.time() - began >= (count - 150) / 150, "no faster than was said"
