"""A query's results page by page, each going on after the place where the one before ended.

A place is a position in an order that writing does not change, so that whoever writes between two pages neither makes
a row appear twice nor one be left out that was there all the time:

- without ORDER BY, the order of creation: (rid, row of that document);
- with ORDER BY, the sort values and then the order of creation, backwards if anything is sorted downwards;
- with DISTINCT, the results themselves: they come sorted (by the ORDER BY first, if there is one);
- with GROUP BY, the values that make the groups: groups come sorted by them. A group is computed when it is given.

Which documents a page is charged for: those it took rows from, those that OFFSET made it pass over, and those that
WHERE rejected on the way there (where something is sorted or grouped: on the first page, which has to see them all).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from localazure.cosmos.errors import BadRequest
from localazure.cosmos.sql.expressions import Bindings, Scope
from localazure.cosmos.sql.query import Query, folded
from localazure.cosmos.sql.values import UNDEFINED, identity, order_key, written

MAX_PAGE = 4 * 1024 * 1024
"""Bytes. Source: "Azure Cosmos DB service quotas", maximum response size."""


@dataclass(frozen=True)
class Position:
    """Where a page begins: a place, as JSON, and what OFFSET and LIMIT (or TOP) still have to do."""

    place: list[Any]
    skip: int
    take: int | None


@dataclass(frozen=True)
class Resume:
    """From where on a client wants sorted rows: the sort values, and the document among equal rows; or after that.

    `values` are packed: `[]` for undefined, `[value]` for any other.
    """

    values: list[Any]
    rid: int | None
    exclude: bool


@dataclass(frozen=True)
class Page:
    """Results as JSON texts, where to go on if there are more, and how many documents it took."""

    texts: list[str]
    more: Position | None
    looked_at: int


@dataclass
class _Room:
    """A page being filled. `text_of` gives the text of a result that is a document, by the document's rid."""

    size: int
    text_of: Callable[[int], str] | None
    texts: list[str] = field(default_factory=list)
    bytes: int = 0

    def take(self, value: Any, rid: int) -> bool:
        """Whether the value still went in; `rid` is that of its document."""
        if len(self.texts) >= self.size:
            return False
        text = written(value) if self.text_of is None else self.text_of(rid)
        self.bytes += len(text.encode())
        if self.texts and self.bytes > MAX_PAGE:
            return False
        self.texts.append(text)
        return True


@dataclass(frozen=True)
class _Entry:
    """One result of a sorted query: what it is sorted by, and then by which whole numbers.

    `rids` are the documents it is made of. `value` is made from the row when it is needed, unless it is there.
    """

    values: tuple[Any, ...]
    ties: tuple[int, ...]
    keys: tuple[Any, ...]
    rids: frozenset[int]
    row: Scope
    value: Any = UNDEFINED

    def place(self) -> list[Any]:
        return [[[] if value is UNDEFINED else [value] for value in self.values], *self.ties]


def run_page(
    query: Query,
    documents: Iterable[tuple[int, Any]],
    given: Bindings,
    position: Position | None,
    size: int,
    text_of: Callable[[int], str],
    resume: Resume | None = None,
) -> Page:
    """At most `size` results from the position on, of those that `resume` leaves.

    `documents` come with their rids, in that order; `text_of` gives a document's text by its rid.

    Raises BadRequest, also for a position of another query.
    """
    outer = Scope({}, given)
    if position is None:
        skip, take = query.bounds(given.parameters)
        position = Position([], skip, take)
    room = _Room(size, text_of if query.gives_documents else None)
    if query.streams:
        return _plain_page(query, documents, outer, position, room)
    return _sorted_page(query, documents, outer, position, room, resume)


def first_rid(position: Position | None) -> int:
    """The rid of the first document that a page needs, where they come in the order of creation."""
    if position is None:
        return 0
    try:
        return int(position.place[0])
    except (ValueError, TypeError, IndexError) as exc:
        raise BadRequest("the continuation token is one of another query") from exc


def _plain_page(
    query: Query, documents: Iterable[tuple[int, Any]], outer: Scope, position: Position, room: _Room
) -> Page:
    begin = (first_rid(position), int(position.place[-1])) if position.place else (0, 0)
    skip, take, looked_at = position.skip, position.take, 0
    for rid, document in documents:
        if take == 0:
            break
        used = False
        for number, row in enumerate(query.rows_of(document, outer.given)):
            if (rid, number) < begin or (value := query.shape(row)) is UNDEFINED:
                continue
            if skip:
                skip, used = skip - 1, True
                continue
            if not room.take(value, rid):
                return Page(room.texts, Position([rid, number], 0, take), looked_at + used)
            used = True
            if take is not None:
                take -= 1
                if take == 0:
                    break
        looked_at += 1
    return Page(room.texts, None, looked_at)


