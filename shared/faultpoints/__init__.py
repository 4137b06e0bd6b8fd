"""Crash points: the places between two steps where the process may die, and a way to make it die there.

`crash_point("message.handled", "orders", event.type)` marks one; the parts of its name, joined by colons, are in
the table. It does nothing, unless the process was started with these settings, which exist for tests on one
machine and are therefore not in the list of app settings:

CRASH_AT    `<point>[:n]`: the process ends at the n-th passing (default: the first), without a word to anyone
CRASH_MARKS a directory; a file in it remembers that the crash has happened, so that the next process lives

A process that is told to crash and is not wholly local – Cosmos DB, Service Bus or the payment provider is
somewhere else, or Azure says that this is Azure – refuses to start instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable


def _nothing(point: str, *of: str) -> None:
    """A crash point as it nearly always is: nothing happens."""


crash_point: Callable[..., None] = _nothing
"""Here the process may die: `crash_point(name, *details)`."""

if os.environ.get("CRASH_AT"):
    from shared.faultpoints.trap import set_trap

    crash_point = set_trap(os.environ) or _nothing
