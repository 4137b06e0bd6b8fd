"""Timer triggers, on a clock that moves when it is told to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.clock import ManualClock
from localazure.functions.timer import Schedule

from .conftest import App

EVERY_MINUTE = """
@app.timer_trigger(arg_name="timer", schedule="{}", {})
async def tick(timer: func.TimerRequest) -> None:
    seen.put_nowait(timer.past_due)
"""
MIDNIGHT = 1_700_006_400.0  # 2023-11-15T00:00:00Z


async def test_a_timer_fires_when_it_is_due_and_not_before(app: App) -> None:
    clock = ManualClock(MIDNIGHT)
    app.write(EVERY_MINUTE.format("0 * * * * *", ""))
    await app.start(clock)
    await clock.advance(59)
    assert app.module.seen.empty()
    await clock.advance(1)
    assert await app.seen() == [False]
    await clock.advance(180)
    assert await app.seen(3) == [False] * 3


async def test_a_schedule_may_be_a_setting(app: App) -> None:
    clock = ManualClock(MIDNIGHT)
    app.settings["WHEN"] = "*/5 * * * *"
    app.write(EVERY_MINUTE.format("%WHEN%", ""))
    await app.start(clock)
    await clock.advance(300)
    assert await app.seen() == [False]


async def test_run_on_startup_does_not_wait(app: App) -> None:
    app.write(EVERY_MINUTE.format("0 0 0 1 1 *", "run_on_startup=True"))
    await app.start(ManualClock(MIDNIGHT))
    assert await app.seen() == [False]


async def test_a_run_missed_while_the_host_was_down_is_made_up_for(app: App) -> None:
    clock = ManualClock(MIDNIGHT)
    app.write(EVERY_MINUTE.format("0 0 * * * *", ""))
    await app.start(clock)
    await clock.advance(3600)
    assert await app.seen() == [False]
    await app.stop()
    await app.start(ManualClock(MIDNIGHT + 3 * 3600 + 10))
    assert await app.seen() == [True]


async def test_without_the_monitor_a_missed_run_is_forgotten(app: App) -> None:
    clock = ManualClock(MIDNIGHT)
    app.write(EVERY_MINUTE.format("0 0 * * * *", "use_monitor=False"))
    await app.start(clock)
    await clock.advance(3600)
    assert await app.seen() == [False]
    await app.stop()
    later = ManualClock(MIDNIGHT + 3 * 3600 + 10)
    await app.start(later)
    await later.advance(60)
    assert app.module.seen.empty()


async def test_a_failing_timer_is_retried_by_its_policy_and_told_which_attempt_it_is(app: App) -> None:
    clock = ManualClock(MIDNIGHT)
    app.write("""
@app.timer_trigger(arg_name="timer", schedule="0 0 * * * *")
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:10")
async def fail(timer: func.TimerRequest, context: func.Context) -> None:
    seen.put_nowait((context.retry_context.retry_count, context.retry_context.max_retry_count))
    raise RuntimeError("again")
""")
    await app.start(clock)
    await clock.advance(3600)
    assert await app.seen() == [(0, 2)]
    await clock.advance(9)
    assert app.module.seen.empty()
    await clock.advance(1)
    assert await app.seen() == [(1, 2)]
    await clock.advance(10)
    assert await app.seen() == [(2, 2)]
    await clock.advance(60)
    assert app.module.seen.empty()


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [("*/10 * * * * *", 10), ("0 */5 * * * *", 300), ("*/5 * * * *", 300), ("0 30 9 * * *", 34_200), ("00:00:07", 7)],
)
def test_five_fields_six_fields_and_intervals_are_understood(expression: str, seconds: int) -> None:
    assert Schedule("f", expression).after(MIDNIGHT) == MIDNIGHT + seconds


@given(late=st.integers(0, 400 * 86_400_000), every=st.sampled_from([1, 2, 5, 10, 15, 30]))
def test_the_next_run_is_later_whole_and_never_further_than_the_interval(late: int, every: int) -> None:
    moment = MIDNIGHT + late / 1000
    due = Schedule("f", f"0 */{every} * * * *").after(moment)
    assert moment < due <= moment + every * 60
    assert due % (every * 60) == 0
