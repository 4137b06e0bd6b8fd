"""The pipelines: valid and safe by maintained tools, and each service's deploy runs for what its package holds."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from blueprints import SERVICES
from scripts.infrastructure.pipelines import PACKAGES
from scripts.release.package import OUTPUT, ROOT, contents, unpack, write

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TOOLS = Path(sys.executable).parent
PINNED = re.compile(r"uses: (?:\$/\.github/\S+|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$")
SIGNING = {("deploy-service", "attest"), ("rollout", "rollout"), ("deploy-service", "dev"), ("deploy-service", "prod")}
SIGNING |= {(f"deploy-{service}", "deploy") for service in SERVICES}
SIGNING |= {
    ("infrastructure", "what-if"),
    ("infrastructure", "dev"),
    ("infrastructure", "prod"),
    ("provision", "provision"),
}
"""The jobs that may have a token of this repository's identity, or call one that has."""


def load(path: Path) -> dict[str, Any]:
    """The document; the key `on`, which YAML 1.1 takes for a truth value, under its name."""
    document: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else str(key): value for key, value in document.items()}


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Workflow, job, and what stands there."""
    for path in WORKFLOWS:
        yield from ((path.stem, name, job) for name, job in load(path)["jobs"].items())


def matches(pattern: str, path: str) -> bool:
    """By GitHub's filter patterns: `*` stays within a folder, `**` does not."""
    parts = (
        ".*" if part == "**" else "[^/]*" if part == "*" else re.escape(part)
        for part in re.split(r"(\*\*|\*)", pattern)
    )
    return re.fullmatch("".join(parts), path) is not None


def deployed(path: str) -> set[str]:
    """The services whose deploy a change of this file triggers."""
    return {
        service
        for service in SERVICES
        if any(
            matches(pattern, path)
            for pattern in load(ROOT / ".github" / "workflows" / f"deploy-{service}.yml")["on"]["push"]["paths"]
        )
    }


