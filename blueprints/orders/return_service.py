"""What can be done about returns: ask for one, decide it, count what came back, and hear that it was paid back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Annotated, Literal

import msgspec

from blueprints.orders import return_store, returns, store
from blueprints.orders.declaration import RETURN_AUTO_LIMIT
from blueprints.orders.domain import MAX_LINES, Order
from blueprints.orders.return_store import ReadReturn
from blueprints.orders.returns import IllegalTransition, Miscounted, NotReturnable, Return
from blueprints.orders.service import in_trace_of, visible
from shared import ids
from shared.clock import timestamp
from shared.contracts.event import Event, EventData
from shared.contracts.orders import (
    ReturnApproved,
    ReturnExpired,
    ReturnOverdue,
    ReturnReceived,
    ReturnRefunded,
    ReturnRefused,
    ReturnRequested,
)
from shared.contracts.payments import PaymentRefunded
from shared.errors import Conflict, Contention, NotFound, Unprocessable
from shared.money import Money
from shared.persistence.cosmos import AlreadyExists, ConditionFailed
from shared.settings import settings
from shared.telemetry.log import Log
from shared.web.auth import Principal
from shared.web.body import Quantity, Sku, fingerprint, same_request
from shared.web.paging import Page

MAX_ATTEMPTS = 20
"""A hundred people decide one return at once: each that loses finds it decided at the next look."""

log = Log("orders")

_Pieces = Annotated[int, msgspec.Meta(ge=0, le=100_000)]


class ReturnItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many pieces of one product."""

    sku: Sku
    quantity: Quantity


class RequestReturn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Send back these pieces."""

    items: Annotated[list[ReturnItem], msgspec.Meta(min_length=1, max_length=MAX_LINES)]
    reason: returns.Reason


class Decide(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether it may be sent back."""

    decision: Literal["approve", "refuse"]


class CountedItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came back of one product: pieces that can be sold again, and others."""

    sku: Sku
    restocked: _Pieces = 0
    written_off: _Pieces = 0


class CountReturn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came back."""

    items: Annotated[list[CountedItem], msgspec.Meta(min_length=1, max_length=MAX_LINES)]


class ReturnView(msgspec.Struct, frozen=True):
    """A return as the API shows it. `value`: what was paid for what is to come back."""

    id: str
    order_id: str
    status: returns.Status
    items: tuple[returns.ReturnLine, ...]
    reason: returns.Reason
    value: Money
    history: tuple[returns.ReturnEntry, ...]
    decided_by: returns.DecidedBy | None
    refunded: Money | None


def view(case: Return) -> ReturnView:
    return ReturnView(
        case.id,
        case.order_id,
        case.status,
        case.lines,
        case.reason,
        case.value,
        case.history,
        case.decided_by,
        case.refunded,
    )


async def request(caller: Principal, order_id: str, key: str, asked: RequestReturn) -> ReturnView:
    """Ask to send something back; what follows happens behind. A repeat finds the return that it made.

    Raises NotFound, Conflict where the order cannot be returned, or not so much of it, and Unprocessable for a key that
    was used for another request.
    """
    return_id, request_hash = derive_id(order_id, key), fingerprint(asked)
    wanted = Counter[str]()
    for item in asked.items:
        wanted[item.sku] += item.quantity
    for _ in range(MAX_ATTEMPTS):
        order = await visible(caller, order_id)
        before = await return_store.of_order(order_id)
        known = next((case for case in before if case.id == return_id), None)
        if known is not None:
            return _repeated(known, request_hash)
        case = _requested(order, before, wanted, return_id, asked.reason, request_hash)
        event = ReturnRequested(order_id=order_id, return_id=return_id, value=case.value)
        try:
            with in_trace_of(order, "orders_request_return"):
                await return_store.add(order, case, event)
        except (ConditionFailed, AlreadyExists):
            continue
        log.info("return.requested", order_id=order_id, return_id=return_id, lines=len(case.lines))
        return view(case)
    raise Contention(f"order {order_id} keeps changing", retry_after=1)


def derive_id(order_id: str, key: str) -> str:
    """The id of the return that is asked for under `key`."""
    return ids.derived("ret", "return", order_id, key)


async def list_of_order(caller: Principal, order_id: str) -> Page[ReturnView]:
    """The returns of the caller's own order; staff may see any. Raises NotFound."""
    await visible(caller, order_id)
    return Page(items=[view(case) for case in await return_store.of_order(order_id)], next_cursor=None)


async def get(caller: Principal, order_id: str, return_id: str) -> ReturnView:
    """One return of the caller's own order; staff may see any. Raises NotFound."""
    await visible(caller, order_id)
    return view((await _existing(order_id, return_id)).case)


async def decide(order_id: str, return_id: str, decision: Literal["approve", "refuse"]) -> ReturnView:
    """A person decides. The same decision again has the same answer; raises Conflict for another, or a late one."""
    wanted: returns.Status = "approved" if decision == "approve" else "refused"

    def decided(case: Return) -> tuple[Return, EventData] | None:
        if case.status != "requested":
            return None
        return _approved(case, "staff") if decision == "approve" else _refused(case, "staff")

    case = await _change(order_id, return_id, decided, by_hand=True)
    if wanted not in {entry.status for entry in case.history} or case.decided_by != "staff":
        raise Conflict(f"the return is already {case.status}", code="return-decided")
    return view(case)


