"""The licences of what is deployed, read from the packages' own metadata and held against those that are accepted.

    python -m scripts.release.licences          write docs/licences.md

A package with a licence that is not in the table below is refused by name: somebody has to read it first.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution

from packaging.utils import canonicalize_name

from scripts.release.lock import ROOT, locked

PAGE = ROOT / "docs" / "licences.md"
ACCEPTED = frozenset(
    "Apache-2.0 MIT MIT-0 BSD-2-Clause BSD-3-Clause PSF-2.0 MPL-2.0 Unlicense".split(),
)
"""By SPDX identifiers: permissive ones, and MPL-2.0, which asks for nothing of what is used unchanged."""
SPELLED = {
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Python Software Foundation License": "PSF-2.0",
}
"""As packages without an SPDX expression say it."""
READ = {"pyasn1-modules": "BSD-2-Clause"}
"""Whose metadata says less than the text of the licence that comes with them."""
HEAD = """# Licences of what is deployed

Written by `make licences` from the metadata of the packages that `requirements.txt` locks. A test holds it to them, and
refuses a licence that `scripts/release/licences.py` does not accept. What development needs is not deployed.

| package | licence |
|---|---|
"""


class Refused(ValueError):
    """A package's licence is unknown or not accepted; the message names both."""


def licence(name: str) -> str:
    """The SPDX expression of an installed package's licence. Raises Refused, PackageNotFoundError."""
    known = canonicalize_name(name)
    said = READ.get(known) or next((SPELLED.get(each, each) for each in _said(distribution(name))), "nothing")
    if unknown := {word for word in re.findall(r"[\w.+-]+", said) if word not in {"AND", "OR", "WITH"}} - ACCEPTED:
        raise Refused(f"{name} is under {said!r}; {', '.join(sorted(unknown))} is not among the licences accepted")
    return said


def _said(package: Distribution) -> Iterator[str]:
    """What the metadata says of the licence, the most exact first."""
    about = package.metadata
    if "License-Expression" in about:
        yield about["License-Expression"]
    if "License" in about and len(about["License"].splitlines()) == 1:
        yield about["License"]
    for classifier in about.get_all("Classifier") or ():
        kind, _, what = classifier.rpartition(" :: ")
        if kind.startswith("License"):
            yield what


def page() -> str:
    """docs/licences.md as it is to be. Raises Refused."""
    names = sorted({canonicalize_name(pin.requirement.name) for pin in locked()})
    return HEAD + "".join(f"| {name} | {licence(name)} |\n" for name in names)


if __name__ == "__main__":
    try:
        PAGE.write_text(page(), encoding="utf-8")
    except Refused as exc:
        sys.exit(str(exc))
