"""What accounts does for who wants to be forgotten: the wish, the way back, and the steps that `erasure.py` asks for.

An erasure is an item beside the account and outlives it. What its orchestrator knows it has read here; what wakes it
decides nothing.
"""

from __future__ import annotations

import re
from datetime import timedelta

import msgspec

from blueprints.accounts import domain, service, store
from blueprints.accounts.declaration import ERASURE_COOLING_OFF_SECONDS, SERVICE
from blueprints.accounts.domain import Answered, Certificate, Erasure
from shared import ids
from shared.clock import timestamp, utc_now
from shared.contracts.accounts import ErasureDone, ErasureRequested, ErasureStarted, ErasureWithdrawn
from shared.contracts.event import Event
from shared.contracts.personal_data import ErasureAnswered, ErasureRefused
from shared.errors import Conflict, Contention, NotFound
from shared.patterns import Timestamp
from shared.persistence.cosmos import AlreadyExists, ConditionFailed
from shared.personal_data import erased, kept
from shared.settings import settings
from shared.telemetry.log import Log
from shared.web.auth import Principal

ERASURE_ID = re.compile(r"era_[a-z2-7]{26}")
ASKED = tuple(sorted(topic for topic, events in SERVICE.hears.items() if ErasureAnswered in events))
"""The services that hold something of a person, whose answers are heard."""
LOUD = 3
"""Rounds after which silence is an error: the first may fall into an outage, the second into its end."""

log = Log("accounts")


class Progress(msgspec.Struct, frozen=True):
    """How many services have answered, of how many."""

    done: int
    total: int


class ErasureView(msgspec.Struct, frozen=True):
    """An erasure as the API shows it; `result` is the certificate, once there is one.

    `orders`: those that are open, for which it was refused.
    """

    id: str
    kind: str
    status: domain.ErasureStatus
    progress: Progress
    result: Certificate | None
    orders: tuple[str, ...]
    due_at: Timestamp
    created_at: Timestamp
    updated_at: Timestamp


async def request(caller: Principal) -> ErasureView:
    """Ask for the caller's erasure. Who asks again gets the one that is under way."""
    for _ in range(service.MAX_ATTEMPTS):
        document = await store.get(caller.subject)
        account = service.new(caller) if document is None else store.account_of(document)
        if account.erasure_id:
            return await get(caller, account.erasure_id)
        erasure = _new(caller.subject)
        event = ErasureRequested(erasure_id=erasure.id, account_id=erasure.account_id, due_at=erasure.due_at)
        asking = domain.asking(account, erasure.id)
        try:
            await store.add_erasure(asking, None if document is None else document["_etag"], erasure, event)
        except (ConditionFailed, AlreadyExists):
            continue
        log.info("erasure.requested", erasure_id=erasure.id)
        return _view(erasure, 0)
    raise Contention("your account keeps changing", retry_after=1)


async def get(caller: Principal, erasure_id: str) -> ErasureView:
    """An erasure that the caller asked for. Raises NotFound, also for that of someone else."""
    erasure, _ = await _existing(caller.subject, erasure_id)
    return await view(erasure)


async def withdraw(caller: Principal, erasure_id: str) -> ErasureView:
    """Think better of it. Asked again, it has the same answer. Raises Conflict once the erasure has begun."""
    erasure, _ = await _existing(caller.subject, erasure_id)
    event = ErasureWithdrawn(erasure_id=erasure_id, account_id=erasure.account_id)
    erasure = await _dropped(caller.subject, erasure_id, "withdraw", event)
    if erasure.status != "withdrawn":
        raise Conflict(f"the erasure is {erasure.status}; there is nothing to withdraw", code="erasure-begun")
    return _view(erasure, 0)


async def hear_refusal(event: Event, data: ErasureRefused) -> None:
    """Orders says that some are open: the erasure is refused, unless it has begun; then orders waits for them."""
    await _dropped(data.account_id, data.erasure_id, "refuse", None, tuple(data.orders))


