"""What the host and its worker processes say to each other: pickled values, each behind its length.

Both ends are this program, and the socket pair between them is open to nobody else.
"""

from __future__ import annotations

import asyncio
import pickle
import struct
from dataclasses import dataclass
from typing import Any

from localazure.durable.failure import Raised
from localazure.functions.engine import NO_RESULT, Invocation, Result

_LENGTH = struct.Struct(">Q")


@dataclass(frozen=True)
class Call:
    """Host to worker: do this."""

    number: int
    invocation: Invocation


@dataclass(frozen=True)
class Failure:
    """What a function raised: the exception's own words, since not every exception can travel."""

    type: str
    text: str
    shown: str
    traceback: str
    timed_out: bool
    raised: Raised
    """The same as the worker of Azure reports it."""


@dataclass(frozen=True)
class Answer:
    """Worker to host: what became of the call. Number 0 says that the worker is ready."""

    number: int
    result: Result = NO_RESULT
    failure: Failure | None = None


def pack(value: Call | Answer) -> bytes:
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(data)) + data


async def unpack(reader: asyncio.StreamReader) -> Any:
    """The next value; `None` once the other end is gone."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return pickle.loads(await reader.readexactly(length))  # noqa: S301 - see above
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
