"""Histories of the tracking monitor and of the return saga, as `recording` keeps them.

    python -m tests.integration.fulfilment_histories NAME     record every story under today's code into
                                                              histories/tracking_monitor and histories/return_saga

A release records under its own name; recordings of earlier ones are never made again.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Any

from blueprints.orders import return_saga
from blueprints.shipping import monitor
from shared.clock import parse_timestamp, timestamp
from tests.integration import recording
from tests.integration.recording import Activities, Recorded, Step, keep
from tests.integration.saga_histories import FOLDER

BEGAN = parse_timestamp("2026-03-01T12:00:00.000Z")
HOUR, DAY = 3600.0, 86_400.0
ORDER = "ord_a2b3c4d5e6f7a2b3c4d5e6f7a2"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
RECORDED = {
    "tracking_monitor": Recorded(monitor.NAME, monitor.tracking_monitor, (monitor.POLL, monitor.GIVE_UP)),
    "return_saga": Recorded(
        return_saga.NAME,
        return_saga.return_saga,
        (return_saga.BEGIN, return_saga.LOOK_UP, return_saga.REMIND, return_saga.TIME_OUT),
    ),
}
GIVEN: dict[str, dict[str, Any]] = {
    "tracking_monitor": {
        "order_id": ORDER,
        "shipment_id": "shp_a2b3c4d5e6f7a2b3c4d5e6f7a2",
        "until": timestamp(BEGAN + monitor.PATIENCE),
        "pause": HOUR,
        "traceparent": TRACEPARENT,
    },
    "return_saga": {"order_id": ORDER, "return_id": "ret_a2b3c4d5e6f7a2b3c4d5e6f7a2", "traceparent": TRACEPARENT},
}


@dataclass(frozen=True)
class Story:
    """What happens: its steps, and what the activities answer, one after the other; `None` is a failure."""

    steps: tuple[Step, ...]
    answers: tuple[str | None, ...]


ENDED, CHANGED = ("ended", "ended"), ("changed", "changed")
STORIES: dict[str, dict[str, Story]] = {
    "tracking_monitor": {
        "delivered before it was asked": Story((), ("delivered",)),
        "found at the third poll": Story((HOUR, 2 * HOUR), ("shipped", "shipped", "delivered")),
        "the webhook was faster": Story((HOUR, ENDED), ("shipped", "shipped", "failed")),
        "an event that says nothing new": Story((ENDED, HOUR, ENDED), ("shipped", "shipped", "shipped", "delivered")),
        "a poll fails": Story((HOUR, 2 * HOUR), ("shipped", None, "delivered")),
        "given up after 45 days": Story((DAY,) * 46, ("shipped",) * 45 + ("failed",)),
    },
    "return_saga": {
        "small, comes back, is paid": Story(
            (CHANGED, CHANGED, CHANGED), ("approved", "approved", "received", "refunded")
        ),
        "a person refuses": Story((CHANGED,), ("requested", "refused")),
        "nobody decides": Story((2 * DAY, 2 * DAY, 2 * DAY, DAY), ("requested",) * 6 + ("refused",)),
        "decided after the reminder": Story(
            (2 * DAY, CHANGED, CHANGED, CHANGED),
            ("requested", "requested", "requested", "approved", "received", "refunded"),
        ),
        "approved, and never comes": Story((2 * DAY,) * 15, ("approved",) * 16 + ("expired",)),
        "the money takes its time": Story((DAY, 2 * DAY, CHANGED), ("received",) * 4 + ("refunded",)),
        "an activity fails twice": Story((5.0, 5.0, CHANGED), (None, None, "requested", "refused")),
    },
}


def titles() -> list[tuple[str, str]]:
    return [(name, title) for name, stories in STORIES.items() for title in stories]


def activities(story: Story) -> Activities:
    """Activities that answer one after the other, as the story says."""
    left = iter(story.answers)

    def answer(_: str, __: Any) -> Any:
        status = next(left)
        if status is None:
            raise RuntimeError("the database is away")
        return status

    return answer


async def told(name: str, title: str) -> list[dict[str, Any]]:
    """The episodes of an instance to which this happens. Raises AssertionError unless it ends with its last answer."""
    story, given = STORIES[name][title], GIVEN[name]
    instance_id = given.get("shipment_id") or given["return_id"]
    what = RECORDED[name]
    return await recording.told(what, instance_id, given, story.steps, activities(story), BEGAN, story.answers[-1])


async def _record(release: str) -> None:
    for name, stories in STORIES.items():
        keep(FOLDER / name, release, {title: _last_ones(await told(name, title)) for title in stories})


def _last_ones(episodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last two episodes of each history: their contexts hold those before, which a replay goes through again."""
    lengths = [*(len(episode["context"]["history"]) for episode in episodes), 0]
    ends = [place for place, length in enumerate(lengths[:-1]) if lengths[place + 1] < length]
    return [episodes[place] for end in ends for place in (end - 1, end) if place >= 0]


if __name__ == "__main__":
    asyncio.run(_record(sys.argv[1]))
