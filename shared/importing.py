"""Importing the app: the larger part of its cold start."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting() -> Iterator[None]:
    """What is imported inside stays until the process ends, so the garbage collector need not look for what does not.

    It would go through all modules again and again while they are imported, a tenth of the cold start, and then
    during every full collection.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