@pytest.mark.parametrize(
    "tool",
    [
        ["actionlint"],
        ["zizmor", "--offline", "--no-progress", "."],
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS)],
        ["check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml"],
    ],
    ids=["actionlint", "zizmor", "schema", "dependabot"],
)
def test_maintained_tools_have_nothing_to_say(tool: list[str]) -> None:
    done = subprocess.run([str(TOOLS / tool[0]), *tool[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_action_is_pinned_by_its_commit() -> None:
    lines = [line.strip(" -") for path in WORKFLOWS for line in path.read_text().splitlines() if "uses:" in line]
    assert lines
    assert not [line for line in lines if not PINNED.fullmatch(line)]


def test_rights_are_given_job_by_job() -> None:
    assert {path.name: load(path)["permissions"] for path in WORKFLOWS} == {path.name: {} for path in WORKFLOWS}
    for workflow, name, job in jobs():
        rights = job["permissions"]
        assert rights["contents"] == "read", f"{workflow}: {name}"
        assert ("id-token" in rights) == ((workflow, name) in SIGNING), f"{workflow}: {name}"


def test_the_job_that_signs_runs_nothing_of_this_repository() -> None:
    (attest,) = [job for workflow, name, job in jobs() if (workflow, name) == ("deploy-service", "attest")]
    assert not [step for step in attest["steps"] if "run" in step or "checkout" in step["uses"]]


def test_the_job_that_comments_runs_nothing_of_this_repository() -> None:
    writing = [(workflow, name, job) for workflow, name, job in jobs() if "pull-requests" in job["permissions"]]
    ((workflow, name, comment),) = writing
    assert (workflow, name) == ("infrastructure", "comment")
    assert not [step for step in comment["steps"] if "checkout" in step.get("uses", "")]


def test_what_a_pull_request_runs_cannot_log_in_as_what_deploys() -> None:
    """Azure trusts environments: those that deploy are of other names than those that plan."""
    environments = {(workflow, name): job.get("environment") for workflow, name, job in jobs()}
    assert environments["infrastructure", "what-if"] == "${{ matrix.environment }}-plan"
    of_pull_requests = {path.stem for path in WORKFLOWS if "pull_request" in load(path)["on"]}
    assert of_pull_requests == {"ci", "infrastructure"}
    assert not any("pull_request_target" in path.read_text() for path in WORKFLOWS)
    for workflow, name, job in jobs():
        if workflow in of_pull_requests and job.get("uses"):
            assert job.get("if") == "github.event_name != 'pull_request'" or job["needs"] == "dev", name


@pytest.mark.parametrize("path", ["infra/main.bicep", "infra/services.json", "apim/apis/commerce/policy.xml"])
def test_a_change_of_what_azure_is_told_provisions(path: str) -> None:
    on = load(ROOT / ".github" / "workflows" / "infrastructure.yml")["on"]
    for event in ("push", "pull_request"):
        assert any(matches(pattern, path) for pattern in on[event]["paths"])
    assert not any(matches(pattern, "blueprints/orders/domain.py") for pattern in on["push"]["paths"])


def test_ci_runs_the_gate_on_every_push_and_both_versions() -> None:
    ci = load(ROOT / ".github" / "workflows" / "ci.yml")
    assert ci["on"]["push"] == {"branches": ["**"]}
    test = ci["jobs"]["test"]
    assert test["strategy"]["matrix"]["python"] == ["3.11", "3.12"]
    assert "make test" in [step.get("run") for step in test["steps"]]


def test_there_is_one_deploy_for_each_service() -> None:
    assert {path.stem.removeprefix("deploy-") for path in WORKFLOWS if path.stem.startswith("deploy-")} == {
        *SERVICES,
        "service",
    }
    for service in SERVICES:
        workflow = load(ROOT / ".github" / "workflows" / f"deploy-{service}.yml")
        assert workflow["jobs"]["deploy"]["with"] == {"service": service}


@pytest.mark.parametrize("service", SERVICES)
def test_a_change_in_a_services_folder_deploys_that_service_alone(service: str) -> None:
    files = [path.relative_to(ROOT).as_posix() for path in (ROOT / "blueprints" / service).rglob("*.py")]
    assert files
    assert {path: deployed(path) for path in [*files, f"blueprints/{service}/new/part.py"]} == {
        path: {service} for path in [*files, f"blueprints/{service}/new/part.py"]
    }


@pytest.mark.parametrize(
    "path", ["shared/money.py", "shared/web/new.py", "function_app.py", "host.json", "requirements.txt"]
)
def test_a_change_in_what_all_have_deploys_all(path: str) -> None:
    assert deployed(path) == set(SERVICES)


@pytest.mark.parametrize(
    "path",
    ["docs/api.md", "tests/unit/test_money.py", "localazure/part.py", "infra/cosmos.json", "apim/a.xml", "README.md"],
)
def test_a_change_in_what_stays_at_home_deploys_nothing(path: str) -> None:
    assert deployed(path) == set()


@pytest.mark.parametrize("service", SERVICES)
def test_whatever_a_package_holds_deploys_it(service: str) -> None:
    assert [name for name in contents(service) if service not in deployed(name)] == []


def test_azd_knows_each_service_by_its_package(tmp_path: Path) -> None:
    document = load(ROOT / "azure.yaml")
    assert ROOT / PACKAGES == OUTPUT
    assert {name: (ROOT / entry["project"], entry["host"]) for name, entry in document["services"].items()} == {
        service: (unpack_target(OUTPUT, service), "function") for service in SERVICES
    }
    folder = unpack(write("carts", tmp_path))
    assert folder == unpack_target(tmp_path, "carts")
    assert {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()} == (
        contents("carts")
    )


def unpack_target(folder: Path, service: str) -> Path:
    """Where the packager lays a package out."""
    return folder / service


def test_azd_lays_the_packages_out_before_it_looks_for_them() -> None:
    hooks = load(ROOT / "azure.yaml")["hooks"]
    assert hooks.keys() == {"prepackage", "predeploy"}
    for hook in hooks.values():
        assert hook["posix"]["run"] == "python3 -m scripts.release.package --all --folder"
        assert hook["windows"]["run"] == "python -m scripts.release.package --all --folder"