async def receive(order_id: str, return_id: str, count: CountReturn) -> ReturnView:
    """Count what came back. The same count again has the same answer; raises Conflict for another, or too early one."""
    counted: dict[str, tuple[int, int]] = {}
    for item in count.items:
        restocked, written_off = counted.get(item.sku, (0, 0))
        counted[item.sku] = (restocked + item.restocked, written_off + item.written_off)

    def received(case: Return) -> tuple[Return, EventData] | None:
        if case.status in ("received", "refunded"):
            return None
        after = returns.receive(case, counted, timestamp())
        event = ReturnReceived(
            order_id=order_id, return_id=return_id, amount=after.due, restocked=returns.restocked(after)
        )
        return after, event

    try:
        case = await _change(order_id, return_id, received, by_hand=True)
    except Miscounted as exc:
        raise Unprocessable(str(exc), code="miscounted") from exc
    except IllegalTransition as exc:
        raise Conflict("only an approved return can come back", code="return-not-approved") from exc
    known = {line.sku: (line.restocked, line.written_off) for line in case.lines if line.came_back}
    if known != {sku: pieces for sku, pieces in counted.items() if any(pieces)}:
        raise Conflict("the return has been counted already, and otherwise", code="return-counted")
    return view(case)


async def begin(order_id: str, return_id: str) -> returns.Status:
    """A return that is worth little approves itself; its status now."""
    limit = settings().count(RETURN_AUTO_LIMIT, least=0)

    def small(case: Return) -> tuple[Return, EventData] | None:
        if case.status != "requested" or not returns.approves_itself(case, limit):
            return None
        return _approved(case, "rule")

    return (await _change(order_id, return_id, small)).status


async def look_up(order_id: str, return_id: str) -> returns.Status:
    """Raises NotFound."""
    return (await _existing(order_id, return_id)).case.status


async def remind(order_id: str, return_id: str) -> returns.Status:
    """Tell once that the return waits for somebody; its status now."""

    def overdue(case: Return) -> tuple[Return, EventData] | None:
        if case.status not in ("requested", "received") or case.status in case.overdue:
            return None
        event = ReturnOverdue(order_id=order_id, return_id=return_id, status=case.status)
        return replace(case, overdue=case.overdue | {case.status}), event

    return (await _change(order_id, return_id, overdue)).status


async def time_out(order_id: str, return_id: str) -> returns.Status:
    """Nobody has decided, or nothing has come back, in time; the return's status now."""

    def late(case: Return) -> tuple[Return, EventData] | None:
        if case.status == "requested":
            return _refused(case, "time")
        if case.status == "approved":
            event = ReturnExpired(order_id=order_id, return_id=return_id)
            return returns.transition(case, "expire", timestamp()), event
        return None

    return (await _change(order_id, return_id, late)).status


async def refunded(event: Event, paid: PaymentRefunded) -> None:
    """Payments has paid back what came back. Refunds that are of no return are part of the order's story alone."""
    if not paid.refund_id.startswith("ret_"):
        return

    def closed(case: Return) -> tuple[Return, EventData] | None:
        if case.status != "received":
            return None
        after = replace(returns.transition(case, "refund", timestamp()), refunded=paid.amount)
        return after, ReturnRefunded(order_id=case.order_id, return_id=case.id, amount=paid.amount)

    await _change(paid.order_id, paid.refund_id, closed)


def _approved(case: Return, by: returns.DecidedBy) -> tuple[Return, EventData]:
    after = replace(returns.transition(case, "approve", timestamp()), decided_by=by)
    return after, ReturnApproved(order_id=case.order_id, return_id=case.id)


def _refused(case: Return, by: returns.DecidedBy) -> tuple[Return, EventData]:
    reason: Literal["not_eligible", "timed_out"] = "timed_out" if by == "time" else "not_eligible"
    after = replace(returns.transition(case, "refuse", timestamp()), decided_by=by, refusal=reason)
    return after, ReturnRefused(order_id=case.order_id, return_id=case.id, reason=reason)


async def _change(
    order_id: str,
    return_id: str,
    change: Callable[[Return], tuple[Return, EventData] | None],
    *,
    by_hand: bool = False,
) -> Return:
    """The return after `change`, which is written and told; as it is, where there is nothing to change.

    `by_hand`: a person's call does it, which has a trace of its own.
    """
    for _ in range(MAX_ATTEMPTS):
        read = await _existing(order_id, return_id)
        changed = change(read.case)
        if changed is None:
            return read.case
        after, event = changed
        order = await store.get(order_id)
        assert order is not None, "what has returns is an order"
        try:
            with in_trace_of(order, f"orders_{type(event).__name__}") if by_hand else nullcontext():
                await return_store.advance(order, read, after, event)
        except ConditionFailed:
            continue
        log.info(f"return.{after.status}", order_id=order_id, return_id=return_id, by=after.decided_by)
        return after
    raise Contention(f"order {order_id} keeps changing", retry_after=1)


def _requested(
    order: Order, before: list[Return], wanted: Counter[str], return_id: str, reason: returns.Reason, request_hash: str
) -> Return:
    try:
        return returns.request(
            order, before, wanted, return_id=return_id, reason=reason, at=timestamp(), request_hash=request_hash
        )
    except NotReturnable as exc:
        raise Conflict(str(exc), code=exc.code) from exc


def _repeated(case: Return, request_hash: str) -> ReturnView:
    same_request(case.request_hash, request_hash, "return")
    return view(replace(case, status="requested", history=case.history[:1], decided_by=None, refunded=None))


async def _existing(order_id: str, return_id: str) -> ReadReturn:
    read = await return_store.get(order_id, return_id)
    if read is None:
        raise NotFound("there is no such return")
    return read
