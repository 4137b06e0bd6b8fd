"""The table of one-function apps in Microsoft's worker library and in ours: the same verdicts, the same outcomes.

What is compared of a call: whether it succeeds, the data that it returns and sets, what the function saw, and the type
of what was raised. Each difference stands in `DIFFERENT` with its reason, and leaves it as soon as it is gone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.runtime.cases import CASES
from tests.conformance.runtime.conftest import ROOT

_OTHER_TRIGGERS = "refused at the start, by name: the local host has no such trigger"
DIFFERENT = {
    "activity returns documents": "azure-functions 2.3, for Python 3.13, has a JSON form for documents; 1.26 has none",
    **{
        f"another trigger: {name}": _OTHER_TRIGGERS
        for name in ("blob", "queue storage", "Event Grid", "Event Hubs", "Kafka", "SQL", "warm-up", "of its own")
    },
}

Outcomes = dict[str, tuple[dict[str, Any], dict[str, Any]]]


def _orders(directory: Path) -> str:
    lines = []
    for number, case in enumerate(CASES):
        app = directory / f"case{number}"
        app.mkdir()
        (app / "function_app.py").write_text(case.source, encoding="utf-8")
        order = {"app": str(app), "data": case.data, "metadata": case.metadata, "inputs": case.inputs}
        lines.append(json.dumps(order) + "\n")
    return "".join(lines)


def _run(command: list[str], orders: str) -> list[dict[str, Any]]:
    done = subprocess.run(command, input=orders, capture_output=True, text=True, cwd=ROOT, timeout=300, check=False)
    outcomes = [json.loads(line[2:]) for line in done.stdout.splitlines() if line.startswith("» ")]
    assert len(outcomes) == len(CASES), done.stderr[-2000:]
    return outcomes


@pytest.fixture(scope="module")
def outcomes(interpreter: str, tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """Case → what Microsoft's library made of it, and what ours did."""
    orders = _orders(tmp_path_factory.mktemp("cases"))
    theirs = _run([interpreter, str(Path(__file__).with_name("table_microsoft.py"))], orders)
    ours = _run([sys.executable, "-m", "tests.conformance.runtime.table_here"], orders)
    return {case.id: (there, here) for case, there, here in zip(CASES, theirs, ours, strict=True)}


def _comparable(outcome: dict[str, Any]) -> dict[str, Any]:
    if "refused" in outcome:
        return {"refused": True}
    if "error" in outcome:
        return {**outcome, "error": outcome["error"].partition(":")[0]}
    return outcome


def test_the_table_is_large_and_names_each_case_once() -> None:
    assert len({case.id for case in CASES}) == len(CASES) >= 900


def test_each_case_ends_as_in_microsofts_worker_or_stands_in_the_table_of_differences(outcomes: Outcomes) -> None:
    found = {name for name, (there, here) in outcomes.items() if _comparable(there) != _comparable(here)}
    unexpected = {name: outcomes[name] for name in sorted(found - set(DIFFERENT))}
    assert not unexpected, unexpected
    assert found == set(DIFFERENT), "what agrees now leaves the table"


def test_the_table_tells_refusals_failures_and_successes_apart(outcomes: Outcomes) -> None:
    theirs = [there for there, _ in outcomes.values()]
    kinds = [there.get("status", "refused") for there in theirs]
    assert min(kinds.count(kind) for kind in ("refused", "Failure", "Success")) > 100


@pytest.mark.parametrize(
    ("name", "verdict"),
    {
        "http -> int": "refused",
        "http -> Optional[func.HttpResponse]": "refused",
        "http -> func.HttpResponse | None": "refused",
        "messages (list[func.ServiceBusMessage])": "refused",
        "messages (List[func.ServiceBusMessage])": "Success",
        "message (str)": "Success",
        "message (bytes)": "Success",
        "feed (str)": "Success",
        "feed (list[dict])": "refused",
        "timer (str)": "Success",
        "activity (Literal['a', 'b'])": "Success",
        "activity (Mapping[str, int])": "Success",
        "timer returns text": "Failure",
        "http output (func.Out[func.HttpResponse]) set to response": "Success",
    }.items(),
)
def test_what_is_often_written(outcomes: Outcomes, name: str, verdict: str) -> None:
    for outcome in outcomes[name]:
        assert outcome.get("status", "refused") == verdict, outcome
