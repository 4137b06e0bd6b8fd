"""Custom metrics, as emit-metric counts them; a gateway on Azure sends them to Application Insights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Metrics:
    """Sum and count by namespace, name and dimensions."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[float]] = {}

    def add(self, namespace: str, name: str, dimensions: Mapping[str, str], value: float) -> None:
        held = self._held.setdefault((namespace, name, tuple(sorted(dimensions.items()))), [0.0, 0.0])
        held[0] += value
        held[1] += 1

    def clear(self) -> None:
        self._held.clear()

    def snapshot(self) -> list[dict[str, Any]]:
        """Everything so far, ready for JSON."""
        return [
            {
                "namespace": namespace,
                "name": name,
                "dimensions": dict(dimensions),
                "sum": held[0],
                "count": int(held[1]),
            }
            for (namespace, name, dimensions), held in self._held.items()
        ]
