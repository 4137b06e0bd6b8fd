"""What no span says: how much waits, and for how long. What is not there is not told: an empty queue costs no bytes.

Rates, errors and durations are in the requests, request units and throttles in the dependencies, what became of orders
in the log: queries count them there (`infra/queries`).
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Literal

from shared.telemetry import export
from shared.telemetry.record import MetricRecord

Metric = Literal["queue_seconds", "dead_letter_seconds", "waiting_seconds", "overdue_seconds", "cold_start_seconds"]
"""
queue_seconds, dead_letter_seconds   how long the messages of a subscription have been in it, or in its dead letters
waiting_seconds                      how long items of a service have been waiting for another's word
overdue_seconds                      by how much that is too long, of those for which it is
cold_start_seconds                   from a process's start until the app was imported; told by the exporter itself
"""


def measured(service: str, name: Metric, values: Collection[float], **of: str) -> None:
    """Report values that were measured together, as one: their number, sum, least and greatest. `of`: of what."""
    if values:
        export.measure(
            MetricRecord(service, name, time.time(), len(values), sum(values), min(values), max(values), {**of})
        )
