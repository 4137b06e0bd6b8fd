"""Timer triggers: NCRONTAB schedules in UTC, or a fixed interval, and the state that a run is made up for from.

Source: azure-webjobs-sdk-extensions, `TimerListener` and `ScheduleMonitor`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path

from azure.functions.meta import Datum

from localazure.clock import Clock
from localazure.functions import timespan
from localazure.functions.engine import Invoker
from localazure.functions.errors import InvalidFunction
from localazure.functions.indexing import Function
from localazure.functions.locks import Lock
from localazure.functions.ncrontab import Expression
from localazure.functions.retry import Interrupted, policy_of, succeeds

_GRACE = 25.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEVER_YET = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds()
"""What .NET calls the default date: a timer that has not run yet ran then."""
NEVER = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - _EPOCH).total_seconds()
"""When a schedule is due that no date fits, 31 February say."""
_MINUTE = 60.0

log = logging.getLogger("localazure.functions")


class Schedule:
    """When a timer is due next. Raises InvalidFunction for an expression that Azure does not recognise."""

    def __init__(self, function: str, expression: str) -> None:
        self._cron: Expression | None = None
        self._interval = 0.0
        try:
            self._cron = Expression(expression)
        except ValueError:
            try:
                self._interval = timespan.seconds(expression)
            except ValueError:
                raise InvalidFunction(
                    function,
                    f"the schedule expression '{expression}' was not recognized as a valid cron expression or "
                    "timespan string",
                ) from None

    def __str__(self) -> str:
        return f"Constant: {timespan.text(self._interval)}" if self._cron is None else f"Cron: '{self._cron}'"

    @property
    def often(self) -> bool:
        """Whether it is due more than once a minute; Azure keeps no state of such a timer."""
        return self._interval < _MINUTE if self._cron is None else self._cron.often

    def after(self, moment: float) -> float:
        """The first due time after `moment`, both in seconds since the epoch; NEVER where there is none."""
        if self._cron is None:
            return min(NEVER, moment + self._interval)
        due = self._cron.after(_date(moment)) if moment < NEVER else None
        return NEVER if due is None else (due - _EPOCH).total_seconds()


@dataclass(frozen=True)
class Status:
    """When a timer ran last, is due next, and which time the next one was reckoned from."""

    last: float
    next: float
    updated: float

    def shown(self) -> dict[str, str]:
        """As a function is told of it."""
        return {"Last": _iso(self.last), "Next": _iso(self.next), "LastUpdated": _iso(self.updated)}


def resumed(stored: Status, schedule: Schedule, now: float) -> Status:
    """The status to go on with: a schedule that was changed meanwhile makes no run overdue."""
    base = next((moment for moment in (stored.last, stored.updated) if moment != NEVER_YET), now)
    due = schedule.after(base)
    if stored.next == due:
        return stored
    return Status(NEVER_YET, schedule.after(now), now) if now > due else Status(NEVER_YET, due, base)


class Timer:
    """One function's timer. Its status is kept at `path`, so that a missed run is made up for.

    Of several instances of the app one runs it: the one that has its lock.
    """

    def __init__(
        self, function: Function, invoker: Invoker, clock: Clock, path: Path | None, lock: Lock | None = None
    ) -> None:
        self._function, self._invoker, self._clock = function, invoker, clock
        self._schedule = Schedule(function.name, function.trigger.text("schedule"))
        self._policy = policy_of(function)
        self._at_start = function.flag("runOnStartup")
        self._monitored = function.flag("useMonitor", True) and not self._schedule.often
        self._path = path if self._monitored else None
        self._status = Status(NEVER_YET, NEVER, NEVER_YET)
        self._lock = lock
        self._task: asyncio.Task[None] | None = None
        self._running = asyncio.Lock()
        self._stopping = asyncio.Event()

    def start(self) -> None:
        log.debug("the timer of '%s' is using the schedule %s", self._function.name, self._schedule)
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Let a run that is under way end, but no further attempt begin."""
        self._stopping.set()
        if self._task is not None:
            try:
                async with asyncio.timeout(_GRACE), self._running:
                    self._task.cancel()
            except TimeoutError:
                self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._lock is not None:
            self._lock.release()

    async def _run(self) -> None:
        """Run by the schedule while this instance has the lock; wait for it while another has it."""
        if self._lock is None:
            await self._schedule_runs()
            return
        while True:
            while not self._lock.acquire():
                await self._clock.sleep(self._lock.again)
            if self._lock.renewal == inf:
                await self._schedule_runs()
                return
            runs, lost = asyncio.create_task(self._schedule_runs()), asyncio.create_task(self._lose(self._lock))
            try:
                await asyncio.wait({runs, lost}, return_when=asyncio.FIRST_COMPLETED)
                if runs.done():
                    runs.result()
                    return
                async with self._running:  # what has begun may end
                    runs.cancel()
            finally:
                for task in (runs, lost):
                    task.cancel()
                await asyncio.gather(runs, lost, return_exceptions=True)

    async def _lose(self, lock: Lock) -> None:
        """Renew the lock until another instance has it, after this one was held up."""
        while lock.acquire():
            await self._clock.sleep(lock.renewal)
        log.warning("another instance runs the timer of '%s' now", self._function.name)

    async def _schedule_runs(self) -> None:
        now, stored = self._clock.time(), self._read()
        if stored is None:
            due = self._schedule.after(now)
            self._write(Status(NEVER_YET, due, now))  # so that a run is missed even if none was before it
            self._status = Status(NEVER_YET, due, NEVER_YET)
        else:
            self._status = resumed(stored, self._schedule, now)
            if self._status is not stored:
                self._write(self._status)
        if now > self._status.next:
            await self._tick(now, past_due=True)
        elif self._at_start:
            await self._tick(now)
        while not self._stopping.is_set():
            await self._clock.sleep(self._status.next - self._clock.time())
            # a clock may wake a little early: the run is the one that was due all the same
            await self._tick(max(self._clock.time(), self._status.next))

    async def _tick(self, began: float, past_due: bool = False) -> None:
        """Run the function by the schedule: what fell due meanwhile follows at once."""
        if await self.fire(past_due):
            self._status = Status(began, self._schedule.after(began), began)
            self._write(self._status)

    async def fire(self, past_due: bool = False) -> bool:
        """Run the function once; False where the host stops before it was decided."""
        async with self._running:
            status = self._status.shown() if self._monitored else None
            info = {"IsPastDue": past_due, "Schedule": {"AdjustForDST": True}, "ScheduleStatus": status}
            data = Datum(json.dumps(info), "json")
            try:
                await succeeds(self._invoker, self._clock, self._function, self._policy, data, self._stopping)
            except Interrupted:
                return False
            return True

    def _read(self) -> Status | None:
        if self._path is None or not self._path.exists():
            return None
        try:
            document = json.loads(self._path.read_text())
            return Status(float(document["last"]), float(document["next"]), float(document["updated"]))
        except (ValueError, KeyError, TypeError):
            log.warning("%s is not readable; the timer of '%s' starts afresh", self._path, self._function.name)
            return None

    def _write(self, status: Status) -> None:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(asdict(status)))


def _date(moment: float) -> datetime:
    return _EPOCH + timedelta(seconds=moment)


def _iso(moment: float) -> str:
    return _date(moment).isoformat()
