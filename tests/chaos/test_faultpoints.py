"""The crash injector itself: off it is nothing, on it kills once, and where it could do harm it refuses."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import timeit
from pathlib import Path

import pytest

from shared.faultpoints import crash_point
from shared.faultpoints.table import POINTS
from shared.faultpoints.trap import EXIT_CODE

ROOT = Path(__file__).parents[2]
POINT = "saga.start.after"
LOCAL = {
    "COSMOS_CONNECTION": "AccountEndpoint=http://localhost:1/;AccountKey=AA==;",
    "SERVICEBUS_CONNECTION": "Endpoint=sb://localhost:1;SharedAccessKeyName=n;SharedAccessKey=k",
    "STRIPE_API_BASE": "http://127.0.0.1:1",
    "EASYPOST_API_BASE": "http://127.0.0.1:1/v2",
    "EMAIL_CONNECTION": "endpoint=http://127.0.0.1:1/;accesskey=AA==",
}
DEAREST = 1_000.0
"""Nanoseconds that passing a point may cost when nothing is ordered; it is about 50 on a laptop."""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process of its own that imports the kit and passes points."""
    return subprocess.run(
        [sys.executable, "-c", f"from shared.faultpoints import crash_point\n{code}"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def ordered(tmp_path: Path, order: str, **settings: str) -> dict[str, str]:
    return {**LOCAL, "CRASH_AT": order, "CRASH_MARKS": str(tmp_path / "marks"), **settings}


def test_a_point_that_nobody_ordered_costs_next_to_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert crash_point.__name__ == "_nothing"
    times = 200_000
    empty = min(timeit.repeat(lambda: None, number=times, repeat=5))
    passed = min(timeit.repeat(lambda: crash_point("cosmos.batch.after", "orders", "orders"), number=times, repeat=5))
    cost = (passed - empty) / times * 1e9
    with capsys.disabled():
        print(f"\na crash point that is off costs {cost:.0f} ns")
    assert cost < DEAREST


def test_an_app_that_ordered_nothing_does_not_even_read_the_table() -> None:
    ended = run("import sys; print('shared.faultpoints.table' in sys.modules)")
    assert ended.stdout == "False\n"


def test_the_process_dies_at_the_passing_that_was_ordered_and_only_there(tmp_path: Path) -> None:
    code = f"""
for number in (1, 2, 3):
    crash_point("saga.settled")
    print("passing", number, flush=True)
    crash_point("{POINT}")
"""
    ended = run(code, **ordered(tmp_path, f"{POINT}:2"))
    assert (ended.returncode, ended.stdout) == (EXIT_CODE, "passing 1\npassing 2\n")
    assert POINT in ended.stderr


def test_the_process_that_follows_lives(tmp_path: Path) -> None:
    environment = ordered(tmp_path, POINT)
    code = f'crash_point("{POINT}"); print("alive")'
    assert run(code, **environment).returncode == EXIT_CODE
    assert (run(code, **environment).returncode, run(code, **environment).stdout) == (0, "alive\n")


def test_a_point_has_its_details_in_its_name(tmp_path: Path) -> None:
    environment = ordered(tmp_path, "saga.tell:before:stock")
    ended = run(
        'crash_point("saga.tell", "after", "stock"); crash_point("saga.tell", "before", "stock")', **environment
    )
    assert ended.returncode == EXIT_CODE


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"COSMOS_CONNECTION": "AccountEndpoint=https://shop.documents.azure.com/;AccountKey=AA==;"}, "COSMOS"),
        ({"COSMOS_CONNECTION": ""}, "COSMOS_CONNECTION does not name this machine"),
        ({"COSMOS_CONNECTION__accountEndpoint": "https://localhost/"}, "COSMOS_CONNECTION uses an identity"),
        ({"SERVICEBUS_CONNECTION": "Endpoint=sb://shop.servicebus.windows.net/;"}, "SERVICEBUS_CONNECTION"),
        ({"STRIPE_API_BASE": "https://api.stripe.com"}, "STRIPE_API_BASE"),
        ({"EASYPOST_API_BASE": "https://api.easypost.com/v2"}, "EASYPOST_API_BASE"),
        ({"EMAIL_CONNECTION": "endpoint=https://shop.communication.azure.com/;accesskey=AA=="}, "EMAIL_CONNECTION"),
        ({"WEBSITE_INSTANCE_ID": "1"}, "this is Azure"),
        ({"CRASH_AT": "no.such.point"}, "no.such.point is no crash point"),
        ({"CRASH_AT": f"{POINT}:0"}, "is no crash point"),
        ({"CRASH_AT": f"{POINT}:soon"}, "is no crash point"),
        ({"CRASH_MARKS": ""}, "needs CRASH_MARKS"),
    ],
)
def test_an_order_that_is_unsafe_or_makes_no_sense_stops_the_start(
    tmp_path: Path, changed: dict[str, str], reason: str
) -> None:
    ended = run('print("started")', **ordered(tmp_path, POINT, **changed))
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "SettingError" in ended.stderr
    assert reason in ended.stderr


def test_a_point_that_is_not_in_the_table_is_refused(tmp_path: Path) -> None:
    ended = run('crash_point("no.such.point")', **ordered(tmp_path, POINT))
    assert "no.such.point is not in the table" in ended.stderr


def test_every_point_of_the_source_is_in_the_table_and_the_other_way_round() -> None:
    passed: dict[str, set[str]] = {}
    for path in [*(ROOT / "shared").rglob("*.py"), *(ROOT / "blueprints").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "crash_point":
                words = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
                passed.setdefault(str(path), set()).add(":".join(map(str, words)))
    declared: dict[str, set[str]] = {}
    for point in POINTS:
        (place,) = [place for place in passed if place.endswith(point.where)]
        declared.setdefault(place, set()).update(
            name for name in passed[place] if point.name == name or point.name.startswith(f"{name}:")
        )
    assert declared == passed
    assert len({point.name for point in POINTS}) == len(POINTS)
