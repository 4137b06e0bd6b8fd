"""What a member is. Pure: no clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """One who has joined. `welcomed`: the orchestrator has ended its work."""

    id: str
    welcomed: bool = False
