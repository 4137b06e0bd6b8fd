"""A story of staff: products come from a file."""

from __future__ import annotations

import asyncio
import secrets

from tests.chaos.stage import Stage, Story


async def imported(stage: Stage) -> None:
    """A file of products is imported: a new one, one at another price, and a row that is refused."""
    sku, new = await stage.stocked(), f"C{secrets.token_hex(5)}"
    lines = ["sku,name,category,price.amount,price.currency", f"{sku},Thing {sku},tests,300,GBP"]
    lines += [f"{new},Thing {new},tests,250,GBP", f"{new}0,Gift,tests,0,GBP"]
    answer = await stage.staff.call("POST", "/catalog/imports", file="\n".join(lines).encode())
    assert answer.status == 202, answer.text
    path = f"/catalog/imports/{answer.json['id']}"
    async with asyncio.timeout(60):
        while True:
            task = await stage.staff.done("GET", path)
            if task["status"] not in ("pending", "running"):
                break
            await asyncio.sleep(0.05)
    result = {"rows": 3, "created": 1, "changed": 1, "unchanged": 0, "refused": 1}
    assert (task["status"], task["result"]) == ("completed", result), task
    errors = await stage.staff.done("GET", f"{path}/errors")
    assert [error["line"] for error in errors["items"]] == [4]
    assert (await stage.staff.done("GET", f"/products/{sku}"))["price"]["amount"] == 300


_WRITES = (f"cosmos.{how}.after:catalog:tasks" for how in ("batch", "create", "patch", "upsert"))
IMPORTS: dict[str, Story] = dict.fromkeys(("task.start.after:catalog", *_WRITES), imported)
"""Crash point → the story."""
