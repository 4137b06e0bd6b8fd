"""Microsoft's Bicep CLI, which the project does not carry: the setting BICEP says where it is, or the path has it.

`az bicep install` or https://github.com/Azure/bicep/releases gives it. Nothing here asks the network.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
ENVIRONMENTS = ("dev", "prod")
MISSING = "there is no Bicep CLI: set BICEP to its path, or put bicep on the PATH"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
TENANT = "00000000-0000-0000-0000-000000000002"
AUDIENCE = "00000000-0000-0000-0000-000000000003"
WEB_ORIGIN = "https://shop.example"
SECRET = "what-nobody-may-see"
SETTINGS = {
    "API_AUDIENCE": AUDIENCE,
    "OPERATIONS_EMAIL": "operations@example.com",
    "WEB_ORIGIN": WEB_ORIGIN,
    "PROVIDER_SECRETS": json.dumps({"STRIPE_API_KEY": SECRET, "STRIPE_WEBHOOK_SECRET": SECRET}),
    "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",  # the CLI needs no libicu then
}
"""What the parameter files read of the environment."""
_IDENTITY = re.compile(r"format\('identity-\{0\}-\{1\}', (\d+)")


def find() -> str | None:
    """The CLI's path."""
    return os.environ.get("BICEP") or shutil.which("bicep")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One command of the CLI. A warning is a line of stderr, and no error: look at both."""
    program = find()
    assert program, MISSING
    return subprocess.run(
        [program, *arguments], env={**os.environ, **SETTINGS}, capture_output=True, text=True, timeout=300, check=False
    )


@dataclass(frozen=True)
class Deployment:
    """What a deployment of one environment would make: every resource, with what can be known before."""

    resources: list[dict[str, Any]]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The resources of this type."""
        return [resource for resource in self.resources if resource["type"] == kind]

    def one(self, kind: str, ending: str) -> dict[str, Any]:
        """The only resource of this type whose name ends so."""
        (found,) = (resource for resource in self.of(kind) if resource["name"].endswith(ending))
        return found


def deployment(folder: Path, name: str, *, group: str | None = None) -> Deployment:
    """Evaluate the templates of a copy of the project in `folder`, with the parameters of `name`.

    `group`: the resource group that the template is for; without one it is for a subscription.
    """
    parameters = folder / "infra" / f"{name}.bicepparam"
    scope = ["--tenant-id", TENANT, "--subscription-id", SUBSCRIPTION, "--location", "westeurope"]
    if group:
        scope += ["--resource-group", group]
    answer = run("snapshot", str(parameters), "--mode", "overwrite", *scope)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(parameters.with_suffix(".snapshot.json").read_text(encoding="utf-8"))
    assert not found["diagnostics"], found["diagnostics"]
    return Deployment(found["predictedResources"])


def copy(folder: Path) -> Path:
    """A copy of what a deployment reads."""
    for name in ("infra", "apim"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


def identity_of(expression: str, services: list[str]) -> str:
    """Whose identity an expression names: identities are made in the order of the services."""
    (index,) = _IDENTITY.findall(expression)
    return services[int(index)]


def strings(value: Any) -> Iterator[str]:
    """Every text in a JSON value, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
