"""The chain of the audit log: each entry has the hash of the one before it. Pure: no clock, no I/O.

The hash is SHA-256 over day, number, the hash before and the entry's JSON text, each behind its length, so that nothing
can be moved from one to the other. An entry that is altered, removed, inserted or moved breaks the chain where it is;
a chain that was written anew from there breaks with a head that was written down elsewhere before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """One entry of a day's chain. `number` counts from 1."""

    day: str
    number: int
    previous: str
    text: str
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """How far a day's chain had come."""

    day: str
    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a chain is not what it was. `what`: altered, missing, inserted, reordered, or rewritten."""

    day: str
    number: int
    what: str


def first(day: str) -> str:
    """What the first entry of a day has for the hash before it."""
    return _digest("audit", day)


def link(day: str, number: int, previous: str, text: str) -> Link:
    """The entry `text` as number `number` of the day, behind an entry of the hash `previous`."""
    return Link(day, number, previous, text, _digest(day, str(number), previous, text))


def chained(day: str, head: Head | None, texts: Iterable[str]) -> list[Link]:
    """The entries `texts` behind the head of the day's chain."""
    links: list[Link] = []
    number, previous = (0, first(day)) if head is None else (head.number, head.hash)
    for text in texts:
        number += 1
        links.append(link(day, number, previous, text))
        previous = links[-1].hash
    return links


def place(number: int) -> str:
    """The id under which the entry of this number lies: texts that sort as the numbers do."""
    return f"{number:09}"


def verify(
    day: str, stored: Iterable[tuple[str, Link]], head: Head | None, noted: Iterable[Head] = ()
) -> list[Finding]:
    """What is wrong with a day's chain, by number.

    `stored`: each entry with the id that it lies under. `head` is the store's own, `noted` those that were written down
    elsewhere. An entry whose own hash is right and which the next one does not follow was made anew: altered, too.
    """
    present, findings = dict[int, Link](), list[Finding]()
    for item_id, each in sorted(stored, key=lambda pair: pair[0]):
        number = int(item_id) if item_id.isdecimal() and item_id == place(int(item_id)) else 0
        if not number:
            findings.append(Finding(day, each.number, "inserted"))
            continue
        present[number] = each
    last = max([*present, head.number if head else 0])
    previous: str | None = first(day)
    for number in range(1, last + 1):
        if (here := present.get(number)) is None:
            findings.append(Finding(day, number, "missing"))
            previous = None
            continue
        findings += _wrong(day, number, here, previous, present)
        previous = here.hash
    findings += _ends(day, present, head)
    for event in noted:
        if event.day == day and (known := present.get(event.number)) is not None and known.hash != event.hash:
            findings.append(Finding(day, event.number, "rewritten"))
        elif event.day == day and event.number > last:
            findings += [Finding(day, number, "missing") for number in range(last + 1, event.number + 1)]
    return sorted(dict.fromkeys(findings), key=lambda finding: (finding.number, finding.what))


def _wrong(day: str, number: int, each: Link, previous: str | None, present: Mapping[int, Link]) -> Iterator[Finding]:
    if each.number != number:
        yield Finding(day, number, "reordered")
    elif link(day, number, each.previous, each.text).hash != each.hash:
        yield Finding(day, number, "altered")
    elif previous is not None and each.previous != previous:
        before = present.get(number - 1)
        intact = before is not None and before.number == number - 1 and _fits(day, before)
        if before is None or intact:
            # what is wrong with the one before in other ways has been said
            yield Finding(day, number - 1 if before is not None else number, "altered")


def _fits(day: str, each: Link) -> bool:
    return link(day, each.number, each.previous, each.text).hash == each.hash


def _ends(day: str, present: Mapping[int, Link], head: Head | None) -> Iterator[Finding]:
    """What the store's own head says otherwise."""
    upto = head.number if head else 0
    for number in present:
        if number > upto:
            yield Finding(day, number, "inserted")
    known = present.get(upto)
    if head is not None and known is not None and known.hash != head.hash and _fits(day, known):
        yield Finding(day, upto, "altered")


def _digest(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()
