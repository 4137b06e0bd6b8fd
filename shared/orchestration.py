"""What reaches an orchestrator from outside: external events, typed, timers, and the failures of activities.

azure-functions-durable 1.7 encodes an event's data twice when its client raises it (its issue 295): the orchestrator
is given the JSON text of the value. An event raised over HTTP is encoded once, and so will be one of a package that
mends this. `read` understands both forms, and nothing else. The app calls `raise_event`, `wait_for_external_event` and
`create_timer` here alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

import azure.durable_functions as df
import azure.functions as func
import msgspec

from shared.contracts.event import Event, EventData
from shared.declaration import Service
from shared.errors import Transient
from shared.messaging.consumer import Handler, consume
from shared.messaging.triggers import listening
from shared.telemetry import span, trace

T = TypeVar("T")
ENDED = frozenset({"Completed", "Failed", "Terminated"})
"""The runtime statuses of instances that hear nothing any more."""

DurableHandler = Callable[[Event, Any, df.DurableOrchestrationClient], Awaitable[None]]

MAX_TIMER = timedelta(days=2)
"""The extension cuts a timer of more than three days into slices, and azure-functions-durable 1.7 then cancels the
outer one alone (its issue 573): the instance would stay alive until the inner one fires. No timer here is so long."""


def timer_towards(context: df.DurableOrchestrationContext, moment: datetime) -> Any:
    """A timer for `moment`, or for as far towards it as one timer reaches; an orchestrator that it wakes asks `is_due`.

    Raises ValueError for a moment without an offset: the package drops offsets and takes what is left for UTC.
    """
    if moment.tzinfo is None:
        raise ValueError(f"the moment {moment.isoformat()} has no UTC offset")
    return context.create_timer(min(moment.astimezone(UTC), current(context) + MAX_TIMER))


def is_due(context: df.DurableOrchestrationContext, moment: datetime) -> bool:
    """Whether `moment` has come, by the orchestrator's own clock."""
    return current(context) >= moment


def current(context: df.DurableOrchestrationContext) -> datetime:
    """The orchestrator's own clock."""
    moment: datetime = context.current_utc_datetime
    return moment.replace(tzinfo=UTC)


class UnreadableEvent(ValueError):
    """An orchestrator was given something under an event's name that the event's type does not allow.

    It is never taken for an answer, good or bad: an orchestrator that meets it looks up the facts in its stores.
    """


class ActivityFailed(RuntimeError):
    """An activity failed for good. The text holds the activity's name, the error's type and our own message alone."""


class _Once(dict[Any, Any]):
    """What came before anybody waited for it, each taken once.

    The package (azure-functions-durable 1.7) leaves it there for all who wait later: whoever waits for one event again
    and again would never rest from the first that came too early (`docs/decisions/0077`).
    """

    def __getitem__(self, key: Any) -> Any:
        return self.pop(key)


@dataclass(frozen=True)
class ExternalEvent(Generic[T]):
    """One event that an orchestrator waits for. `type` is what msgspec can read from JSON, such as a `Literal`.

    Plain text is not a type for an event: the text `"5"` and the number 5, encoded twice, look the same.
    """

    name: str
    type: Any

    def __post_init__(self) -> None:
        if self.type in (str, Any):
            raise TypeError(
                f"the event '{self.name}' needs a type that tells its two encodings apart, such as a Literal"
            )

    async def send(self, client: df.DurableOrchestrationClient, instance_id: str, value: T) -> None:
        """Raise the event. That it was accepted does not say that the instance will hear it.

        Raises ValueError for a value that is not of the event's type, and bare exceptions as the client does.
        """
        msgspec.convert(value, self.type)
        with span.dependency(span.DURABLE, f"raise {self.name}", "durable"):
            await client.raise_event(instance_id, self.name, msgspec.to_builtins(value))

    def wait(self, context: df.DurableOrchestrationContext) -> Any:
        """A task that completes with what `read` reads. An event that came before anybody waited completes one task."""
        early = getattr(context, "deferred_tasks", None)
        if isinstance(early, dict) and not isinstance(early, _Once):
            context.deferred_tasks = _Once(early)
        return context.wait_for_external_event(self.name)

    def read(self, data: Any) -> T:
        """The value that was sent. Raises UnreadableEvent, which names the event and holds nothing of the data."""
        try:
            return msgspec.convert(data, self.type)  # type: ignore[no-any-return]  # the type is a value here
        except (msgspec.ValidationError, UnicodeError, RecursionError):
            pass
        if isinstance(data, str):
            try:
                return msgspec.json.decode(data, type=self.type)  # type: ignore[no-any-return]
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                pass
        raise UnreadableEvent(f"the event '{self.name}' came with data of another type")


