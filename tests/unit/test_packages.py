"""The zip of each service: what is in it, and that its bytes are the same each time."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pathspec
import pytest

from scripts.release.package import ALWAYS, ROOT, UnknownService, contents, digest, report, services, unpack, write

SERVICES = services()


@pytest.mark.parametrize("service", SERVICES)
def test_a_package_holds_its_own_service_and_the_kit_alone(service: str) -> None:
    names = contents(service).keys()
    allowed = (*ALWAYS, "blueprints/__init__.py", f"blueprints/{service}/", "shared/")
    assert not [name for name in names if not name.startswith(allowed)]
    assert {*ALWAYS, f"blueprints/{service}/triggers.py", f"blueprints/{service}/declaration.py"} <= names
    assert {path.name for path in (ROOT / "blueprints" / service).glob("*.py")} == {
        name.rpartition("/")[2] for name in names if name.startswith(f"blueprints/{service}/")
    }


def test_the_kit_comes_along_as_far_as_it_is_needed() -> None:
    assert "shared/orchestration.py" in contents("orders")
    assert "shared/orchestration.py" not in contents("carts")
    assert not [name for service in SERVICES for name in contents(service) if "schemas" in name or "published" in name]


def test_the_same_sources_give_the_same_bytes_wherever_and_whenever(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    for name in contents("orders"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, clone / name)
        (clone / name).chmod(0o600)
    here, there = write("orders", tmp_path / "one"), write("orders", tmp_path / "two", clone)
    assert here.read_bytes() == there.read_bytes()


def test_a_change_of_one_byte_changes_the_digest(tmp_path: Path) -> None:
    package = write("carts", tmp_path)
    before = digest(package)
    source = tmp_path / "source"
    unpack(package).rename(source)
    assert digest(write("carts", tmp_path, source)) == before
    (source / "host.json").write_text((source / "host.json").read_text() + "\n")
    assert digest(write("carts", tmp_path, source)) != before


def test_names_are_sorted_and_files_readable(tmp_path: Path) -> None:
    with zipfile.ZipFile(write("catalog", tmp_path)) as archive:
        assert archive.namelist() == sorted(archive.namelist())
        assert archive.testzip() is None
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}


def test_what_was_built_is_reported(tmp_path: Path) -> None:
    package = write("catalog", tmp_path)
    assert f"sha256:{digest(package)}  import 0.25 s" in report(package, [0.5, 0.25])
    assert "import" not in report(package)


def test_a_name_that_is_no_service_is_refused() -> None:
    with pytest.raises(UnknownService, match=r"no service '\.\./tests'; the services are .*orders"):
        contents("../tests")


def test_what_core_tools_publishes_is_what_packages_hold() -> None:
    ignored = pathspec.GitIgnoreSpec.from_lines((ROOT / ".funcignore").read_text().splitlines())
    files = [
        path.relative_to(ROOT).as_posix()
        for top in ROOT.iterdir()
        if not top.name.startswith(".")
        for path in ([top] if top.is_file() else top.rglob("*"))
        if path.is_file()
    ]
    kept = set(ignored.match_files(files, negate=True))
    packaged = {name for service in SERVICES for name in contents(service)}
    assert packaged <= kept
    assert {name for name in kept - packaged if not name.startswith("shared/")} == set()


@pytest.mark.parametrize(
    "secret", ["local.settings.json", ".local/entra/key.json", ".venv/bin/python", ".env", ".git/config"]
)
def test_core_tools_publishes_no_secret(secret: str) -> None:
    ignored = pathspec.GitIgnoreSpec.from_lines((ROOT / ".funcignore").read_text().splitlines())
    assert ignored.match_file(secret)
