"""The second half of the order saga, for an order that a rule has marked: a person decides, or time does.

Stock and money are held by then. The decision is a move in the store, which the events `approved` and `cancelled` only
wake the saga for: it looks the order up whenever it wakes, and at least every two days. When the time is over and
nobody has decided, the order is cancelled as `not_approved`.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any, Literal, NotRequired, TypedDict

import azure.durable_functions as df

from blueprints.orders.declaration import SERVICE
from blueprints.orders.domain import Status
from shared.clock import parse_timestamp
from shared.faultpoints import crash_point
from shared.orchestration import ExternalEvent, is_due, step, timer_towards, tried

LOOK_UP = "orders_look_up_approval"
TIME_OUT = "orders_time_out_approval"

APPROVED: ExternalEvent[Literal["approved"]] = ExternalEvent("approved", Literal["approved"])
CANCELLED: ExternalEvent[Literal["cancelled"]] = ExternalEvent("cancelled", Literal["cancelled"])
WAKING: dict[str, ExternalEvent[Any]] = {"approved": APPROVED, "cancelled": CANCELLED}
"""What wakes the saga: the decision has already been written."""

FIRST_PAUSE_MS, MAX_ATTEMPTS = 5_000, 1_000
"""An activity is tried for an hour and a half, as those of the return saga."""


class Standing(TypedDict):
    """How an order's approval stands. `until`: when time decides, for one that waits."""

    status: Status
    until: NotRequired[str]


def approval(
    context: df.DurableOrchestrationContext, about: dict[str, str], cancelled: Any
) -> Generator[Any, Any, Status]:
    """Wait until the order is decided; the status that it then has.

    `about`: the input of its activities. `cancelled`: the saga's wait for that event, beside which there is no other.
    """
    done = partial(tried, context, FIRST_PAUSE_MS, MAX_ATTEMPTS)
    waiting = {"approved": APPROVED.wait(context), "cancelled": cancelled}
    stands: Standing = yield from done(LOOK_UP, about)
    while stands["status"] == "awaiting_approval":
        until = parse_timestamp(stands["until"])
        if is_due(context, until):
            crash_point("approval.step", "time")
            status: Status = yield from done(TIME_OUT, about)
            return status
        timer = timer_towards(context, until)
        winner = yield context.task_any([timer, *waiting.values()])
        if winner is not timer:
            timer.cancel()
            name = next(name for name, task in waiting.items() if task is winner)
            step(context, SERVICE.name, name)
            crash_point("approval.step", name)
            waiting[name] = WAKING[name].wait(context)
        stands = yield from done(LOOK_UP, about)
    return stands["status"]