async def start(client: df.DurableOrchestrationClient, name: str, instance_id: str, given: Mapping[str, Any]) -> None:
    """Start an instance whose span is a child of the one under way, and the parent of its activities'.

    Raises bare exceptions, as the client does.
    """
    with span.dependency(span.DURABLE, f"start {name}", "durable", key=f"start/{instance_id}") as starting:
        own = starting.context.child(f"{name}/{instance_id}")
        traced = {"traceparent": own.traceparent, "started_by": starting.context.span_id}
        await client.start_new(name, instance_id, {**given, **traced})


async def ensure_started(
    client: df.DurableOrchestrationClient, name: str, instance_id: str, given: Mapping[str, Any]
) -> None:
    """Start an instance, unless there is one of that id. Raises Transient if Durable does not answer."""
    try:
        await start(client, name, instance_id, given)
    except Exception as exc:  # the client raises bare exceptions
        if await status_of(client, instance_id) is None:
            raise Transient(f"{name} could not be started") from exc


async def wake(
    client: df.DurableOrchestrationClient,
    instance_id: str,
    event: ExternalEvent[T],
    value: T,
    *,
    may_be_gone: bool = False,
) -> None:
    """Raise the event. An instance that has ended needs to know nothing, nor has one that `may_be_gone`: histories of
    ended ones are purged in time.

    Raises Transient if Durable does not answer, or does not know the instance yet.
    """
    try:
        await event.send(client, instance_id, value)
    except Exception as exc:  # the client raises bare exceptions
        status = await status_of(client, instance_id)
        if status not in ENDED and not (status is None and may_be_gone):
            raise Transient(f"the instance {instance_id} could not be told (it is {status})") from exc


async def status_of(client: df.DurableOrchestrationClient, instance_id: str) -> str | None:
    """The instance's runtime status; `None` where there is no such instance. Raises Transient without an answer."""
    try:
        found = await client.get_status(instance_id)
    except Exception as exc:  # the client raises bare exceptions
        raise Transient("Durable does not answer at present") from exc
    return found.runtime_status.name if found else None


def activity(service: str, name: str, traceparent: str | None, key: str = "") -> AbstractContextManager[span.Span]:
    """The span of an activity, in the trace that its input names. `key`: one that is only ever done once."""
    return span.request(service, name, traceparent, key=f"{name}/{key}" if key else "", source="durable")


def reported(
    context: df.DurableOrchestrationContext, service: str, name: str, work: Generator[Any, Any, T]
) -> Generator[Any, Any, T]:
    """`work`, whose span is reported when it ends, once: a replay reports nothing.

    The orchestrator's own clock says how long it took. Instances that were not started by `start` have no span, and one
    that goes on as new, whose work answers `None`, reports it at its end.
    """
    began = current(context)
    result = yield from work
    if result is not None and (own := _own_span(context)) is not None:
        span.report(service, name, own, context.get_input()["started_by"], began, current(context), source="durable")
    return result


def _own_span(context: df.DurableOrchestrationContext) -> trace.TraceContext | None:
    """The span of an instance that `start` has started; `None` in a replay, which reports nothing."""
    given = context.get_input()
    if "started_by" not in given or context.is_replaying:
        return None
    return trace.parse(given.get("traceparent"))


def step(context: df.DurableOrchestrationContext, service: str, name: str) -> None:
    """Something that the orchestrator waited for has come: a span without length, reported once."""
    if (own := _own_span(context)) is not None:
        moment = current(context)
        child = own.child(f"step/{name}/{moment.isoformat()}")
        span.report(service, name, child, own.span_id, moment, moment, type=span.IN_PROCESS)


def tried(
    context: df.DurableOrchestrationContext, first_pause_ms: int, attempts: int, activity: str, given: Any
) -> Generator[Any, Any, Any]:
    """What the activity answers: it is tried again until it does, or has failed so often. Raises ActivityFailed."""
    again = df.RetryOptions(first_retry_interval_in_milliseconds=first_pause_ms, max_number_of_attempts=attempts)
    try:
        return (yield context.call_activity_with_retry(activity, again, given))
    except Exception as exc:  # what the package raises for a failed activity
        raise failure_of(exc) from None


def failure_of(error: BaseException) -> ActivityFailed:
    """The failure of an activity without the host's exception, whose stack the error's text carries.

    The text is "Activity function 'x' failed: Type: message \\n {json of a .NET exception}".
    """
    text, _, _ = str(error).partition(" \n ")
    return ActivityFailed(text.partition("\n")[0][:500])


def durable_subscription(
    bp: Any, service: Service, topic: str, handlers: Mapping[type[EventData], DurableHandler]
) -> None:
    """As `shared.messaging.triggers.subscription`, with handlers that also take Durable's client. Raises Undeclared."""

    async def trigger(message: func.ServiceBusMessage, client: df.DurableOrchestrationClient) -> None:
        await consume(service.name, message, {heard: _with(client, handler) for heard, handler in handlers.items()})

    listening(bp, service, topic, handlers)(bp.durable_client_input(client_name="client")(trigger))


def _with(client: df.DurableOrchestrationClient, handler: DurableHandler) -> Handler:
    return lambda event, data: handler(event, data, client)
