"""Faults a test orders: latency, silence, lost answers and refusals, each before or after the effect."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Literal

import msgspec

from localazure import faults
from localazure.stripe.errors import InvalidRequest

Operation = Literal["create", "confirm", "capture", "cancel", "refund", "retrieve", "list", "search"]
Kind = Literal["latency", "hang_before_effect", "hang_after_effect", "drop_after_effect", "status"]


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """What `POST /_local/faults` takes.

    latency             waits `seconds`, then acts and answers
    hang_before_effect  acts after `seconds`, never answers
    hang_after_effect   acts, never answers
    drop_after_effect   acts, closes the connection
    status              answers `status` (429, 500, 503) and does not act

    `count`: how many calls it strikes; null: every one. `match`: only calls about a PaymentIntent whose metadata has
    these values, as `{"metadata.order_id": "…"}`. A create with confirm=true is both a create and a confirm.
    """

    operation: Operation | Literal["*"]
    kind: Kind
    seconds: float = 0.0
    status: Literal[429, 500, 503] = 500
    count: int | None = 1
    match: dict[str, str] = {}

    def strikes(self, operations: Collection[Operation], metadata: Callable[[], Mapping[str, str]]) -> bool:
        if self.operation != "*" and self.operation not in operations:
            return False
        if not self.match:
            return True
        known = metadata()
        return all(known.get(name.removeprefix("metadata.")) == value for name, value in self.match.items())


class Faults(faults.Faults[Fault]):
    """Those of payments."""

    def order(self, text: bytes) -> Fault:
        """Raises InvalidRequest for an order that cannot be understood, naming what is wrong."""
        fault = faults.read_order(text, Fault, InvalidRequest)
        if wrong := [name for name in fault.match if not name.startswith("metadata.")]:
            raise InvalidRequest(f"the fault cannot match {wrong[0]}; it matches metadata.<key> alone", param="match")
        if fault.seconds < 0 or faults.never_strikes(fault):
            raise InvalidRequest("the fault's seconds and count must be positive")
        return self.put(fault)

    def take(self, operations: Collection[Operation], metadata: Callable[[], Mapping[str, str]]) -> Fault | None:
        """The fault that strikes this call, used up once."""
        return self.strike(lambda fault: fault.strikes(operations, metadata))
