"""What passing the front door costs: a warm read of one product, from the host directly and through the gateway."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from typing import Any

import aiohttp

from scripts.bench.options import MeasurementFailed, Options
from scripts.bench.shoppers import open_session
from scripts.bench.stocking import stock
from scripts.bench.system import running
from scripts.dataset import read
from scripts.shop import BACK_OFFICE, KEY_HEADER, token

ROUNDS, READS, WARM = 6, 100, 20
"""The three ways take turns, so that whatever else the machine does meets all of them."""


async def gateway(_: Options) -> dict[str, Any]:
    """Medians in milliseconds; `gateway_ms` is with a token and hence not cached, so the host is asked as well."""
    data = read()
    async with running() as system, open_session() as session:
        await stock(session, system, data.products[:1])
        path = f"/v1/products/{data.products[0].sku}"
        key = {KEY_HEADER: BACK_OFFICE}
        signed = {"Authorization": f"Bearer {await token(session, system.addresses['entra'], 'shopper')}", **key}
        ways: dict[str, tuple[str, Mapping[str, str]]] = {
            "host": (f"{system.addresses['functions']}/api{path}", {}),
            "gateway": (f"{system.addresses['apim']}{path}", signed),
            "cached": (f"{system.addresses['apim']}{path}", key),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _round in range(ROUNDS):
            for name, (url, headers) in ways.items():
                times[name] += await _reads(session, url, headers)
    found = {name: statistics.median(values) for name, values in times.items()}
    return {
        **{f"{name}_ms": round(value, 2) for name, value in found.items()},
        "added_ms": round(found["gateway"] - found["host"], 2),
    }


async def _reads(session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> list[float]:
    times = []
    for _ in range(READS):
        began = time.perf_counter()
        async with session.get(url, headers=headers) as answer:
            await answer.read()
            if answer.status != 200:
                raise MeasurementFailed(f"GET {url}: {answer.status}")
        times.append((time.perf_counter() - began) * 1000)
    return times[WARM:]
