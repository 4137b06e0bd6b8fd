"""The very zip that is deployed, one for each service.

    python -m scripts.release.package orders [--output DIR] [--folder]
    python -m scripts.release.package --all

A package holds what the service's Function App needs: function_app.py, host.json, the locked requirements.txt, the
service's own folder, and the modules of shared/ that these import. Azure's remote build installs the requirements.

The same sources give the same bytes: sorted names, one time for all, nothing compressed, because each release of zlib
compresses in its own way. So a release can be built again from its commit and compared by digest. Only the standard
library is needed.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / ".artifacts" / "packages"
ALWAYS = ("function_app.py", "host.json", "requirements.txt")
OURS = ("blueprints", "shared")
SAME_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip can say."""
READABLE = 0o100644 << 16
"""A regular file that everybody may read, in the upper half of a zip's external attributes."""
UNIX = 3
"""The system that those attributes are of."""
IMPORT = (
    "import sys, time; began = time.process_time(); import function_app; spent = time.process_time() - began; "
    "assert function_app.app.get_functions(); print(spent)"
)


class UnknownService(LookupError):
    """No package below blueprints/ has this name; the message says which there are."""


def services(root: Path = ROOT) -> list[str]:
    """The names of the packages below blueprints/."""
    return sorted(path.parent.name for path in (root / "blueprints").glob("*/declaration.py"))


def contents(service: str, root: Path = ROOT) -> dict[str, bytes]:
    """Name within the package → bytes, sorted by name. Raises UnknownService."""
    if service not in services(root):
        raise UnknownService(f"there is no service {service!r}; the services are {', '.join(services(root))}")
    own = sorted((root / "blueprints" / service).rglob("*.py"))
    sources = {root / "function_app.py", *own}
    waiting = list(sources)
    while waiting:
        for found in _needed(waiting.pop(), root):
            if found not in sources:
                sources.add(found)
                waiting.append(found)
    names = {*ALWAYS, *(path.relative_to(root).as_posix() for path in sources)}
    return {name: (root / name).read_bytes() for name in sorted(names)}


def _needed(source: Path, root: Path) -> Iterator[Path]:
    """The project's own modules that a module imports, anywhere in it, and the packages that these lie in."""
    for name in _imported(ast.parse(source.read_bytes(), str(source))):
        parts = name.split(".")
        if parts[0] not in OURS:
            continue
        for length in range(1, len(parts) + 1):
            place = root.joinpath(*parts[:length])
            for candidate in (place / "__init__.py", place.with_suffix(".py")):
                if candidate.is_file():
                    yield candidate


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def write(service: str, folder: Path = OUTPUT, root: Path = ROOT) -> Path:
    """Write `<service>.zip` into the folder. Raises UnknownService."""
    files = contents(service, root)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{service}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, SAME_TIME)
            entry.create_system, entry.external_attr = UNIX, READABLE
            archive.writestr(entry, data)
    return target


def unpack(package: Path) -> Path:
    """Lay a package out as a folder beside it, for tools that make the zip themselves."""
    folder = package.with_suffix("")
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)
    return folder


def digest(package: Path) -> str:
    """SHA-256 of the package, in hexadecimal."""
    return hashlib.sha256(package.read_bytes()).hexdigest()


def import_seconds(folder: Path, service: str, python: Path) -> float:
    """Processor seconds that importing an unpacked package takes in a fresh process. Raises CalledProcessError."""
    environment = {"SERVICES": service, "PYTHONDONTWRITEBYTECODE": "1", "PATH": ""}
    words = [str(python), "-c", IMPORT]
    done = subprocess.run(  # noqa: S603 - the environment of what is deployed
        words, cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def report(package: Path, timed: Iterable[float] = ()) -> str:
    """One line: the package, its size, its files and digest, and the shortest of the import times."""
    with zipfile.ZipFile(package) as archive:
        count = len(archive.namelist())
    shown = package.relative_to(ROOT) if package.is_relative_to(ROOT) else package
    line = f"{shown}  {package.stat().st_size / 1024:.0f} KiB  {count} files  sha256:{digest(package)}"
    return f"{line}  import {min(times):.2f} s" if (times := list(timed)) else line


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the zip of a service, or of all, as it is deployed.")
    parser.add_argument("services", nargs="*", metavar="SERVICE")
    parser.add_argument("--all", action="store_true", help="every service below blueprints/")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="DIR", help="default .artifacts/packages")
    parser.add_argument("--folder", action="store_true", help="lay each package out as a folder, too")
    parser.add_argument(
        "--time", type=int, default=0, metavar="N", help="import each N times with the locked requirements"
    )
    chosen = parser.parse_args()
    if bool(chosen.services) == chosen.all:
        parser.error(f"name services, or --all of {', '.join(services())}")
    try:
        for service in services() if chosen.all else chosen.services:
            package = write(service, chosen.output)
            if chosen.folder:
                unpack(package)
            print(report(package, _timed(service, package, chosen.time)), flush=True)
    except UnknownService as exc:
        parser.error(str(exc))
    return 0


def _timed(service: str, package: Path, times: int) -> list[float]:
    if not times:
        return []
    from scripts.release.environment import python

    folder = unpack(package)
    return [import_seconds(folder, service, python()) for _ in range(times)]


if __name__ == "__main__":
    sys.exit(main())
