"""Timer triggers, on a clock that moves when it is told to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.clock import ManualClock
from localazure.functions.errors import HostError
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


STATUS = """
@app.timer_trigger(arg_name="timer", schedule="{}"{})
async def tick(timer: func.TimerRequest) -> None:
    seen.put_nowait(timer.schedule_status)
"""


async def test_run_on_startup_may_be_text(app: App) -> None:
    clock = ManualClock(MIDNIGHT)
    app.write(EVERY_MINUTE.format("0 0 0 1 1 *", 'run_on_startup="false"'))
    await app.start(clock)
    await clock.advance(60)
    assert app.module.seen.empty()
    await app.stop()
    app.write(EVERY_MINUTE.format("0 0 0 1 1 *", 'run_on_startup="True"'))
    await app.start(clock)
    assert await app.seen() == [False]


async def test_a_yes_or_no_that_is_neither_stops_the_start(app: App) -> None:
    app.write(EVERY_MINUTE.format("0 0 0 1 1 *", 'run_on_startup="perhaps"'))
    with pytest.raises(HostError, match=r"'tick'.*runOnStartup must be true or false, not 'perhaps'"):
        await app.start()


async def test_the_first_run_has_no_last_one_and_the_second_has(app: App) -> None:
    clock = ManualClock(MIDNIGHT)
    app.write(STATUS.format("0 0 * * * *", ""))
    await app.start(clock)
    await clock.advance(7200)
    first, second = await app.seen(2)
    never = "0001-01-01T00:00:00+00:00"
    assert first == {"Last": never, "Next": "2023-11-15T01:00:00+00:00", "LastUpdated": never}
    assert second == {
        "Last": "2023-11-15T01:00:00+00:00",
        "Next": "2023-11-15T02:00:00+00:00",
        "LastUpdated": "2023-11-15T01:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("schedule", "more", "kept"),
    [
        ("0 * * * * *", "", True),
        ("*/30 * * * * *", "", False),
        ("00:01:00", "", True),
        ("00:00:59", "", False),
        ("0 * * * * *", ", use_monitor=False", False),
        ("0 * * * * *", ', use_monitor="false"', False),
    ],
)
async def test_a_timer_that_is_not_monitored_or_due_within_the_minute_has_no_status(
    app: App, schedule: str, more: str, kept: bool
) -> None:
    clock = ManualClock(MIDNIGHT)
    app.write(STATUS.format(schedule, more))
    await app.start(clock)
    await clock.advance(60)
    (status, *_) = await app.seen()
    assert bool(status) is kept


async def test_a_first_run_that_was_missed_is_made_up_for(app: App) -> None:
    app.write(EVERY_MINUTE.format("0 0 * * * *", ""))
    await app.start(ManualClock(MIDNIGHT))
    await app.stop()
    await app.start(ManualClock(MIDNIGHT + 3600 + 10))
    assert await app.seen() == [True]


async def test_a_schedule_that_has_changed_makes_no_run_overdue(app: App) -> None:
    app.write(EVERY_MINUTE.format("0 0 * * * *", ""))
    await app.start(ManualClock(MIDNIGHT))
    await app.stop()
    app.write(EVERY_MINUTE.format("0 30 * * * *", ""))
    clock = ManualClock(MIDNIGHT + 3600 + 10)
    await app.start(clock)
    await clock.advance(1790 - 1)
    assert app.module.seen.empty()
    await clock.advance(1)
    assert await app.seen() == [False]


async def test_a_run_past_its_interval_is_followed_by_the_next_at_once(app: App) -> None:
    clock = ManualClock(MIDNIGHT)
    app.write("""
done = asyncio.Event()

@app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
async def slow(timer: func.TimerRequest) -> None:
    seen.put_nowait(timer.past_due)
    await done.wait()
