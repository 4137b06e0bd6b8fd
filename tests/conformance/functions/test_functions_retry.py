"""Retry policies: how long the host waits before another attempt, and what ends the attempts."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.clock import ManualClock
from localazure.functions.errors import HostError
from localazure.functions.retry import Policy

from .conftest import App

MIDNIGHT = 1_700_006_400.0  # 2023-11-15T00:00:00Z
HOURLY = '@app.timer_trigger(arg_name="timer", schedule="0 0 * * * *")\n'
FAILING = """
async def fail(timer: func.TimerRequest, context: func.Context) -> None:
    said = context.retry_context.rpc_exception.message.partition("Exception: ")[2]
    seen.put_nowait((context.retry_context.retry_count, said.partition("\\n")[0]))
    raise RuntimeError("again")
"""


@given(
    failures=st.integers(1, 10_000),
    shortest=st.floats(0.1, 60),
    factor=st.floats(1.01, 1000),
)
def test_a_backoff_stays_within_its_bounds(failures: int, shortest: float, factor: float) -> None:
    longest = shortest * factor
    assert shortest <= Policy(-1, shortest, longest).pause(failures) <= longest


def test_a_backoff_begins_with_the_minimum_and_doubles_what_is_on_top_until_it_reaches_the_maximum() -> None:
    policy = Policy(-1, 1.0, 8.0)
    assert policy.pause(1) == 1.0
    for failures, more in ((2, 1), (3, 2), (4, 4)):
        assert 1.0 + 0.8 * more <= policy.pause(failures) <= 1.0 + 1.2 * more
    assert {policy.pause(failures) for failures in range(6, 50)} == {8.0}


@given(failures=st.integers(1, 10_000), delay=st.floats(0, 3600))
def test_a_fixed_delay_is_the_same_each_time(failures: int, delay: float) -> None:
    assert Policy(-1, delay, delay).pause(failures) == delay


async def test_exponential_backoff_waits_longer_before_each_attempt(app: App) -> None:
    clock = ManualClock(MIDNIGHT)
    policy = 'max_retry_count="2", minimum_interval="00:00:10", maximum_interval="00:10:00"'
    app.write(f'{HOURLY}@app.retry(strategy="exponential_backoff", {policy}){FAILING}')
    await app.start(clock)
    await clock.advance(3600)
    assert await app.seen() == [(0, "")]
    await clock.advance(9.9)
    assert app.module.seen.empty()
    await clock.advance(0.2)
    assert await app.seen() == [(1, "RuntimeError: again")]
    await clock.advance(17.8)
    assert app.module.seen.empty()
    await clock.advance(4.3)
    assert await app.seen() == [(2, "RuntimeError: again")]
    await clock.advance(600)
    assert app.module.seen.empty()


async def test_a_timer_without_a_policy_is_tried_once_until_it_is_due_again(app: App) -> None:
    clock = ManualClock(MIDNIGHT)
    app.write(HOURLY + FAILING)
    await app.start(clock)
    await clock.advance(3600)
    assert await app.seen() == [(0, "")]
    await clock.advance(3599)
    assert app.module.seen.empty()
    await clock.advance(1)
    assert await app.seen() == [(0, "")]


async def test_a_timer_has_one_invocation_id_in_all_its_attempts_and_another_at_its_next_run(app: App) -> None:
    clock = ManualClock(MIDNIGHT)
    policy = '@app.retry(strategy="fixed_delay", max_retry_count="1", delay_interval="00:00:10")\n'
    app.write(
        HOURLY
        + policy
        + """
async def fail(timer: func.TimerRequest, context: func.Context) -> None:
    seen.put_nowait(context.invocation_id)
    raise RuntimeError("again")
"""
    )
    await app.start(clock)
    runs = []
    for _ in range(2):
        await clock.advance(3600)
        first = await app.seen()
        await clock.advance(10)
        runs.append((*first, *await app.seen()))
    (one, again), (other, _) = runs
    assert one == again != other


HTTP = """
@app.route("work")
@app.retry(strategy="fixed_delay", max_retry_count="3", delay_interval="00:00:01")
async def work(req: func.HttpRequest, context: func.Context) -> str:
    retried = context.retry_context
    seen.put_nowait((retried.retry_count, retried.max_retry_count, context.invocation_id))
    if retried.retry_count < int(req.params["failures"]):
        raise RuntimeError("again")
    return "done"
"""


@pytest.mark.parametrize(("failures", "attempts", "status", "body"), [(1, 2, 200, "done"), (9, 4, 500, "")])
async def test_a_request_is_tried_again_by_its_policy_under_a_new_id_before_it_is_answered(
    app: App, http: aiohttp.ClientSession, failures: int, attempts: int, status: int, body: str
) -> None:
    clock = ManualClock(MIDNIGHT)
    app.write(HTTP)
    host = await app.start(clock)
    answer = asyncio.create_task(http.get(f"{host.url}/api/work?failures={failures}"))
    given = await app.seen()
    while len(given) < attempts:
        await clock.advance(0.99)
        assert app.module.seen.empty()
        await clock.advance(0.01)
        given += await app.seen()
    async with await answer as came:
        assert (came.status, await came.text()) == (status, body)
    assert [(count, most) for count, most, _ in given] == [(count, 3) for count in range(attempts)]
    assert len({identifier for *_, identifier in given}) == attempts


async def test_without_a_policy_the_retry_context_says_zero_of_zero(app: App, http: aiohttp.ClientSession) -> None:
    app.write("""
@app.route("work")
async def work(req: func.HttpRequest, context: func.Context) -> str:
    seen.put_nowait(context.retry_context)
    return "done"
""")
    host = await app.start()
    async with http.get(f"{host.url}/api/work") as answer:
        assert answer.status == 200
    (retried,) = await app.seen()
    assert (retried.retry_count, retried.max_retry_count) == (0, 0)
    assert (retried.rpc_exception.source, retried.rpc_exception.message) == ("", "")


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ('strategy="fixed_delay", max_retry_count="2"', "retry policy cannot be read"),
        ('strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:00.5"', "retry policy cannot be read"),
        ('strategy="fixed_delay", max_retry_count="2", delay_interval="24:00:00"', "retry policy cannot be read"),
        ('strategy="fixed_delay", max_retry_count="-2", delay_interval="00:00:01"', "max_retry_count of -2"),
        (
            'strategy="exponential_backoff", max_retry_count="2", minimum_interval="00:01:00", '
            'maximum_interval="00:00:01"',
            "minimumInterval must not be greater",
        ),
    ],
)
@pytest.mark.parametrize(
    "trigger",
    ['@app.timer_trigger(arg_name="item", schedule="0 0 * * * *")', '@app.route("a", trigger_arg_name="item")'],
)
async def test_a_policy_that_azure_refuses_stops_the_start(app: App, trigger: str, policy: str, reason: str) -> None:
    app.write(f"{trigger}\n@app.retry({policy})\ndef bad(item): ...\n")
    with pytest.raises(HostError, match=f"'bad'.*{reason}"):
        await app.start()


async def test_a_policy_where_azure_has_not_promised_one_is_warned_of(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    app.write(HTTP)
    await app.start()
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "Soon retries will not be supported for function 'work'." in warnings
