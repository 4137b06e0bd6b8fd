"""What operators see of the sagas of orders and returns, and how each is resumed and ended (`shared.sagas`)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from blueprints.orders import approval_service, domain, return_saga, return_service, saga, service, store
from shared import orchestration
from shared.clock import parse_timestamp, timestamp
from shared.errors import Conflict
from shared.persistence.cosmos import Document
from shared.recovery import LATE_START_SECONDS
from shared.sagas import Saga


class OrderSaga(Saga):
    """An order that nobody has decided. To end it is to cancel it: what is held for it goes back."""

    kind = saga.NAME
    item = "order"
    open = ("placed", "awaiting_approval")

    async def waits_for(self, document: Document) -> str:
        status, replies = await service.look_up(document["id"])
        if status == "awaiting_approval":
            _, until = await approval_service.stands(document["id"])
            return f"a decision of staff, until {until}"
        silent = [subject for subject in domain.GOOD if subject not in replies]
        if domain.decide(replies) is not None or not silent:
            return "its decision: everything is known"
        first = "" if store.order_of(document).stock_asked else ", which is asked for once the money is there"
        return f"an answer about {' and '.join(silent)}{first if 'stock' in silent else ''}"

    async def begin(self, client: Any, document: Document) -> None:
        order = store.order_of(document)
        # so long ago that it looks up what is recorded before it waits
        late = timestamp(parse_timestamp(order.placed_at) - timedelta(seconds=LATE_START_SECONDS))
        given = saga.input_for(order.id, order.placed_at, money_first=not order.stock_asked) | {"placed_at": late}
        with service.in_trace_of(order, "orders_resume"):
            await orchestration.start(client, saga.NAME, order.id, given)

    async def wake(self, client: Any, document: Document) -> None:
        # whatever the event says, the saga looks up what is recorded
        await saga.EVENTS["cancelled"].send(client, document["id"], "cancelled")

    async def end(self, document: Document) -> None:
        order = store.order_of(document)
        with service.in_trace_of(order, "orders_end"):
            order = await service.settle(order.id, *domain.TIMED_OUT)
            if order.status == "awaiting_approval":
                order = await approval_service.time_out(order.id, "staff")
        if order.status != "cancelled":
            raise Conflict(f"it is over: the order is {order.status}", code="saga-over")


class ReturnSaga(Saga):
    """A return. To end it is what its time would do: refuse it, or close it. What came back is owed, and stays open."""

    kind = return_saga.NAME
    item = "return"
    open = ("requested", "approved", "received")

    async def waits_for(self, document: Document) -> str:
        return {
            "requested": "a decision of staff",
            "approved": "what is to come back, and its count",
            "received": "the refund by payments",
        }[document["status"]]

    async def begin(self, client: Any, document: Document) -> None:
        given = {"order_id": document["order_id"], "return_id": document["id"]}
        order = await store.get(document["order_id"])
        assert order is not None, "what has returns is an order"
        with service.in_trace_of(order, "orders_resume"):
            await orchestration.start(client, return_saga.NAME, document["id"], given)

    async def wake(self, client: Any, document: Document) -> None:
        await return_saga.CHANGED.send(client, document["id"], "changed")

    async def end(self, document: Document) -> None:
        status = await return_service.time_out(document["order_id"], document["id"])
        if status == "received":
            raise Conflict("what came back is owed to the customer: resume it, or mend payments", code="refund-owed")
        if status not in ("refused", "expired"):
            raise Conflict(f"it is over: {status}", code="saga-over")


KINDS = (OrderSaga(store.ORDERS), ReturnSaga(store.ORDERS))