def _sorted_page(
    query: Query,
    documents: Iterable[tuple[int, Any]],
    outer: Scope,
    position: Position,
    room: _Room,
    resume: Resume | None,
) -> Page:
    seen: list[int] = []
    found = list(_entries(query, _seen(documents, seen), outer))
    directions = [descending for _, descending in query.sort]
    looked_at = 0
    if resume is not None:
        found = [entry for entry in found if _resumes(query, entry, resume)]
    if position.place:
        begin = _begin(query, position.place)
        found = [entry for entry in found if _after(entry.keys, begin, directions)]
    else:
        looked_at = len(set(seen).difference(*(entry.rids for entry in found)))
    _sort(found, directions)
    skip, take = position.skip, position.take
    used: set[int] = set()
    last: _Entry | None = None
    for entry in found:
        if take == 0:
            break
        value = query.shape(entry.row) if entry.value is UNDEFINED else entry.value
        if value is UNDEFINED:
            continue
        if skip:
            skip -= 1
        elif room.take(value, entry.ties[0] if entry.ties else 0):
            last, take = entry, None if take is None else take - 1
        else:
            if query.distinct and query.sort and not query.distinct_is_sorted:
                raise BadRequest(
                    "DISTINCT with ORDER BY of what is not selected cannot be continued by the local server: select "
                    "what the ORDER BY names, or ask for a page that holds all results"
                )
            assert last is not None, "a page has room for one result"
            return Page(room.texts, Position(last.place(), 0, take), looked_at + len(used))
        used |= entry.rids
    return Page(room.texts, None, looked_at + len(used))


def _seen(documents: Iterable[tuple[int, Any]], seen: list[int]) -> Iterator[tuple[int, Any]]:
    for rid, document in documents:
        seen.append(rid)
        yield rid, document


def _entries(query: Query, documents: Iterable[tuple[int, Any]], outer: Scope) -> Iterator[_Entry]:
    if query.group or query.aggregates:
        entries = _groups(query, documents, outer)
    else:
        entries = _sortable(query, documents, outer)
    return _distinct(query, entries) if query.distinct else entries


def _sortable(query: Query, documents: Iterable[tuple[int, Any]], outer: Scope) -> Iterator[_Entry]:
    for rid, document in documents:
        for number, row in enumerate(query.rows_of(document, outer.given)):
            values = tuple(expression(row) for expression, _ in query.sort)
            ties = (rid, number)
            keys = (*map(order_key, values), -rid if query.descends else rid, number)
            yield _Entry(values, ties, keys, frozenset((rid,)), row)


def _groups(query: Query, documents: Iterable[tuple[int, Any]], outer: Scope) -> Iterator[_Entry]:
    groups: dict[tuple[str, ...], tuple[set[int], list[Scope]]] = {} if query.group else {(): (set(), [])}
    for rid, document in documents:
        for row in query.rows_of(document, outer.given):
            rids, members = groups.setdefault(query.group_of(row), (set(), []))
            rids.add(rid)
            members.append(row)
    for rids, members in groups.values():
        values = tuple(expression(members[0]) for expression in query.group)
        yield _Entry(values, (), tuple(map(order_key, values)), frozenset(rids), folded(members, outer))


def _distinct(query: Query, entries: Iterable[_Entry]) -> Iterator[_Entry]:
    """For each value, the entry that comes first; it stands for the documents of all."""
    directions = [descending for _, descending in query.sort]
    best: dict[str, _Entry] = {}
    rids: dict[str, set[int]] = {}
    for entry in entries:
        value = query.shape(entry.row)
        if value is UNDEFINED:
            continue
        name = identity(value)
        rids.setdefault(name, set()).update(entry.rids)
        values = (*entry.values[: len(query.sort)], value)
        keys = tuple(map(order_key, values))
        if name not in best or _after(best[name].keys, keys, directions):
            best[name] = _Entry(values, (), keys, frozenset(), entry.row, value)
    for name, entry in best.items():
        yield replace(entry, rids=frozenset(rids[name]))


def _begin(query: Query, place: list[Any]) -> tuple[Any, ...]:
    """The keys of the entry that the place is of. Raises BadRequest if it can be none of this query's."""
    expected = len(query.sort) + (1 if query.distinct else len(query.group) or 2)
    try:
        values = [packed[0] if packed else UNDEFINED for packed in place[0]]
        keys: list[Any] = [*map(order_key, values), *[int(tie) for tie in place[1:]]]
    except (ValueError, TypeError, LookupError) as exc:
        raise BadRequest("the continuation token is one of another query") from exc
    if len(keys) != expected:
        raise BadRequest("the continuation token is one of another query")
    if query.descends and len(place) > 1:
        keys[len(place[0])] *= -1
    return tuple(keys)


def _resumes(query: Query, entry: _Entry, resume: Resume) -> bool:
    """Whether the row is at or after the place, or after it."""
    directions = [descending for _, descending in query.sort]
    if len(resume.values) != len(directions):
        raise BadRequest("resumeFilter has not as many values as the query has in ORDER BY")
    begin = tuple(order_key(packed[0] if packed else UNDEFINED) for packed in resume.values)
    keys = entry.keys[: len(begin)]
    if keys != begin:
        return _after(keys, begin, directions)
    if resume.rid is None or not entry.ties:
        return not resume.exclude
    at, place = entry.keys[len(begin)], -resume.rid if query.descends else resume.rid
    return bool(at > place) or (at == place and not resume.exclude)


def _after(keys: tuple[Any, ...], begin: tuple[Any, ...], directions: list[bool]) -> bool:
    for place, (key, other) in enumerate(zip(keys, begin, strict=True)):
        if key != other:
            return bool(key > other) is not (place < len(directions) and directions[place])
    return False


def _sort(entries: list[_Entry], directions: list[bool]) -> None:
    if any(directions):
        entries.sort(key=lambda entry: entry.keys[len(directions) :])
        for place in reversed(range(len(directions))):
            entries.sort(key=lambda entry: entry.keys[place], reverse=directions[place])
    else:
        entries.sort(key=lambda entry: entry.keys)
