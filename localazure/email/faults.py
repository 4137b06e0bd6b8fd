"""Faults a test orders: refusals before the effect, and answers that are lost after it."""

from __future__ import annotations

from typing import Literal

import msgspec

from localazure import faults
from localazure.email.errors import InvalidRequest


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """What `POST /_local/faults` takes: it strikes messages that are sent.

    status             answers `status` (429, 500, 503) and accepts nothing
    drop_after_effect  accepts the message and closes the connection
    hang_after_effect  accepts the message and never answers
    fail               accepts the message; its operation then ends as Failed

    `count`: how many calls it strikes; null: every one. `to`: only messages to that address.
    """

    kind: Literal["status", "drop_after_effect", "hang_after_effect", "fail"]
    status: Literal[429, 500, 503] = 503
    count: int | None = 1
    to: str = ""


class Faults(faults.Faults[Fault]):
    """Those of mail."""

    def order(self, text: bytes) -> Fault:
        """Raises InvalidRequest for an order that cannot be understood, naming what is wrong."""
        fault = faults.read_order(text, Fault, InvalidRequest)
        if faults.never_strikes(fault):
            raise InvalidRequest("the fault's count must be positive")
        return self.put(fault)

    def take(self, recipients: list[str]) -> Fault | None:
        """The fault that strikes a message to these, used up once."""
        return self.strike(lambda fault: not fault.to or fault.to in recipients)
