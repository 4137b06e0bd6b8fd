"""The redrive: dead letters of one subscription go back to it, each locked, sent, noted, completed.

Whatever dies in between leaves the dead letter where it is, or has it noted as sent; the next step goes on from there.
Phases: `count` (also the whole of a dry run), `probe` (a few, whose fate is waited for), `send` (the rest at the rate),
`watch` (until each is handled or back). Those that come back stop it: they would come back for ever.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from blueprints.operations import store
from blueprints.operations.domain import Chosen, Fate
from shared.clock import parse_timestamp, timestamp
from shared.errors import Conflict
from shared.faultpoints import crash_point
from shared.messaging import dead_letters, publisher
from shared.messaging.dead_letters import Letter
from shared.tasks.task import Progress, Task, TaskProblem
from shared.tasks.triggers import Step
from shared.telemetry.log import Log

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage
    from azure.servicebus.aio import ServiceBusReceiver

KIND = "redrive"
PROBE = 3
"""Dead letters that go first, alone: where their cause is still there, no others need to find out."""
CHUNK = store.TOGETHER
"""Dead letters that are locked at a time: as many as are noted in one batch, and done with well within a lock."""
STEP_SECONDS = 10.0
"""How long a step sends. A lock lasts a minute, an activity may take five, and a host that stops waits as long."""
SCAN_SECONDS = 40.0
"""How long a step may look for the dead letters it wants among others, which stay locked meanwhile: within a lock."""
RECEIVE_SECONDS = 2.0
"""How long a receiver waits for the first message: the queue has given all it has."""
PAUSE = 2.0
"""Seconds between two looks at what is still under way."""
PATIENCE = 600
"""Looks, after which what nobody has taken is left waiting: a service that is away is not the redrive's business."""
MAX_NAMED = 50
"""Those that came back, by number, in the result; the rest is in the list of fates."""

log = Log("operations")


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What a redrive was started with."""

    topic: str
    subscription: str
    rate: int
    stop_after: int
    dry_run: bool
    why: str
    event_type: str = ""
    reason: str = ""
    subject: str = ""
    min_age_seconds: int | None = None
    numbers: list[int] = []

    @property
    def queue(self) -> str:
        return f"{self.topic}.{self.subscription}"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What the steps know of each other. `idle`: looks in a row that found nothing new."""

    phase: str = "count"
    bound: int = 0
    idle: int = 0
    stopped: str = ""


async def step(task: Task) -> Step:
    """One step. Raises Transient, Conflict, IllegalTransition."""
    given = msgspec.convert(task.given, Given)
    state = msgspec.convert(task.state, State)
    if task.status == "cancelling":
        return Step("stop", task.progress, result={"sent": await store.count_sent(task.id)})
    if state.phase == "count":
        return await _count(task, given, state)
    if await store.TASKS.holder_of(f"{KIND}:{given.queue}") != task.id:
        raise Conflict("another redrive has this subscription now", code="redrive-superseded")
    if state.phase == "watch":
        return await _watch(task, given, state)
    return await _send(task, given, state)


def _chosen(task: Task, given: Given, bound: int | None = None) -> Chosen:
    before = ""
    if given.min_age_seconds is not None:
        before = timestamp(parse_timestamp(task.created_at) - timedelta(seconds=given.min_age_seconds))
    return Chosen(given.event_type, given.reason, given.subject, before, frozenset(given.numbers), bound)


async def _count(task: Task, given: Given, state: State) -> Step:
    """How many are meant, and up to which: what dies from now on is not meant."""
    chosen, types, reasons, bound = _chosen(task, given), Counter[str](), Counter[str](), 0
    async for letter in dead_letters.browse(given.topic, given.subscription):
        bound = max(bound, letter.number)
        if chosen.has(letter):
            types[letter.event_type] += 1
            reasons[letter.reason] += 1
    progress = Progress(0, types.total())
    matched = {"matched": types.total(), "event_types": dict(types), "reasons": dict(reasons)}
    if given.dry_run or not types:
        return Step("complete", progress, result={"dry_run": given.dry_run, **matched})
    return await _go_on(task, progress, msgspec.structs.replace(state, phase="probe", bound=bound))


async def _go_on(task: Task, progress: Progress, state: State, pause: float = 0) -> Step:
    await store.TASKS.progressed(task, progress, msgspec.to_builtins(state))
    return Step("step", progress, pause)


async def _send(task: Task, given: Given, state: State) -> Step:
    """Send for a while; then look who came back."""
    before = task.progress.done
    done = await store.count_sent(task.id)
    most = PROBE - done if state.phase == "probe" else max(1, round(given.rate * STEP_SECONDS))
    exhausted = False
    if most > 0:
        exhausted = await _Sending(task, given, state.bound).run(most)
        done = await store.count_sent(task.id)
    progress = Progress(done, task.progress.total)
    under_way, back = await _under_way(task, given, state)
    if len(back) >= given.stop_after:
        return await _go_on(task, progress, msgspec.structs.replace(state, phase="watch", idle=0, stopped="came_back"))
    if exhausted and not await _left(task, given, state):
        return await _go_on(task, progress, msgspec.structs.replace(state, phase="watch", idle=0))
    idle = 0 if done > before else state.idle + 1
    if idle > PATIENCE:
        return await _go_on(task, progress, msgspec.structs.replace(state, phase="watch", idle=0, stopped="waiting"))
    if state.phase == "probe":
        known = done >= PROBE and not under_way
        phase, pause = ("send", 0.0) if known else ("probe", PAUSE / 4)
        if phase == "send" and len(back) == done:
            stopped = msgspec.structs.replace(state, phase="watch", idle=0, stopped="came_back")
            return await _go_on(task, progress, stopped)
        return await _go_on(task, progress, msgspec.structs.replace(state, phase=phase, idle=idle), pause)
    return await _go_on(task, progress, msgspec.structs.replace(state, idle=idle), PAUSE if done == before else 0)


