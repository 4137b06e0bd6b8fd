"""Faults of the ingestion that a test orders: refusals, slowness, silence, and parts of a batch that are refused."""

from __future__ import annotations

from typing import Literal

import msgspec

from localazure import faults
from localazure.insights.errors import BadArgument
from localazure.json_text import read_as


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
        try:
            fault = read_as(text, Fault)
        except ValueError as exc:
            raise BadArgument(f"the fault is malformed: {exc}") from exc
        if not 0 <= fault.seconds <= 3600 or fault.every < 1 or (fault.count is not None and fault.count < 1):
            raise BadArgument("the fault's seconds, every and count must be positive")
        self._faults.append(fault)
        return fault

    def take(self) -> Fault | None:
        """The fault that strikes this call, used up once."""
        return self.strike(lambda _: True)
