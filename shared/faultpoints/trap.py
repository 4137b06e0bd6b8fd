"""The crash itself: which passing of which point is fatal, and where no crash may be ordered at all."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from shared.settings import SettingError, connection_parts

CRASH_AT = "CRASH_AT"
CRASH_MARKS = "CRASH_MARKS"
EXIT_CODE = 137
"""What a shell says of a process that was killed by SIGKILL: 128 + 9."""

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_ON_AZURE = ("WEBSITE_INSTANCE_ID", "WEBSITE_SITE_NAME")


class Trap:
    """Counts how often each point is passed, and ends the process at the one that was ordered."""

    def __init__(self, name: str, number: int, mark: Path, known: frozenset[str]) -> None:
        self._name, self._number, self._mark, self._known = name, number, mark, known
        self._passed: Counter[str] = Counter()

    def __call__(self, point: str, *of: str) -> None:
        name = ":".join((point, *of))
        if name not in self._known:
            raise LookupError(f"the crash point {name} is not in the table: no service declares it")
        self._passed[name] += 1
        if name == self._name and self._passed[name] == self._number:
            self._mark.parent.mkdir(parents=True, exist_ok=True)
            self._mark.touch()
            os.write(2, f"crash point {name} was passed {self._number} times; the process ends here\n".encode())
            os._exit(EXIT_CODE)


def _elsewhere(environment: Mapping[str, str]) -> str:
    """What of these settings is not on this machine; empty where everything is."""
    for name in _ON_AZURE:
        if environment.get(name):
            return f"{name} says that this is Azure"
    for name, key in (
        ("COSMOS_CONNECTION", "AccountEndpoint"),
        ("SERVICEBUS_CONNECTION", "Endpoint"),
        ("EMAIL_CONNECTION", "endpoint"),
    ):
        if any(other.startswith(f"{name}__") for other in environment):
            return f"{name} uses an identity"
        address = connection_parts(environment.get(name, "")).get(key, "")
        if urlsplit(address).hostname not in _LOCAL:
            return f"{name} does not name this machine"
    for name in ("STRIPE_API_BASE", "EASYPOST_API_BASE"):
        if urlsplit(environment.get(name, "")).hostname not in _LOCAL:
            return f"{name} does not name this machine"
    return ""


def set_trap(environment: Mapping[str, str]) -> Trap | None:
    """The trap these settings order, `None` once it has been sprung.

    Raises SettingError for settings that make no sense, or that are not safe.
    """
    order = environment[CRASH_AT]
    if elsewhere := _elsewhere(environment):
        raise SettingError(f"{CRASH_AT} is for tests on one machine, but {elsewhere}; remove it")
    # the table stays at home: what is deployed has none
    from shared.faultpoints.table import NAMES

    name, _, number = order.rpartition(":") if order not in NAMES else (order, "", "1")
    if name not in NAMES or not number.isdecimal() or int(number) < 1:
        raise SettingError(
            f"{CRASH_AT}={order} is no crash point of shared/faultpoints/points.json, or not its n-th passing"
        )
    folder = environment.get(CRASH_MARKS)
    if not folder:
        raise SettingError(f"{CRASH_AT} needs {CRASH_MARKS}, a directory that remembers that the crash has happened")
    mark = Path(folder) / order.replace(":", "_")
    return None if mark.exists() else Trap(name, int(number), mark, NAMES)
