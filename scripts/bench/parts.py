"""`localazure` part by part, each alone in a process of its own, used by the official SDKs from this process."""

from __future__ import annotations

from typing import Any

from scripts.bench.cosmos_load import cosmos
from scripts.bench.durable_load import durable
from scripts.bench.options import Options, say
from scripts.bench.servicebus_load import servicebus


async def parts(options: Options) -> dict[str, Any]:
    """Operations per second, each kind for `options.seconds`."""
    say(f"  cosmos: three kinds of operations, {options.seconds:g} s each")
    found: dict[str, Any] = {"cosmos": await cosmos(options.seconds)}
    say(f"  servicebus: send, receive, complete, {options.seconds:g} s")
    found["servicebus"] = await servicebus(options.seconds)
    say(f"  durable: orchestrations of five activities, {options.seconds:g} s")
    found["durable"] = await durable(options.seconds)
    return found
