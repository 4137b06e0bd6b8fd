"""Orders per second and how long they take: real baskets, then baskets that share nothing or one SKU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scripts.bench.baskets import Lines, hot, real, spread
from scripts.bench.busy import Busy
from scripts.bench.counters import still
from scripts.bench.figures import each, ratio
from scripts.bench.options import Options, say
from scripts.bench.shoppers import load, open_session, shoppers, until_known
from scripts.bench.stocking import stock
from scripts.bench.system import running
from scripts.dataset import read

QUIET = 2.0
"""Seconds without work before the next load."""

MANY_LINES = {"ORDER_LINES_PER_MINUTE": "100000", "ORDER_MOST_OPEN": "1000"}
"""Twenty customers order here what many do elsewhere."""


async def orders(options: Options) -> dict[str, Any]:
    """The real baskets' figures, and `spread` and `hot`: one line each, of a SKU of its own or of one and the same.

    `request_units` is what one order uses under that load, by kind, reading the change feeds included.
    """
    data = read()
    loads: dict[str, Iterator[Lines]] = {"real": real(data), "spread": spread(data), "hot": hot(data)}
    reports: dict[str, dict[str, Any]] = {}
    async with running(environment=MANY_LINES) as system, open_session() as session:
        await stock(session, system, data.products)
        buyers = await shoppers(session, system, options.shoppers)
        await until_known(buyers[0], lambda: [(product.sku, 1) for product in data.products[-500:]])
        for name, baskets in loads.items():
            before = await still(session, system, QUIET)
            say(f"  {name} baskets, {options.shoppers} shoppers, {options.seconds:g} s")
            busy = Busy(system.processes)
            reports[name] = (await load(buyers, baskets, options.seconds)).report()
            reports[name]["busy_cores"] = busy.cores()
            used = (await still(session, system, QUIET)).since(before)
            # by all that were placed: those that are under way at the end are carried through as well
            reports[name]["request_units"] = each(used.request_units, int(used.invocations["orders_place"]))
    return {
        "shoppers": options.shoppers,
        "seconds": options.seconds,
        **reports.pop("real"),
        **reports,
        "hot_to_spread": ratio(reports["hot"]["per_second"], reports["spread"]["per_second"]),
    }
