"""The app's entities."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from signal import SIGKILL

import azure.durable_functions as df
import azure.functions as func

entities = df.Blueprint()
inside = Counter[str]()


@entities.entity_trigger(context_name="context")
def counter(context: df.DurableEntityContext) -> None:
    """A number: add, get, delete; `stumble` raises after it has changed it, `spoil` leaves what is no JSON."""
    match context.operation_name:
        case "add":
            context.set_state(context.get_state(lambda: 0) + context.get_input())
            context.set_result(context.get_state())
        case "get":
            context.set_result(context.get_state(lambda: 0))
        case "delete":
            context.destruct_on_exit()
        case "stumble":
            context.set_state(-1)
            raise ValueError("stumbled")
        case "spoil":
            context.set_state({1, 2})
        case unknown:
            raise ValueError(f"a counter cannot {unknown}")


@entities.entity_trigger(context_name="context", entity_name="Journal")
def remembers(context: df.DurableEntityContext) -> None:
    """A list of what it was told, and whether two operations ever met."""
    inside[context.entity_key] += 1
    meetings = int(inside[context.entity_key] > 1)
    written = context.get_state(lambda: {"words": [], "meetings": 0})
    words = [*written["words"], context.get_input()]
    context.set_state({"words": words, "meetings": written["meetings"] + meetings})
    inside[context.entity_key] -= 1


@entities.entity_trigger(context_name="context")
def mortal(context: df.DurableEntityContext) -> None:
    """A number whose process dies while it holds the new one, the first time that the file LETHAL names is there."""
    context.set_state(context.get_state(lambda: 0) + context.get_input())
    lethal = Path(os.environ["LETHAL"])
    if lethal.exists():
        lethal.unlink()
        os.kill(os.getpid(), SIGKILL)


@entities.generic_trigger(arg_name="context", type="entityTrigger")
def meddler(context: func.EntityContext) -> str:
    """Answers what the package never would: that another entity is to be signalled."""
    asked = json.loads(context.body)["batch"]
    signal = {"target": {"name": "counter", "key": "mine"}, "name": "add", "input": "1"}
    results = [{"isError": False, "duration": 0, "result": "null"} for _ in asked]
    return json.dumps({"entityExists": True, "entityState": "1", "results": results, "signals": [signal]})
