"""Histories of the export: what a host sent to each of its episodes, and what the export answered.

    python -m tests.integration.export_histories NAME     record every story under today's code

As with the order saga's (`saga_histories.py`): recordings of an earlier release are never made again.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blueprints.accounts import chasing, export
from tests.integration import recording
from tests.integration.recording import Activities, Recorded, Step, keep, whole
from tests.integration.saga_histories import BEGAN

FOLDER = Path(__file__).parent / "histories" / "export"
EXPORT = "exp_a2b3c4d5e6f7a2b3c4d5e6f7a2"
PAUSE = 6 * 3600.0
ANSWERED = ("answered", "answered")

Silent = tuple[str, ...]
"""What an activity finds: who has not answered."""
BOTH: Silent = ("carts", "orders")
ONE: Silent = ("orders",)
NOBODY: Silent = ()


@dataclass(frozen=True)
class Story:
    """What happens to an export, and what each of its activities finds, in turn."""

    steps: tuple[Step, ...]
    silent: tuple[Silent, ...]
    ends: str = "ready"
    failures: int = 0


STORIES = {
    "everybody answers": Story((ANSWERED, ANSWERED), (BOTH, ONE, NOBODY)),
    "everybody has answered before it looks": Story((), (NOBODY,)),
    "an answer comes in parts": Story((ANSWERED, ANSWERED, ANSWERED), (ONE, ONE, ONE, NOBODY)),
    "two answers come while it looks": Story(([ANSWERED, ANSWERED], ANSWERED), (BOTH, BOTH, ONE, NOBODY)),
    "an event cannot be read": Story((("answered", "?"),), (ONE, NOBODY)),
    "an answer was not heard": Story((PAUSE + 1,), (BOTH, NOBODY)),
    "somebody answers late": Story((PAUSE + 1, PAUSE + 1, ANSWERED), (BOTH, ONE, ONE, NOBODY)),
    "somebody never answers": Story((PAUSE + 1,) * chasing.ROUNDS, (ONE,) * chasing.ROUNDS, ends="incomplete"),
    "its owner does away with it": Story((PAUSE + 1,), (BOTH, NOBODY), ends="withdrawn"),
    "its owner is forgotten meanwhile": Story((ANSWERED,), (BOTH, NOBODY), ends="gone"),
    "an activity fails twice": Story((15.0, 15.0, ANSWERED), (BOTH, NOBODY), failures=2),
}


SAGA = Recorded(export.NAME, export.export, (export.LOOK_UP, export.ASK, export.FINISH))


def activities(story: Story) -> Activities:
    """Activities that go by the story."""
    silent, failures = list(story.silent), story.failures

    def answer(name: str, _: Any) -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            raise RuntimeError("the database is away")
        if name == export.FINISH:
            assert not silent, "it is finished before everything was found"
            return story.ends
        return {"silent": list(silent.pop(0))}

    return answer


async def told(story: Story) -> list[dict[str, Any]]:
    """The episodes of an export to which this happens. Raises AssertionError unless it ends as the story says."""
    given = {
        "export_id": EXPORT,
        "account_id": "5a1d8f0e-3c44-4a6b-9a55-0f8f3f1f0a01",
        "chase_seconds": PAUSE,
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }
    return await recording.told(SAGA, EXPORT, given, list(story.steps), activities(story), BEGAN, story.ends)


async def _record(name: str) -> None:
    keep(FOLDER, name, {title: whole(await told(story)) for title, story in STORIES.items()})


if __name__ == "__main__":
    asyncio.run(_record(sys.argv[1]))
