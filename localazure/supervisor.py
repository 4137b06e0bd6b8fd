"""`python -m localazure up`: every part as a process of its own, started in order, kept alive, stopped in order."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from localazure.running import held
from localazure.serve import READY_FD

START_TIMEOUT = 60.0  # seconds until a part must accept connections
DRAIN = 30.0  # seconds a host may take to end what is under way
STOP = 10.0  # the same for a service
FIRST_DELAY, MAX_DELAY = 0.1, 5.0  # before a part that died is started again; doubled each time
STEADY = 10.0  # a part that lived this long has recovered, and the delay starts anew
HELD = 0.2  # between looks whether DIR/hold/NAME is still there; while it is, NAME is not started again
LAST_LINES = 20  # of a log, shown where a part cannot start


LOOK = 0.25  # between looks whether DIR/instances.json asks for another number of instances
MAX_INSTANCES = 20  # instances of one functions host


class StartFailed(Exception):
    """A part cannot start; the message says all there is to say."""


@dataclass(frozen=True)
class Launch:
    """One process: a part under a name of its own. The same part may run under several names."""

    name: str
    part: str
    summary: str
    port: int
    options: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    host: bool = False
    """It uses the others: started when they accept connections, stopped before them, given time to drain."""
    folder: str = ""
    """Where within the state directory it keeps its files; parts that run once share the directory."""
    group: str = ""
    """What the instances of one functions host are called together; they share its port."""


class Child:
    """One running part."""

    def __init__(self, launch: Launch, state: Path) -> None:
        self.launch = launch
        self.log = state / "logs" / f"{launch.name}.log"
        self._state = state / launch.folder
        self.process: Process | None = None
        self.url = ""

    async def start(self) -> None:
        """Return once it accepts connections. Raises StartFailed with the end of its log where it never does."""
        launch = self.launch
        options = [word for name, value in launch.options.items() for word in ("--option", f"{name}={value}")]
        receive, send = os.pipe()
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "localazure", launch.part),
                *("--port", str(launch.port), "--state", str(self._state), *options),
                stdin=PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(send,),
                env={**os.environ, **launch.environment, READY_FD: str(send)},
                start_new_session=True,  # Ctrl-C reaches `up` alone
            )
        os.close(send)
        try:
            announcement = await asyncio.wait_for(_line(receive), START_TIMEOUT)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise StartFailed(self._story(f"did not accept connections within {START_TIMEOUT:g} s")) from None
        if not announcement:
            code = await self.process.wait()
            raise StartFailed(self._story(f"could not start (exit code {code})"))
        self.url = json.loads(announcement)["url"]

    async def stop(self, patience: float) -> None:
        if self.process is None or self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), patience)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    def _story(self, happening: str) -> str:
        with self.log.open(errors="replace") as log:
            tail = "".join(f"  | {line}" for line in deque(log, LAST_LINES))
        return f"{self.launch.name} {happening}. The end of {self.log}:\n{tail.rstrip()}"


async def _line(descriptor: int) -> bytes:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    try:
        return await reader.readline()
    finally:
        transport.close()


class Supervisor:
    """Starts the launches, the hosts when the others are ready, and keeps them alive."""

    def __init__(
        self, launches: Sequence[Launch], state: Path, say: Callable[[str], None], changed: set[str] | None = None
    ) -> None:
        """`changed`: names of the app's files, added by somebody else; the hosts are replaced, and it is emptied."""
        self._changed = set() if changed is None else changed
        self._leaving: set[asyncio.Task[None]] = set()
        self._generations = itertools.count(1)
        self._children = [Child(launch, state) for launch in launches]
        self._hosts = [child for child in self._children if child.launch.host]
        self._services = [child for child in self._children if not child.launch.host]
        self._state = state
        self._say = say
        self._keepers: dict[Child, asyncio.Task[None]] = {}
        self._wanted: dict[str, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Return after `stop` is set and everything has ended. Raises StartFailed, and Taken."""
        with held(self._state):
            for child in self._children:
                _begin_log(child.log)
            serving = asyncio.create_task(self._serve())
            stopping = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if serving.done():
                    serving.result()
            finally:
                for task in (serving, stopping, *self._keepers.values()):
                    task.cancel()
                await asyncio.gather(serving, stopping, *self._keepers.values(), return_exceptions=True)
                await self._stop()

    async def _serve(self) -> None:
        began = time.monotonic()
        await self._start(self._services)
        await self._start(self._hosts)
        _write(self._state / "addresses.json", {child.launch.name: child.url for child in self._children})
        self._say(self._table(time.monotonic() - began))
        await self._scale()

    async def _start(self, children: Sequence[Child]) -> None:
        try:
            async with asyncio.TaskGroup() as starting:
                for child in children:
                    starting.create_task(child.start())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        self._keepers |= {child: asyncio.create_task(self._keep(child)) for child in children}
        self._note_processes()

    async def _scale(self) -> None:
        """Have as many instances as DIR/instances.json says."""
        _write(self._state / "instances.json", self._instances())
        while True:
            await asyncio.sleep(LOOK)
            for group, count in asked(self._state).items():
                try:
                    await self._have(group, count)
                except StartFailed as exc:
                    self._say(str(exc))
            if self._changed:
                await self._replace_hosts()

    async def _replace_hosts(self) -> None:
        """A new process for each host: the new one serves before the old one leaves, which may end what it does.

        Where the new one cannot start, the old ones go on as they are.
        """
        names, began, generation = sorted(self._changed), time.monotonic(), next(self._generations)
        self._changed.clear()
        for old in [child for child in self._hosts if child.launch.group]:
            new = Child(successor_of(old.launch, generation), self._state)
            for children in (self._hosts, self._children):
                children.insert(children.index(old), new)
            try:
                await self._start([new])
            except StartFailed as exc:
                self._forget(new)
                self._say(f"{exc}\n{old.launch.name} goes on as it was before {_listed(names)} changed")
                return
            self._forget(old)
            self._keepers.pop(old).cancel()
            leaving = asyncio.create_task(old.stop(DRAIN))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
        self._note_processes()
        self._say(f"{_listed(names)} changed: the app was started anew in {time.monotonic() - began:.1f} s")

    def _instances(self) -> dict[str, int]:
        return dict(Counter(child.launch.group for child in self._hosts if child.launch.group))

    async def _have(self, group: str, count: int) -> None:
        """Start or stop instances, the last first; one that leaves may end what it does."""
        own = [child for child in self._hosts if child.launch.group == group]
        if not own or len(own) == count:
            return
        added = [Child(instance_of(own[0].launch, number), self._state) for number in range(len(own) + 1, count + 1)]
        for child in added:
            child.log.touch()
            self._hosts.append(child)
            self._children.append(child)
        await self._start(added)
        leaving = own[count:]
        for child in leaving:
            self._forget(child)
            self._keepers.pop(child).cancel()
        await asyncio.gather(*(child.stop(DRAIN) for child in leaving))
        self._note_processes()
        self._say(f"{group} has {count} instances")

    def _forget(self, child: Child) -> None:
        self._hosts.remove(child)
        self._children.remove(child)

    async def _keep(self, child: Child) -> None:
        """Start it again whenever it ends: nobody has asked it to."""
        delay, began = FIRST_DELAY, time.monotonic()
        hold = self._state / "hold" / child.launch.name
        while True:
            assert child.process is not None, "only a started part is kept"
            code = await child.process.wait()
            delay = FIRST_DELAY if time.monotonic() - began > STEADY else delay
            self._say(f"{child.launch.name} died ({_ending(code)}); starting it again in {delay:g} s, see {child.log}")
            await asyncio.sleep(delay)
            while hold.exists():  # noqa: ASYNC110 - another process makes and removes the file
                await asyncio.sleep(HELD)
            delay, began = min(MAX_DELAY, delay * 2), time.monotonic()
            try:
                await child.start()
            except StartFailed as exc:
                self._say(str(exc))
            else:
                self._say(f"{child.launch.name} is back at {child.url}")
            self._note_processes()

    async def _stop(self) -> None:
        """The hosts first, so that what they are doing still finds the services it needs."""
        for name in ("addresses.json", "processes.json", "instances.json"):
            (self._state / name).unlink(missing_ok=True)
        await asyncio.gather(*self._leaving)
        # the first instances last: what the others are doing may call the app's port until its end
        await asyncio.gather(*(child.stop(DRAIN) for child in self._hosts if child.launch.name != child.launch.group))
        await asyncio.gather(*(child.stop(DRAIN) for child in self._hosts))
        await asyncio.gather(*(child.stop(STOP) for child in self._services))

    def _note_processes(self) -> None:
        running = {child.launch.name: child.process.pid for child in self._children if child.process is not None}
        _write(self._state / "processes.json", running)

    def _table(self, seconds: float) -> str:
        width = max(len(child.launch.name) for child in self._children)
        length = max(len(child.url) for child in self._children)
        lines = [
            f"  {child.launch.name:<{width}}  {child.url:<{length}}  {child.launch.summary}"
            for child in [*self._hosts, *self._services]
        ]
        return "\n".join([f"\nReady in {seconds:.1f} s, logs in {self._state / 'logs'}", *lines, ""])


def instance_of(launch: Launch, number: int) -> Launch:
    """One of several instances of a functions host; the first has the host's own name."""
    group = launch.group or launch.name
    name = group if number == 1 else f"{group}-{number}"
    return replace(
        launch, name=name, options={**launch.options, "instance": str(number), "share_port": "yes"}, group=group
    )


def successor_of(launch: Launch, generation: int) -> Launch:
    """The same instance of a functions host, as another run of it that may serve beside the first."""
    number = launch.options["instance"].partition("r")[0]
    return replace(launch, options={**launch.options, "instance": f"{number}r{generation}"})


def scale(state: Path, wanted: Mapping[str, int]) -> None:
    """Ask the `up` that runs on a state directory for so many instances. Raises StartFailed for what cannot be."""
    known = asked(state)
    for group, count in wanted.items():
        if group not in known:
            raise StartFailed(f"{group!r} has no instances on {state}; those that have: {', '.join(known) or 'none'}")
        if not 1 <= count <= MAX_INSTANCES:
            raise StartFailed(f"{group} can have 1 to {MAX_INSTANCES} instances, not {count}")
    _write(state / "instances.json", {**known, **wanted})


def asked(state: Path) -> dict[str, int]:
    """How many instances of each functions host are asked for; none where nothing runs."""
    try:
        return {str(group): int(count) for group, count in json.loads((state / "instances.json").read_text()).items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def _begin_log(path: Path) -> None:
    """A new log for this run; the last run's stays beside it."""
    if path.exists():
        path.replace(path.with_suffix(".log.1"))
    path.touch()


def _write(path: Path, content: object) -> None:
    """At once: a reader sees the old content or the new."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content, indent=2) + "\n")
    new.replace(path)
