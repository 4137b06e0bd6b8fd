"""The saga of five steps, each writing one row, on localazure's functions host, on DBOS and on durabletask."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from scripts.bench.children import ROOT, output
from scripts.bench.durable_load import durable
from scripts.bench.figures import ratio
from scripts.bench.options import FAILED, MeasurementFailed, Options, say
from scripts.bench.peers.install import environment

OURS = {"localazure": 1, "localazure_two_workers": 2}
"""Ours by the number of processes that run the app. With one, all of it is one process, as with the peers."""
BEST = "best_sagas_per_second"

Measure = Callable[[float, int], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class Engine:
    """A peer: the module that runs it, with what in its environment, and how many sagas at a time it is tried with."""

    module: str
    at_once: tuple[int, ...]
    environment: Mapping[str, str]


FEW_AND_MANY = (1, 8, 50)
ENGINES = {
    "dbos_sqlite": Engine("dbos_saga", FEW_AND_MANY, {}),
    "dbos_sqlite_wal_normal": Engine("dbos_saga", FEW_AND_MANY, {"DURABILITY": "normal"}),
    # its backend serves ten requests at a time, and whoever waits for a saga's end is one of them
    "durabletask_in_memory": Engine("durabletask_saga", (1, 8), {}),
}


async def sagas(options: Options) -> dict[str, Any]:
    """Each engine with few and with many sagas at a time; engines are compared at their best."""
    found = {
        name: await at_best(name, partial(durable, workers=workers), FEW_AND_MANY, options.seconds)
        for name, workers in OURS.items()
    }
    try:
        python = await environment()
    except MeasurementFailed as exc:
        found |= {name: {FAILED: f"cannot be installed: {exc}"} for name in ENGINES}
    else:
        for name, engine in ENGINES.items():
            found[name] = await at_best(name, _runner(python, engine), engine.at_once, options.seconds)
    return {**found, "ratios": ratios(found)}


async def at_best(name: str, measure: Measure, at_once: tuple[int, ...], seconds: float) -> dict[str, Any]:
    """The figures by number of sagas at a time, and the best rate; `failed` with the reason for what does not run."""
    found: dict[str, Any] = {}
    for count in at_once:
        say(f"  {name}: {count} at a time, {seconds:g} s")
        try:
            found[f"at_once_{count}"] = await measure(seconds, count)
        except MeasurementFailed as exc:
            say(f"  failed: {exc}")
            found[f"at_once_{count}"] = {FAILED: str(exc)}
    rates = [figures["sagas_per_second"] for figures in found.values() if FAILED not in figures]
    return {**found, BEST: max(rates, default=None)}


def ratios(found: Mapping[str, Mapping[str, Any]]) -> dict[str, float | None]:
    """How many sagas localazure does for each one of a peer's; below 1 it is slower. `None`: the peer did not run."""
    peers = {name: figures.get(BEST) for name, figures in found.items() if name not in OURS}
    return {f"{own}_to_{name}": ratio(found[own].get(BEST), best) for own in OURS for name, best in peers.items()}


def _runner(python: str, engine: Engine) -> Measure:
    async def measure(seconds: float, at_once: int) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="commerce-bench-") as folder:
            words = [python, "-m", f"scripts.bench.peers.{engine.module}", str(seconds), str(at_once), folder]
            figures: dict[str, Any] = json.loads(await output(words, {**engine.environment, "PYTHONPATH": str(ROOT)}))
            return figures

    return measure
