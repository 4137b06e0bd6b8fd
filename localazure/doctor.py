"""Whether this machine can run everything: Python, ports, disk, open files, the clock; and what to do about it."""

from __future__ import annotations

import resource
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from localazure import running
from localazure.launch import PortsInUse, allocate, wanted_port
from localazure.parts import TABLE, load

PYTHON = (3, 11)
DISK = 500 * 1024 * 1024
"""Bytes free where the state is kept: logs and the files of a busy day."""
FILES = 1024
"""Open files that one process may have: connections of the gateway, the stores, the app."""
CLOCK = 120.0
"""Seconds that the clock may be behind the newest file: tokens and leases would be of the future."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what was found, and what to do where it is not good."""

    what: str
    found: str
    advice: str = ""

    @property
    def good(self) -> bool:
        return not self.advice

    def __str__(self) -> str:
        return f"  {'ok ' if self.good else 'BAD'}  {self.what:<12} {self.found}" + (
            "" if self.good else f"\n       {'':<12} {self.advice}"
        )


def look(state: Path, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Look at everything; changes nothing."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", version, "" if sys.version_info >= PYTHON else "use Python 3.11 or later: PYTHON=…")
    yield from _ports(state, environment)
    place = next(folder for folder in (state.absolute(), *state.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    yield Finding(
        "disk", f"{free // 2**20} MB free at {state}", "" if free >= DISK else f"make {DISK // 2**20} MB free"
    )
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = files == resource.RLIM_INFINITY or files >= FILES
    yield Finding("open files", f"{files} a process", "" if enough else f"allow more: ulimit -n {FILES}")
    behind = max((path.stat().st_mtime for path in state.glob("*")), default=0.0) - time.time()
    yield Finding(
        "clock",
        f"{behind:.0f} s behind the newest file of {state}" if behind > 0 else "not behind what was written",
        "" if behind < CLOCK else "set the clock, or `make reset`",
    )


def _ports(state: Path, environment: Mapping[str, str]) -> Iterator[Finding]:
    found = running.find(state)
    if found is not None:
        yield Finding("ports", f"held by what runs on {state}, process {found.pid}")
        return
    try:
        ports = allocate({name: wanted_port(load(name), {}, environment, name) for name in TABLE})
    except PortsInUse as exc:
        for line in str(exc).splitlines():
            taken, _, way = line.partition("; ")
            yield Finding("ports", taken, way)
    else:
        yield Finding("ports", f"free: {', '.join(map(str, sorted(ports.values())))}")
