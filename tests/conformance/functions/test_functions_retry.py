"""Retry policies: how long the host waits before another attempt, and what ends the attempts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from localazure.clock import ManualClock
from localazure.functions.retry import Policy

from .conftest import App

MIDNIGHT = 1_700_006_400.0  # 2023-11-15T00:00:00Z
HOURLY = '@app.timer_trigger(arg_name="timer", schedule="0 0 * * * *")\n'
FAILING = """
async def fail(timer: func.TimerRequest, context: func.Context) -> None:
    seen.put_nowait((context.retry_context.retry_count, repr(context.retry_context.exception)))
    raise RuntimeError("again")
"""


@given(
    failures=st.integers(1, 10_000),
    shortest=st.floats(0.1, 60),
    factor=st.floats(1.01, 1000),
)
def test_a_backoff_stays_within_a_fifth_of_its_bounds(failures: int, shortest: float, factor: float) -> None:
    longest = shortest * factor
    assert 0.79 * shortest <= Policy(-1, shortest, longest).pause(failures) <= 1.21 * longest


def test_a_backoff_doubles_until_it_reaches_the_maximum() -> None:
    policy = Policy(-1, 1.0, 8.0)
    for failures, base in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 8)):
        assert 0.8 * base <= policy.pause(failures) <= 1.2 * base


@given(failures=st.integers(1, 10_000), delay=st.floats(0, 3600))
def test_a_fixed_delay_is_the_same_each_time(failures: int, delay: float) -> None:
    assert Policy(-1, delay, delay).pause(failures) == delay


async def test_exponential_backoff_waits_longer_before_each_attempt(app: App) -> None:
    clock = ManualClock(MIDNIGHT)
    policy = 'max_retry_count="2", minimum_interval="00:00:10", maximum_interval="00:10:00"'
    app.write(f'{HOURLY}@app.retry(strategy="exponential_backoff", {policy}){FAILING}')
    await app.start(clock)
    await clock.advance(3600)
    assert await app.seen() == [(0, "None")]
    await clock.advance(7.9)
    assert app.module.seen.empty()
    await clock.advance(4.2)
    assert await app.seen() == [(1, "RuntimeError('again')")]
    await clock.advance(11.5)
    assert app.module.seen.empty()
    await clock.advance(13)
    assert await app.seen() == [(2, "RuntimeError('again')")]
    await clock.advance(600)
    assert app.module.seen.empty()


async def test_a_timer_without_a_policy_is_tried_once_until_it_is_due_again(app: App) -> None:
    clock = ManualClock(MIDNIGHT)
    app.write(HOURLY + FAILING)
    await app.start(clock)
    await clock.advance(3600)
    assert await app.seen() == [(0, "None")]
    await clock.advance(3599)
    assert app.module.seen.empty()
    await clock.advance(1)
    assert await app.seen() == [(0, "None")]
