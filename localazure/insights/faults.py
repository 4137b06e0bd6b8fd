"""Faults of the ingestion that a test orders: refusals, slowness, silence, and parts of a batch that are refused."""

from __future__ import annotations

from typing import Literal

import msgspec

from localazure import faults
from localazure.insights.errors import BadArgument


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """What `POST /_local/faults` takes.

    latency  waits `seconds`, then acts and answers
    hang     keeps what is sent, never answers
    drop     closes the connection and keeps nothing
    status   answers `status` and keeps nothing; `seconds` is the Retry-After, where there are any
    partial  refuses every `every`th envelope of a batch with `status`, keeps the others: 206

    `count`: how many calls it strikes; null: every one.
    """

    kind: Literal["latency", "hang", "drop", "status", "partial"]
    seconds: float = 0.0
    status: Literal[401, 402, 403, 429, 439, 500, 502, 503, 504] = 500
    every: int = 2
    count: int | None = 1


class Faults(faults.Faults[Fault]):
    """Those of the ingestion."""

    def order(self, text: bytes) -> Fault:
        """Raises BadArgument for an order that cannot be understood, naming what is wrong."""
        fault = faults.read_order(text, Fault, BadArgument)
        if not 0 <= fault.seconds <= 3600 or fault.every < 1 or faults.never_strikes(fault):
            raise BadArgument("the fault's seconds, every and count must be positive")
        return self.put(fault)

    def take(self) -> Fault | None:
        """The fault that strikes this call, used up once."""
        return self.strike(lambda _: True)
