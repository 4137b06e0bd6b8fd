"""Long tasks in their store: the same key is the same task, cancelling is heard, what is lost is taken up again."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from blueprints.operations import store
from blueprints.operations.declaration import SERVICE
from shared.clock import timestamp, utc_now
from shared.errors import NotFound, Transient, Unprocessable
from shared.tasks.store import Tasks
from shared.tasks.task import IllegalTransition, Progress, Task
from shared.tasks.triggers import LongTasks, Step, purge, revive, take_step
from shared.web.auth import Principal

TASKS: Tasks = store.TASKS
BOUND = LongTasks(SERVICE, TASKS, "/operations/tasks", "operations_task")
SHOPPER = Principal("shopper", frozenset(), frozenset({"customer"}))
STAFF = Principal("staff", frozenset(), frozenset({"staff"}))


class Durable:
    """Durable's client, as far as tasks ask it."""

    def __init__(self, status: str | None = None, fails: bool = False) -> None:
        self.status, self.fails = status, fails
        self.started: list[str] = []
        self.purged: list[str] = []

    async def start_new(self, name: str, instance_id: str, given: Any) -> None:
        if self.fails:
            raise Exception("no answer")
        assert (name, given["task_id"]) == ("operations_task", instance_id)
        self.started.append(instance_id)

    async def get_status(self, instance_id: str) -> Any:
        if self.fails:
            raise Exception("no answer")
        return SimpleNamespace(runtime_status=SimpleNamespace(name=self.status)) if self.status else None

    async def purge_instance_history(self, instance_id: str) -> None:
        self.purged.append(instance_id)


async def added(owner: str = "shopper", **more: Any) -> Task:
    now = timestamp()
    fresh = {"id": f"tsk_{secrets.token_hex(13)}", "kind": "count", "owner": owner, "given": {"to": 3}}
    return await TASKS.add(Task(**{**fresh, "created_at": now, "updated_at": now, **more}))


async def count(task: Task) -> Step:
    """A task that counts to what it was given."""
    if task.status == "cancelling":
        return Step("stop", task.progress)
    done = task.progress.done + 1
    if done == task.given["to"]:
        return Step("complete", Progress(done, done), result={"counted": done})
    await TASKS.progressed(task, Progress(done, task.given["to"]), {})
    return Step("step", Progress(done, task.given["to"]))


