"""Reading more than one item: pages of queries and of whole containers, and what each costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from localazure.cosmos import charges, continuation
from localazure.cosmos.errors import BadRequest
from localazure.cosmos.items import Item, canonical
from localazure.cosmos.model import Container, FeedRange
from localazure.cosmos.sql.expressions import Bindings
from localazure.cosmos.sql.paging import MAX_PAGE, Position, Resume, first_rid, run_page
from localazure.cosmos.sql.points import points
from localazure.cosmos.sql.query import Query, parse

_ACROSS = (
    "Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition to true, "
    "specify x-ms-documentdb-partitionkey, or revise your query to avoid this exception."
)


@dataclass(frozen=True)
class QueryRequest:
    """A query's text and parameters, and the time at which it is asked."""

    text: str
    parameters: Mapping[str, Any]
    now: float
    resume: Resume | None = None
    """From where on a sorted query is wanted, as the client says it."""


@dataclass(frozen=True)
class PageRequest:
    """Which page: at most `size` results, from where the page that gave `token` ended.

    `across` says whether a query may look at more than one partition. The new token has at most `kilobytes`, if the
    client says so.
    """

    size: int
    token: str = ""
    across: bool = True
    kilobytes: int = 0


@dataclass(frozen=True)
class Answer:
    """Results as JSON texts, a token if there are more, the charge of this page, and how many items it looked at."""

    texts: list[str]
    token: str | None
    charge: float
    looked_at: int = 0
    descends: bool | None = None
    """Of a sorted query: whether documents with equal values come with the latest first."""


def query_page(container: Container, part: FeedRange, question: QueryRequest, wanted: PageRequest) -> Answer:
    """One page of a query. Raises BadRequest."""
    wanted_points = points(question.text, question.parameters, container.steps)
    if wanted_points is not None:
        return _points_page(container, part, question, wanted, wanted_points)
    query, given = parse(question.text), Bindings(question.parameters, question.now)
    keys = _keys(container, part, query, question)
    if not wanted.across and query.reads and (keys is None or len(keys) > 1):
        raise BadRequest(_ACROSS)
    position = continuation.decode(wanted.token, question.text)
    items = _looked_at(container, part, query, keys, question, first_rid(position) if query.streams else 0)
    documents = ((item.rid, item.document) for item in items) if query.reads else [(0, None)]
    page = run_page(query, documents, given, position, wanted.size, container.text_of, question.resume)
    token = None if page.more is None else continuation.encode(page.more, question.text, wanted.kilobytes)
    looked_at = page.looked_at if query.reads else 0
    charge = charges.query(looked_at, sum(map(len, page.texts)))
    return Answer(page.texts, token, charge, looked_at, query.descends if query.sort else None)


def scan_page(container: Container, part: FeedRange, now: float, wanted: PageRequest) -> Answer:
    """One page of all items. Raises BadRequest for a continuation of something else."""
    position = continuation.decode(wanted.token, continuation.ALL)
    items = container.visible(part, now, first_rid(position))
    texts, token = _filled(items, wanted.size, continuation.ALL)
    return Answer(texts, token, charges.point_read(sum(map(len, texts))))


def _points_page(
    container: Container,
    part: FeedRange,
    question: QueryRequest,
    wanted: PageRequest,
    wanted_points: list[tuple[str, str]],
) -> Answer:
    """As `query_page`, for a query that asks for items by their partition keys and ids."""
    if not wanted.across and part.key is None and len({key for key, _ in wanted_points}) > 1:
        raise BadRequest(_ACROSS)
    since = first_rid(continuation.decode(wanted.token, question.text))
    found = {
        item.rid: item
        for key, item_id in wanted_points
        if (item := container.get(key, item_id, question.now)) is not None
    }
    items = (found[rid] for rid in sorted(found) if rid >= since and container.within(found[rid], part))
    texts, token = _filled(items, wanted.size, question.text)
    return Answer(texts, token, charges.query(len(texts), sum(map(len, texts))), len(texts))


def _filled(items: Iterable[Item], size: int, text: str) -> tuple[list[str], str | None]:
    """A page of whole items, and a token if there are more."""
    texts: list[str] = []
    bytes_taken = 0
    for item in items:
        bytes_taken += len(item.text.encode())
        if len(texts) >= size or (texts and bytes_taken > MAX_PAGE):
            return texts, continuation.encode(Position([item.rid, 0], 0, None), text)
        texts.append(item.text)
    return texts, None


def _keys(container: Container, part: FeedRange, query: Query, question: QueryRequest) -> set[str] | None:
    """The partition keys that the query can be about; `None` for any."""
    values = query.candidates(container.steps, question.parameters) if container.steps else None
    keys = None if values is None else {canonical([value]) for value in values if not isinstance(value, list | dict)}
    if part.key is None:
        return keys
    return {part.key} if keys is None else keys & {part.key}


def _looked_at(
    container: Container, part: FeedRange, query: Query, keys: set[str] | None, question: QueryRequest, since: int
) -> Iterable[Item]:
    """The items that the query has to look at, in the order of creation."""
    ids = query.candidates(("id",), question.parameters)
    if keys is None:
        items = container.visible(part, question.now, since)
        return items if ids is None else _named(items, ids)
    found = (item for key in keys for item in _of_key(container, key, ids))
    alive = (item for item in found if item.rid >= since and container.alive(item, question.now))
    return sorted((item for item in alive if container.within(item, part)), key=lambda item: item.rid)


def _of_key(container: Container, key: str, ids: list[Any] | None) -> Iterable[Item]:
    """A partition's items, or those of them that have one of the ids."""
    partition = container.items.get(key, {})
    if ids is None:
        return partition.values()
    if len(ids) > len(partition):
        return _named(partition.values(), ids)
    return [partition[item_id] for item_id in ids if isinstance(item_id, str) and item_id in partition]


def _named(items: Iterable[Item], ids: list[Any]) -> Iterable[Item]:
    wanted = {item_id for item_id in ids if isinstance(item_id, str)}
    return (item for item in items if item.id in wanted)
