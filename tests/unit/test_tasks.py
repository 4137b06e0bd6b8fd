"""Long tasks: their moves, their orchestrator, and what a step may come to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tasks.task import ENDED, OPEN, TASK_ID, TRANSITIONS, IllegalTransition, Status, Task, moved, task_id, view
from shared.tasks.triggers import STEPS, steps

WHAT = sorted({what for _, what in TRANSITIONS})


def task(status: Status = "pending") -> Task:
    return Task(id="tsk_x", kind="k", owner="o", status=status, given={"secret": 1}, created_at="now", updated_at="now")


@pytest.mark.parametrize("status", ENDED)
@pytest.mark.parametrize("what", WHAT)
def test_a_task_that_has_ended_moves_no_more(status: Status, what: str) -> None:
    with pytest.raises(IllegalTransition, match=f"tsk_x is {status} and cannot {what}"):
        moved(task(status), what)


@given(st.lists(st.sampled_from(WHAT)))
def test_whatever_happens_a_task_is_open_or_has_ended_for_good(happened: list[str]) -> None:
    status: Status = "pending"
    for what in happened:
        try:
            status = moved(task(status), what)
        except IllegalTransition:
            assert status in ENDED or (status, what) not in TRANSITIONS
        assert status in OPEN or status in ENDED


def test_a_cancel_is_not_forgotten_by_a_step() -> None:
    assert moved(task("cancelling"), "step") == "cancelling"


def test_the_id_is_that_of_owner_kind_and_key() -> None:
    ids = {task_id(kind, owner, key) for kind in ("a", "b") for owner in ("c", "d") for key in ("e", "f")}
    assert len(ids) == 8 and all(TASK_ID.fullmatch(each) for each in ids)
    assert task_id("a", "c", "e") == task_id("a", "c", "e")
    assert task_id("a", "bc", "d") != task_id("ab", "c", "d")


def test_what_it_was_started_with_is_not_shown() -> None:
    assert not hasattr(view(task()), "given")


class Context:
    """An orchestration context that notes what it is asked for."""

    def __init__(self) -> None:
        self.again: Any = None

    def get_input(self) -> dict[str, str]:
        return {"task_id": "tsk_x", "traceparent": "t"}

    def call_activity_with_retry(self, name: str, _: Any, about: Any) -> tuple[str, Any]:
        return name, about

    def continue_as_new(self, value: Any) -> None:
        self.again = value


def test_steps_are_taken_until_the_task_has_ended() -> None:
    context = Context()
    running = steps(context, "x_step")
    assert next(running) == ("x_step", {"task_id": "tsk_x", "traceparent": "t"})
    assert running.send({"ended": False, "status": "running", "pause": 0})[0] == "x_step"
    with pytest.raises(StopIteration) as stopped:
        running.send({"ended": True, "status": "completed", "pause": 0})
    assert stopped.value.value == "completed" and context.again is None


def test_a_history_stays_short() -> None:
    context = Context()
    running = steps(context, "x_step")
    next(running)
    with pytest.raises(StopIteration) as stopped:
        for _ in range(STEPS + 1):
            running.send({"ended": False, "status": "running", "pause": 0})
    assert stopped.value.value is None, "it has no result of its own"
    assert context.again == {"task_id": "tsk_x", "traceparent": "t"}


def test_an_activity_that_fails_for_good_fails_the_orchestrator_without_its_stack() -> None:
    running = steps(Context(), "x_step")
    next(running)
    with pytest.raises(RuntimeError, match=r"^Activity function 'x_step' failed: X: y$"):
        running.throw(Exception('Activity function \'x_step\' failed: X: y \n {"$type": "..."}'))
