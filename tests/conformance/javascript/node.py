"""Runs a script of probes with Node and gives each probe's result: how the JavaScript clients become pytest's tests.

A test module has one fixture that runs its script against a server, and one test for each probe:

    SCRIPT = "cosmos.mjs"

    @pytest.fixture(scope="module")
    def results() -> Iterator[Results]:
        with serving(PART) as server:
            yield run(SCRIPT, {"COSMOS_URL": server.url})

    @pytest.mark.parametrize("probe", probes(SCRIPT))
    def test_the_javascript_client(results: Results, probe: str) -> None:
        results.check(probe)
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.node import installed

FOLDER = Path(__file__).parent
_PROBE = re.compile(r'^probe\("((?:[^"\\]|\\.)+)"', re.MULTILINE)
_PATIENCE = 600.0
"""Seconds for one script."""


@dataclass(frozen=True)
class Results:
    """What each probe of a script came to: `None` for one that held, else the error; and what Node said besides."""

    errors: Mapping[str, str | None]
    said: str

    def check(self, probe: str) -> None:
        if probe not in self.errors:
            pytest.fail(f"the script ended before this probe:\n{self.said}", pytrace=False)
        error = self.errors[probe]
        if error is not None:
            pytest.fail(error, pytrace=False)


def probes(script: str) -> list[str]:
    """The names of a script's probes, in their order."""
    names = [json.loads(f'"{name}"') for name in _PROBE.findall((FOLDER / script).read_text(encoding="utf-8"))]
    assert names, f"{script} has no probes"
    assert len(names) == len(set(names)), f"{script} has two probes of one name"
    return names


def run(script: str, environment: Mapping[str, str]) -> Results:
    """Run the script with these variables added to the environment. Skips the test where there is no Node."""
    node = installed(FOLDER)
    # the script's own time-outs are shorter; the process is ended with the test in any case
    done = subprocess.run(
        [node, script],
        cwd=FOLDER,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    errors: dict[str, str | None] = {}
    said = [done.stderr]
    for line in done.stdout.splitlines():
        try:
            result = json.loads(line)
            errors[result["probe"]] = result["error"]
        except (ValueError, LookupError, TypeError):
            said.append(line)
    if done.returncode:
        said.append(f"node ended with {done.returncode}")
    return Results(errors, "\n".join(said))
