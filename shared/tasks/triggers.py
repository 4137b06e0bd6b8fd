"""How a service is bound to its long tasks: operations, orchestrator, activity and timer, said once.

The orchestrator only sees to it that one step comes after the other. A step is an activity that may be repeated: it
does a bounded piece of work and says whether the task goes on. What a task is up to stands in its document.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, get_args

import azure.durable_functions as df
import azure.functions as func

from shared.clock import timestamp
from shared.declaration import Service
from shared.errors import CommerceError, Conflict, NotFound, Transient
from shared.faultpoints import crash_point
from shared.messaging.republish import each_apart
from shared.messaging.triggers import every_round
from shared.orchestration import ENDED, activity, current, reported, status_of, timer_towards, tried
from shared.orchestration import start as start_instance
from shared.settings import RECONCILE_AFTER_SECONDS, TASK_KEEP_SECONDS, TASKS, settings
from shared.tasks.store import Tasks
from shared.tasks.task import TASK_ID, IllegalTransition, Progress, Status, Task, TaskProblem, TaskView, task_id, view
from shared.telemetry import trace
from shared.telemetry.log import Log
from shared.web.auth import Principal
from shared.web.endpoint import Request, Response, endpoint
from shared.web.operation import Parameter, PathParameter
from shared.web.paging import CURSOR, LIMIT, Page, read_limit

STEPS = 100
"""Steps of one generation of the orchestrator, so that its history stays short: a step is a few hundred bytes."""
FIRST_PAUSE_MS, MAX_ATTEMPTS = 2_000, 1_000
"""A step is tried for half an hour: an outage of a store is seldom longer."""
RETRY_AFTER = 2
"""Seconds after which reading a task that was just started makes sense."""
TASK = PathParameter("task_id", "The task's id.", TASK_ID, "tsk_4q2n5xk7d6h3w2m5r7t2y4u6i3")
STATUS = Parameter(
    "status",
    "Only tasks of this status.",
    {"type": "string", "enum": list(get_args(Status))},
)


@dataclass(frozen=True)
class Step:
    """What a step came to. `what`: step (there is more to do, after `pause` seconds), complete, fail or stop."""

    what: str
    progress: Progress
    pause: float = 0
    result: dict[str, Any] | None = None
    problem: TaskProblem | None = None


Work = Callable[[Task], Awaitable[Step]]
"""One step of a task: repeatable, and done within the half of `functionTimeout`."""


@dataclass(frozen=True)
class LongTasks:
    """The long tasks of a service, bound: what its operations start them with."""

    service: Service
    tasks: Tasks
    path: str
    orchestrator: str

    async def start(self, client: Any, kind: str, caller: Principal, key: str, given: Mapping[str, Any]) -> Response:
        """Start a task of the caller, or find the one that this key has started; the 202 that tells where it is.

        A task whose start is lost on the way is started by the timer. Raises Unprocessable.
        """
        now = timestamp()
        task = await self.tasks.add(
            Task(
                id=task_id(kind, caller.subject, key),
                kind=kind,
                owner=caller.subject,
                given=dict(given),
                created_at=now,
                updated_at=now,
                traceparent=trace.current().traceparent,
            )
        )
        if task.status == "pending":
            await self.run(client, task)
        headers = {"Location": f"/v1{self.path}/{task.id}", "Retry-After": str(RETRY_AFTER)}
        return Response(view(task), 202, headers)

    async def run(self, client: Any, task: Task) -> None:
        """Start the task's orchestrator. That it runs already does no harm; where it fails the timer tries again."""
        try:
            await start_instance(client, self.orchestrator, task.id, {"task_id": task.id})
        except Exception as exc:  # the client raises bare exceptions
            Log(self.service.name).warning("task.not_started", task_id=task.id, error=type(exc).__name__)
            return
        crash_point("task.start.after", self.service.name)

    async def owned(self, caller: Principal, wanted: str) -> Task:
        """The task, if it is the caller's or the caller is staff. Raises NotFound."""
        task = await self.tasks.read(wanted)
        if task is None or not (caller.is_staff or task.owner == caller.subject):
            raise NotFound("there is no such task")
        return task


