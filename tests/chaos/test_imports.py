"""A large import through the gateway: the host is killed three times, the import cancelled once, the result is exact.

IMPORT_ROWS=100000 makes it large; the gate has a few rows.
"""

from __future__ import annotations

import asyncio
import io
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.chaos.shop import Caller, sign_in
from tests.chaos.stores import DURABLE, PRODUCT_COPIES
from tests.chaos.system import SETTINGS, System, running

ROWS = int(os.environ.get("IMPORT_ROWS", "900"))
RATE = max(150, ROWS // 200)
EVERY = 100
"""One row in so many is bad."""
CANCEL, KILLS = 0.15, (0.3, 0.5, 0.75)
"""The import is cancelled, and the host dies, when so much of it is done."""
PATIENCE = 600.0 + ROWS / 20
MAX_HISTORY = 1_000_000
MAX_MEMORY = 1_000_000_000
"""Bytes: half of what a deployed instance has."""


async def test_an_import_survives_three_deaths_and_a_cancel_to_the_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = secrets.token_hex(3)
    bad = [number for number in range(ROWS) if number % EVERY == EVERY // 2]
    lines = [
        f"I{run}{number},Thing {number},{'tests' if number not in set(bad) else '?'},250,GBP" for number in range(ROWS)
    ]
    content = "\n".join(["sku,name,category,price.amount,price.currency", *lines]).encode()
    settings = {**SETTINGS, "IMPORT_ROWS_PER_SECOND": str(RATE)}
    peaks, began = dict[str, int](), time.monotonic()
    async with running(tmp_path / "system", settings=settings) as system, aiohttp.ClientSession() as session:
        watching = asyncio.create_task(_watch(system, peaks))
        staff = await sign_in(system, session, "staff")
        first = await _post(system, session, staff, content, "first")
        assert await _post(system, session, staff, content, "first") == first, "the same file is the same task"
        await _until_done(staff, first, CANCEL)
        await staff.done("POST", f"/catalog/imports/{first}/cancel")
        cancelled = await _until_done(staff, first, 2)
        assert cancelled["status"] == "cancelled", cancelled

        second = await _post(system, session, staff, content, "second")
        for part in KILLS:
            await _until_done(staff, second, part)
            await system.kill("functions")
            await system.restart("functions")
        task = await _until_done(staff, second, 2)
        refused = await _refused(staff, second)
        histories = [await _history(system, session, instance) for instance in (first, second)]
        snapshot = await system.stores.at_rest(PATIENCE)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching

    done, good = cancelled["result"]["created"], ROWS - len(bad)
    assert 0 < done < good
    expected = {"rows": ROWS, "created": good - done, "changed": 0, "unchanged": done, "refused": len(bad)}
    assert (task["status"], task["result"]) == ("completed", expected), task
    assert refused == [number + 2 for number in bad]
    copies = {document["sku"] for document in snapshot.documents[PRODUCT_COPIES]}
    assert {f"I{run}{number}" for number in range(ROWS)} & copies == {
        f"I{run}{number}" for number in range(ROWS) if number % EVERY != EVERY // 2
    }, "orders has heard of each"
    assert max(histories) < MAX_HISTORY
    assert peaks and max(peaks.values()) < MAX_MEMORY, peaks
    with capsys.disabled():
        memory = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in sorted(peaks.items()))
        print(
            f"\n{ROWS} rows, {len(content) / 1e6:.1f} MB: {time.monotonic() - began:.0f} s at {RATE}/s; "
            f"histories up to {max(histories) / 1000:.0f} KB; peaks of memory: {memory}"
        )


async def _post(system: System, session: aiohttp.ClientSession, staff: Caller, content: bytes, key: str) -> str:
    """Send the file through the gateway; the task's id."""
    headers = {"Authorization": f"Bearer {staff.token}", "Content-Type": "text/csv", "Idempotency-Key": key}
    url = f"{system.addresses['apim']}/v1/catalog/imports"
    async with session.post(url, data=io.BytesIO(content), headers=headers) as answer:
        assert answer.status == 202, await answer.text()
        return str((await answer.json())["id"])


async def _refused(staff: Caller, task_id: str) -> list[int]:
    found, cursor = list[int](), ""
    while True:
        page = await staff.done("GET", f"/catalog/imports/{task_id}/errors?limit=100{cursor}")
        found += [item["line"] for item in page["items"]]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


async def _history(system: System, session: aiohttp.ClientSession, instance: str) -> int:
    """Bytes of the history of an orchestration, with what went in and out."""
    url = f"{system.addresses['functions']}{DURABLE}/{instance}?showHistory=true&showHistoryOutput=true"
    async with session.get(url) as answer:
        assert answer.status in (200, 202), answer.status
        return len(await answer.read())


async def _watch(system: System, peaks: dict[str, int]) -> None:
    """Note the peak of every process's memory, as the kernel counts it."""
    while True:
        for name, pid in system.processes.items():
            for each in [pid, *_children(pid)]:
                label = name if each == pid else f"{name}'s worker"
                peaks[label] = max(peaks.get(label, 0), _peak(each))
        await asyncio.sleep(0.5)


def _peak(pid: int) -> int:
    """Bytes; 0 for a process that is gone."""
    try:
        return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, LookupError, ValueError):
        return 0


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


async def _until_done(staff: Caller, task_id: str, part: float) -> Any:
    """The task once so much of it is done, or it has ended."""
    async with asyncio.timeout(PATIENCE):
        while True:
            task = await staff.done("GET", f"/catalog/imports/{task_id}")
            done, total = task["progress"]["done"], task["progress"]["total"]
            if task["status"] not in ("pending", "running", "cancelling") or (total and done >= part * total):
                return task
            await asyncio.sleep(0.1)
