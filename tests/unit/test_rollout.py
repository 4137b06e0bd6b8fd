"""A rollout keeps the new package where the service is well with it, and otherwise brings the previous one back."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.release.rollout import NoApp, roll_out


class Azure:
    """What `az` is asked for; `apps` are there, and a package named in `broken` cannot be built."""

    def __init__(self, apps: Sequence[str] = ("func-orders",), broken: Sequence[str] = ()) -> None:
        self.apps, self.broken, self.sent = apps, broken, list[str]()

    def __call__(self, words: Sequence[str]) -> str:
        if words[:3] == ["az", "functionapp", "list"]:
            assert words[-1] == "[?tags.\"azd-service-name\"=='orders'].name"
            return json.dumps(self.apps)
        asked = dict(zip(words[5::2], words[6::2], strict=True))
        assert asked["--name"] == "func-orders" and asked["--resource-group"] == "group"
        assert asked["--build-remote"] == "true"
        self.sent.append(Path(asked["--src"]).name)
        if self.sent[-1] in self.broken:
            raise subprocess.CalledProcessError(1, words)
        return ""


@pytest.fixture
def packages(tmp_path: Path) -> tuple[Path, Path]:
    new, old = tmp_path / "new.zip", tmp_path / "old.zip"
    new.write_bytes(b"new")
    old.write_bytes(b"old")
    return new, old


def test_a_service_that_is_well_keeps_the_new_package(packages: tuple[Path, Path]) -> None:
    azure = Azure()
    assert roll_out(azure, lambda: True, "group", "orders", *packages)
    assert azure.sent == ["new.zip"]


def test_a_service_that_is_not_well_gets_the_previous_package_back(
    packages: tuple[Path, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    azure = Azure()
    assert not roll_out(azure, lambda: azure.sent[-1] == "old.zip", "group", "orders", *packages)
    assert azure.sent == ["new.zip", "old.zip"]
    assert "orders is well again with the previous package" in capfd.readouterr().err


def test_it_is_said_where_the_previous_package_does_not_help(
    packages: tuple[Path, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    assert not roll_out(Azure(), lambda: False, "group", "orders", *packages)
    assert "orders is not well with the previous package" in capfd.readouterr().err


def test_a_package_that_cannot_be_built_is_not_asked_about(packages: tuple[Path, Path]) -> None:
    azure, asked = Azure(broken=["new.zip"]), list[str]()

    def well() -> bool:
        asked.append(azure.sent[-1])
        return True

    assert not roll_out(azure, well, "group", "orders", *packages)
    assert azure.sent == ["new.zip", "old.zip"]
    assert asked == ["old.zip"]


def test_a_first_release_has_nothing_to_go_back_to(
    packages: tuple[Path, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    azure = Azure()
    assert not roll_out(azure, lambda: False, "group", "orders", packages[0], None)
    assert azure.sent == ["new.zip"]
    assert "no previous package" in capfd.readouterr().err


@pytest.mark.parametrize("apps", [[], ["func-orders", "func-orders-2"]], ids=["none", "two"])
def test_nothing_is_sent_where_the_app_is_not_certain(packages: tuple[Path, Path], apps: list[str]) -> None:
    azure = Azure(apps)
    with pytest.raises(NoApp, match=f"group has {len(apps)} Function Apps with the tag azd-service-name=orders"):
        roll_out(azure, lambda: True, "group", "orders", *packages)
    assert azure.sent == []
