"""What an editor is told of the project fits what is there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from localazure.parts import TABLE, load

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def read(name: str) -> Any:
    return json.loads((ROOT / name).read_text())


def test_tasks_are_targets_of_the_makefile() -> None:
    for task in read(".vscode/tasks.json")["tasks"]:
        assert task["command"].split()[0] == "make"
        assert task["command"].split()[1] in TARGETS


def test_the_debugger_attaches_where_make_debug_listens() -> None:
    tasks = {task["label"] for task in read(".vscode/tasks.json")["tasks"]}
    attaching = [one for one in read(".vscode/launch.json")["configurations"] if one["request"] == "attach"]
    assert attaching
    for one in attaching:
        assert f"functions.debug=$(or $(DEBUG_PORT),{one['connect']['port']})" in MAKEFILE
        assert {one.get("preLaunchTask"), one.get("postDebugTask")} <= tasks | {None}


def test_the_dev_container_forwards_the_ports_of_the_parts() -> None:
    document = read(".devcontainer/devcontainer.json")
    ports = {load(name).default_port for name in TABLE}
    assert {int(port) for port in document["portsAttributes"]} == set(document["forwardPorts"])
    assert set(document["forwardPorts"]) - ports == {5678}
    assert document["postCreateCommand"].split()[1] in TARGETS
