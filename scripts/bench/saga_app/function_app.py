"""The measured saga on Durable Functions: five activities, one after another."""

# mypy: disallow-untyped-decorators=False, disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypedDict

import azure.durable_functions as df
import azure.functions as func

from scripts.bench import steps

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


class Work(TypedDict):
    """One step of one order."""

    step: str
    order_id: str


@app.orchestration_trigger(context_name="context")
def saga(context: df.DurableOrchestrationContext) -> Generator[Any, Any, list[str]]:
    """Input: the order's id; output: the steps, in the order they were done."""
    order_id = context.get_input()
    done = []
    for step in steps.STEPS:
        done.append((yield context.call_activity("step", Work(step=step, order_id=order_id))))
    return done


@app.activity_trigger(input_name="work")
def step(work: Work) -> str:
    """Write one row."""
    return steps.write(work["step"], work["order_id"])
