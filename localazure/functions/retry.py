"""Function-level retry policies, for the triggers that have them: change feed and timer.

Source: "Azure Functions error handling and retries", retry policies.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass

from azure.functions.meta import Datum

from localazure.clock import Clock
from localazure.functions.engine import Invoker, RetryContext
from localazure.functions.errors import InvalidFunction
from localazure.functions.indexing import Function
from localazure.functions.settings import seconds

log = logging.getLogger("localazure.functions")


class Interrupted(Exception):
    """The host stops; the function is called again after the next start."""


@dataclass(frozen=True)
class Policy:
    """`most` −1: for ever. A fixed delay has the same bounds."""

    most: int = 0
    shortest: float = 0.0
    longest: float = 0.0

    def pause(self, failures: int) -> float:
        """Seconds before the next attempt: doubling from the shortest to the longest, give or take a fifth."""
        if self.shortest == self.longest:
            return self.shortest
        base = min(self.longest, self.shortest * 2.0 ** min(failures - 1, 30))
        return base * random.uniform(0.8, 1.2)  # noqa: S311 - jitter needs no secrecy


def policy_of(function: Function) -> Policy:
    """Raises InvalidFunction for a policy that cannot be read."""
    declared = function.retry
    if declared is None:
        return Policy()
    try:
        most = int(declared["max_retry_count"])
        if declared["strategy"] == "fixed_delay":
            delay = seconds(declared["delay_interval"])
            return Policy(most, delay, delay)
        if declared["strategy"] == "exponential_backoff":
            return Policy(most, seconds(declared["minimum_interval"]), seconds(declared["maximum_interval"]))
    except (KeyError, ValueError) as exc:
        raise InvalidFunction(function.name, f"its retry policy cannot be read: {exc}") from exc
    raise InvalidFunction(function.name, f"the retry strategy '{declared['strategy']}' is unknown")


async def invoke_with_retries(
    invoker: Invoker,
    clock: Clock,
    function: Function,
    policy: Policy,
    data: Datum,
    stopping: asyncio.Event | None = None,
) -> bool:
    """Call the function until it succeeds or the policy is used up; whether it succeeded.

    Raises Interrupted where `stopping` is set while a pause is under way.
    """
    failures = 0
    error: Exception | None = None
    while True:
        context = RetryContext(failures, policy.most, error)
        try:
            await invoker.invoke(function, data, retry=context)
            return True
        except Exception as exc:
            failures, error = failures + 1, exc
            if policy.most != -1 and failures > policy.most:
                log.exception("function '%s' failed and is not tried again", function.name)
                return False
            pause = policy.pause(failures)
            log.warning("function '%s' failed (%r); attempt %d in %.1f s", function.name, exc, failures + 1, pause)
        await _pause(clock, pause, stopping)


async def _pause(clock: Clock, seconds: float, stopping: asyncio.Event | None) -> None:
    if stopping is None:
        await clock.sleep(seconds)
        return
    over, stopped = asyncio.ensure_future(clock.sleep(seconds)), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({over, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        over.cancel()
        stopped.cancel()
    if stopping.is_set():
        raise Interrupted
