"""The export: every service is asked what it holds of a person; when all have answered, it can be downloaded for a day.

The orchestrator is pure, and knows ids alone: what the services told lies sealed in the store, and an event only wakes
it. Who is silent is asked again and again, and named in the export in the end.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any, NotRequired, TypedDict

import azure.durable_functions as df

from blueprints.accounts.chasing import all_asked, done
from blueprints.accounts.declaration import EXPORT_CHASE_SECONDS
from shared.contracts.accounts import ExportStarted
from shared.faultpoints import crash_point
from shared.orchestration import ensure_started
from shared.settings import settings

NAME = "accounts_export"
LOOK_UP = "accounts_look_up_export"
ASK = "accounts_ask_to_export"
FINISH = "accounts_finish_export"


class About(TypedDict):
    """Which export, and the span of its instance. `round`: how often everybody has been asked, this time included."""

    account_id: str
    export_id: str
    traceparent: NotRequired[str]
    round: NotRequired[int]


class Facts(TypedDict):
    """What is recorded of an export: who has still to answer; nobody, where it is over or its owner gave it up."""

    silent: list[str]


def export(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    """Input `{export_id, account_id, chase_seconds, traceparent}`; output: the status the export ends in, or `gone`."""
    given = context.get_input()
    about = {name: given.get(name, "") for name in ("export_id", "account_id", "traceparent")}
    yield from all_asked(context, ASK, LOOK_UP, about, timedelta(seconds=given["chase_seconds"]))
    status = yield from done(context, FINISH, about)
    crash_point("export.finished")
    return str(status)


def input_for(export_id: str, account_id: str) -> dict[str, Any]:
    """The input, but for the trace."""
    return {
        "export_id": export_id,
        "account_id": account_id,
        "chase_seconds": settings().seconds(EXPORT_CHASE_SECONDS),
    }


async def start(client: df.DurableOrchestrationClient, started: ExportStarted) -> None:
    """Start the export that was asked for, unless it runs already. Raises Transient if Durable does not answer."""
    await ensure_started(client, NAME, started.export_id, input_for(started.export_id, started.account_id))
