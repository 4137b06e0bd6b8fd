"""The recorded steps of Durable's HTTP API and client, taken again against this project's host.

Steps of a group follow each other; groups wait most of the time and therefore run side by side.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from .comparing import Difference, compare, load, settle
from .hosting import hosting

pytestmark = pytest.mark.filterwarnings("ignore:Potential duplicate Task completion")
"""What the package says of an event that nobody waits for, as in one of the groups."""
Address = tuple[str, int]
Group = list[dict[str, Any]]

_LANES = 12
TOGETHER = {"entity": "wait-withentity", "start-id-2": "start-id-1"}
"""Groups that meet what another one left → that group, after which they run."""
RACES = {
    "start-id-002": "the id is that of the instance started before: 500 while that runs, which takes some 20 ms here",
}
"""Steps whose answer depends on how fast the host is → why."""
DIFFERENT: dict[str, str] = {}
"""Recordings that are answered differently here → why."""

GROUPS: dict[str, Group] = {}
for _step in load("durable.jsonl"):
    GROUPS.setdefault(_step["group"], []).append(_step)


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[list[Difference]]]]:
    """Of each step that has an answer, in what it differs; all are under way."""
    results: dict[str, Future[list[Difference]]] = {
        step["id"]: Future() for steps in GROUPS.values() for step in steps if step["step"] != "wait"
    }
    with hosting("durable", tmp_path_factory.mktemp("durable")) as address, ThreadPoolExecutor(_LANES) as lanes:
        followers = {before: name for name, before in TOGETHER.items()}
        for name in sorted(GROUPS, key=lambda name: -len(GROUPS[name])):
            if name not in TOGETHER:
                steps = GROUPS[name] + (GROUPS[followers[name]] if name in followers else [])
                lanes.submit(_take, steps, address, results)
        yield results


def _take(steps: Group, address: Address, results: dict[str, Future[list[Difference]]]) -> None:
    for step in steps:
        if step["step"] == "wait":
            time.sleep(step["seconds"])
            continue
        try:
            found = (compare if step["step"] == "request" else settle)(step, address)
        except Exception as exc:  # whatever it is: the test of the step tells it
            results[step["id"]].set_exception(exc)
        else:
            results[step["id"]].set_result(found)


@pytest.mark.parametrize("name", GROUPS)
def test_a_recorded_group_of_steps_goes_as_on_microsofts_host(
    name: str, taken: dict[str, Future[list[Difference]]]
) -> None:
    for step in GROUPS[name]:
        identifier = step["id"]
        if identifier not in taken or identifier in RACES:
            continue
        found = taken[identifier].result()
        if identifier in DIFFERENT:
            assert found, f"{identifier} agrees now and leaves the table"
        else:
            assert not found, "\n".join([identifier, *map(str, found)])
