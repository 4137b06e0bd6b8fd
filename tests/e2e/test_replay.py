"""A file with every kind of row, replayed against the whole system, twice: the books are right, and stay so."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.conftest import ROOT, Client, System
from tests.unit.test_replay import row, written


def replayed(system: System, file: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.replay", "--file", str(file)],
        cwd=ROOT,
        env={**os.environ, "LOCALAZURE_STATE": str(system.state)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "everything adds up" in done.stderr
    books: dict[str, Any] = json.loads(done.stdout)
    return books


async def test_a_file_of_the_format_is_replayed(system: System, tmp_path: Path, anonymous: Client) -> None:
    chance = random.Random(7)
    rows = [
        row(
            InvoiceNo=str(600_000 + chance.randrange(12)),
            StockCode=f"N{chance.randrange(15)}",
            Quantity=str(chance.randrange(1, 30)),
            UnitPrice=chance.choice(["0.85", "1.25", "12.75"]),
            CustomerID=chance.choice(["", "17850", "13047"]),
            InvoiceDate="2011-03-04 10:00:00",
        )
        for _ in range(90)
    ]
    rows += [row(InvoiceNo="C600000", StockCode="N1", Quantity="-2"), row(StockCode="N1", Quantity="-1", UnitPrice="0")]
    rows += [row(UnitPrice="0", StockCode="N2"), row(UnitPrice="0", StockCode="N2", CustomerID="")]
    rows += [row(StockCode="M"), row(Quantity="many"), row(StockCode="")]
    file = await asyncio.to_thread(written, tmp_path / "unseen.csv", rows, "cp1252")
    first = await asyncio.to_thread(replayed, system, file)
    counted = {name: first["rows"][name] for name in ("read", "sold", "returned", "written_off", "given_away", "found")}
    assert counted == {"read": 97, "sold": 90, "returned": 1, "written_off": 1, "given_away": 1, "found": 1}
    assert first["rows"]["rejected"] == {"book-keeping": 1, "malformed": 2}
    assert first["orders"]["confirmed"] == first["orders"]["placed"] > 10
    assert await asyncio.to_thread(replayed, system, file) == first, "the second time changes nothing"
    shown = await anonymous.at_gateway().call("GET", "/products?category=replay")
    assert shown.json == {"items": [], "next_cursor": None}, "nobody is offered a product for each price"
