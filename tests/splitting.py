"""Containers of several physical ranges that are split while tests run, as Azure's are when data or throughput grow."""

from __future__ import annotations

import json
import os
import threading
import urllib.request
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path
from urllib.error import HTTPError, URLError

SEVERAL = 4
"""Physical ranges that a container has in tests of more than one: two can hide a mistake in their order."""
RANGES = int(os.environ.get("COSMOS_RANGES") or 1)
"""Physical ranges that a container begins with in tests of the whole system; with more than one, they are split."""
MAX_SPLITS = 6
"""Of each container: so many ranges more are enough to move every key at least once."""
BETWEEN_SPLITS = 0.2
"""Seconds."""

Name = tuple[str, str]
"""The ids of a database and a container."""


def app_containers() -> list[Name]:
    """All containers that the app is deployed with."""
    declared = json.loads((Path(__file__).parents[1] / "infra" / "cosmos.json").read_text())
    return [(each["id"], container["id"]) for each in declared["databases"] for container in each["containers"]]


@contextmanager
def splitting(address: str, containers: Collection[Name]) -> Iterator[list[Name]]:
    """Split one container after the other, each at least once, while the block runs; yields those that were split."""
    over, done = threading.Event(), list[Name]()
    with ThreadPoolExecutor(1) as thread:
        working = thread.submit(_split_all, address, containers, over, done)
        try:
            yield done
        finally:
            over.set()
        working.result()


def _split_all(address: str, containers: Collection[Name], over: threading.Event, done: list[Name]) -> None:
    for name in chain.from_iterable(repeat(containers, MAX_SPLITS)):
        if over.is_set() and set(done) >= set(containers):
            return
        if _split(address, name):
            done.append(name)
        over.wait(BETWEEN_SPLITS)


def _split(address: str, name: Name) -> bool:
    """Split the widest range of a container; `False` while the server is away, as it is where tests kill it.

    Raises HTTPError.
    """
    order = json.dumps({"database": name[0], "container": name[1]}).encode()
    try:
        with urllib.request.urlopen(f"{address}/_local/splits", order, timeout=60) as answer:
            return bool(json.load(answer)["ranges"])
    except HTTPError:
        raise
    except (URLError, OSError):
        return False
