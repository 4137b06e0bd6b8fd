"""Faults by order of a test: the next requests are slow, throttled or refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from localazure.cosmos.errors import BadRequest


@dataclass
class Fault:
    """`count` requests are answered with `status`, or held for `latency` seconds; `container` limits it to one."""

    status: int = 0
    substatus: int = 0
    retry_after_ms: int = 0
    latency: float = 0.0
    count: int = 1
    container: str = ""
    method: str = ""

    def fits(self, container: str, method: str) -> bool:
        return self.count > 0 and self.container in ("", container) and self.method.upper() in ("", method)


class Faults:
    """The faults that are still to come, first in, first out."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, document: dict[str, Any]) -> None:
        """Raises BadRequest for an unknown field."""
        try:
            fault = Fault(**document)
        except TypeError as exc:
            raise BadRequest(f"a fault has other fields: {exc}") from exc
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    def take(self, container: str, method: str) -> Fault | None:
        """The fault that befalls this request, if any."""
        for fault in self._faults:
            if fault.fits(container, method):
                fault.count -= 1
                if fault.count == 0:
                    self._faults.remove(fault)
                return fault
        return None
