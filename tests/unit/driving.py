"""An orchestrator, driven step by step without a host: what it asks for, and what it is told."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal


@dataclass(eq=False)
class Task:
    """What an orchestrator waits for: a timer, an event by name, an activity, or the first of several."""

    kind: Literal["timer", "event", "activity", "any"]
    name: str = ""
    input: Any = None
    of: list[Task] = field(default_factory=list)
    result: Any = None
    is_completed: bool = False
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Context:
    """The part of a DurableOrchestrationContext that orchestrators use."""

    given: dict[str, Any]
    current_utc_datetime: datetime
    timers: list[Task] = field(default_factory=list)
    is_replaying: bool = False
    continued: dict[str, Any] | None = None

    def get_input(self) -> dict[str, Any]:
        return self.given

    def create_timer(self, fire_at: datetime) -> Task:
        self.timers.append(Task("timer", fire_at.isoformat()))
        return self.timers[-1]

    def wait_for_external_event(self, name: str) -> Task:
        return Task("event", name)

    def task_any(self, tasks: list[Task]) -> Task:
        return Task("any", of=tasks)

    def call_activity_with_retry(self, name: str, _: Any, input_: Any) -> Task:
        return Task("activity", name, input_)

    def call_activity(self, name: str, input_: Any) -> Task:
        return Task("activity", name, input_)

    def continue_as_new(self, input_: dict[str, Any]) -> None:
        self.continued = input_

    @property
    def will_continue_as_new(self) -> bool:
        return self.continued is not None


Orchestrator = Callable[[Any], Generator[Any, Any, Any]]
Activity = Callable[[Any], Any]


class Drive:
    """One instance, over as many histories as it has, with activities that are functions; one may raise."""

    def __init__(
        self, orchestrator: Orchestrator, given: dict[str, Any], began: datetime, activities: Mapping[str, Activity]
    ) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.timers: list[Task] = []
        self.generations = 0
        self.longest = 0
        """Most tasks that one history holds."""
        self.output: Any = None
        self.ended = False
        self._orchestrator, self._activities = orchestrator, activities
        self._buffered: list[tuple[str, Any]] = []
        self._begin(given, began)

    @property
    def now(self) -> datetime:
        return self._context.current_utc_datetime.replace(tzinfo=UTC)

    def hear(self, name: str, data: Any) -> None:
        """An event comes; one that nobody waits for yet is kept, as Durable keeps it."""
        self._buffered.append((name, data))
        self._deliver()

    def wait(self) -> None:
        """Time passes until the next timer is due."""
        assert self._waiting is not None, "it waits for nothing"
        (timer,) = (task for task in self._waiting.of if task.kind == "timer")
        timer.is_completed = True
        self._context.current_utc_datetime = datetime.fromisoformat(timer.name).replace(tzinfo=None)
        self._go_on(timer)

    def _begin(self, given: dict[str, Any], began: datetime) -> None:
        self.generations += 1
        self._tasks = 0
        self._context = Context(given, began.replace(tzinfo=None))
        self._running = self._orchestrator(self._context)
        self._waiting: Task | None = None
        self._go_on(None)

    def _go_on(self, value: Any) -> None:
        self._waiting, error = None, None
        try:
            while True:
                task = self._running.throw(error) if error else self._running.send(value)
                error = None
                self._tasks += 1
                if task.kind == "any":
                    self._waiting = task
                    break
                self.asked.append((task.name, task.input))
                try:
                    value = self._activities[task.name](task.input)
                except Exception as exc:
                    error = exc
        except StopIteration as stop:
            self._stopped(stop.value)
            return
        self._deliver()

    def _stopped(self, output: Any) -> None:
        self.timers += self._context.timers
        self.longest = max(self.longest, self._tasks)
        assert all(timer.is_completed or timer.cancelled for timer in self._context.timers), "a timer is left behind"
        if self._context.continued is None:
            self.output, self.ended = output, True
        else:
            self._begin(self._context.continued, self._context.current_utc_datetime)

    def _deliver(self) -> None:
        while self._waiting is not None and not self.ended:
            names = {task.name: task for task in self._waiting.of if task.kind == "event"}
            known = next((item for item in self._buffered if item[0] in names), None)
            if known is None:
                return
            self._buffered.remove(known)
            task = names[known[0]]
            task.result, task.is_completed = known[1], True
            self._go_on(task)
