"""The query that each partition is to run, where its results have to be merged.

Aggregates come in parts that can be merged (`{"item": …}`), sorted results with what they are sorted by, groups with
what makes them. Source: Microsoft's own query planner, as the .NET client ships it.
"""

from __future__ import annotations

from localazure.cosmos.sql import syntax as s
from localazure.cosmos.sql.functions import AGGREGATES
from localazure.cosmos.sql.grouping import is_aggregated

FILTER = s.Name("({documentdb-formattableorderbyquery-filter})")
"""What the client puts a filter, or `true`, for."""
TYPES = {
    "AVG": "Average",
    "COUNT": "Count",
    "COUNTIF": "CountIf",
    "MAKELIST": "MakeList",
    "MAKESET": "MakeSet",
    "MAX": "Max",
    "MIN": "Min",
    "SUM": "Sum",
}
"""Aggregate functions as plans call them."""


def aggregate_type(node: s.Expression) -> str | None:
    """What plans call the aggregate that the expression is; `None` for any other expression."""
    if isinstance(node, s.Call) and not node.user and node.function in AGGREGATES:
        return TYPES[node.function]
    return None


def rewritten(query: s.Query) -> s.Query | None:
    """The query for each partition; `None`: the query as it is."""
    folds = is_aggregated(query)
    if folds and (query.group or any(aggregate_type(item.value) for item in query.select.items)):
        return _folded(query)
    if query.order:
        return _sorted(query, _payload(query, query.select))
    bounded = _bounded(query)
    return None if bounded == query else bounded


def sorts(query: s.Query) -> bool:
    """Whether the client has to merge sorted results."""
    return bool(query.order) and not any(aggregate_type(item.value) for item in query.select.items)


def _folded(query: s.Query) -> s.Query:
    payload = _payload(query, query.select)
    if not query.group:
        if query.select.kind == "VALUE":
            return s.replaced(_unbounded(query), select=s.Select("VALUE", (s.Item(payload, None),)))
        return s.replaced(_bounded(query), select=s.Select("list", (s.Item(payload, "payload"),)))
    items = _items(query.group)
    if sorts(query):
        both = s.Object((s.Pair("groupByItems", items), s.Pair("payload", payload)))
        return s.replaced(_sorted(query, both, defined=False), top=None, offset=None, limit=None)
    columns = (s.Item(items, "groupByItems"), s.Item(payload, "payload"))
    return s.replaced(_unbounded(query), select=s.Select("list", columns))


def _sorted(query: s.Query, payload: s.Expression, defined: bool = True) -> s.Query:
    root = s.Name(query.sources[0].alias or "r")
    items = _items(tuple(sort.value for sort in query.order))
    columns = (
        s.Item(s.Member(root, (s.Step("_rid", True),)), None),
        s.Item(items, "orderByItems"),
        s.Item(payload, "payload"),
    )
    where: s.Expression = FILTER if query.where is None else s.Chain(query.where, (("AND", FILTER),))
    if defined and query.select.kind == "VALUE":
        where = s.Chain(where, (("AND", s.Call("IS_DEFINED", (payload,))),))
    bounded = _unbounded(query) if query.distinct else _bounded(query)
    return s.replaced(bounded, select=s.Select("list", columns), distinct=False, where=where)


def _payload(query: s.Query, select: s.Select) -> s.Expression:
    """What a client makes one result of."""
    if select.kind == "*":
        return s.Name(query.sources[0].alias or "r")
    values = [_mergeable(item.value) for item in select.items]
    if select.kind == "VALUE":
        return s.Array((values[0],)) if aggregate_type(select.items[0].value) else values[0]
    names = s.column_names(select)
    return s.Object(tuple(s.Pair(name, value) for name, value in zip(names, values, strict=True)))


def _mergeable(node: s.Expression) -> s.Expression:
    """An aggregate in parts that can be merged; any other expression as it is."""
    if not isinstance(node, s.Call) or aggregate_type(node) is None:
        return node
    if node.function == "AVG":
        return _object(item=_object(sum=_again("SUM", node), count=_again("COUNT", node)))
    if node.function in ("MIN", "MAX"):
        name = node.function.lower()
        parts = (s.Pair(name, _again(node.function, node)), s.Pair("count", _again("COUNT", node)))
        return _object(item=_again(node.function, node), item2=s.Object(parts))
    return _object(item=node)


def _again(function: str, node: s.Call) -> s.Call:
    return s.Call(function, node.arguments)


def _object(**pairs: s.Expression) -> s.Object:
    return s.Object(tuple(s.Pair(name, value) for name, value in pairs.items()))


def _items(values: tuple[s.Expression, ...]) -> s.Array:
    return s.Array(tuple(_object(item=value) for value in values))


def _unbounded(query: s.Query) -> s.Query:
    """The query without what only the whole can be cut by."""
    return s.replaced(query, top=None, offset=None, limit=None)


def _bounded(query: s.Query) -> s.Query:
    """Each partition gives at most as many as the whole."""
    if query.distinct:
        return _unbounded(query)
    if query.offset is None or query.limit is None:
        return query
    offset, limit = query.offset.value, query.limit.value
    assert not isinstance(offset, str) and not isinstance(limit, str), "parameters are numbers here"
    return s.replaced(query, offset=s.Count(0), limit=s.Count(offset + limit))
