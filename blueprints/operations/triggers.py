"""Everything that can set operations in motion: its HTTP operations, and its long tasks."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df
import azure.functions as func

from blueprints.operations import audit, reading, redrive, service, store
from blueprints.operations.declaration import SERVICE
from blueprints.operations.service import DEAD_LETTER_ID
from blueprints.operations.shapes import (
    DeadLetterSummary,
    DeadLetterView,
    EntryView,
    HeadView,
    QueueView,
    SentView,
    SetAsideView,
    StartRedrive,
    VerifiedView,
    Verify,
)
from shared.contracts.audit import ActRecorded
from shared.messaging.triggers import every_round, subscription
from shared.operating import MIN_AGE
from shared.tasks.task import TaskView, task_id
from shared.tasks.triggers import TASK, long_tasks
from shared.web.body import Because
from shared.web.endpoint import Request, Response, endpoint
from shared.web.operation import Parameter, PathParameter
from shared.web.paging import CURSOR, LIMIT, Page, read_limit

bp = df.Blueprint()

DEAD_LETTER = PathParameter("dead_letter_id", "The dead letter's id.", DEAD_LETTER_ID, "orders.payments.7")
_TEXT = {"type": "string", "minLength": 1, "maxLength": 200}
FILTERS = (
    Parameter("topic", "Only those of this topic.", _TEXT),
    Parameter("service", "Only those that this service did not handle.", _TEXT),
    Parameter("event_type", "Only events of this type.", _TEXT),
    Parameter("reason", "Only those with this reason of the broker.", _TEXT),
    Parameter("subject", "Only events about this subject, such as an order's id.", _TEXT),
    MIN_AGE,
)

tasks = long_tasks(
    bp,
    SERVICE,
    "/operations/tasks",
    "operations.read",
    "operations.write",
    {redrive.KIND: redrive.step},
    service.intend_cancel,
)


@endpoint(
    bp, SERVICE, "operations_queues_list", "GET /operations/queues", scope="operations.read", returns=Page[QueueView]
)
async def queues(request: Request[Any]) -> Response:
    """See every subscription: what waits, what is dead, and since when."""
    return Response(await service.queues())


@endpoint(
    bp,
    SERVICE,
    "operations_dead_letters_list",
    "GET /operations/dead-letters",
    scope="operations.read",
    returns=Page[DeadLetterSummary],
    query=(*FILTERS, LIMIT, CURSOR),
)
async def dead_letters(request: Request[Any]) -> Response:
    """List dead letters.

    A page may be shorter than `limit`, or empty, while there is a `next_cursor`: a page looks at 5,000 of them.
    """
    query = request.query
    asked = {name: query[name] for name in (filtered.name for filtered in FILTERS) if name in query}
    return Response(await service.dead_letters_page(asked, query.get("cursor"), read_limit(query)))


@endpoint(
    bp,
    SERVICE,
    "operations_dead_letters_get",
    "GET /operations/dead-letters/{dead_letter_id}",
    DEAD_LETTER,
    scope="operations.read",
    returns=DeadLetterView,
    problems=(404,),
)
async def dead_letter(request: Request[Any]) -> Response:
    """Read one dead letter, without what may be personal."""
    return Response(await service.dead_letter(request.path(DEAD_LETTER)))


@endpoint(
    bp,
    SERVICE,
    "operations_dead_letters_set_aside",
    "POST /operations/dead-letters/{dead_letter_id}/set-aside",
    DEAD_LETTER,
    scope="operations.write",
    body=Because,
    returns=SetAsideView,
    problems=(404, 409),
)
async def set_aside(request: Request[Because]) -> Response:
    """Set a dead letter aside: it is kept with the reason, out of its queue.

    Sent again, it has the same answer.
    """
    return Response(await service.put_aside(request.caller, request.path(DEAD_LETTER), request.body.why))


@endpoint(
    bp,
    SERVICE,
    "operations_set_aside_list",
    "GET /operations/set-aside",
    scope="operations.read",
    returns=Page[SetAsideView],
    query=(LIMIT, CURSOR),
)
async def list_set_aside(request: Request[Any]) -> Response:
    """List what was set aside, the latest first."""
    query = request.query
    return Response(await service.set_aside_page(query.get("cursor"), read_limit(query)))


@endpoint(
    bp,
    SERVICE,
    "operations_redrives_start",
    "POST /operations/redrives",
    scope="operations.write",
    body=StartRedrive,
    idempotency_key="required",
    returns=TaskView,
    status=202,
    problems=(404, 409, 422),
    location=True,
    durable=True,
)
async def start_redrive(request: Request[StartRedrive]) -> Response:
    """Send dead letters again, to the one subscription that failed.

    A long task; without `dry_run`: false it only counts. It sends at the rate, and stops where those that it has sent
    die again. One at a time for each subscription: 409.
    """
    given = service.redrive_given(request.body)
    wanted = task_id(redrive.KIND, request.caller.subject, request.idempotency_key)
    if await store.TASKS.read(wanted) is None:
        await service.claim(request.body, wanted)
        await service.intend_redrive(request.body, wanted)
    return await tasks.start(request.client, redrive.KIND, request.caller, request.idempotency_key, given)


@endpoint(
    bp,
    SERVICE,
    "operations_redrives_messages",
    "GET /operations/redrives/{task_id}/messages",
    TASK,
    scope="operations.read",
    returns=Page[SentView],
    problems=(404,),
    query=(LIMIT, CURSOR),
)
async def redriven(request: Request[Any]) -> Response:
    """Read what a redrive has sent again, and what became of each."""
    task = await tasks.owned(request.caller, request.path(TASK))
    query = request.query
    return Response(await service.redriven(task, query.get("cursor"), read_limit(query)))


@endpoint(
    bp,
    SERVICE,
    "operations_audit_heads",
    "GET /operations/audit/heads",
    scope="operations.audit",
    returns=Page[HeadView],
)
async def audit_heads(request: Request[Any]) -> Response:
    """See of every day how far its audit log has come."""
    return Response(await reading.heads())


@endpoint(
    bp,
    SERVICE,
    "operations_audit_entries",
    "GET /operations/audit/entries",
    scope="operations.audit",
    returns=Page[EntryView],
    query=(reading.DAY, LIMIT, CURSOR),
)
async def audit_entries(request: Request[Any]) -> Response:
    """Read the audit log of a day, today's unless `day` names another."""
    query = request.query
    return Response(await reading.entries(query.get("day"), query.get("cursor"), read_limit(query)))


@endpoint(
    bp,
    SERVICE,
    "operations_audit_verify",
    "POST /operations/audit/verifications",
    scope="operations.audit",
    body=Verify,
    returns=VerifiedView,
)
async def verify(request: Request[Verify]) -> Response:
    """Verify the audit log of a day: what was altered, removed, inserted, moved or written anew is named.

    `heads` are those that were noted elsewhere; without them a log that was written anew as a whole looks whole.
    """
    return Response(await reading.verify(request.body))


for topic in SERVICE.hears:
    subscription(bp, SERVICE, topic, {ActRecorded: audit.heard})


@every_round(bp, SERVICE, "operations_audit")
async def note_heads(timer: func.TimerRequest) -> None:
    """Note elsewhere how far the audit log has come."""
    await reading.note_heads()
