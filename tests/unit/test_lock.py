"""The lock of what is deployed: complete, with hashes, in agreement with requirements.in, and what these tests run on.

Nothing is asked of a registry: what a package needs is read from the metadata of the one that is installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.release.licences import PAGE, READ, SPELLED, Refused, licence, page
from scripts.release.lock import LOCKED, Pin, locked, written
from scripts.release.package import ROOT

PYTHONS = ("3.11", "3.12", "3.13")
HERE: dict[str, str] = {name: str(value) for name, value in default_environment().items()}
LINUX = {**HERE, "sys_platform": "linux", "platform_system": "Linux"}
ENVIRONMENTS = {each: {**LINUX, "python_version": each, "python_full_version": f"{each}.0"} for each in PYTHONS}
SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


def pins(environment: Mapping[str, str]) -> dict[str, Pin]:
    """What is installed in an environment of these markers; each package once."""
    applying = [pin for pin in locked() if pin.applies(environment)]
    found: dict[str, Pin] = {canonicalize_name(pin.requirement.name): pin for pin in applying}
    assert len(found) == len(applying), "a package is locked twice for one environment"
    return found


def needed(roots: Iterable[Requirement], environment: Mapping[str, str]) -> Iterator[Requirement]:
    """What these need, and what that needs; of a release that is not installed here, nothing further is known."""
    waiting, seen = list(roots), set[str]()
    while waiting:
        requirement = waiting.pop()
        extras = [{**environment, "extra": extra} for extra in (*requirement.extras, "")]
        if str(requirement) in seen or not (
            requirement.marker is None or any(requirement.marker.evaluate(each) for each in extras)
        ):
            continue
        seen.add(str(requirement))
        yield requirement
        try:
            further = map(Requirement, requires(requirement.name) or ())
        except PackageNotFoundError:
            continue
        waiting += [
            Requirement(str(each))
            for each in further
            if each.marker is None or any(each.marker.evaluate(extra) for extra in extras)
        ]


def test_every_pin_is_one_version_with_the_digests_of_its_files() -> None:
    assert locked()
    for pin in locked():
        assert pin.version
        assert pin.hashes and all(map(SHA256.fullmatch, pin.hashes)), pin.requirement


def test_the_lock_names_no_registry() -> None:
    assert not re.search(r"://|--(?:extra-)?index-url|--find-links|-i ", LOCKED.read_text(encoding="utf-8"))


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_is_what_people_asked_for_and_all_that_it_needs(python: str) -> None:
    environment, found = ENVIRONMENTS[python], pins(ENVIRONMENTS[python])
    asked = {each.name: each for each in written() if each.marker is None or each.marker.evaluate(environment)}
    assert asked
    wanted = set()
    for requirement in needed(map(_unmarked, asked.values()), environment):
        name = canonicalize_name(requirement.name)
        assert name in found, f"{requirement} is not locked; run make lock"
        assert requirement.specifier.contains(found[name].version, prereleases=True), f"{requirement}; run make lock"
        wanted.add(name)
    assert found.keys() <= wanted, f"nobody needs {', '.join(sorted(found.keys() - wanted))}; run make lock"


def _unmarked(requirement: Requirement) -> Requirement:
    return Requirement(str(requirement).partition(";")[0])


def test_these_tests_run_on_what_is_locked() -> None:
    assert {name: version(name) for name in pins(HERE)} == {name: pin.version for name, pin in pins(HERE).items()}


def test_a_line_of_the_lock_that_is_no_pin_is_refused() -> None:
    with pytest.raises(ValueError, match="another option than hashes"):
        locked("aiohttp==1.0 --hash=sha256:00 --index-url=somewhere --no-deps\n")
    with pytest.raises(ValueError, match="does not name one version"):
        assert locked("aiohttp>=1.0\n")[0].version


def test_the_licences_are_listed_as_the_packages_state_them() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run make licences"


def test_a_licence_that_nobody_has_accepted_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.release.licences.ACCEPTED", frozenset({"MIT"}))
    with pytest.raises(Refused, match=r"aiohttp is under 'Apache-2.0 AND MIT'; Apache-2.0 is not"):
        licence("aiohttp")


def test_only_locked_packages_have_licences_read_by_hand() -> None:
    assert READ.keys() <= pins(HERE).keys()
    assert SPELLED.keys().isdisjoint(SPELLED.values())


def test_development_adds_to_what_is_asked_for_and_never_to_the_lock() -> None:
    asked = {"local": "requirements.in", "dev": "requirements-local.txt", "runtime": "requirements.in"}
    for name, first in asked.items():
        lines = (ROOT / f"requirements-{name}.txt").read_text(encoding="utf-8").splitlines()
        assert f"-r {first}" in lines, "a lock with hashes would make pip ask for those of every other line"