async def _left(task: Task, given: Given, state: State) -> bool:
    """Whether a dead letter that is meant still lies there: somebody else may have it locked."""
    chosen = _chosen(task, given, state.bound)
    async for letter in dead_letters.browse(given.topic, given.subscription):
        if chosen.has(letter):
            return True
    return False


async def _under_way(task: Task, given: Given, state: State) -> tuple[set[int], set[int]]:
    """The numbers of what this task has sent: of those that lie in the subscription, and of those that came back."""
    under_way = {
        letter.origin
        async for letter in dead_letters.browse(given.topic, given.subscription, dead=False)
        if letter.task == task.id
    }
    back = {
        letter.origin
        async for letter in dead_letters.browse(given.topic, given.subscription, first=state.bound + 1)
        if letter.task == task.id
    }
    return under_way - back, back


async def _watch(task: Task, given: Given, state: State) -> Step:
    """Wait until everything that was sent is handled or back; then say what became of it."""
    under_way, back = await _under_way(task, given, state)
    if under_way and state.idle < PATIENCE:
        return await _go_on(
            task,
            task.progress,
            msgspec.structs.replace(state, idle=state.idle + 1),
            PAUSE / 4 if state.idle < 20 else PAUSE,
        )
    fates: dict[int, Fate] = {**dict.fromkeys(under_way, "waiting"), **dict.fromkeys(back, "came_back")}
    await store.note_fates(task.id, fates)
    done = await store.count_sent(task.id)
    result: dict[str, Any] = {
        "dry_run": False,
        "matched": task.progress.total,
        "sent": done,
        "handled": done - len(fates),
        "came_back": len(back),
        "waiting": len(under_way),
    }
    if back:
        result["came_back_numbers"] = sorted(back)[:MAX_NAMED]
    log.info("redrive.ended", task_id=task.id, **{name: result[name] for name in ("sent", "handled", "came_back")})
    progress = Progress(done, task.progress.total)
    if state.stopped == "came_back" or (back and len(back) == done):
        problem = TaskProblem("came-back", "what was sent again died again: mend the cause first")
        return Step("fail", progress, result=result, problem=problem)
    if state.stopped:
        return Step("fail", progress, result=result, problem=TaskProblem("locked", "others hold the dead letters"))
    return Step("complete", progress, result=result)


class _Sending:
    """One step's sending."""

    def __init__(self, task: Task, given: Given, bound: int) -> None:
        self._task, self._given = task, given
        self._chosen = _chosen(task, given, bound)
        self._others: list[ServiceBusReceivedMessage] = []

    async def run(self, most: int) -> bool:
        """Send at most `most`, at the rate; True where the queue has no more to give. Raises Transient."""
        given, began, count = self._given, time.monotonic(), 0
        async with dead_letters.receiver(given.topic, given.subscription) as receiving:
            try:
                while count < most:
                    asked = min(CHUNK, most - count, max(1, given.rate))
                    found = await dead_letters.locked(receiving, asked, RECEIVE_SECONDS)
                    if not found:
                        return True
                    count += await self._chunk(receiving, found)
                    elapsed = time.monotonic() - began
                    if elapsed > (STEP_SECONDS if count else SCAN_SECONDS):
                        break
                    # the rate counts from the beginning of the step, so that a slow chunk is made up for
                    await asyncio.sleep(max(0.0, count / given.rate - elapsed))
                    current = await store.TASKS.read(self._task.id)
                    if current is None or current.status != "running":
                        break
                return False
            finally:
                for message in self._others:
                    await dead_letters.give_back(receiving, message)

    async def _chunk(self, receiving: ServiceBusReceiver, found: Sequence[ServiceBusReceivedMessage]) -> int:
        """Deal with what is locked; how many were sent now."""
        letters: list[tuple[Letter, ServiceBusReceivedMessage]] = []
        for message in found:
            letter = dead_letters.letter_of(self._given.topic, self._given.subscription, message)
            if self._chosen.has(letter):
                letters.append((letter, message))
            else:
                self._others.append(message)
        known = await store.noted(self._task.id, [letter.number for letter, _ in letters]) if letters else set()
        new = [(letter, message) for letter, message in letters if letter.number not in known]
        if new:
            copies = [dead_letters.again(letter, message, self._task.id) for letter, message in new]
            await publisher.send(self._given.topic, copies)
            crash_point("redrive.sent")
            await store.note_sent(self._task.id, [letter for letter, _ in new])
            crash_point("redrive.noted")
        await asyncio.gather(*(dead_letters.complete(receiving, message) for _, message in letters))
        return len(new)
