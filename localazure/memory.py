"""How a process that serves asks for memory: what costs each request, and is set once at the start."""

from __future__ import annotations

import gc

_LARGE = 1024 * 1024
"""Bytes: above asyncio's receive buffer of 256 KiB, below the 32 MiB that glibc's malloc learns from at most."""


def settle() -> None:
    """To be called when everything is imported and the process begins to serve.

    What has been imported stays, so the garbage collector does not go through it again and again.

    Each read from a socket is into a new buffer of 256 KiB. glibc's malloc maps blocks that large into the process and
    unmaps them again, a fifth of the time of a small request, until a large one was freed: then it keeps those up to
    that size on its heap ("dynamic mmap threshold", mallopt(3)). Whether a process had freed one was chance.
    """
    gc.collect()
    gc.freeze()
    bytes(_LARGE)
