"""Write, or with `--check` compare."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from pathlib import Path

from scripts import declared
from scripts.infrastructure import ROOT, files, leftovers

COMMAND = "python -m scripts.infrastructure"


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write what follows from the services' declarations.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is out of date")
    check = parser.parse_args().check
    wanted = files(declared.services(), declared.operations())
    stale = {name: text for name, text in wanted.items() if _present(ROOT / name) != text}
    for name, text in stale.items():
        if check:
            print(f"{name} is out of date; run {COMMAND}", file=sys.stderr)
        else:
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(text, encoding="utf-8")
            print(f"{name} written")
    left = leftovers(ROOT, wanted)
    for path in left:
        if check:
            print(f"{path.relative_to(ROOT)} belongs to nothing that is declared; run {COMMAND}", file=sys.stderr)
        else:
            path.unlink()
            with suppress(OSError):  # something else lies beside it
                path.parent.rmdir()
            print(f"{path.relative_to(ROOT)} removed")
    return int(check and bool(stale or left))


def _present(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
