"""The order saga: wait for the stock and the money, then confirm; for anything else, cancel.

The orchestrator is pure: what it knows came in its input or in an event, and what it does, an activity does.
The order document is the authority: only one move out of `placed` can be written, so starting the saga twice or raising
an event twice is harmless. The replies are facts in the order's inbox, and an event only wakes the saga: where one may
have been lost (the saga starts late), cannot be read, or has not come by the deadline, the saga looks up the facts. The
activity that settles goes by the facts alone: an event that somebody else raised decides nothing. Where the stock is
to be held after the money, the saga asks for it then. An order that a rule has marked is not confirmed by the two good
answers: it then waits for a person (`approval_saga`).
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from functools import partial
from typing import Any, Literal, NotRequired, TypedDict

import azure.durable_functions as df

from blueprints.orders import domain
from blueprints.orders.approval_saga import APPROVED, CANCELLED, approval
from blueprints.orders.declaration import ORDER_DEADLINE_SECONDS, SERVICE
from blueprints.orders.domain import REPLIES, Command, Said, Status, Subject
from shared.clock import parse_timestamp, timestamp
from shared.contracts.event import Event, EventData
from shared.contracts.orders import CancelReason, OrderCancelled, OrderConfirmed, OrderPlaced
from shared.faultpoints import crash_point
from shared.orchestration import (
    ExternalEvent,
    UnreadableEvent,
    ensure_started,
    is_due,
    step,
    timer_towards,
    tried,
    wake,
)
from shared.recovery import LATE_START_SECONDS
from shared.settings import settings

NAME = "order_saga"
SETTLE = "orders_settle"
LOOK_UP = "orders_look_up"
ASK = "orders_ask_for_stock"

EVENTS: dict[str, ExternalEvent[Any]] = {
    "stock": ExternalEvent("stock", Literal["reserved", "out_of_stock"]),
    "payment": ExternalEvent("payment", Literal["authorized", "payment_declined"]),
    "cancelled": CANCELLED,
}
"""What wakes the saga. `cancelled`: the shopper's cancel has already been written."""

FIRST_PAUSE_MS, MAX_ATTEMPTS = 2_000, 1_000
"""An activity is tried for half an hour: an outage of the database is seldom longer. The reconciler comes after it."""


class Facts(TypedDict):
    """What is recorded of an order."""

    status: Status
    replies: dict[Subject, Said]


class About(TypedDict):
    """Which order, and the span of its saga."""

    order_id: str
    traceparent: NotRequired[str]


class Decision(About):
    """What the saga decided; a `reason` comes with `cancel`."""

    command: Command
    reason: NotRequired[CancelReason]


def order_saga(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    """Input `{order_id, placed_at, deadline, traceparent, money_first?}`; output: the status the order ends in."""
    order = context.get_input()
    about = {"order_id": order["order_id"], "traceparent": order.get("traceparent", "")}
    done = partial(tried, context, FIRST_PAUSE_MS, MAX_ATTEMPTS)
    due = parse_timestamp(order["deadline"])
    deadline = timer_towards(context, due)
    waiting = {name: event.wait(context) for name, event in EVENTS.items()}
    facts: Facts = {"status": "placed", "replies": {}}
    if _is_late(context, order):
        facts = yield from done(LOOK_UP, about)
    to_ask = bool(order.get("money_first"))
    while facts["status"] == "placed" and domain.decide(facts["replies"]) is None:
        if to_ask and _is_paid(facts):
            facts = yield from done(ASK, about)
            to_ask = not _is_paid(facts)
            if to_ask:  # it was said and is not recorded, so it may still come
                waiting["payment"] = EVENTS["payment"].wait(context)
            continue
        winner = yield context.task_any([deadline, *waiting.values()])
        if winner is deadline and not is_due(context, due):
            deadline = timer_towards(context, due)
            continue
        if winner is deadline:
            if "placed_at" in order:  # an instance of an older release has a history without this step
                facts = yield from done(LOOK_UP, about)
            break
        name = next(name for name, task in waiting.items() if task is winner)
        step(context, SERVICE.name, name)
        crash_point("saga.step", name)
        try:
            said = EVENTS[name].read(waiting.pop(name).result)
        except UnreadableEvent:
            said = None
        if name in domain.GOOD and said is not None:
            facts = {**facts, "replies": {**facts["replies"], name: said}}
        else:
            waiting[name] = EVENTS[name].wait(context)
            facts = yield from done(LOOK_UP, about)
    if not deadline.is_completed:
        deadline.cancel()
    status: Status = facts["status"]
    if status == "placed":
        decision = _decision(facts)
        crash_point("saga.decided", decision["command"])
        status = yield from done(SETTLE, {**about, **decision})
        crash_point("saga.settled")
    if status == "awaiting_approval":
        status = yield from approval(context, about, waiting["cancelled"])
    return status


def _is_late(context: df.DurableOrchestrationContext, order: dict[str, str]) -> bool:
    """Whether events may have come before this instance existed. Instances of older releases have no `placed_at`."""
    if "placed_at" not in order:
        return False
    return is_due(context, parse_timestamp(order["placed_at"]) + timedelta(seconds=LATE_START_SECONDS))


def _is_paid(facts: Facts) -> bool:
    return facts["replies"].get("payment") == domain.GOOD["payment"]


def _decision(facts: Facts) -> dict[str, str]:
    command, reason = domain.decide(facts["replies"]) or domain.TIMED_OUT
    return {"command": command} if reason is None else {"command": command, "reason": reason}


def input_for(order_id: str, placed_at: str, money_first: bool) -> dict[str, Any]:
    """The input, but for the trace."""
    deadline = parse_timestamp(placed_at) + timedelta(seconds=settings().seconds(ORDER_DEADLINE_SECONDS))
    return {
        "order_id": order_id,
        "placed_at": placed_at,
        "deadline": timestamp(deadline),
        **({"money_first": True} if money_first else {}),
    }


async def start(client: df.DurableOrchestrationClient, event: Event, placed: OrderPlaced) -> None:
    """Start the saga of a placed order, unless it runs already. Raises Transient if Durable does not answer.

    It starts before `order.placed` is published, so that no answer can arrive ahead of it.
    """
    order_id = placed.order_id
    await ensure_started(client, NAME, order_id, input_for(order_id, event.time, placed.money_first))
    crash_point("saga.start.after")


async def signal(client: df.DurableOrchestrationClient, order_id: str, data: EventData) -> None:
    """Let the order's saga know what happened. A saga that has ended needs to know nothing.

    Raises Transient if Durable does not answer, or does not know the saga yet.
    """
    event: ExternalEvent[Any]
    if isinstance(data, OrderCancelled | OrderConfirmed):
        event = CANCELLED if isinstance(data, OrderCancelled) else APPROVED
        said = event.name
    else:
        name, said = REPLIES[type(data)]
        event = EVENTS[name]
    crash_point("saga.tell", "before", event.name)
    await wake(client, order_id, event, said, may_be_gone=event is APPROVED)
    crash_point("saga.tell", "after", event.name)
