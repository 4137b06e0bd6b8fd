"""The erasure: a time to think better of it, then every service erases what it holds and answers, then a certificate.

The orchestrator is pure, and knows ids alone. What has been refused, withdrawn and answered is in the store; an event
only wakes it. Who is silent is asked again and again, and named in the certificate in the end.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any, Literal, NotRequired, TypedDict

import azure.durable_functions as df

from blueprints.accounts.chasing import all_asked, done
from blueprints.accounts.declaration import ERASURE_CHASE_SECONDS
from blueprints.accounts.domain import ErasureStatus
from shared.clock import parse_timestamp
from shared.contracts.accounts import ErasureRequested
from shared.faultpoints import crash_point
from shared.orchestration import ExternalEvent, ensure_started, is_due, timer_towards
from shared.settings import settings

NAME = "accounts_erasure"
LOOK_UP = "accounts_look_up_erasure"
BEGIN = "accounts_begin_erasure"
ASK = "accounts_ask_to_erase"
FINISH = "accounts_finish_erasure"

DROPPED = ExternalEvent[Literal["dropped"]]("dropped", Literal["dropped"])
"""It is not to happen: it was withdrawn, or refused."""


class About(TypedDict):
    """Which erasure, and the span of its instance. `round`: how often everybody has been asked, this time included."""

    account_id: str
    erasure_id: str
    traceparent: NotRequired[str]
    round: NotRequired[int]


class Facts(TypedDict):
    """What is recorded of an erasure: its status, and which services have not answered."""

    status: ErasureStatus
    silent: list[str]


def erasure(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    """Input `{erasure_id, account_id, due_at, chase_seconds, traceparent}`; output: the status the erasure ends in."""
    given = context.get_input()
    about = {name: given.get(name, "") for name in ("erasure_id", "account_id", "traceparent")}
    due, pause = parse_timestamp(given["due_at"]), timedelta(seconds=given["chase_seconds"])
    dropped = DROPPED.wait(context)
    facts: Facts = {"status": "cooling_off", "silent": []}
    while facts["status"] == "cooling_off":
        timer = timer_towards(context, due)
        winner = yield context.task_any([timer, dropped])
        if winner is dropped:
            timer.cancel()
            dropped = DROPPED.wait(context)
            facts = yield from done(context, LOOK_UP, about)
        elif is_due(context, due):
            facts = yield from done(context, BEGIN, about)
    crash_point("erasure.begun", facts["status"])
    if facts["status"] != "erasing":
        return facts["status"]
    yield from all_asked(context, ASK, LOOK_UP, about, pause)
    status = yield from done(context, FINISH, about)
    crash_point("erasure.finished")
    return str(status)


def input_for(erasure_id: str, account_id: str, due_at: str) -> dict[str, Any]:
    """The input, but for the trace."""
    return {
        "erasure_id": erasure_id,
        "account_id": account_id,
        "due_at": due_at,
        "chase_seconds": settings().seconds(ERASURE_CHASE_SECONDS),
    }


async def start(client: df.DurableOrchestrationClient, requested: ErasureRequested) -> None:
    """Start the erasure that was asked for, unless it runs already. Raises Transient if Durable does not answer."""
    asked = input_for(requested.erasure_id, requested.account_id, requested.due_at)
    await ensure_started(client, NAME, requested.erasure_id, asked)
