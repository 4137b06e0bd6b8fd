"""Spans as a waterfall: each below its parent, in the order of time. What was told twice is shown once.

Anybody on this machine may send telemetry: parents may be missing, or be one another's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Log:
    """A line of the log. `at` is ISO 8601."""

    at: str
    parent: str
    role: str
    level: str
    message: str
    dimensions: Mapping[str, str]

    def document(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("at", "role", "level", "message", "dimensions")}


@dataclass
class Span:
    """`duration` in milliseconds; `told`: how many times it was reported; `orphan`: its parent was not."""

    id: str
    parent: str
    kind: str
    role: str
    name: str
    type: str
    target: str
    data: str
    result: str
    success: bool
    at: str
    duration: float
    dimensions: Mapping[str, str]
    told: int = 1
    depth: int = 0
    orphan: bool = False
    offset: float = 0.0
    """Milliseconds since the trace began."""
    logs: list[Log] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        shown = {name: value for name, value in vars(self).items() if name not in {"at", "logs"}}
        return shown | {"logs": [log.document() for log in self.logs]}


@dataclass(frozen=True)
class Waterfall:
    """`loose`: what was logged within no span that is here."""

    started: str
    milliseconds: float
    spans: Sequence[Span]
    loose: Sequence[Log]


def arranged(spans: Sequence[Span], logs: Sequence[Log]) -> Waterfall:
    """Every span once, each after its parent and before what began later."""
    once = _once(spans)
    for log in logs:
        if log.parent in once:
            once[log.parent].logs.append(log)
    begin = min([span.at for span in once.values()] or [log.at for log in logs])
    for span in once.values():
        span.offset = round(_milliseconds(begin, span.at), 3)
    ordered = list(_ordered(once))
    end = max((span.offset + span.duration for span in ordered), default=0.0)
    return Waterfall(begin, round(end, 3), ordered, [log for log in logs if log.parent not in once])


def _once(spans: Sequence[Span]) -> dict[str, Span]:
    """By id. Of one that was reported several times the first that succeeded counts; one without an id is its own."""
    found: dict[str, Span] = {}
    for place, span in enumerate(spans):
        name = span.id or f"\0{place}"
        before = found.get(name)
        if before is None:
            found[name] = span
            continue
        kept = span if span.success and not before.success else before
        kept.told = before.told + 1
        found[name] = kept
    return found


def _ordered(once: Mapping[str, Span]) -> Iterator[Span]:
    children: dict[str, list[str]] = {}
    roots = []
    for name, span in once.items():
        if span.parent in once and span.parent != name:
            children.setdefault(span.parent, []).append(name)
        else:
            span.orphan = bool(span.parent)
            roots.append(name)
    left = dict.fromkeys(sorted(once, key=lambda name: once[name].offset))
    waiting = sorted(roots, key=lambda name: once[name].offset, reverse=True)
    while left:
        if not waiting:  # what is left are circles: one of them begins
            waiting.append(next(iter(left)))
            once[waiting[0]].orphan = True
        name = waiting.pop()
        if name not in left:
            continue
        del left[name]
        yield once[name]
        below = sorted(children.get(name, ()), key=lambda child: once[child].offset, reverse=True)
        for child in below:
            if child in left:
                once[child].depth = once[name].depth + 1
        waiting += below


def _milliseconds(begin: str, moment: str) -> float:
    return (_moment(moment) - _moment(begin)).total_seconds() * 1000


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z"))