async def _dropped(
    account_id: str,
    erasure_id: str,
    command: domain.ErasureCommand,
    told: ErasureWithdrawn | None,
    orders: tuple[str, ...] = (),
) -> Erasure:
    """The erasure as it is once it was asked not to happen: one that has begun goes on."""
    for _ in range(service.MAX_ATTEMPTS):
        erasure, etag = await _existing(account_id, erasure_id)
        document = await store.get(account_id)
        if (erasure.status, command) not in domain.TRANSITIONS or document is None:
            return erasure
        after = domain.dropped(erasure, command, timestamp(), orders)
        account = domain.asking(store.account_of(document), "")
        try:
            await store.drop_erasure(account, document["_etag"], after, etag, told)
        except ConditionFailed:
            continue
        log.info(f"erasure.{after.status}", erasure_id=erasure_id)
        return after
    raise Contention("the account keeps changing", retry_after=1)


async def begin(account_id: str, erasure_id: str) -> tuple[domain.ErasureStatus, list[str]]:
    """Begin, unless it was refused or withdrawn; then as `look_up`."""
    erasure, etag = await _existing(account_id, erasure_id)
    if erasure.status == "cooling_off":
        await store.advance_erasure(domain.transition(erasure, "begin", timestamp()), etag)
        log.info("erasure.begun", erasure_id=erasure_id)
    return await look_up(account_id, erasure_id)


async def ask(account_id: str, erasure_id: str, number: int) -> tuple[domain.ErasureStatus, list[str]]:
    """Ask every service, for the `number`-th time, to erase what it holds; then as `look_up`."""
    erasure, _ = await _existing(account_id, erasure_id)
    status, silent = await look_up(account_id, erasure_id)
    if silent:
        event = ErasureStarted(erasure_id=erasure_id, account_id=account_id)
        await store.tell_of_erasure(erasure, event, number)
        say = log.error if number > LOUD else log.warning if number > 1 else log.info
        say("erasure.asked", erasure_id=erasure_id, round=number, silent=", ".join(silent))
    return status, silent


async def look_up(account_id: str, erasure_id: str) -> tuple[domain.ErasureStatus, list[str]]:
    """The erasure's status, and, while it lasts, which services have not answered. Raises NotFound."""
    erasure, _ = await _existing(account_id, erasure_id)
    if erasure.status != "erasing":
        return erasure.status, []
    answered = {answer.service for answer in await store.answers(erasure_id)}
    return erasure.status, [name for name in ASKED if name not in answered]


async def finish(account_id: str, erasure_id: str) -> domain.ErasureStatus:
    """Delete the account, and write the certificate. What was finished stays as it is."""
    erasure, etag = await _existing(account_id, erasure_id)
    if erasure.status != "erasing":
        return erasure.status
    answers, at = await store.answers(erasure_id), timestamp()
    silent = tuple(name for name in ASKED if name not in {answer.service for answer in answers})
    own = Answered(SERVICE.name, tuple(erased(SERVICE)), tuple(kept(SERVICE)))
    after = domain.certified(
        domain.transition(erasure, "give_up" if silent else "finish", at), Certificate(at, (own, *answers), silent)
    )
    event = ErasureDone(erasure_id=erasure_id, account_id=account_id, complete=not silent)
    await store.end(after, etag, event)
    say = log.error if silent else log.info
    say(f"erasure.{after.status}", erasure_id=erasure_id, silent=", ".join(silent))
    return after.status


async def hear_answer(event: Event, data: ErasureAnswered) -> None:
    """Note what a service answered; who it is, its topic says."""
    answered = Answered(event.source.removeprefix("/"), tuple(data.erased), tuple(data.kept))
    await store.record(data.erasure_id, answered)


def _new(account_id: str) -> Erasure:
    now = utc_now()
    due = now + timedelta(seconds=settings().seconds(ERASURE_COOLING_OFF_SECONDS))
    erasure_id = ids.drawn("era")
    return Erasure(erasure_id, account_id, "cooling_off", timestamp(now), timestamp(due), timestamp(now))


async def _existing(account_id: str, erasure_id: str) -> tuple[Erasure, str]:
    found = await store.get_erasure(account_id, erasure_id)
    if found is None:
        raise NotFound("there is no such erasure")
    return found


async def view(erasure: Erasure) -> ErasureView:
    """The erasure as the API shows it."""
    return _view(erasure, len(await store.answers(erasure.id)))


def _view(erasure: Erasure, answered: int) -> ErasureView:
    return ErasureView(
        id=erasure.id,
        kind="erasure",
        status=erasure.status,
        progress=Progress(answered, len(ASKED)),
        result=erasure.certificate,
        orders=erasure.orders,
        due_at=erasure.due_at,
        created_at=erasure.requested_at,
        updated_at=erasure.updated_at,
    )