def long_tasks(
    bp: Any,
    service: Service,
    path: str,
    read_scope: str,
    write_scope: str,
    kinds: Mapping[str, Work],
    before_cancel: Callable[[Task], Awaitable[None]] | None = None,
) -> LongTasks:
    """Give the service long tasks of these kinds, read at `path`. Raises Undeclared for settings that it lacks.

    `before_cancel` is awaited for a task that somebody is about to cancel.
    """
    service.require(*TASKS)
    name = service.name
    bound = LongTasks(service, Tasks.of(service), path, f"{name}_task")
    _operations(bp, bound, read_scope, write_scope, before_cancel)
    step_name = f"{name}_task_step"

    @bp.function_name(bound.orchestrator)
    @bp.orchestration_trigger(context_name="context")
    def orchestrator(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str | None]:
        return (yield from reported(context, name, bound.orchestrator, steps(context, step_name)))

    @bp.function_name(step_name)
    @bp.activity_trigger(input_name="about")
    async def step(about: dict) -> dict:  # type: ignore[type-arg]  # the worker refuses parameterised generics
        with activity(name, step_name, about.get("traceparent")):
            return await take_step(bound.tasks, kinds, about["task_id"])

    @every_round(bp, service, f"{name}_tasks", bp.durable_client_input(client_name="client"))
    async def look_after(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
        await revive(bound, client)
        await purge(bound, client)

    return bound


def _operations(
    bp: Any,
    bound: LongTasks,
    read_scope: str,
    write_scope: str,
    before_cancel: Callable[[Task], Awaitable[None]] | None,
) -> None:
    service, path, prefix = bound.service, bound.path, bound.path.strip("/").replace("/", "_").replace("-", "_")

    @endpoint(
        bp,
        service,
        f"{prefix}_list",
        f"GET {path}",
        scope=read_scope,
        returns=Page[TaskView],
        query=(STATUS, LIMIT, CURSOR),
    )
    async def list_tasks(request: Request[Any]) -> Response:
        """List long tasks, the newest first: the caller's own, or, for staff, everybody's."""
        query = request.query
        status = STATUS.choice(query)
        owner = None if request.caller.is_staff else request.caller.subject
        page = await bound.tasks.page(owner, status, query.get("cursor"), read_limit(query))
        return Response(Page([view(task) for task in page.items], page.next_cursor))

    @endpoint(
        bp, service, f"{prefix}_get", f"GET {path}/{{task_id}}", TASK, scope=read_scope, returns=TaskView,
        problems=(404,),
    )  # fmt: skip
    async def get_task(request: Request[Any]) -> Response:
        """Read one long task and how far it is."""
        return Response(view(await bound.owned(request.caller, request.path(TASK))))

    @endpoint(
        bp, service, f"{prefix}_cancel", f"POST {path}/{{task_id}}/cancel", TASK, scope=write_scope, returns=TaskView,
        status=202, problems=(404, 409), location=True,
    )  # fmt: skip
    async def cancel_task(request: Request[Any]) -> Response:
        """Cancel a long task.

        What it has done stays done; it stops before its next step. Sent again, it has the same answer.
        """
        task = await bound.owned(request.caller, request.path(TASK))
        if before_cancel is not None and task.is_open:
            await before_cancel(task)
        try:
            task = await bound.tasks.cancel(task)
        except IllegalTransition as exc:
            if task.status != "cancelled":
                raise Conflict(f"the task is {task.status} already", code="task-ended") from exc
        return Response(view(task), 202, {"Location": f"/v1{path}/{task.id}"})


def steps(context: df.DurableOrchestrationContext, step_name: str) -> Generator[Any, Any, str | None]:
    """The orchestrator. Input `{task_id, traceparent}`; output: the status the task ends in."""
    given = context.get_input()
    about = {"task_id": given["task_id"], "traceparent": given.get("traceparent", "")}
    for _ in range(STEPS):
        outcome = yield from tried(context, FIRST_PAUSE_MS, MAX_ATTEMPTS, step_name, about)
        if outcome["ended"]:
            return str(outcome["status"])
        if outcome["pause"]:
            yield timer_towards(context, current(context) + timedelta(seconds=outcome["pause"]))
    context.continue_as_new(given)
    return None


async def take_step(tasks: Tasks, kinds: Mapping[str, Work], wanted: str) -> dict[str, Any]:
    """Do the next step of a task. Raises Transient, upon which it is to be tried again."""
    task = await tasks.read(wanted)
    if task is None or not task.is_open:
        return {"ended": True, "status": "gone" if task is None else task.status, "pause": 0}
    log = Log(tasks.container.database)
    try:
        if task.status == "pending":
            task = await tasks.progressed(task, task.progress, task.state)
        done = await kinds[task.kind](task)
    except Transient:
        raise
    except IllegalTransition:
        return {"ended": False, "status": task.status, "pause": 0}
    except CommerceError as exc:
        done = Step("fail", task.progress, problem=TaskProblem(exc.code, exc.detail))
    except Exception as exc:
        log.error("task.failed", exc_info=exc, task_id=task.id, kind=task.kind)
        done = Step("fail", task.progress, problem=TaskProblem("internal-error", "something went wrong here"))
    if done.what == "step":
        return {"ended": False, "status": task.status, "pause": done.pause}
    try:
        task = await tasks.end(task, done.what, done.progress, done.result, done.problem)
    except IllegalTransition:  # the last try of this step has ended it
        return {"ended": False, "status": task.status, "pause": 0}
    log.info("task.ended", task_id=task.id, kind=task.kind, status=task.status)
    return {"ended": True, "status": task.status, "pause": 0}


async def revive(bound: LongTasks, client: df.DurableOrchestrationClient) -> None:
    """Open tasks that nothing happens to: one without an orchestrator gets one, one whose orchestrator was ended by
    hand, or failed, has failed."""
    async for task in bound.tasks.idle(settings().seconds(RECONCILE_AFTER_SECONDS)):
        try:
            found = await status_of(client, task.id)
        except Transient:
            continue  # the next round asks again
        if found is None:
            await bound.run(client, task)
        elif found in ENDED:
            problem = TaskProblem("orchestrator-ended", f"the task's orchestrator is {found.lower()}")
            await _harmless(bound.tasks.end(task, "fail", problem=problem))


async def purge(bound: LongTasks, client: df.DurableOrchestrationClient) -> None:
    """Tasks that have been kept long enough go, after their histories."""

    async def forget(wanted: str) -> None:
        await client.purge_instance_history(wanted)
        task = await bound.tasks.read(wanted)
        if task is not None:
            await bound.tasks.forget(task)

    ids = [task.id async for task in bound.tasks.over(settings().seconds(TASK_KEEP_SECONDS))]
    await each_apart(bound.tasks.container, ids, forget)


async def _harmless(move: Awaitable[Task]) -> None:
    try:
        await move
    except IllegalTransition:
        return
