"""What operations can do: show queues and dead letters, send these again, set them aside."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec

from blueprints.operations import audit, redrive, store
from blueprints.operations.domain import Chosen
from blueprints.operations.shapes import (
    DeadLetterSummary,
    DeadLetterView,
    QueueView,
    SentView,
    SetAsideView,
    StartRedrive,
)
from blueprints.operations.store import SetAside
from shared.acting import actor
from shared.clock import timestamp, utc_now
from shared.errors import Conflict, InvalidRequest, NotFound, Transient
from shared.faultpoints import crash_point
from shared.messaging import dead_letters
from shared.messaging.client import open_all
from shared.messaging.dead_letters import Letter
from shared.messaging.topology import SUBSCRIPTIONS
from shared.operating import read_age
from shared.persistence.cosmos import AlreadyExists
from shared.redaction import redacted
from shared.tasks.task import Task
from shared.telemetry import trace
from shared.telemetry.log import Log
from shared.web.auth import Principal
from shared.web.paging import Page, decode_cursor, encode_cursor

DEAD_LETTER_ID = re.compile(r"[a-z][a-z-]{0,49}\.[a-z][a-z-]{0,49}\.[1-9][0-9]{0,18}")
MAX_LOOKED_AT = 5_000
"""Dead letters that one page looks at; the next page goes on from there."""
SCAN_SECONDS = 40.0
"""How long setting aside looks for its dead letter among the others, which are locked meanwhile: within a lock."""

log = Log("operations")


async def queues() -> Page[QueueView]:
    """Every subscription. Raises Transient."""
    return Page(list(await asyncio.gather(*(_queue(topic, name) for topic, name in SUBSCRIPTIONS))), None)


async def _queue(topic: str, name: str) -> QueueView:
    now = utc_now().timestamp()
    waiting, dead = await asyncio.gather(
        dead_letters.measure(topic, name, dead=False), dead_letters.measure(topic, name)
    )
    return QueueView(
        topic=topic,
        service=name,
        waiting=waiting.active,
        scheduled=waiting.scheduled,
        dead_lettered=dead.active,
        counted_all=waiting.all and dead.all,
        oldest_waiting_seconds=waiting.age(now),
        oldest_dead_letter_seconds=dead.age(now),
    )


async def dead_letters_page(asked: Mapping[str, str], cursor: str | None, limit: int) -> Page[DeadLetterSummary]:
    """Dead letters by subscription and number. Raises InvalidRequest, Transient.

    A page may be short, or empty, ahead of the last: it is over when there is no `next_cursor`.
    """
    scope = hashlib.sha256(msgspec.json.encode(sorted(asked.items()))).hexdigest()[:16]
    chosen = Chosen(
        asked.get("event_type", ""), asked.get("reason", ""), asked.get("subject", ""), _before(read_age(asked))
    )
    queue, first = _position(decode_cursor(cursor, scope))
    found: list[DeadLetterSummary] = []
    looked = 0
    queues = [
        (topic, name)
        for topic, name in sorted(SUBSCRIPTIONS)
        if (topic, name) >= queue and asked.get("topic", topic) == topic and asked.get("service", name) == name
    ]
    await open_all((topic, name, True) for topic, name in queues)
    for topic, name in queues:
        start = first if (topic, name) == queue else 1
        async for letter in dead_letters.browse(topic, name, first=start):
            if len(found) == limit or looked == MAX_LOOKED_AT:
                return Page(found, encode_cursor(letter.id, scope))
            looked += 1
            if chosen.has(letter):
                found.append(_summary(letter))
    return Page(found, None)


def _position(text: str | None) -> tuple[tuple[str, str], int]:
    """Where a page begins: the subscription, and the number of the first dead letter."""
    if text is None:
        return ("", ""), 1
    topic, name, number = _parts(text)
    return (topic, name), number


def _parts(dead_letter_id: str) -> tuple[str, str, int]:
    """Topic, subscription and number. Raises NotFound for what names no dead letter of ours."""
    if not DEAD_LETTER_ID.fullmatch(dead_letter_id):
        raise NotFound("there is no such dead letter")
    topic, name, number = dead_letter_id.split(".")
    if (topic, name) not in SUBSCRIPTIONS:
        raise NotFound("there is no such dead letter")
    return topic, name, int(number)


def _before(age: int | None) -> str:
    return "" if age is None else timestamp(utc_now() - timedelta(seconds=age))


async def dead_letter(dead_letter_id: str) -> DeadLetterView:
    """Raises NotFound, Transient."""
    letter = await _find(*_parts(dead_letter_id))
    told = trace.parse(letter.traceparent)
    return DeadLetterView(
        **msgspec.structs.asdict(_summary(letter)),
        description=letter.description,
        bytes=letter.size,
        sha256=hashlib.sha256(letter.body).hexdigest(),
        trace_id=told.trace_id if told else "",
        redriven_by=letter.task,
        data=redacted(letter.body) if not letter.problem else None,
    )


async def _find(topic: str, name: str, number: int) -> Letter:
    async for letter in dead_letters.browse(topic, name, first=number, most=1):
        if letter.number == number:
            return letter
    raise NotFound("there is no such dead letter")


def redrive_given(body: StartRedrive) -> dict[str, Any]:
    """What a redrive is started with. Raises NotFound, InvalidRequest."""
    if (body.topic, body.service) not in SUBSCRIPTIONS:
        raise NotFound(f"{body.service} has no subscription to {body.topic}")
    numbers = []
    for dead_letter_id in body.dead_letter_ids:
        topic, name, number = _parts(dead_letter_id)
        if (topic, name) != (body.topic, body.service):
            raise InvalidRequest("every dead letter must be of the subscription that is named - at `$.dead_letter_ids`")
        numbers.append(number)
    given = redrive.Given(
        topic=body.topic,
        subscription=body.service,
        rate=body.rate,
        stop_after=body.stop_after,
        dry_run=body.dry_run,
        why=body.why,
        event_type=body.filter.event_type or "",
        reason=body.filter.reason or "",
        subject=body.filter.subject or "",
        min_age_seconds=body.filter.min_age_seconds,
        numbers=sorted(set(numbers)),
    )
    return dict(msgspec.to_builtins(given))


async def claim(body: StartRedrive, wanted: str) -> None:
    """Let the task `wanted` redrive the subscription. Raises Conflict where another one is under way."""
    if body.dry_run:
        return
    holder = await store.TASKS.claim(f"{redrive.KIND}:{body.topic}.{body.service}", wanted)
    if holder != wanted:
        raise Conflict(
            f"the task {holder} is redriving this subscription; wait for it or cancel it", code="redrive-under-way"
        )


async def intend_redrive(body: StartRedrive, wanted: str) -> None:
    """Write a redrive into the audit log before it begins; a dry run changes nothing. Raises Transient."""
    if not body.dry_run:
        asked = msgspec.to_builtins(body)
        await _intend(f"redrive:{wanted}", f"{body.topic}.{body.service}", body.why, {"task": wanted, **asked})


async def intend_cancel(task: Task) -> None:
    """The same for the end of a task."""
    await _intend(f"cancel:{task.id}", task.id, "", {"status": "cancelling"})


async def _intend(act_id: str, target: str, why: str, after: dict[str, Any]) -> None:
    present = actor()
    if present is not None:
        await audit.intend(replace(present, reason=why or present.reason), act_id, target, after)


async def redriven(task: Task, cursor: str | None, limit: int) -> Page[SentView]:
    """What a redrive has sent again, by number. Raises NotFound for a task of another kind, InvalidRequest."""
    if task.kind != redrive.KIND:
        raise NotFound("there is no such redrive")
    after = decode_cursor(cursor, task.id)
    given = msgspec.convert(task.given, redrive.Given)
    known = await store.sent(task.id, after, limit + 1)
    watched = task.status in ("completed", "failed") and bool(task.result)
    items = [
        SentView(
            f"{given.queue}.{sent.number}",
            sent.event_id,
            sent.event_type,
            sent.subject,
            "handled" if watched and sent.fate == "sent" else sent.fate,
        )
        for sent in known[:limit]
    ]
    return Page(items, encode_cursor(str(known[limit - 1].number), task.id) if len(known) > limit else None)


async def put_aside(caller: Principal, dead_letter_id: str, why: str) -> SetAsideView:
    """Keep a dead letter with the reason, and take it out of its queue. Sent again, it has the same answer.

    Raises NotFound, Conflict where somebody else has it locked, Transient.
    """
    topic, name, number = _parts(dead_letter_id)
    kept = await store.find_set_aside(dead_letter_id, f"{topic}.{name}")
    try:
        letter = await _find(topic, name, number)
    except NotFound:
        if kept is None:
            raise
        return _aside(kept)
    if kept is None:
        kept = _kept(letter, caller, why)
        await _intend(f"set-aside:{letter.id}", letter.id, why, {"event_id": letter.event_id})
        try:
            await store.set_aside(kept)
        except AlreadyExists as exc:
            raise Transient("somebody sets it aside at this moment", retry_after=1) from exc
        crash_point("set_aside.kept")
        log.info("dead_letter.set_aside", event_id=letter.event_id, subject=caller.subject)
    if not await dead_letters.remove(topic, name, number, SCAN_SECONDS):
        raise Conflict("somebody has this dead letter locked; try again in a minute", code="dead-letter-locked")
    return _aside(kept)


def _kept(letter: Letter, caller: Principal, why: str) -> SetAside:
    return SetAside(
        dead_letter_id=letter.id,
        topic=letter.topic,
        subscription=letter.subscription,
        event_id=letter.event_id,
        event_type=letter.event_type,
        subject=letter.subject,
        reason=letter.reason,
        enqueued_at=letter.enqueued_at,
        why=why,
        by=caller.subject,
        at=timestamp(),
        body=letter.body,
    )


async def set_aside_page(cursor: str | None, limit: int) -> Page[SetAsideView]:
    """What was set aside, the latest first. Raises InvalidRequest."""
    found = await store.page_set_aside(decode_cursor(cursor, "set-aside"), limit + 1)
    more = len(found) > limit
    items = [_aside(kept) for _, kept in found[:limit]]
    return Page(items, encode_cursor(found[limit - 1][0], "set-aside") if more else None)


def _summary(letter: Letter) -> DeadLetterSummary:
    return DeadLetterSummary(
        id=letter.id,
        topic=letter.topic,
        service=letter.subscription,
        event_id=letter.event_id,
        event_type=letter.event_type,
        subject=letter.subject,
        reason=letter.reason,
        problem=letter.problem,
        enqueued_at=letter.enqueued_at,
        deliveries=letter.deliveries,
    )


def _aside(kept: SetAside) -> SetAsideView:
    return SetAsideView(
        kept.dead_letter_id,
        kept.topic,
        kept.subscription,
        kept.event_id,
        kept.event_type,
        kept.subject,
        kept.reason,
        kept.enqueued_at,
        kept.why,
        kept.by,
        kept.at,
    )
