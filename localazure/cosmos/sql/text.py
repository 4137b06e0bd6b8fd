"""A tree as text again, laid out as Microsoft's planner lays out the queries that it rewrites."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any

from localazure.cosmos.sql import syntax as s
from localazure.cosmos.sql.lexer import CONSTANTS, KEYWORDS
from localazure.cosmos.sql.values import UNDEFINED

_INDENT = "    "
_PLAIN = re.compile(r"[^\W\d]\w*")
_NOT_IN = "NOT  IN"
"""With two blanks, as the planner writes it."""


def query_text(query: s.Query, depth: int = 0) -> str:
    """The query, one clause a line."""
    lines = [_select(query, depth)]
    for number, source in enumerate(query.sources):
        lines.append(f"{'JOIN' if number else 'FROM'} {_source(source, depth)}")
    if query.where is not None:
        lines.append(f"WHERE {expression_text(query.where, depth)}")
    if query.group:
        lines.append(f"GROUP BY {_listed(query.group, depth)}")
    if query.order:
        lines.append(f"ORDER BY {', '.join(_sort(item, depth) for item in query.order)}")
    if query.offset is not None and query.limit is not None:
        lines.append(f"OFFSET {query.offset.value} LIMIT {query.limit.value}")
    return f"\n{_INDENT * depth}".join(lines)


def _select(query: s.Query, depth: int) -> str:
    words = ["SELECT"]
    if query.distinct:
        words.append("DISTINCT")
    if query.top is not None:
        words.append(f"TOP {query.top.value}")
    if query.select.kind == "*":
        words.append("*")
    elif query.select.kind == "VALUE":
        words.append(f"VALUE {expression_text(query.select.items[0].value, depth)}")
    else:
        words.append(", ".join(_item(item, depth) for item in query.select.items))
    return " ".join(words)


def _item(item: s.Item, depth: int) -> str:
    text = expression_text(item.value, depth)
    if item.alias is None:
        return text
    plain = _PLAIN.fullmatch(item.alias) and item.alias.upper() not in KEYWORDS and item.alias not in CONSTANTS
    return f"{text} AS {item.alias if plain else string_text(item.alias)}"


def _source(source: s.Source, depth: int) -> str:
    if isinstance(source.collection, s.Query):
        collection = _parenthesised(source.collection, depth)
    else:
        collection = source.collection.root + _steps(source.collection.steps)
    if source.iterates:
        return f"{source.name} IN {collection}"
    return collection if source.name is None else f"{collection} AS {source.name}"


def _sort(item: s.Sort, depth: int) -> str:
    return f"{expression_text(item.value, depth)} {item.direction}".rstrip()


def _parenthesised(query: s.Query, depth: int, more: int = 0) -> str:
    inner = depth + 1 + more
    return f"(\n{_INDENT * inner}{query_text(query, inner)}\n{_INDENT * (inner - 1)})"


def _listed(items: Iterable[s.Expression], depth: int) -> str:
    return ", ".join(expression_text(item, depth) for item in items)


def expression_text(node: s.Expression, depth: int = 0) -> str:
    """The expression with every operation in parentheses."""
    match node:
        case s.Constant():
            return constant_text(node.value)
        case s.Parameter() | s.Name():
            return node.name
        case s.Member():
            return _member(node, depth)
        case s.Unary():
            return f"({node.operator} {expression_text(node.operand, depth)})"
        case s.Chain():
            links = [f" {operator} {expression_text(operand, depth)})" for operator, operand in node.rest]
            return "(" * len(links) + expression_text(node.first, depth) + "".join(links)
        case s.Ternary():
            parts = [expression_text(part, depth) for part in (node.condition, node.then, node.otherwise)]
            return f"({parts[0]} ? {parts[1]} : {parts[2]})"
        case s.Coalesce():
            return f"({expression_text(node.first, depth)} ?? {expression_text(node.second, depth)})"
        case s.Array():
            return f"[{_listed(node.items, depth)}]"
        case s.Object():
            pairs = [f"{string_text(pair.name)}: {expression_text(pair.value, depth)}" for pair in node.pairs]
            return "{" + ", ".join(pairs) + "}"
        case s.Call():
            return f"{'udf.' if node.user else ''}{node.name or node.function}({_listed(node.arguments, depth)})"
        case s.Subquery():
            return _subquery(node, depth)
        case _:
            return _test(node, depth)


def _test(node: s.In | s.Like | s.Between, depth: int) -> str:
    wanted = expression_text(node.wanted, depth)
    match node:
        case s.In():
            return f"({wanted} {_NOT_IN if node.negated else 'IN'} ({_listed(node.choices, depth)}))"
        case s.Like():
            escape = "" if node.escape is None else f" ESCAPE {string_text(node.escape)}"
            return f"({wanted} {'NOT ' * node.negated}LIKE {expression_text(node.pattern, depth)}{escape})"
        case s.Between():
            low, high = expression_text(node.low, depth), expression_text(node.high, depth)
            return f"({wanted} {'NOT ' * node.negated}BETWEEN {low} AND {high})"


def _member(node: s.Member, depth: int) -> str:
    of = expression_text(node.of, depth)
    if isinstance(node.of, s.Constant):
        of = f"({of})"
    return of + _steps(node.steps)


def _steps(steps: Iterable[s.Step]) -> str:
    return "".join(f".{step.key}" if step.dotted else f"[{constant_text(step.key)}]" for step in steps)


def _subquery(node: s.Subquery, depth: int) -> str:
    if node.kind == "ALL":
        # the planner knows only EXISTS
        where = node.query.where if node.query.where is not None else s.Constant(True)
        query = s.replaced(node.query, where=s.Unary("NOT", where))
        return f"(NOT EXISTS{_parenthesised(query, depth)})"
    # an array's lines are indented once more
    return ("" if node.kind == "SCALAR" else node.kind) + _parenthesised(node.query, depth, int(node.kind == "ARRAY"))


def constant_text(value: Any) -> str:
    """A constant as the planner writes it."""
    if value is UNDEFINED:
        return "undefined"
    if isinstance(value, str):
        return string_text(value)
    if isinstance(value, float):
        return _number_text(value)
    return json.dumps(value)


def string_text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _number_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    short = f"{value:.17g}" if value.is_integer() else f"{value:.15g}"
    return short if float(short) == value else f"{value:.17g}"