""")
    await app.start(clock)
    await clock.advance(60)
    assert await app.seen() == [False]
    await clock.advance(90)
    assert app.module.seen.empty()
    app.module.done.set()
    assert await app.seen() == [False]  # of the minute that passed meanwhile, with no tick of the clock


async def test_a_date_that_never_comes_is_never_waited_for(app: App) -> None:
    clock = ManualClock(MIDNIGHT)
    app.write(STATUS.format("0 0 0 31 2 *", ", run_on_startup=True"))
    await app.start(clock)
    (status,) = await app.seen()
    assert status["Next"] == "9999-12-31T23:59:59+00:00"
    await clock.advance(400 * 86_400)
    assert app.module.seen.empty()


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [("*/10 * * * * *", 10), ("0 */5 * * * *", 300), ("*/5 * * * *", 300), ("0 30 9 * * *", 34_200), ("00:00:07", 7)],
)
def test_five_fields_six_fields_and_intervals_are_understood(expression: str, seconds: int) -> None:
    assert Schedule("f", expression).after(MIDNIGHT) == MIDNIGHT + seconds


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 0 0 13 * FRI", 303),  # both day fields: Friday, 13 September 2024
        ("0 0 0 29 2 THU", 106),
        ("0 0 0 31,30 * *", 15),
        ("0 0 0 1 d *", 16),
        ("0 0 0 1 JANUARY *", 47),
        ("0 0 0 * * SAT-SUN", 1),  # turned round: every day
        ("0 0 0 * * TUE-FRI", 1),
        ("0 0 0 20/5 * *", 5),
        ("0 0 0 */0 * *", 1),
        ("1.00:00:00", 1),
        ("24:00:00", 24),
    ],
)
def test_days_are_counted_as_ncrontab_counts_them(expression: str, days: int) -> None:
    assert Schedule("f", expression).after(MIDNIGHT) == MIDNIGHT + days * 86_400


@pytest.mark.parametrize(
    "expression",
    [
        *("", "* * * *", "* * * * * * *", "@hourly", "60 * * * * *", "* * 24 * * *", "* * * 0 * *", "* * * 32 * *"),
        *("* * * * 13 *", "* * * * X *", "* * * * * 7", "* * * L * *", "* * * ? * *", "* * * * * 1#1", "*/x * * * * *"),
        *("*/ * * * * *", "1- * * * * *", ",1 * * * * *", "1, * * * * *", "1-2-3 * * * * *", "* * * 0-5 * *"),
        *("-1 * * * * *", "at noon", "24:60:00"),
    ],
)
def test_what_azure_does_not_recognise_is_refused(expression: str) -> None:
    with pytest.raises(HostError, match="was not recognized as a valid cron expression or timespan string"):
        Schedule("f", expression)


@given(
    seconds=st.sets(st.integers(0, 59), min_size=1, max_size=4),
    hours=st.sets(st.integers(0, 23), min_size=1, max_size=4),
    days=st.sets(st.integers(1, 31), min_size=1, max_size=6),
    weekdays=st.sets(st.integers(0, 6), min_size=3, max_size=7),
    late=st.integers(0, 400 * 86_400),
)
def test_a_due_time_fits_every_field_and_none_before_it_does(
    seconds: set[int], hours: set[int], days: set[int], weekdays: set[int], late: int
) -> None:
    fields = [",".join(map(str, values)) for values in (seconds, hours, days, weekdays)]
    schedule = Schedule("f", f"{fields[0]} 0 {fields[1]} {fields[2]} * {fields[3]}")
    due = schedule.after(MIDNIGHT + late)

    def fits(moment: datetime) -> bool:
        day = moment.isoweekday() % 7
        exact = moment.second in seconds and moment.minute == 0 and moment.hour in hours
        return exact and moment.day in days and day in weekdays

    assert due > MIDNIGHT + late
    assert fits(datetime.fromtimestamp(due, UTC))
    hour = int(MIDNIGHT + late) // 3600 * 3600
    between = [hour + step * 3600 + second for step in range(min(2000, int(due - hour) // 3600)) for second in seconds]
    assert not any(MIDNIGHT + late < moment < due and fits(datetime.fromtimestamp(moment, UTC)) for moment in between)


@given(late=st.integers(0, 400 * 86_400_000), every=st.sampled_from([1, 2, 5, 10, 15, 30]))
def test_the_next_run_is_later_whole_and_never_further_than_the_interval(late: int, every: int) -> None:
    moment = MIDNIGHT + late / 1000
    due = Schedule("f", f"0 */{every} * * * *").after(moment)
    assert moment < due <= moment + every * 60
    assert due % (every * 60) == 0
