"""Replay a file of real shopping traffic against the system that runs here. This is `make replay`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

from scripts.dataset import FILE
from scripts.replay.books import close, table
from scripts.replay.plan import make_plan
from scripts.replay.rows import NotTheFormat, read, tag
from scripts.replay.shopping import Replay, confirmed
from scripts.shop import BACK_OFFICE, PARTNER, ApiError, Shop, addresses

BAR = 30


async def replay(file: Path, rate: float = 0.0, limit: int = 0) -> dict[str, Any]:
    """The books of one file, against the running system. Raises NotTheFormat, OSError, ApiError."""
    plan = make_plan(read(file), tag(file))
    if limit:
        plan.rows -= sum(len(order.lines) for order in plan.orders[limit:])
        plan.orders = plan.orders[:limit]
    say(f"{file}: {plan.rows:,} rows, {len(plan.orders):,} orders, {len(plan.start):,} products by price")
    async with Shop(PARTNER, key=BACK_OFFICE) as partner, Shop("staff") as staff:
        outcome = await Replay(plan, partner, staff, bar, rate).run()
        wanted = {found["id"]: found["total"]["amount"] for _, found in confirmed(plan, outcome)}
        taken = await _captured(wanted)
    return close(plan, outcome, taken)


async def _captured(wanted: dict[str, int]) -> dict[str, int]:
    """What the provider has taken for each order, once it has what it is to have, or after a while."""
    async with aiohttp.ClientSession() as session:
        for _ in range(100):
            async with session.get(f"{addresses()['stripe']}/_local/ledger") as answer:
                intents = (await answer.json())["intents"]
            taken: Counter[str] = Counter()
            for intent in intents:
                taken[intent["metadata"].get("order_id", "")] += intent["captured"] - intent["refunded"]
            if all(taken[order_id] == pence for order_id, pence in wanted.items()):
                break
            await asyncio.sleep(0.3)
    return dict(taken)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def bar(what: str, done: int, whole: int) -> None:
    """One line that grows; where nobody watches, a line now and then."""
    filled = BAR * done // max(1, whole)
    line = f"  {what:<9}{'█' * filled:<{BAR}} {done:,}/{whole:,}"
    if sys.stderr.isatty():
        print(f"\r{line}", end="\n" if done == whole else "", file=sys.stderr, flush=True)
    elif done == whole or done % max(1, whole // 4) == 0:
        say(line)


def main() -> int:
    """The exit code: 0 where everything adds up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--file", type=Path, default=FILE, help="a file of the data set's format (default: %(default)s)"
    )
    parser.add_argument("--rate", type=float, default=0.0, help="orders a second (default: as fast as it goes)")
    parser.add_argument("--limit", type=int, default=0, help="only so many orders (default: all)")
    given = parser.parse_args()
    try:
        books = asyncio.run(replay(given.file, given.rate, given.limit))
    except (NotTheFormat, OSError, ApiError, TimeoutError) as exc:
        say(str(exc))
        return 2
    except ExceptionGroup as exc:
        say(str(exc.exceptions[0]))
        return 2
    print(json.dumps(books, indent=2))
    say(table(books))
    return 1 if books["differences"] else 0


if __name__ == "__main__":
    sys.exit(main())
