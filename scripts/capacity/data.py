"""What was measured, what Azure allows and what it charges: figures.json, limits.json and prices.json in infra/."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts import declared

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"


@dataclass(frozen=True)
class Figures:
    """Of one order, as measured; `filters`: by topic, the rules that each of its messages is held against."""

    per_order: Mapping[str, Any]
    filters: Mapping[str, int]
    best_seller_share: float
    real_basket_request_units: float
    idle_request_units_per_minute: float
    hubs: int
    """Services with a task hub of their own."""
    timers: int
    """Functions that a timer starts, of all services."""


def figures() -> Figures:
    """Raises KeyError for a file that lacks one."""
    document = _read("figures.json")
    (namespace,) = _read("servicebus.json")["UserConfig"]["Namespaces"]
    rules = {
        topic["Name"]: sum(len(subscription["Rules"]) for subscription in topic["Subscriptions"])
        for topic in namespace["Topics"]
    }
    return Figures(
        document["per_order"],
        rules,
        document["best_seller_share"],
        document["real_basket_request_units"],
        document["idle_request_units_per_minute"],
        sum(service.durable for service in declared.services()),
        declared.timers(),
    )


def limits() -> dict[str, float]:
    """Name → value."""
    return {name: float(limit["value"]) for name, limit in _read("limits.json")["limits"].items()}


def prices(file: Path | None = None) -> dict[str, Any]:
    """Name → what stands there; of another file than the project's, if one is given."""
    document: dict[str, Any] = json.loads((file or INFRA / "prices.json").read_text(encoding="utf-8"))
    return dict(document["prices"])


def sources() -> list[tuple[str, Mapping[str, Any]]]:
    """The limits with what is said of them."""
    return list(_read("limits.json")["limits"].items())


def _read(name: str) -> dict[str, Any]:
    return dict(json.loads((INFRA / name).read_text(encoding="utf-8")))
