"""What the command line of a measurement says, and how progress is told."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

INTERRUPTED = 130
FAILED = "failed"
"""Stands in a section's place, with the reason, where it could not be measured; the exit code is 1 then."""


@dataclass(frozen=True)
class Options:
    """How long each load lasts, in seconds, and how many shoppers buy at the same time."""

    seconds: float = 15.0
    shoppers: int = 20


Section = Callable[[Options], Awaitable[Any]]


class MeasurementFailed(RuntimeError):
    """Something that was to be measured did not work; the message says what."""


def say(line: str) -> None:
    """Progress, on stderr: stdout is the result's alone."""
    print(line, file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    """What the figures were got on. `load_average` is that of the minute before."""
    return {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "load_average": round(os.getloadavg()[0], 2),
    }


def run(description: str, sections: Mapping[str, Section], arguments: Sequence[str]) -> int:
    """Measure the sections that are asked for and print one JSON object; the process's exit code."""
    only, options = read(description, sections, arguments)
    try:
        result = asyncio.run(_measure({name: sections[name] for name in only}, options))
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("interrupted; everything that was started has been stopped")
        return INTERRUPTED
    print(json.dumps(result, indent=2))
    return int(any(isinstance(found, dict) and FAILED in found for found in result.values()))


def read(description: str, sections: Mapping[str, Section], arguments: Sequence[str]) -> tuple[list[str], Options]:
    """The sections to measure, in their own order, and the options. Exits as argparse does."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ", ".join(sections)
    parser.add_argument("--only", action="append", metavar="NAME", choices=list(sections), help=f"one of {names}")
    parser.add_argument(
        "--seconds", type=_positive(float), default=Options.seconds, help="length of each load (default %(default)g)"
    )
    parser.add_argument(
        "--shoppers", type=_positive(int), default=Options.shoppers, help="buying at once (default %(default)d)"
    )
    given = parser.parse_args(arguments)
    wanted = given.only or list(sections)
    return [name for name in sections if name in wanted], Options(given.seconds, given.shoppers)


def _positive(kind: type[float]) -> Callable[[str], float]:
    def convert(text: str) -> float:
        number = kind(text)
        if number <= 0:
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return number

    convert.__name__ = kind.__name__
    return convert


async def _measure(sections: Mapping[str, Section], options: Options) -> dict[str, Any]:
    task = asyncio.current_task()
    assert task is not None, "this runs in a task"
    # SIGINT does so already; whoever ends this by SIGTERM leaves nothing behind either.
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell started this with SIGINT ignored
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    result: dict[str, Any] = {"machine": machine()}
    for name, section in sections.items():
        say(f"measuring {name}")
        try:
            result[name] = await section(options)
        except Exception as exc:  # whatever it is, the other sections can still be measured
            reason = "; ".join(map(_reason, _leaves(exc)))
            say(f"  failed: {reason}")
            result[name] = {FAILED: reason}
    return result


def _leaves(exc: BaseException) -> list[BaseException]:
    """The exception, or those that its group is made of."""
    inner = exc.exceptions if isinstance(exc, BaseExceptionGroup) else []
    return [leaf for one in inner for leaf in _leaves(one)] or [exc]


def _reason(exc: BaseException) -> str:
    return str(exc) if isinstance(exc, MeasurementFailed) else repr(exc)
