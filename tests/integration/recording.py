"""Recording an orchestrator: what a host sent to each of its episodes, and what it answered.

An instance that began under one release goes on under the next: Durable replays its history through the new code, which
must ask for the same things again. So the histories that a release made are kept, and every run replays each episode.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import azure.durable_functions as df

from localazure.clock import ManualClock
from localazure.durable.engine import TaskHub
from localazure.presence import Presence
from tests.conformance.durable.conftest import Functions

MAX_EPISODES = 12
"""Episodes of a story that are all recorded: each repeats the history of those before."""
ROOT = Path(__file__).resolve().parents[2]
Step = tuple[str, Any] | list[tuple[str, Any]] | float
"""An event and its data, several that come at once, or seconds that pass."""
Activities = Callable[[str, Any], Any]
"""What an activity of that name answers to its input; it may raise."""


@dataclass(frozen=True)
class Recorded:
    """An orchestrator under its name, and the activities that it calls."""

    name: str
    orchestrator: Callable[[Any], Generator[Any, Any, Any]]
    activities: Sequence[str]


class Recorder(Functions):
    """The orchestrator as the app has it, with activities of the caller's; it keeps what is said to it and by it."""

    def __init__(self, recorded: Recorded, activities: Activities) -> None:
        super().__init__(_blueprint(recorded))
        self.episodes: list[dict[str, Any]] = []
        self._activities = activities

    async def orchestrator(self, name: str, context: str) -> str:
        answer = await super().orchestrator(name, context)
        self.episodes.append({"context": json.loads(context), "answer": json.loads(answer)})
        return answer

    async def activity(self, name: str, payload: str) -> str:
        return json.dumps(self._activities(name, json.loads(payload)))


def _blueprint(recorded: Recorded) -> df.Blueprint:
    def run(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
        return (yield from recorded.orchestrator(context))

    bp = df.Blueprint()
    bp.function_name(recorded.name)(bp.orchestration_trigger(context_name="context")(run))
    for name in recorded.activities:
        bp.function_name(name)(bp.activity_trigger(input_name="given")(_unused))
    return bp


def _unused(given: Any) -> None:
    raise AssertionError("the recorder answers activities itself")


async def told(
    recorded: Recorded,
    instance_id: str,
    given: Mapping[str, Any],
    steps: Iterable[Step],
    activities: Activities,
    began: datetime,
    ends: Any,
) -> list[dict[str, Any]]:
    """The episodes of an instance to which this happens. Raises AssertionError unless it completes with `ends`."""
    clock, recorder = ManualClock(began.timestamp()), Recorder(recorded, activities)
    with tempfile.TemporaryDirectory() as folder:
        presence = Presence(Path(folder) / "instances", "1", fast=True)
        hub = TaskHub(Path(folder) / "hub.db", recorder, clock, presence=presence)
        await hub.start()
        hub.create(recorded.name, instance_id, json.dumps(given))
        await _quiet(recorder)
        for step in steps:
            if isinstance(step, float):
                await clock.advance(step)
            else:
                for name, data in step if isinstance(step, list) else [step]:
                    hub.raise_event(instance_id, name, json.dumps(data))
            await _quiet(recorder)
        instance = hub.get(instance_id)
        await hub.stop()
        presence.close()
    assert (instance.status, instance.output) == ("Completed", json.dumps(ends)), (instance.status, instance.output)
    return recorder.episodes


def whole(episodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is kept of a story: of a very long one its last episode, which has the whole history."""
    return episodes if len(episodes) <= MAX_EPISODES else episodes[-1:]


async def replayed(recorded: Recorded, episode: Mapping[str, Any]) -> Any:
    """What today's code answers to a recorded episode."""
    recorder = Recorder(recorded, lambda name, _: None)
    return json.loads(await recorder.orchestrator(recorded.name, json.dumps(episode["context"])))


def kept(folder: Path) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Release and story → its episodes, of every recording in the folder."""
    return {
        (path.stem, title): episodes
        for path in sorted(folder.glob("*.json"))
        for title, episodes in json.loads(path.read_text(encoding="utf-8")).items()
    }


def keep(folder: Path, name: str, recorded: Mapping[str, list[dict[str, Any]]]) -> None:
    """Write a recording, without what is of this machine."""
    folder.mkdir(exist_ok=True, parents=True)
    lines = (f"{json.dumps(story)}: [\n{_lines(episodes)}\n]" for story, episodes in recorded.items())
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    for here in (str(ROOT), sys.base_prefix, sys.prefix):  # for the files in stack traces
        text = text.replace(here, "")
    (folder / f"{name}.json").write_text(text, encoding="utf-8")


def _lines(episodes: list[dict[str, Any]]) -> str:
    return ",\n".join(json.dumps(episode, separators=(",", ":"), ensure_ascii=False) for episode in episodes)


async def _quiet(recorder: Recorder) -> None:
    """Until the hub has nothing more to do: no episode has begun for many rounds of the event loop."""
    seen, rounds = -1, 0
    while rounds < 200:
        rounds = 0 if len(recorder.episodes) != seen else rounds + 1
        seen = len(recorder.episodes)
        await asyncio.sleep(0)
