"""Function-level retry policies: the attempts of one invocation, and how long the host waits between them.

Source: "Azure Functions error handling and retries"; azure-webjobs-sdk, `FunctionExecutorExtensions` and
`RandomizedExponentialBackoffStrategy`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
import traceback
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from azure.functions.meta import Datum

from localazure.clock import Clock
from localazure.functions.engine import NO_POLICY, Invoker, RetryContext, RpcException
from localazure.functions.errors import InvalidFunction
from localazure.functions.indexing import Function
from localazure.functions.processes import FunctionFailed

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
        """Seconds before the next attempt: the shortest at first, then the shortest and a delay on top that doubles,
        give or take a fifth, up to the longest."""
        if failures == 1 or self.shortest == self.longest:
            return self.shortest
        jitter = random.uniform(0.8, 1.2)  # noqa: S311 - jitter needs no secrecy
        return min(self.longest, self.shortest * (1.0 + jitter * 2.0 ** min(failures - 2, 60)))


ONCE = Policy()


def policy_of(function: Function) -> Policy:
    """Raises InvalidFunction for a policy that cannot be read, or that Azure refuses."""
    declared = function.retry
    if declared is None:
        return ONCE
    try:
        most = int(declared["max_retry_count"])
        if declared["strategy"] == "fixed_delay":
            delay = _seconds(declared["delay_interval"])
            policy = Policy(most, delay, delay)
        elif declared["strategy"] == "exponential_backoff":
            policy = Policy(most, _seconds(declared["minimum_interval"]), _seconds(declared["maximum_interval"]))
        else:
            raise InvalidFunction(function.name, f"the retry strategy '{declared['strategy']}' is unknown")
    except (KeyError, TypeError, ValueError) as exc:
        raise InvalidFunction(function.name, f"its retry policy cannot be read: {exc}") from exc
    if most < -1:
        raise InvalidFunction(function.name, f"its retry policy has a max_retry_count of {most}; -1 is for ever")
    if policy.shortest > policy.longest:
        raise InvalidFunction(function.name, "the minimumInterval must not be greater than the maximumInterval")
    return policy


def _seconds(text: str) -> float:
    """The worker reads hours, minutes and whole seconds below a day. Raises ValueError, and TypeError for None."""
    read = time.strptime(text, "%H:%M:%S")
    return read.tm_hour * 3600.0 + read.tm_min * 60.0 + read.tm_sec


async def invoke_with_retries(
    invoker: Invoker,
    clock: Clock,
    function: Function,
    policy: Policy,
    data: Datum,
    *,
    metadata: Mapping[str, Datum] | None = None,
    traceparent: str = "",
    stopping: asyncio.Event | None = None,
    one_id: bool = True,
) -> Datum | None:
    """Call the function until it succeeds or the policy is used up; its return value.

    All attempts have one invocation id unless each is to have its own. Raises what the last attempt raised, and
    Interrupted where `stopping` is set while a pause is under way.
    """
    if function.retry is None:
        return await invoker.invoke(function, data, metadata, traceparent, NO_POLICY)
    identifier = str(uuid.uuid4()) if one_id else ""
    failures, why = 0, RpcException()
    while True:
        context = RetryContext(failures, policy.most, why)
        try:
            return await invoker.invoke(function, data, metadata, traceparent, context, identifier)
        except Exception as exc:
            failures += 1
            if policy.most != -1 and failures > policy.most:
                raise
            pause, why = policy.pause(failures), _told(function, exc)
            log.warning("function '%s' failed (%r); attempt %d in %.1f s", function.name, exc, failures + 1, pause)
        await _pause(clock, pause, stopping)


async def succeeds(
    invoker: Invoker, clock: Clock, function: Function, policy: Policy, data: Datum, stopping: asyncio.Event
) -> bool:
    """Whether the function succeeds in the end; the log has the last error. Raises Interrupted."""
    try:
        await invoke_with_retries(invoker, clock, function, policy, data, stopping=stopping)
    except Interrupted:
        raise
    except Exception:
        log.exception("function '%s' failed and is not tried again", function.name)
        return False
    return True


def _told(function: Function, exc: Exception) -> RpcException:
    """What the next attempt is told of this one, in the form that the .NET host gives it."""
    if isinstance(exc, FunctionFailed):
        name, stack = exc.type, exc.traceback
    else:
        name, stack = type(exc).__name__, "".join(traceback.format_tb(exc.__traceback__))
    message = (
        "Microsoft.Azure.WebJobs.Host.FunctionInvocationException : "
        f"Exception while executing function: Functions.{function.name} ---> "
        f"Microsoft.Azure.WebJobs.Script.Workers.Rpc.RpcException : Result: Failure\n"
        f"Exception: {name}: {exc}\nStack: {stack}"
    )
    return RpcException("System.Private.CoreLib", stack, message)


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
