"""Does each element of the policies matter? Leave one out, and see which promise breaks.

    python -m tests.gateway.mutations [part of a file's path]

prints a line for each element that no test would miss, and the count.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from localazure.apim.errors import ArtifactError
from tests.gateway.promises import CASES
from tests.gateway.world import ROOT, World


@dataclass(frozen=True)
class Mutant:
    """A policy document without one of its elements."""

    file: Path
    element: str
    content: bytes

    def __str__(self) -> str:
        return f"{self.file}: {self.element}"


@dataclass(frozen=True)
class Fate:
    """What noticed that the element was missing: the name of a case, `refused` at load, or nobody."""

    mutant: Mutant
    noticed_by: str | None


def mutants(part: str = "") -> Iterator[Mutant]:
    """Every element of every policy document but its root."""
    for file in sorted((ROOT / "apim").rglob("policy.xml")):
        name = file.relative_to(ROOT / "apim")
        if part not in str(name):
            continue
        for number in range(sum(1 for _ in ElementTree.parse(file).iter())):
            tree = ElementTree.parse(file)
            root = tree.getroot()
            target = list(root.iter())[number]
            if target is root:
                continue
            parent = next(element for element in root.iter() if target in list(element))
            label = " ".join([target.tag, *(f"{key}={value[:30]!r}" for key, value in target.items())][:2])
            parent.remove(target)
            yield Mutant(name, f"{number}. {label} in {parent.tag}", ElementTree.tostring(root))


async def judge(found: list[Mutant]) -> list[Fate]:
    """Try them one after the other; cases that have noticed something before come first."""
    order = list(CASES)
    fates = []
    world = World()
    await world.start()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "apim"
        shutil.copytree(ROOT / "apim", copy)
        world.artifacts = copy
        for mutant in found:
            file = copy / mutant.file
            original = file.read_bytes()
            file.write_bytes(mutant.content)
            noticed = await _first_to_notice(world, order)
            file.write_bytes(original)
            await world.forget_gateways()
            fates.append(Fate(mutant, noticed))
            if noticed in order:
                order.remove(noticed)
                order.insert(0, noticed)
    await world.stop()
    return fates


async def _first_to_notice(world: World, order: list[str]) -> str | None:
    try:
        await world.gateway()
    except ArtifactError:
        return "refused"
    for name in order:
        await world.reset()
        try:
            await CASES[name](world)
        except Exception:  # whatever goes wrong, it was noticed
            return name
    return None


def main() -> int:
    found = list(mutants(*sys.argv[1:2]))
    fates = asyncio.run(judge(found))
    missed = [fate.mutant for fate in fates if fate.noticed_by is None]
    for mutant in missed:
        print(f"nobody misses {mutant}")
    refused = sum(fate.noticed_by == "refused" for fate in fates)
    noticed = len(fates) - refused - len(missed)
    print(
        f"{len(fates)} elements left out: {refused} refused at load, {noticed} noticed by a test, {len(missed)} missed"
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
