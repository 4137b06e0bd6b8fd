"""The tracking monitor: ask where a parcel is, less and less often, until it has come to an end.

The carriers' provider tells by webhook what happens to a parcel, but webhooks get lost, and silence is news as well. So
the monitor asks: an hour after the parcel has left, then after two, four, … up to once a day. A parcel that is
delivered or fails ends it, whoever heard of that first, and after 45 days it is given up. The shipment in the store is
the authority: the event only wakes the monitor, and each poll reads the shipment before it asks anybody.

A history grows with every poll, so after a few the monitor continues as new, at the moment of a poll: whatever came
meanwhile, this next poll finds in the store.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any, Literal, NotRequired, TypedDict

import azure.durable_functions as df

from blueprints.shipping.declaration import SERVICE, TRACKING_POLL_SECONDS
from blueprints.shipping.domain import Status
from shared.clock import parse_timestamp, timestamp
from shared.contracts.event import Event
from shared.contracts.shipping import ShipmentShipped
from shared.faultpoints import crash_point
from shared.orchestration import ExternalEvent, current, ensure_started, is_due, step, timer_towards, wake
from shared.settings import settings

NAME = "shipping_tracking_monitor"
POLL = "shipping_poll"
GIVE_UP = "shipping_give_up"

ENDED: ExternalEvent[Literal["ended"]] = ExternalEvent("ended", Literal["ended"])
"""What wakes the monitor: the shipment's end has been written."""

PATIENCE = timedelta(days=45)
"""Longer than any carrier looks for a parcel before it pays for it."""
MAX_PAUSE = timedelta(days=1)
"""Often enough for a person who waits; and well within what one timer reaches."""
POLLS = 20
"""Of one history: about 200 events, which a replay reads in milliseconds."""


class About(TypedDict):
    """Which shipment, and the span of its monitor."""

    order_id: str
    shipment_id: str
    traceparent: NotRequired[str]


def tracking_monitor(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Status | None]:
    """Input `{order_id, shipment_id, traceparent, until, pause}`, `pause` in seconds; output: the shipment's status."""
    given = context.get_input()
    about = {name: given[name] for name in ("order_id", "shipment_id", "traceparent") if name in given}
    until, pause = parse_timestamp(given["until"]), timedelta(seconds=given["pause"])
    ended = ENDED.wait(context)
    for _ in range(POLLS):
        try:
            status = yield context.call_activity(GIVE_UP if is_due(context, until) else POLL, about)
        except Exception:  # what the package raises for a failed activity: the next poll tries again
            status = "shipped"
        if status != "shipped":
            return status  # type: ignore[no-any-return]  # what an activity answers has no type
        due = timer_towards(context, _next(context, until, pause))
        winner = yield context.task_any([due, ended])
        if winner is ended:
            due.cancel()
            step(context, SERVICE.name, ENDED.name)
            ended = ENDED.wait(context)
        else:
            pause = min(2 * pause, MAX_PAUSE)
    context.continue_as_new({**given, "pause": pause.total_seconds()})
    return None


def _next(context: df.DurableOrchestrationContext, until: Any, pause: timedelta) -> Any:
    """When the parcel is asked for again: after the pause, or at the end of all patience, if that is ahead."""
    later = current(context) + pause
    return later if is_due(context, until) else min(later, until)


def input_for(order_id: str, shipment_id: str, shipped_at: str) -> dict[str, Any]:
    """The input of a new monitor, but for the trace."""
    return {
        "order_id": order_id,
        "shipment_id": shipment_id,
        "until": timestamp(parse_timestamp(shipped_at) + PATIENCE),
        "pause": settings().seconds(TRACKING_POLL_SECONDS),
    }


async def start(client: df.DurableOrchestrationClient, event: Event, shipped: ShipmentShipped) -> None:
    """Start the monitor of a shipment, unless it runs already. Raises Transient if Durable does not answer."""
    asked = input_for(shipped.order_id, shipped.shipment_id, event.time)
    await ensure_started(client, NAME, shipped.shipment_id, asked)
    crash_point("monitor.start.after")


async def signal(client: df.DurableOrchestrationClient, shipment_id: str) -> None:
    """Let a shipment's monitor know that it has ended. Raises Transient if Durable does not answer."""
    crash_point("monitor.wake", "before")
    await wake(client, shipment_id, ENDED, "ended", may_be_gone=True)
    crash_point("monitor.wake", "after")
