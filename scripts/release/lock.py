"""requirements.in and its lock, requirements.txt, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
WRITTEN, LOCKED = ROOT / "requirements.in", ROOT / "requirements.txt"


@dataclass(frozen=True)
class Pin:
    """One release that the lock names, with the digests of its files."""

    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def version(self) -> str:
        """Raises ValueError where the requirement is not exactly one version."""
        (only,) = self.requirement.specifier
        if only.operator != "==" or only.version.endswith("*"):
            raise ValueError(f"{self.requirement} does not name one version")
        return only.version

    def applies(self, environment: Mapping[str, str]) -> bool:
        """Whether it is installed in an environment of these markers."""
        marker = self.requirement.marker
        return marker is None or marker.evaluate(dict(environment))


def written() -> list[Requirement]:
    """What people wrote into requirements.in. Raises InvalidRequirement for a line that is an option."""
    lines = (line.partition(" #")[0].strip() for line in WRITTEN.read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def locked(text: str | None = None) -> list[Pin]:
    """The lock's pins; `text`: of another file than the project's. Raises ValueError for a line of another kind."""
    logical = (text or LOCKED.read_text(encoding="utf-8")).replace("\\\n", " ").splitlines()
    lines = (line.strip() for line in logical)
    return [_pin(line) for line in lines if line and not line.startswith("#")]


def _pin(line: str) -> Pin:
    said, *options = line.split(" --hash=")
    if any(" " in option.strip() for option in options):
        raise ValueError(f"the lock has another option than hashes: {line}")
    return Pin(Requirement(said.strip()), tuple(option.strip() for option in options))
