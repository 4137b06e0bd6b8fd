"""One service's package to one environment, and back where the service is not well with it.

    python -m scripts.release.rollout orders --package FILE [--previous FILE] --group GROUP --gateway URL [--buy SKU]

Flex Consumption has no slots. So a release goes to one environment after the other, and in each: the package is
deployed, Azure replaces the instances, the smoke test asks at the gateway, and where it fails the previous package is
deployed and asked in its turn. The exit code is 0 only where the new package stays. `az` is logged in; the app is found
by its tag azd-service-name.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from scripts.release.package import digest

TAG = "azd-service-name"
BUILD = 900
"""Seconds that Azure's build and the replacement of instances may take: a build installs fifty packages."""

Run = Callable[[Sequence[str]], str]
"""Runs a command; its standard output. Raises CalledProcessError."""
Well = Callable[[], bool]
"""Whether the service is well, seen from outside."""


class NoApp(LookupError):
    """The resource group has no Function App, or several, for this service."""


def find(run: Run, group: str, service: str) -> str:
    """The name of the service's Function App. Raises NoApp."""
    listed = run(
        ["az", "functionapp", "list", "--resource-group", group, "--query", f"[?tags.\"{TAG}\"=='{service}'].name"]
    )
    names = json.loads(listed)
    if len(names) != 1:
        raise NoApp(f"{group} has {len(names)} Function Apps with the tag {TAG}={service}")
    return str(names[0])


def deploy(run: Run, group: str, app: str, package: Path) -> None:
    """Send the package; Azure installs its requirements. Raises CalledProcessError where that fails."""
    words = ["az", "functionapp", "deployment", "source", "config-zip", "--resource-group", group, "--name", app]
    run([*words, "--src", str(package), "--build-remote", "true", "--timeout", str(BUILD)])
    print(f"{app} has {package} (sha256:{digest(package)})", flush=True)


def roll_out(run: Run, well: Well, group: str, service: str, package: Path, previous: Path | None) -> bool:
    """Whether the new package stays. Raises NoApp before anything is sent."""
    app = find(run, group, service)
    try:
        deploy(run, group, app, package)
        if well():
            return True
        print(f"{service} is not well with the new package", file=sys.stderr, flush=True)
    except subprocess.CalledProcessError as exc:
        print(f"{service} could not be deployed: {exc}", file=sys.stderr, flush=True)
    if previous is None:
        print(f"{service} has no previous package; it stays as it is", file=sys.stderr, flush=True)
        return False
    deploy(run, group, app, previous)
    print(
        f"{service} is {'well again' if well() else 'not well'} with the previous package", file=sys.stderr, flush=True
    )
    return False


def _run(words: Sequence[str]) -> str:
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - built here
    return done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Deploy a service's package, and the previous one where it is not well."
    )
    parser.add_argument("service")
    parser.add_argument("--package", type=Path, required=True, metavar="FILE")
    parser.add_argument("--previous", type=Path, metavar="FILE", help="the package to return to")
    parser.add_argument("--group", required=True, metavar="NAME", help="the resource group")
    parser.add_argument("--gateway", required=True, metavar="URL")
    parser.add_argument("--buy", metavar="SKU", help="for the smoke test")
    chosen = parser.parse_args()
    if missing := [path for path in (chosen.package, chosen.previous) if path is not None and not path.is_file()]:
        parser.error(f"there is no {missing[0]}")
    smoke = [sys.executable, "-m", "scripts.release.smoke", chosen.service, "--gateway", chosen.gateway]
    smoke += ["--buy", chosen.buy] if chosen.buy else []

    def well() -> bool:
        return subprocess.run(smoke, check=False).returncode == 0  # noqa: S603 - this very program

    try:
        stays = roll_out(_run, well, chosen.group, chosen.service, chosen.package, chosen.previous)
    except NoApp as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0 if stays else 1


if __name__ == "__main__":
    sys.exit(main())
