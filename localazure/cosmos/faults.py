"""Faults by order of a test: the next requests are slow, throttled, refused, or answered by nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from localazure import faults
from localazure.cosmos.errors import BadRequest

OPERATIONS = frozenset(
    {"create", "upsert", "replace", "patch", "delete", "delete-partition", "batch", "read", "query", "read-all", "feed"}
    | {"metadata"}
)
"""What `operation` may be; `metadata` is all that is not about items."""


@dataclass
class Fault:
    """What befalls `count` requests (`None`: until it is cleared) after `skip` others.

    They are held for `latency` seconds; answered with `status`, `substatus` and `retry_after_ms`, or with `disconnect`
    by closing the connection; `carried_out` says that the request has had its effect all the same. Only requests that
    fit are meant: of this `database` and `container`, this `operation` or this HTTP `method`; empty texts fit all.
    """

    status: int = 0
    substatus: int = 0
    retry_after_ms: int = 0
    latency: float = 0.0
    count: int | None = 1
    skip: int = 0
    disconnect: bool = False
    carried_out: bool = False
    database: str = ""
    container: str = ""
    operation: str = ""
    method: str = ""

    def befalls(self, database: str, container: str, operation: str, method: str) -> bool:
        """Whether it is this request's turn; one that fits and is not yet meant is counted."""
        fits = (
            self.database in ("", database)
            and self.container in ("", container)
            and self.operation in ("", operation)
            and self.method.upper() in ("", method)
        )
        if fits and self.skip:
            self.skip -= 1
            return False
        return fits


class Faults(faults.Faults[Fault]):
    """Those of requests."""

    def add(self, document: Any) -> None:
        """Raises BadRequest for an unknown field or a value that means nothing."""
        if not isinstance(document, dict):
            raise BadRequest("a fault is an object")
        try:
            fault = Fault(**document)
        except TypeError as exc:
            raise BadRequest(f"a fault has other fields: {exc}") from exc
        _check(fault)
        self.put(fault)

    def take(self, database: str, container: str, operation: str, method: str) -> Fault | None:
        """The fault that befalls this request, if any."""
        return self.strike(lambda fault: fault.befalls(database, container, operation, method))


def _check(fault: Fault) -> None:
    numbers = {"status": fault.status, "substatus": fault.substatus, "retry_after_ms": fault.retry_after_ms}
    numbers |= {"skip": fault.skip, "count": 1 if fault.count is None else fault.count}
    for name, value in numbers.items():
        if type(value) is not int or value < (1 if name == "count" else 0):
            raise BadRequest(f"{name} of a fault is a whole number, not {value!r}")
    if not isinstance(fault.latency, int | float) or isinstance(fault.latency, bool) or fault.latency < 0:
        raise BadRequest(f"latency of a fault is a number of seconds, not {fault.latency!r}")
    if fault.status and not 400 <= fault.status <= 599:
        raise BadRequest(f"status of a fault is one of an error, not {fault.status}")
    if not (fault.status or fault.latency or fault.disconnect):
        raise BadRequest("a fault needs a status, a latency or disconnect")
    if fault.status and fault.disconnect:
        raise BadRequest("a fault has a status or disconnects, not both")
    if fault.operation and fault.operation not in OPERATIONS:
        raise BadRequest(f"operation of a fault is one of {', '.join(sorted(OPERATIONS))}, not {fault.operation!r}")
