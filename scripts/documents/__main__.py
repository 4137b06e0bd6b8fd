"""Run what the documents say from a bare clone, or with `--check` look whether everything that they name is there."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from scripts.documents.checks import ROOT, dead_links, documents, wrong
from scripts.documents.reading import Document
from scripts.documents.running import Clone


def main() -> int:
    """The exit code: 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m scripts.documents", description=__doc__)
    parser.add_argument("--check", action="store_true", help="run nothing but --help")
    parser.add_argument("--long", action="store_true", help="run also what takes minutes")
    given = parser.parse_args()
    return _check() if given.check else _run(given.long)


def _check() -> int:
    found = 0
    for path in documents():
        document = Document(path)
        for fault in (*wrong(document), *dead_links(document)):
            found += 1
            print(f"{path.relative_to(ROOT)}, {fault}", file=sys.stderr)
    return int(found > 0)


def _run(long: bool) -> int:
    failed = 0
    with tempfile.TemporaryDirectory(prefix="clone-") as folder:
        for result in Clone(ROOT, Path(folder) / "durable-commerce", long).run():
            failed += bool(result.status)
            print(result, flush=True)
    print(f"{failed} failed" if failed else "everything that can be run here does what the documents say")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
