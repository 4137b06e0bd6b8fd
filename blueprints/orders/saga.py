"""The order saga: wait for the stock and the money, then confirm; for anything else, cancel.

The orchestrator is pure: what it knows came in its input or in an event, and what it does, an activity does.
It is at most a faster way to a decision that the order's own document guards: started twice, or told things
twice, it changes nothing, because only one move out of `placed` is ever written.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any, NotRequired, TypedDict

import azure.durable_functions as df

from blueprints.orders.domain import Command
from shared.clock import parse_timestamp, timestamp
from shared.contracts.event import Event, EventData
from shared.contracts.inventory import StockRejected, StockReserved
from shared.contracts.orders import CancelReason, OrderCancelled, OrderPlaced
from shared.contracts.payments import PaymentAuthorized, PaymentDeclined
from shared.errors import Transient
from shared.faultpoints import crash_point
from shared.settings import settings
from shared.telemetry import trace
from shared.telemetry.log import Log

NAME = "order_saga"
SETTLE = "orders_settle"


class Decision(TypedDict):
    """What the saga decided; a `reason` comes with `cancel`. `traceparent`: whose request that goes back to."""

    order_id: str
    command: Command
    reason: NotRequired[CancelReason]
    traceparent: NotRequired[str]


ANSWERS: dict[type[EventData], tuple[str, str]] = {
    StockReserved: ("stock", "reserved"),
    StockRejected: ("stock", "out_of_stock"),
    PaymentAuthorized: ("payment", "authorized"),
    PaymentDeclined: ("payment", "payment_declined"),
    OrderCancelled: ("cancelled", "cancelled"),
}
"""What the saga waits for: event → (name it is raised under, what it says)."""

ENDED = frozenset({"Completed", "Failed", "Terminated"})

GOOD = {"stock": "reserved", "payment": "authorized"}

log = Log("orders")


def order_saga(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    """Input `{order_id, deadline, traceparent}`; output: the status the order ends in."""
    order = context.get_input()
    about = {"order_id": order["order_id"], "traceparent": order.get("traceparent", "")}
    deadline = context.create_timer(datetime.fromisoformat(order["deadline"]))
    waiting = {name: context.wait_for_external_event(name) for name in ("stock", "payment", "cancelled")}
    decision: dict[str, str] = {"command": "confirm"}
    while GOOD.keys() & waiting.keys():
        winner = yield context.task_any([deadline, *waiting.values()])
        if winner is deadline:
            decision = {"command": "cancel", "reason": "timed_out"}
            break
        name = next(name for name, task in waiting.items() if task is winner)
        answer = waiting.pop(name).result
        crash_point("saga.step", name)
        if name == "cancelled":
            decision = {}
            break
        if answer != GOOD[name]:
            decision = {"command": "cancel", "reason": answer}
            break
    if not deadline.is_completed:
        deadline.cancel()
    if not decision:
        return "cancelled"
    crash_point("saga.decided", decision["command"])
    patient = df.RetryOptions(first_retry_interval_in_milliseconds=2_000, max_number_of_attempts=1_000)
    status = yield context.call_activity_with_retry(SETTLE, patient, {**about, **decision})
    crash_point("saga.settled")
    return str(status)


async def start(client: df.DurableOrchestrationClient, event: Event, placed: OrderPlaced) -> None:
    """Start the saga of a placed order, unless it runs already. Raises Transient if Durable does not answer.

    It starts before `order.placed` is published, so that no answer can arrive ahead of it.
    """
    deadline = parse_timestamp(event.time) + timedelta(seconds=settings().seconds("ORDER_DEADLINE_SECONDS"))
    order_id = placed.order_id
    given = {"order_id": order_id, "deadline": timestamp(deadline), "traceparent": trace.current().traceparent}
    try:
        await client.start_new(NAME, order_id, given)
    except Exception as exc:  # the client raises bare exceptions
        if await _status(client, order_id) is not None:
            return
        raise Transient("the saga could not be started") from exc
    crash_point("saga.start.after")


async def tell(client: df.DurableOrchestrationClient, order_id: str, data: EventData) -> None:
    """Let the order's saga know what happened. A saga that has ended needs to know nothing.

    Raises Transient if Durable does not answer, or does not know the saga yet.
    """
    name, answer = ANSWERS[type(data)]
    crash_point("saga.tell", "before", name)
    try:
        await client.raise_event(order_id, name, answer)
    except Exception as exc:  # the client raises bare exceptions
        status = await _status(client, order_id)
        if status in ENDED:
            return
        raise Transient(f"the saga of {order_id} could not be told (it is {status})") from exc
    crash_point("saga.tell", "after", name)


async def _status(client: df.DurableOrchestrationClient, order_id: str) -> str | None:
    """The saga's runtime status; `None` where there is no such saga, or no answer."""
    try:
        found = await client.get_status(order_id)
    except Exception as exc:  # the client raises bare exceptions
        log.warning("saga.unreachable", order_id=order_id, error=type(exc).__name__)
        return None
    return found.runtime_status.name if found else None
