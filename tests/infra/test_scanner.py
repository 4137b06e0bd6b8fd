"""A maintained scanner has nothing to say of what a deployment makes but what infra/scanner.json gives a reason for.

It reads the evaluated resources of the snapshot: every loop, condition and module is resolved there. `pip install
checkov` into an environment of its own, and set CHECKOV to its program or put it on the PATH.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.infra.compiler import ENVIRONMENTS, INFRA, Deployment

PROGRAM = os.environ.get("CHECKOV") or shutil.which("checkov")
EXCEPTIONS = json.loads((INFRA / "scanner.json").read_text(encoding="utf-8"))
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


@pytest.mark.skipif(PROGRAM is None, reason="there is no checkov: set CHECKOV to its path, or put it on the PATH")
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_scanner_finds_nothing_but_what_is_justified(
    deployments: dict[str, Deployment], environment: str, tmp_path: Path
) -> None:
    resources = deployments[environment].resources
    template = {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": resources}
    (tmp_path / "template.json").write_text(json.dumps(template), encoding="utf-8")
    answer = subprocess.run(
        [str(PROGRAM), "--framework", "arm", "--file", str(tmp_path / "template.json"), "--output", "json"],
        env={**os.environ, "BC_SKIP_MAPPING": "TRUE"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    report = json.loads(answer.stdout)
    assert report["summary"]["parsing_errors"] == 0 and report["summary"]["passed"] > 50
    failed = {(check["check_id"], check["check_name"]) for check in report["results"]["failed_checks"]}
    excused = {name for name, exception in EXCEPTIONS.items() if environment in exception["environments"]}
    assert {name for name, _ in failed} == excused, sorted(failed)
    assert not report["results"]["skipped_checks"]


def test_an_exception_has_a_reason_and_an_environment() -> None:
    for name, exception in EXCEPTIONS.items():
        assert exception["why"].endswith(".") and set(exception["environments"]) <= set(ENVIRONMENTS), name
