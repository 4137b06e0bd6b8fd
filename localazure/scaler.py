"""`up --instances auto`: every few seconds each functions host is asked what waits, and instances.json says how many.

The decision is in `scaling.py`. What is started and stopped is the supervisor's business, as with `scale`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp

from localazure.clock import Clock
from localazure.launch import allocate
from localazure.scaling import Bounds, Source, State, decide, desired
from localazure.supervisor import Launch, asked, scale

EVERY = 10.0
"""Seconds between two decisions: the sampling interval of the Functions host's own scale monitor."""
_PATIENCE = aiohttp.ClientTimeout(total=5)
_BROKER, _COUNTERS = "servicebus", "admin_port"


class Scaler:
    """Sets the numbers of instances in a state directory. `broker` is where Service Bus tells its counters."""

    def __init__(self, state: Path, broker: str, most: int, clock: Clock, say: Callable[[str], None]) -> None:
        self._state, self._broker, self._clock, self._say = state, broker, clock, say
        self._bounds = Bounds(most=most)
        self._states: dict[str, State] = {}
        self._said: dict[str, str] = {}

    async def run(self) -> None:
        """Decide, for ever."""
        while True:
            await self._clock.sleep(EVERY)
            await self.step()

    async def step(self) -> None:
        """One decision for each functions host. One that does not answer keeps what it has."""
        async with aiohttp.ClientSession(timeout=_PATIENCE) as session:
            for group, instances in asked(self._state).items():
                try:
                    want = desired(await self._sources(session, group), instances)
                except (aiohttp.ClientError, OSError, TimeoutError, ValueError, LookupError, TypeError) as exc:
                    self._tell_once(group, f"what waits for {group} is not known: {exc!r}")
                    continue
                self._said.pop(group, None)
                self._set(group, instances, want)

    def _set(self, group: str, instances: int, want: int) -> None:
        """Somebody may have asked for another number meanwhile: the decision starts from what there is."""
        before = replace(self._states.get(group, State(instances)), instances=instances)
        after = self._states[group] = decide(before, want, self._bounds, self._clock.time())
        if after.instances != instances:
            scale(self._state, {group: after.instances})

    async def _sources(self, session: aiohttp.ClientSession, group: str) -> list[Source]:
        """Raises ClientError, TimeoutError, and ValueError, LookupError or TypeError for what cannot be read."""
        address = json.loads((self._state / "addresses.json").read_text())[group]
        entries = await _read(session, f"{address}/admin/localazure/waiting")
        depths: Mapping[str, Any] = {}
        if any("entity" in entry for entry in entries):
            found = await _read(session, f"{self._broker}/_local/entities")
            depths = {name.lower(): depth for name, depth in found.items()}
        return [_source(entry, depths) for entry in entries]

    def _tell_once(self, group: str, happening: str) -> None:
        if self._said.get(group) != happening:
            self._said[group] = happening
            self._say(happening)


def with_counters(launches: Sequence[Launch]) -> tuple[list[Launch], str]:
    """The same launches, of which Service Bus tells its counters at an address that is known, and that address.

    Raises PortsInUse.
    """
    address, found = "", []
    for launch in launches:
        if launch.part == _BROKER:
            port = int(launch.options.get(_COUNTERS) or 0) or allocate({_BROKER: 0})[_BROKER]
            launch = replace(launch, options={**launch.options, _COUNTERS: str(port)})
            address = f"http://localhost:{port}"
        found.append(launch)
    return found, address


async def _read(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url) as answer:
        answer.raise_for_status()
        return await answer.json()


def _source(entry: Mapping[str, Any], depths: Mapping[str, Any]) -> Source:
    length = depths[entry["entity"].lower()]["active"] if "entity" in entry else entry["length"]
    return Source(entry["group"], int(length), int(entry["target"]), entry.get("most"))
