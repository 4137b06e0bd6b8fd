"""Histories of the order saga, as `recording` keeps them.

    python -m tests.integration.saga_histories NAME     record every story under today's code into histories/NAME.json

A release records under its own name; recordings of earlier ones are never made again.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from blueprints.orders import approval_saga, saga
from shared.clock import parse_timestamp, timestamp
from shared.recovery import LATE_START_SECONDS, ORDER_DEADLINE_SECONDS
from tests.integration import recording
from tests.integration.recording import Activities, Recorded, Step, keep

FOLDER = Path(__file__).parent / "histories"
BEGAN = parse_timestamp("2026-03-01T12:00:00.000Z")
ORDER = "ord_a2b3c4d5e6f7a2b3c4d5e6f7a2"
SAGA = Recorded(
    saga.NAME,
    saga.order_saga,
    (saga.LOOK_UP, saga.ASK, saga.SETTLE, approval_saga.LOOK_UP, approval_saga.TIME_OUT),
)
DAY = 86_400.0

GOOD: tuple[Step, ...] = (("stock", "reserved"), ("payment", "authorized"))
PAID: tuple[tuple[str, str], ...] = (("payment", "authorized"),)


@dataclass(frozen=True)
class Story:
    """What happens to a saga: its steps, what is recorded of the order when it looks, and how often settling fails.

    `money_first`: its stock is asked for when the money is there; `replies` are then what is recorded by that time.
    `looks`: how the order stands, one look after the other, where it waits for a person; `waits`: for how long.
    """

    steps: tuple[Step, ...]
    status: str = "placed"
    replies: tuple[tuple[str, str], ...] = ()
    settled: str = "confirmed"
    failures: int = 0
    late: float = 0.0
    money_first: bool = False
    looks: tuple[str, ...] = ()
    waits: float = DAY

    @property
    def ends(self) -> str:
        """The status that the order ends in."""
        if self.looks:
            return self.looks[-1] if self.looks[-1] != WAITING else "cancelled"
        return self.settled if self.status == "placed" else self.status


WAITING = "awaiting_approval"
APPROVED, CANCELLED = ("approved", "approved"), ("cancelled", "cancelled")
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
    "a person approves": Story((*GOOD, 3600.0, APPROVED), settled=WAITING, looks=(WAITING, "confirmed")),
    "a person refuses": Story((*GOOD, CANCELLED), settled=WAITING, looks=(WAITING, "cancelled")),
    "nobody approves": Story((*GOOD, DAY + 1), settled=WAITING, looks=(WAITING, WAITING)),
    "nobody approves in days": Story(
        (*GOOD, 2 * DAY, 2 * DAY, DAY), settled=WAITING, looks=(WAITING,) * 4, waits=5 * DAY
    ),
    "an approval that nobody wrote": Story(
        (*GOOD, APPROVED, CANCELLED, APPROVED), settled=WAITING, looks=(WAITING, WAITING, WAITING, "confirmed")
    ),
    "the saga begins anew while a person is asked": Story(
        (APPROVED,), status=WAITING, late=LATE_START_SECONDS + 1.0, looks=(WAITING, "confirmed")
    ),
    "settling fails twice": Story((*GOOD, 5.0, 10.0), failures=2),
}


def activities(story: Story) -> Activities:
    """Activities that go by the story."""
    failures, looks = story.failures, iter(story.looks)

    def answer(name: str, _: Any) -> Any:
        nonlocal failures
        if name == approval_saga.LOOK_UP:
            return {"status": next(looks), "until": timestamp(BEGAN + timedelta(seconds=story.waits))}
        if name == approval_saga.TIME_OUT:
            return story.ends
        if name in (saga.LOOK_UP, saga.ASK):
            return {"status": story.status, "replies": dict(story.replies)}
        if failures:
            failures -= 1
            raise RuntimeError("the database is away")
        return story.settled

    return answer


async def told(story: Story) -> list[dict[str, Any]]:
    """The episodes of a saga to which this happens. Raises AssertionError unless it ends as the story says."""
    given = {
        "order_id": ORDER,
        "placed_at": timestamp(BEGAN),
        "deadline": timestamp(BEGAN + timedelta(seconds=ORDER_DEADLINE_SECONDS)),
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        **({"money_first": True} if story.money_first else {}),
    }
    began = BEGAN + timedelta(seconds=story.late)
    return await recording.told(SAGA, ORDER, given, story.steps, activities(story), began, story.ends)


async def _record(name: str) -> None:
    keep(FOLDER, name, {title: await told(story) for title, story in STORIES.items()})


if __name__ == "__main__":
    asyncio.run(_record(sys.argv[1]))