def _later(monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    """Turn the clock by which tasks have been idle, or over, for so long."""
    monkeypatch.setattr("shared.tasks.store.utc_now", lambda: utc_now() + timedelta(hours=hours))


async def present(task: Task) -> Task:
    found = await TASKS.read(task.id)
    assert found is not None
    return found


async def test_a_task_goes_from_step_to_step_and_tells_how_far_it_is() -> None:
    task = await added()
    seen = []
    for _ in range(3):
        outcome = await take_step(TASKS, {"count": count}, task.id)
        now = await present(task)
        seen.append((now.status, now.progress.done, outcome["ended"]))
    assert seen == [("running", 1, False), ("running", 2, False), ("completed", 3, True)]
    assert (await present(task)).result == {"counted": 3}
    assert (await take_step(TASKS, {"count": count}, task.id))["ended"], "a step of what has ended does nothing"


async def test_the_same_key_is_the_same_task_and_another_request_under_it_is_refused() -> None:
    durable, key = Durable(), secrets.token_hex(4)
    first = await BOUND.start(durable, "count", SHOPPER, key, {"to": 3})
    again = await BOUND.start(durable, "count", SHOPPER, key, {"to": 3})
    assert (first.status, first.body.id) == (again.status, again.body.id) == (202, first.body.id)
    assert first.headers == {"Location": f"/v1/operations/tasks/{first.body.id}", "Retry-After": "2"}
    with pytest.raises(Unprocessable) as refused:
        await BOUND.start(durable, "count", SHOPPER, key, {"to": 4})
    assert refused.value.code == "idempotency-key-reused"
    assert durable.started == [first.body.id] * 2, "that it runs already does no harm"


async def test_someone_elses_task_does_not_exist() -> None:
    task = await added("other")
    with pytest.raises(NotFound):
        await BOUND.owned(SHOPPER, task.id)
    assert await BOUND.owned(STAFF, task.id) == task
    assert task.id not in {each.id for each in (await TASKS.page("shopper", None, None, 100)).items}
    assert task.id in {each.id for each in (await TASKS.page(None, "pending", None, 100)).items}


async def test_a_cancel_is_heard_by_the_next_step_and_has_the_same_answer_again() -> None:
    task = await added(given={"to": 100})
    await take_step(TASKS, {"count": count}, task.id)
    assert (await TASKS.cancel(await present(task))).status == "cancelling"
    assert (await TASKS.cancel(task)).status == "cancelling", "whatever was read of it before"
    assert (await take_step(TASKS, {"count": count}, task.id))["status"] == "cancelled"
    with pytest.raises(IllegalTransition):
        await TASKS.cancel(task)


async def test_concurrent_cancels_and_steps_leave_one_end() -> None:
    task = await added(given={"to": 1})
    await TASKS.progressed(task, Progress(0, 1), {})
    moves = [TASKS.cancel(task), *(take_step(TASKS, {"count": count}, task.id) for _ in range(4))]
    results = await asyncio.gather(*moves, return_exceptions=True)
    assert all(not isinstance(result, BaseException) or isinstance(result, IllegalTransition) for result in results), (
        results
    )
    assert (await present(task)).status in ("completed", "cancelled", "cancelling")


async def test_a_step_that_fails_ends_the_task_with_a_problem_and_without_what_the_error_held() -> None:
    async def broken(task: Task) -> Step:
        raise RuntimeError("card 4242")

    async def away(task: Task) -> Step:
        raise Transient("the broker is away")

    task = await added()
    with pytest.raises(Transient):
        await take_step(TASKS, {"count": away}, task.id)
    assert (await present(task)).status == "running"
    outcome = await take_step(TASKS, {"count": broken}, task.id)
    problem = (await present(task)).problem
    assert outcome["status"] == "failed" and problem is not None
    assert problem.code == "internal-error" and "4242" not in problem.detail


async def test_a_task_whose_start_was_lost_is_started_by_the_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = await BOUND.start(Durable(fails=True), "count", SHOPPER, secrets.token_hex(4), {"to": 3})
    _later(monkeypatch, hours=1)
    silent, durable = Durable(fails=True), Durable(None)
    await revive(BOUND, silent)
    assert (await TASKS.read(lost.body.id)).status == "pending", "nobody knows what Durable does not tell"  # type: ignore[union-attr]
    await revive(BOUND, durable)
    assert lost.body.id in durable.started


@pytest.mark.parametrize("status", ["Terminated", "Failed"])
async def test_a_task_whose_orchestrator_was_ended_by_hand_has_failed(
    status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = await added()
    _later(monkeypatch, hours=1)
    await revive(BOUND, Durable(status))
    found = await present(task)
    assert found.status == "failed" and found.problem is not None and found.problem.code == "orchestrator-ended"


async def test_what_has_been_kept_long_enough_goes_after_its_history(monkeypatch: pytest.MonkeyPatch) -> None:
    over, still = await added(given={"to": 1}), await added()
    await take_step(TASKS, {"count": count}, over.id)
    durable = Durable()
    _later(monkeypatch, hours=29 * 24)
    await purge(BOUND, durable)
    assert over.id not in durable.purged
    _later(monkeypatch, hours=31 * 24)
    await purge(BOUND, durable)
    assert over.id in durable.purged and still.id not in durable.purged
    async with asyncio.timeout(10):
        while True:
            if await TASKS.read(over.id) is None:
                break
            await asyncio.sleep(0.05)
    assert await TASKS.read(still.id) is not None
