"""What `doctor` finds: each thing that can be wrong is named with what to do about it."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from localazure import doctor
from localazure.parts import TABLE, port_variable
from localazure.running import held

FREE = {port_variable(name): "0" for name in TABLE}


def findings(state: Path, environment: dict[str, str] = FREE) -> dict[str, doctor.Finding]:
    return {finding.what: finding for finding in doctor.look(state, environment)}


def test_a_machine_that_can_run_everything_has_nothing_bad(tmp_path: Path) -> None:
    found = findings(tmp_path / "not yet" / "there")
    assert {name: finding.advice for name, finding in found.items() if not finding.good} == {}
    assert list(found) == ["Python", "ports", "disk", "open files", "clock"]


def test_a_port_in_use_is_named_with_what_moves_the_part(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = findings(tmp_path, {**FREE, port_variable("entra"): str(port)})["ports"]
    assert not found.good
    assert str(port) in found.found and port_variable("entra") in found.advice


def test_ports_of_the_system_that_runs_are_no_fault(tmp_path: Path) -> None:
    with held(tmp_path):
        found = findings(tmp_path)["ports"]
    assert found.good and str(os.getpid()) in found.found


def test_a_full_disk_few_files_and_a_clock_that_went_back_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cosmos.db").touch()
    later = time.time() + 3600
    os.utime(tmp_path / "cosmos.db", (later, later))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1024))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    found = findings(tmp_path)
    assert {name for name, finding in found.items() if not finding.good} == {"disk", "open files", "clock"}
    assert "ulimit -n 1024" in str(found["open files"])
