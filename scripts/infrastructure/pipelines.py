"""What ships a service: its workflow, run by a change of what its package holds, and its entry for azd."""

from __future__ import annotations

from collections.abc import Sequence

from shared.declaration import Service

TRIGGERS = (
    "blueprints/{0}/**",
    "blueprints/__init__.py",
    "shared/**",
    "function_app.py",
    "host.json",
    "requirements.txt",
    "scripts/release/package.py",
    ".github/workflows/deploy-{0}.yml",
)
"""Of one service's deploy, as patterns of the workflow language."""
PACKAGES = ".artifacts/packages"
"""Where `scripts.release.package` leaves them."""


def files(services: Sequence[Service]) -> dict[str, str]:
    """Path → text."""
    return {
        **{f".github/workflows/deploy-{service.name}.yml": _workflow(service.name) for service in services},
        "azure.yaml": _azd([service.name for service in services]),
    }


def _workflow(name: str) -> str:
    paths = "".join(f"      - {pattern.format(name)}\n" for pattern in TRIGGERS)
    return f"""# Written by `make schemas`.
name: Deploy {name}

on:
  push:
    branches: [main]
    paths:
{paths}  workflow_dispatch:

permissions: {{}}

# one release after the other; of those that wait, the newest
concurrency:
  group: deploy-{name}
  cancel-in-progress: false

jobs:
  deploy:
    name: {name}
    uses: $/.github/workflows/deploy-service.yml
    permissions:
      contents: read
      id-token: write # signs the package, and logs in to Azure
      attestations: write # keeps what is signed
      actions: read # finds the previous release
    with:
      service: {name}
"""


def _azd(names: Sequence[str]) -> str:
    entries = "".join(
        f"  {name}:\n    project: {PACKAGES}/{name}\n    host: function\n    language: python\n    remoteBuild: true\n"
        for name in names
    )
    hooks = "".join(f"  {hook}:\n{_HOOK}" for hook in ("prepackage", "predeploy"))
    return f"""# yaml-language-server: $schema=https://raw.githubusercontent.com/Azure/azure-dev/main/schemas/v1.0/azure.yaml.json
# Written by `make schemas`. A service is deployed from its package, which the hooks lay out as a folder.
name: durable-commerce
infra:
  provider: bicep
  path: infra
  module: main
hooks:
{hooks}services:
{entries}"""


_HOOK = """    posix:
      shell: sh
      run: python3 -m scripts.release.package --all --folder
    windows:
      shell: pwsh
      run: python -m scripts.release.package --all --folder
"""
