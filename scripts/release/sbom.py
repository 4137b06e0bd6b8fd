"""The software bill of materials of what is deployed, as CycloneDX JSON.

    python -m scripts.release.sbom [--output FILE]

Read from the environment that has the lock alone: components with versions, licences and what needs what.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from scripts.release.environment import ROOT, python
from scripts.release.lock import written

COMMAND = Path(sys.executable).with_name("cyclonedx-py")


def bill() -> dict[str, Any]:
    """The same document for the same lock and Python. Raises CalledProcessError."""
    words = [str(COMMAND), "environment", str(python()), "--pyproject", str(ROOT / "pyproject.toml")]
    words += ["--output-reproducible", "--of", "JSON", "-o", "-"]
    done = subprocess.run(words, check=True, capture_output=True, text=True)  # noqa: S603 - a dependency of this project
    document: dict[str, Any] = json.loads(done.stdout)
    own = document["metadata"]["component"]["bom-ref"]
    _set_direct(document, own)
    return document


def _set_direct(document: dict[str, Any], own: str) -> None:
    """What the app itself asks for: pyproject.toml names no dependencies, requirements.in does."""
    asked = {canonicalize_name(requirement.name) for requirement in written()}
    direct = sorted(each["bom-ref"] for each in document["components"] if canonicalize_name(each["name"]) in asked)
    others = [each for each in document["dependencies"] if each["ref"] != own]
    document["dependencies"] = [*others, {"ref": own, "dependsOn": direct}]


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the software bill of materials of what is deployed.")
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")
    output = parser.parse_args().output
    text = json.dumps(bill(), indent=2) + "\n"
    if output is None:
        print(text, end="")
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
        print(f"{output}: {len(json.loads(text)['components'])} components", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
