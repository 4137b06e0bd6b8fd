"""The return saga: a return is decided, what comes back is counted, and what was counted is paid back.

Small returns approve themselves. Others wait for a person, who is reminded after two days; after seven, time refuses.
What was approved has thirty days to come back. Once it is counted, payments pays and inventory fills the shelf, both by
the same event; where the money takes longer than a day, a person is told.

The return in the store is the authority, and the event only wakes the saga: it looks the return up whenever it wakes,
and at least every two days, so an event that was lost delays it and decides nothing.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any, Literal, NotRequired, TypedDict

import azure.durable_functions as df

from blueprints.orders.declaration import SERVICE
from blueprints.orders.returns import Status
from shared.contracts.orders import ReturnRequested
from shared.faultpoints import crash_point
from shared.orchestration import (
    ExternalEvent,
    current,
    ensure_started,
    is_due,
    step,
    timer_towards,
    tried,
    wake,
)

NAME = "return_saga"
BEGIN = "orders_begin_return"
LOOK_UP = "orders_look_up_return"
REMIND = "orders_remind_of_return"
TIME_OUT = "orders_time_out_return"

CHANGED: ExternalEvent[Literal["changed"]] = ExternalEvent("changed", Literal["changed"])

REMINDED_AFTER, REFUSED_AFTER = timedelta(days=2), timedelta(days=7)
SENT_WITHIN = timedelta(days=30)
PAID_WITHIN, STUCK_AFTER = timedelta(days=1), timedelta(days=45)
"""A refund takes seconds; where the provider is away it takes hours. After so long, only a person can help."""

FIRST_PAUSE_MS, MAX_ATTEMPTS = 5_000, 1_000
"""An activity is tried for an hour and a half: an outage of the database is seldom longer."""


class About(TypedDict):
    """Which return, and the span of its saga."""

    order_id: str
    return_id: str
    traceparent: NotRequired[str]


Steps = Generator[Any, Any, Status]


def return_saga(context: df.DurableOrchestrationContext) -> Steps:
    """Input `{order_id, return_id, traceparent}`; output: the status that the return ends in."""
    changed = _Waiting(context)
    requested = current(context)
    status = yield from _do(context, BEGIN)
    if status == "requested":
        status = yield from changed.until(requested + REMINDED_AFTER, status)
    if status == "requested":
        status = yield from _do(context, REMIND)
    if status == "requested":
        status = yield from changed.until(requested + REFUSED_AFTER, status)
    if status == "requested":
        status = yield from _do(context, TIME_OUT)
    if status == "approved":
        status = yield from changed.until(current(context) + SENT_WITHIN, status)
    if status == "approved":
        status = yield from _do(context, TIME_OUT)
    counted = current(context)
    if status == "received":
        status = yield from changed.until(counted + PAID_WITHIN, status)
    if status == "received":
        status = yield from _do(context, REMIND)
    if status == "received":
        status = yield from changed.until(counted + STUCK_AFTER, status)
    return status


class _Waiting:
    """For the return to change, with one wait for the event that tells of it: a second one would take it away."""

    def __init__(self, context: df.DurableOrchestrationContext) -> None:
        self._context = context
        self._event_of = CHANGED.wait(context)

    def until(self, moment: Any, status: Status) -> Steps:
        """Wait until the return has another status, or the moment has come; its status then."""
        before = status
        while status == before and not is_due(self._context, moment):
            timer = timer_towards(self._context, moment)
            if (yield self._context.task_any([timer, self._event_of])) is self._event_of:
                timer.cancel()
                step(self._context, SERVICE.name, CHANGED.name)
                self._event_of = CHANGED.wait(self._context)
            status = yield from _do(self._context, LOOK_UP)
        return status


def _do(context: df.DurableOrchestrationContext, activity: str) -> Steps:
    """An activity about the return; all of them answer its status."""
    given = context.get_input()
    about = {name: given[name] for name in ("order_id", "return_id", "traceparent") if name in given}
    status: Status = yield from tried(context, FIRST_PAUSE_MS, MAX_ATTEMPTS, activity, about)
    return status


async def start(client: df.DurableOrchestrationClient, requested: ReturnRequested) -> None:
    """Start the saga of a return, unless it runs already. Raises Transient if Durable does not answer."""
    given = {"order_id": requested.order_id, "return_id": requested.return_id}
    await ensure_started(client, NAME, requested.return_id, given)
    crash_point("return.start.after")


async def signal(client: df.DurableOrchestrationClient, return_id: str) -> None:
    """Let a return's saga know that it has changed. Raises Transient if Durable does not answer."""
    crash_point("return.wake", "before")
    await wake(client, return_id, CHANGED, "changed", may_be_gone=True)
    crash_point("return.wake", "after")
