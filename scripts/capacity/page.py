"""The tables of docs/scaling.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.capacity import cost, queueing
from scripts.capacity.data import ROOT, sources
from scripts.capacity.gates import gates
from scripts.capacity.model import Model

PAGE = ROOT / "docs" / "scaling.md"
RATES = (10, 100, 1_000, 10_000)
ORDERS, SEED = 20_000, 1
"""Of the simulation of an order's way."""


def begin(name: str) -> str:
    """The line before a table of that name."""
    return f"<!-- {name}: written by scripts.capacity -->\n"


END = "<!-- end -->\n"


def tables(model: Model, prices: Mapping[str, Any]) -> dict[str, str]:
    """Name → table."""
    return {
        "needs": _needs(model),
        "limits": _limits(model),
        "instances": _instances(model),
        "cost": _cost(model, prices),
        "waiting": _waiting(model),
        "sources": _sources(),
    }


def page(text: str, model: Model, prices: Mapping[str, Any]) -> str:
    """The page with its tables as they are to be. Raises ValueError where one has no place."""
    for name, table in tables(model, prices).items():
        before, found, rest = text.partition(begin(name))
        _, ended, after = rest.partition(END)
        if not found or not ended:
            raise ValueError(f"{PAGE.name} has no place for {name}")
        text = f"{before}{found}{table}{END}{after}"
    return text


def current(file: Path = PAGE) -> str:
    return file.read_text(encoding="utf-8")


def _needs(model: Model) -> str:
    order = model.figures.per_order
    rows: list[tuple[str, list[str]]] = [
        (
            f"Cosmos DB, {database}: RU/s",
            [_number(model.request_units(rate)[database]) for rate in RATES],
        )
        for database in model.request_units(1)
    ]
    rows += [
        ("Cosmos DB, physical partitions of all containers", [str(model.partitions(rate)) for rate in RATES]),
        (
            "– hottest logical partition: the best-seller's stock, RU/s",
            [_number(model.best_seller(rate)) for rate in RATES],
        ),
        ("Service Bus Standard: credits/s", [_number(model.credits(rate)) for rate in RATES]),
        ("Service Bus Premium: messaging units", [str(model.messaging_units(rate)) for rate in RATES]),
        ("Durable's storage account: requests/s", [_number(model.storage_requests(rate)) for rate in RATES]),
        ("Functions: instances of one core, all apps", [str(sum(model.instances(rate).values())) for rate in RATES]),
        ("API Management: calls/s", [_number(rate * order["gateway_calls"]) for rate in RATES]),
        ("Application Insights: items/s", [_number(rate * order["telemetry_items"]) for rate in RATES]),
        ("– GB a day, unsampled", [_number(rate * order["telemetry_bytes"] * 86400 / 1e9) for rate in RATES]),
        ("limits that are met by then", [str(sum(gate.met_at() < rate for gate in gates(model))) for rate in RATES]),
    ]
    head = ["orders a second", *(_number(rate) for rate in RATES)]
    return _table(head, ([name, *cells] for name, cells in rows), right=len(RATES))


def _limits(model: Model) -> str:
    rows = (
        [_number(gate.met_at()), gate.name, f"{_number(gate.has)} {gate.unit}", gate.change] for gate in gates(model)
    )
    return _table(["met at orders/s", "limit", "there is", "then"], rows)


def _instances(model: Model) -> str:
    found = [model.instances(rate) for rate in RATES]
    rows = ([name, *(str(each[name]) for each in found)] for name in found[0])
    return _table(["scales by itself", *(_number(rate) for rate in RATES)], rows, right=len(RATES))


def _cost(model: Model, prices: Mapping[str, Any]) -> str:
    nothing = cost.idle(model, prices)
    packed, alone = cost.million_orders(model, prices), cost.million_orders(model, prices, packed=False)
    rows = [[f"idle for a month: {name}", _money(value)] for name, value in nothing.items()]
    rows += [["**idle for a month**", f"**{_money(sum(nothing.values()))}**"]]
    rows += [[f"a million orders: {name}", _money(value)] for name, value in packed.items()]
    rows += [["**a million orders, busy instances**", f"**{_money(sum(packed.values()))}**"]]
    rows += [["the same where every execution has an instance to itself", _money(sum(alone.values()))]]
    return _table(["", "USD"], rows, right=1)


def _waiting(model: Model) -> str:
    order = model.figures.per_order
    work = float(order["processor_seconds"]) / sum(order["invocations"].values())
    rows = []
    for rate in RATES:
        name, cores = max(model.cores(rate).items(), key=lambda each: each[1])
        servers = model.instances(rate)[name]
        wait = queueing.erlang(cores / work, work, servers)
        rows.append([_number(rate), f"`{name}`", str(servers), f"{wait.share:.0%}", f"{wait.mean * 1000:.2f} ms"])
    way = queueing.confirmed(queueing.Stages(work), ORDERS, SEED)
    quantiles = ", ".join(
        f"p{share:.0%} {queueing.percentile(way, share):.2f} s".replace("%", "") for share in (0.05, 0.5, 0.95)
    )
    said = f"\nFrom the order to its confirmation, {ORDERS:,} orders simulated at Azure's polls: {quantiles}.\n"
    return _table(["orders a second", "busiest group", "instances", "waits", "mean wait"], rows, right=1) + said


def _sources() -> str:
    rows = (
        [
            name,
            _number(float(limit["value"])),
            limit["unit"],
            limit["source"],
            "the page was read" if limit["read"] else "as it is commonly stated; read it before you rely on it",
        ]
        for name, limit in sources()
    )
    return _table(["limit", "value", "of", "source", "seen"], rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], right: int = 0) -> str:
    rule = ["---"] * (len(head) - right) + ["---:"] * right
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, rule, *rows])


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.3g}"


def _money(value: float) -> str:
    return f"{value:,.2f}"
