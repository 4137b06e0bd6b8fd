"""Asking every service and waiting for all of them: who is silent is asked again and again, but not for ever.

The same for an erasure and an export. What has been answered is in the store; an event only wakes whoever waits.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Literal

import azure.durable_functions as df

from shared.orchestration import ExternalEvent, current, is_due, timer_towards, tried

ANSWERED = ExternalEvent[Literal["answered"]]("answered", Literal["answered"])

ROUNDS = 28
"""How often the silent are asked: an erasure asks a day apart unless the setting says otherwise, and the law gives a
month."""
FIRST_PAUSE_MS, MAX_ATTEMPTS = 10_000, 10_000
"""An activity is tried for a day: nothing here is in a hurry, and nothing may be forgotten."""


def done(context: df.DurableOrchestrationContext, activity: str, about: Mapping[str, Any]) -> Generator[Any, Any, Any]:
    """What the activity answers."""
    return (yield from tried(context, FIRST_PAUSE_MS, MAX_ATTEMPTS, activity, about))


def all_asked(
    context: df.DurableOrchestrationContext, ask: str, look_up: str, about: Mapping[str, Any], pause: timedelta
) -> Generator[Any, Any, None]:
    """Wait until nobody is `silent` any more, as the two activities tell, or everybody has been asked so often."""
    answered = ANSWERED.wait(context)
    step = partial(done, context)
    for number in range(1, ROUNDS + 1):
        facts = yield from step(ask, {**about, "round": number})
        due = current(context) + pause
        timer = timer_towards(context, due)
        while facts["silent"]:
            winner = yield context.task_any([timer, answered])
            if winner is answered:
                answered = ANSWERED.wait(context)
                facts = yield from step(look_up, about)
            elif is_due(context, due):
                break
            else:
                timer = timer_towards(context, due)
        if not timer.is_completed:
            timer.cancel()
        if not facts["silent"]:
            return
