"""Timer triggers: NCRONTAB schedules of five or six fields, in UTC, or a fixed interval."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime
from pathlib import Path

from azure.functions.meta import Datum
from croniter import croniter

from localazure.clock import Clock
from localazure.functions.engine import Invoker
from localazure.functions.errors import InvalidFunction
from localazure.functions.indexing import Function
from localazure.functions.retry import Interrupted, invoke_with_retries, policy_of
from localazure.functions.settings import seconds

_GRACE = 25.0

log = logging.getLogger("localazure.functions")


class Schedule:
    """When a timer is due next. Raises InvalidFunction for an expression that is none."""

    def __init__(self, function: str, expression: str) -> None:
        self._cron = len(expression.split()) in (5, 6)
        self.expression = expression
        try:
            if self._cron:
                croniter(expression, 0.0, second_at_beginning=True)
            else:
                self._interval = seconds(expression)
        except (ValueError, KeyError) as exc:
            raise InvalidFunction(function, f"the schedule '{expression}' is no NCRONTAB expression: {exc}") from exc

    def after(self, moment: float) -> float:
        """The first due time after `moment`, both in seconds since the epoch."""
        if self._cron:
            return float(croniter(self.expression, moment, second_at_beginning=True).get_next(float))
        return moment + self._interval


class Timer:
    """One function's timer. The last time it ran is kept at `path`, so that a missed run is made up for."""

    def __init__(self, function: Function, invoker: Invoker, clock: Clock, path: Path | None) -> None:
        options = function.trigger.options
        self._function, self._invoker, self._clock = function, invoker, clock
        self._schedule = Schedule(function.name, function.trigger.text("schedule"))
        self._policy = policy_of(function)
        self._at_start = bool(options.get("runOnStartup"))
        monitored = options.get("useMonitor", True) is not False
        self._path = path if monitored else None
        self._task: asyncio.Task[None] | None = None
        self._running = asyncio.Lock()
        self._stopping = asyncio.Event()

    def start(self) -> None:
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

    async def _run(self) -> None:
        last = self._read()
        due = self._schedule.after(last if last is not None else self._clock.time())
        if self._at_start or due <= self._clock.time():
            await self.fire(past_due=due <= self._clock.time())
            due = self._schedule.after(self._clock.time())
        while True:
            await self._clock.sleep(due - self._clock.time())
            await self.fire(past_due=False)
            due = self._schedule.after(max(due, self._clock.time()))

    async def fire(self, past_due: bool) -> None:
        """Run the function once."""
        async with self._running:
            now = self._clock.time()
            status = {
                "Last": _iso(self._read() or now),
                "Next": _iso(self._schedule.after(now)),
                "LastUpdated": _iso(now),
            }
            info = {"IsPastDue": past_due, "Schedule": {"AdjustForDST": True}, "ScheduleStatus": status}
            data = Datum(json.dumps(info), "json")
            try:
                await invoke_with_retries(
                    self._invoker, self._clock, self._function, self._policy, data, self._stopping
                )
            except Interrupted:
                return
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._path.write_text(repr(now))

    def _read(self) -> float | None:
        if self._path is None or not self._path.exists():
            return None
        try:
            return float(self._path.read_text())
        except ValueError:
            log.warning("%s is not readable; the timer of '%s' starts afresh", self._path, self._function.name)
            return None


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()
