"""Faults a test orders: latency, lost answers, refusals, and carriers or webhooks that keep silent."""

from __future__ import annotations

from typing import Literal

import msgspec

from localazure import faults
from localazure.easypost.body import read_body
from localazure.easypost.errors import Invalid

Operation = Literal["create", "retrieve", "list", "webhook"]
Kind = Literal["latency", "hang", "drop_after_effect", "status", "silence"]


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """What `POST /_local/faults` takes.

    latency            waits `seconds`, then acts and answers
    hang               acts, never answers
    drop_after_effect  acts, closes the connection
    status             answers `status` (429, 500, 503) and does not act
    silence            of the operation `webhook`: what happens is never told; it can still be asked for

    `count`: how many calls it strikes; null: every one. `tracking_code`: only calls about that parcel.
    """

    operation: Operation | Literal["*"]
    kind: Kind
    seconds: float = 0.0
    status: Literal[429, 500, 503] = 500
    count: int | None = 1
    tracking_code: str = ""

    def strikes(self, operation: Operation, tracking_code: str) -> bool:
        if (self.kind == "silence") != (operation == "webhook"):
            return False
        return self.operation in ("*", operation) and self.tracking_code in ("", tracking_code)


class Faults(faults.Faults[Fault]):
    """Those of carriers."""

    def order(self, text: bytes) -> Fault:
        """Raises Unreadable or Invalid for an order that cannot be understood, naming what is wrong."""
        fault = read_body(text, Fault)
        if fault.seconds < 0 or faults.never_strikes(fault):
            raise Invalid("the fault's seconds and count must be positive")
        if fault.operation != "*" and (fault.kind == "silence") != (fault.operation == "webhook"):
            raise Invalid("silence is the fault of webhooks, and their only one")
        return self.put(fault)

    def take(self, operation: Operation, tracking_code: str) -> Fault | None:
        """The fault that strikes this call, used up once."""
        return self.strike(lambda fault: fault.strikes(operation, tracking_code))
