"""Histories of the erasure: what a host sent to each of its episodes, and what the erasure answered.

    python -m tests.integration.erasure_histories NAME     record every story under today's code

As with the order saga's (`saga_histories.py`): recordings of an earlier release are never made again.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from blueprints.accounts import chasing, erasure
from shared.clock import timestamp
from tests.integration import recording
from tests.integration.recording import Activities, Recorded, Step, keep, whole
from tests.integration.saga_histories import BEGAN

FOLDER = Path(__file__).parent / "histories" / "erasure"
ERASURE = "era_a2b3c4d5e6f7a2b3c4d5e6f7a2"
DAY = 24 * 3600.0
COOLING_OFF = 7
"""Days."""
DROPPED, ANSWERED = ("dropped", "dropped"), ("answered", "answered")

Facts = tuple[str, tuple[str, ...]]
"""What an activity finds: the erasure's status, and who has not answered."""
DUE: tuple[Step, ...] = (COOLING_OFF * DAY + 1,)
BEGUN: Facts = ("erasing", ("carts", "orders"))
DONE: Facts = ("erasing", ())


@dataclass(frozen=True)
class Story:
    """What happens to an erasure, and what each of its activities finds, in turn."""

    steps: tuple[Step, ...]
    facts: tuple[Facts, ...]
    ends: str = "erased"
    failures: int = 0


STORIES = {
    "everybody answers": Story((*DUE, ANSWERED, ANSWERED), (BEGUN, BEGUN, ("erasing", ("orders",)), DONE)),
    "everybody has answered before it looks": Story(DUE, (BEGUN, DONE)),
    "its owner thinks better of it": Story((DAY, DROPPED), (("withdrawn", ()),), ends="withdrawn"),
    "its owner thinks better of it, and no event says so": Story(DUE, (("withdrawn", ()),), ends="withdrawn"),
    "somebody says that it is withdrawn": Story((DROPPED, *DUE, ANSWERED), (("cooling_off", ()), BEGUN, BEGUN, DONE)),
    "two answers come while it looks": Story(
        (*DUE, [ANSWERED, ANSWERED], ANSWERED), (BEGUN, BEGUN, BEGUN, ("erasing", ("orders",)), DONE)
    ),
    "two say that it is withdrawn, and it is not": Story(
        ([DROPPED, DROPPED], *DUE, ANSWERED), (("cooling_off", ()), ("cooling_off", ()), BEGUN, BEGUN, DONE)
    ),
    "an event cannot be read": Story(
        (("dropped", "?"), *DUE, ("answered", "?")), (("cooling_off", ()), BEGUN, BEGUN, DONE)
    ),
    "an order is open": Story((DROPPED,), (("refused", ()),), ends="refused"),
    "an answer was not heard": Story((*DUE, DAY + 1), (BEGUN, BEGUN, DONE)),
    "somebody answers late": Story(
        (*DUE, DAY + 1, DAY + 1, ANSWERED), (BEGUN, BEGUN, ("erasing", ("orders",)), ("erasing", ("orders",)), DONE)
    ),
    "somebody never answers": Story(
        (*DUE, *[DAY + 1] * chasing.ROUNDS), (BEGUN, *[("erasing", ("orders",))] * chasing.ROUNDS), ends="incomplete"
    ),
    "an activity fails twice": Story((*DUE, 15.0, 15.0, ANSWERED), (BEGUN, BEGUN, DONE), failures=2),
}


SAGA = Recorded(erasure.NAME, erasure.erasure, (erasure.LOOK_UP, erasure.BEGIN, erasure.ASK, erasure.FINISH))


def activities(story: Story) -> Activities:
    """Activities that go by the story."""
    facts, failures = list(story.facts), story.failures

    def answer(name: str, _: Any) -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            raise RuntimeError("the database is away")
        if name == erasure.FINISH:
            assert not facts, "it is finished before everything was found"
            return story.ends
        status, silent = facts.pop(0)
        return {"status": status, "silent": list(silent)}

    return answer


async def told(story: Story) -> list[dict[str, Any]]:
    """The episodes of an erasure to which this happens. Raises AssertionError unless it ends as the story says."""
    given = {
        "erasure_id": ERASURE,
        "account_id": "5a1d8f0e-3c44-4a6b-9a55-0f8f3f1f0a01",
        "due_at": timestamp(BEGAN + timedelta(days=COOLING_OFF)),
        "chase_seconds": DAY,
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }
    # a timer reaches two days at most, and the next one is made when it fires
    steps = [part for step in story.steps for part in (_days(step) if isinstance(step, float) else [step])]
    return await recording.told(SAGA, ERASURE, given, steps, activities(story), BEGAN, story.ends)


def _days(seconds: float) -> list[Step]:
    return [*[DAY] * int(seconds // DAY), seconds % DAY]


async def _record(name: str) -> None:
    keep(FOLDER, name, {title: whole(await told(story)) for title, story in STORIES.items()})


if __name__ == "__main__":
    asyncio.run(_record(sys.argv[1]))
