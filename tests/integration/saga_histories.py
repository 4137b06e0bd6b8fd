"""Histories of the order saga: what a host sent to each of its episodes, and what the saga answered.

An instance that began under one release goes on under the next: Durable replays its history through the new code, which
must ask for the same things again. So the histories that a release made are kept, and every run replays each episode.

    python -m tests.integration.saga_histories NAME     record every story under today's code into histories/NAME.json

A release records under its own name; recordings of earlier ones are never made again.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure.durable_functions as df

from blueprints.orders import saga
from localazure.clock import ManualClock
from localazure.durable.engine import TaskHub
from localazure.presence import Presence
from shared.clock import parse_timestamp, timestamp
from shared.recovery import LATE_START_SECONDS, ORDER_DEADLINE_SECONDS
from tests.conformance.durable.conftest import Functions

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent / "histories"
BEGAN = parse_timestamp("2026-03-01T12:00:00.000Z")
ORDER = "ord_a2b3c4d5e6f7a2b3c4d5e6f7a2"

Step = tuple[str, Any] | float
"""An event and its data, or seconds that pass."""
GOOD: tuple[Step, ...] = (("stock", "reserved"), ("payment", "authorized"))
PAID: tuple[tuple[str, str], ...] = (("payment", "authorized"),)


@dataclass(frozen=True)
class Story:
    """What happens to a saga: its steps, what is recorded of the order when it looks, and how often settling fails.

    `money_first`: its stock is asked for when the money is there; `replies` are then what is recorded by that time.
    """

    steps: tuple[Step, ...]
    status: str = "placed"
    replies: tuple[tuple[str, str], ...] = ()
    settled: str = "confirmed"
    failures: int = 0
    late: float = 0.0
    money_first: bool = False


STORIES = {
    "both good, stock first": Story(GOOD),
    "both good, payment first": Story(GOOD[::-1]),
    "out of stock": Story((("stock", "out_of_stock"),), settled="cancelled"),
    "declined after the stock was held": Story((GOOD[0], ("payment", "payment_declined")), settled="cancelled"),
    "the shopper cancels": Story((GOOD[0], ("cancelled", "cancelled")), status="cancelled"),
    "nobody replies": Story((float(ORDER_DEADLINE_SECONDS + 1),), settled="cancelled"),
    "an event was lost": Story((GOOD[0], float(ORDER_DEADLINE_SECONDS + 1)), replies=GOOD),  # type: ignore[arg-type]  # two texts each
    "an event cannot be read": Story((("stock", "?"), GOOD[1]), replies=(("stock", "reserved"),)),
    "the saga starts late": Story((), replies=GOOD, late=LATE_START_SECONDS + 1.0),  # type: ignore[arg-type]  # two texts each
    "the money comes first": Story(GOOD[::-1], replies=PAID, money_first=True),
    "the money comes first and is declined": Story(
        (("payment", "payment_declined"),), settled="cancelled", money_first=True
    ),
    "the money comes first and there is no stock": Story(
        (GOOD[1], ("stock", "out_of_stock")), replies=PAID, settled="cancelled", money_first=True
    ),
    "the order is cancelled before its stock is asked for": Story((GOOD[1],), status="cancelled", money_first=True),
    "settling fails twice": Story((*GOOD, 5.0, 10.0), failures=2),
}


class Recorder(Functions):
    """The saga as the app has it, with activities that go by the story; it keeps what is said to the saga and by it."""

    def __init__(self, story: Story) -> None:
        super().__init__(_blueprint())
        self.episodes: list[dict[str, Any]] = []
        self._story, self._failures = story, story.failures

    async def orchestrator(self, name: str, context: str) -> str:
        answer = await super().orchestrator(name, context)
        self.episodes.append({"context": json.loads(context), "answer": json.loads(answer)})
        return answer

    async def activity(self, name: str, payload: str) -> str:
        if name in (saga.LOOK_UP, saga.ASK):
            return json.dumps({"status": self._story.status, "replies": dict(self._story.replies)})
        if self._failures:
            self._failures -= 1
            raise RuntimeError("the database is away")
        return json.dumps(self._story.settled)


def _blueprint() -> df.Blueprint:
    bp = df.Blueprint()
    bp.function_name(saga.NAME)(bp.orchestration_trigger(context_name="context")(_order_saga))
    for name in (saga.LOOK_UP, saga.ASK, saga.SETTLE):
        bp.function_name(name)(bp.activity_trigger(input_name="given")(_unused))
    return bp


def _order_saga(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    return (yield from saga.order_saga(context))


def _unused(given: Any) -> None:
    raise AssertionError("the recorder answers activities itself")


async def told(story: Story) -> list[dict[str, Any]]:
    """The episodes of a saga to which this happens. Raises AssertionError unless it ends as the story says."""
    clock, recorder = ManualClock(BEGAN.timestamp() + story.late), Recorder(story)
    with tempfile.TemporaryDirectory() as folder:
        presence = Presence(Path(folder) / "instances", "1", fast=True)
        hub = TaskHub(Path(folder) / "hub.db", recorder, clock, presence=presence)
        await hub.start()
        given = {
            "order_id": ORDER,
            "placed_at": timestamp(BEGAN),
            "deadline": timestamp(BEGAN.fromtimestamp(BEGAN.timestamp() + ORDER_DEADLINE_SECONDS, BEGAN.tzinfo)),
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            **({"money_first": True} if story.money_first else {}),
        }
        hub.create(saga.NAME, ORDER, json.dumps(given))
        await _quiet(recorder)
        for step in story.steps:
            if isinstance(step, float):
                await clock.advance(step)
            else:
                hub.raise_event(ORDER, step[0], json.dumps(step[1]))
            await _quiet(recorder)
        instance = hub.get(ORDER)
        await hub.stop()
        presence.close()
    expected = story.settled if story.status == "placed" else story.status
    assert (instance.status, instance.output) == ("Completed", json.dumps(expected)), (instance.status, instance.output)
    return recorder.episodes


async def _quiet(recorder: Recorder) -> None:
    """Until the hub has nothing more to do: no episode has begun for many rounds of the event loop."""
    seen, rounds = -1, 0
    while rounds < 200:
        rounds = 0 if len(recorder.episodes) != seen else rounds + 1
        seen = len(recorder.episodes)
        await asyncio.sleep(0)


async def _record(name: str) -> None:
    recorded = {title: await told(story) for title, story in STORIES.items()}
    FOLDER.mkdir(exist_ok=True)
    lines = (f"{json.dumps(story)}: [\n{_lines(episodes)}\n]" for story, episodes in recorded.items())
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    for here in (str(ROOT), sys.base_prefix, sys.prefix):  # for the files in stack traces
        text = text.replace(here, "")
    (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")


def _lines(episodes: list[dict[str, Any]]) -> str:
    return ",\n".join(json.dumps(episode, separators=(",", ":"), ensure_ascii=False) for episode in episodes)


if __name__ == "__main__":
    asyncio.run(_record(sys.argv[1]))
