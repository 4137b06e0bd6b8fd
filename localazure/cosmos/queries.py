"""Reading more than one item: pages of queries and of whole containers, and what each costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from localazure.cosmos import charges, continuation
from localazure.cosmos.model import Container, Item, Part
from localazure.cosmos.sql.expressions import Given
from localazure.cosmos.sql.paging import LARGEST_PAGE, Position, first_rid, run_page
from localazure.cosmos.sql.pushdown import candidate_ids
from localazure.cosmos.sql.query import Query, parse

_ALL = "all items"


@dataclass(frozen=True)
class Question:
    """A query's text and parameters, and the time at which it is asked."""

    text: str
    parameters: Mapping[str, Any]
    now: float


@dataclass(frozen=True)
class Wanted:
    """Which page: at most `size` results, from where the page that gave `token` ended."""

    size: int
    token: str = ""


@dataclass(frozen=True)
class Answer:
    """Results as JSON texts, a token if there are more, and the charge of this page."""

    texts: list[str]
    token: str | None
    charge: float


def query_page(container: Container, part: Part, question: Question, wanted: Wanted) -> Answer:
    """One page of a query. Raises BadRequest."""
    query, given = parse(question.text), Given(question.parameters, question.now)
    position = continuation.decode(wanted.token, question.text)
    items = _looked_at(container, part, query, question, first_rid(position) if query.streams else 0)
    documents = ((item.rid, item.document) for item in items) if query.root else [(0, None)]
    page = run_page(query, documents, given, position, wanted.size)
    token = None if page.more is None else continuation.encode(page.more, question.text)
    looked_at = page.looked_at if query.root else 0
    return Answer(page.texts, token, charges.query(looked_at, sum(map(len, page.texts))))


def scan_page(container: Container, part: Part, now: float, wanted: Wanted) -> Answer:
    """One page of all items. Raises BadRequest for a continuation of something else."""
    position = continuation.decode(wanted.token, _ALL)
    texts: list[str] = []
    size, token = 0, None
    for item in container.visible(part, now, first_rid(position)):
        size += len(item.text.encode())
        if len(texts) >= wanted.size or (texts and size > LARGEST_PAGE):
            token = continuation.encode(Position([item.rid], 0, None), _ALL)
            break
        texts.append(item.text)
    return Answer(texts, token, charges.point_read(sum(map(len, texts))))


def _looked_at(container: Container, part: Part, query: Query, question: Question, since: int) -> Iterable[Item]:
    """The items that the query has to look at, in the order of creation."""
    ids = candidate_ids(query, question.parameters)
    if ids is None:
        return container.visible(part, question.now, since)
    if part.key is None:
        return (item for item in container.visible(part, question.now, since) if item.id in ids)
    found = (container.get(part.key, item_id, question.now) for item_id in ids)
    wanted = (item for item in found if item is not None and item.rid >= since and container.within(item, part))
    return sorted(wanted, key=lambda item: item.rid)
