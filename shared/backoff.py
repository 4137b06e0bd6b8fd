"""How long to wait between attempts."""

from __future__ import annotations

import random
from collections.abc import Iterator


def pauses(first: float, most: float) -> Iterator[float]:
    """Seconds to wait before each further attempt, without end.

    They are drawn evenly from 0 to a bound that begins at `first` and doubles up to `most` ("full jitter").
    """
    bound = first
    while True:
        yield random.uniform(0, bound)  # noqa: S311 - jitter needs no secrecy
        bound = min(most, 2 * bound)
