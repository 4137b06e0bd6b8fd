"""Stripe's search query language, as far as PaymentIntents are looked for here, turned into SQL conditions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from localazure.stripe.errors import InvalidRequest, UnsupportedFeature

_CLAUSE = re.compile(
    r"""(?P<minus>-)?(?P<field>[a-z_]+)(?:\[(?P<kq>["'])(?P<key>.*?)(?P=kq)\])?"""
    r"""\s*(?P<operator>:|~|>=|<=|>|<)\s*(?:(?P<vq>["'])(?P<text>(?:\\.|(?!(?P=vq)).)*)(?P=vq)|(?P<bare>[\w-]+))"""
)
_JOINT = re.compile(r"\s*(?:\b(?P<word>AND|OR)\b)?\s*", re.IGNORECASE)
_TEXT_FIELDS = frozenset(["currency", "status"])
_NUMBER_FIELDS = frozenset(["amount", "created"])
_OPERATORS = {":": "=", ">": ">", "<": "<", ">=": ">=", "<=": "<="}


@dataclass(frozen=True)
class Condition:
    """A condition on a row of a PaymentIntent, with its bound values."""

    sql: str
    values: tuple[str | int, ...]


def parse(query: str) -> Condition:
    """`metadata['order_id']:'x' AND status:'succeeded'` → a condition.

    Raises InvalidRequest for a query that cannot be read and UnsupportedFeature for a field or operator Stripe has.
    """
    clauses: list[Condition] = []
    words: set[str] = set()
    position, text = 0, query.strip()
    while position < len(text):
        match = _CLAUSE.match(text, position)
        if match is None:
            raise _unreadable(text, position)
        clauses.append(_clause(match))
        joint = _JOINT.match(text, match.end())
        assert joint is not None, "the pattern matches the empty string"
        position = joint.end()
        if position == len(text):
            if joint["word"]:
                raise _unreadable(text, position)
            break
        if position == match.end():
            raise _unreadable(text, position)
        words.add((joint["word"] or "AND").upper())
    if not clauses:
        raise _unreadable(text, 0)
    if len(words) > 1:
        raise InvalidRequest("A search query cannot combine AND and OR.", param="query")
    word = f" {words.pop()} " if words else ""
    return Condition(
        word.join(f"({clause.sql})" for clause in clauses), tuple(v for clause in clauses for v in clause.values)
    )


def _clause(match: re.Match[str]) -> Condition:
    field, operator = match["field"], match["operator"]
    if operator == "~":
        raise UnsupportedFeature("substring search (~)", param="query")
    bare = match["bare"]
    text = bare if bare is not None else re.sub(r"\\(.)", r"\1", match["text"])
    if field == "metadata" and match["key"] is not None:
        condition = _metadata(match["key"], operator, None if bare == "null" else text)
    elif match["key"] is None and field in _TEXT_FIELDS and operator == ":":
        condition = Condition(f"json_extract(body, '$.{field}') = ?", (text,))
    elif match["key"] is None and field in _NUMBER_FIELDS and text.isdecimal():
        condition = Condition(f"json_extract(body, '$.{field}') {_OPERATORS[operator]} ?", (int(text),))
    else:
        raise UnsupportedFeature(f"searching by {match[0]}", param="query")
    return Condition(f"NOT ({condition.sql})", condition.values) if match["minus"] else condition


def _metadata(key: str, operator: str, value: str | None) -> Condition:
    if operator != ":":
        raise UnsupportedFeature(f"comparing metadata with {operator}", param="query")
    if value is None:
        return Condition("id NOT IN (SELECT intent FROM intent_metadata WHERE key = ?)", (key,))
    return Condition("id IN (SELECT intent FROM intent_metadata WHERE key = ? AND value = ?)", (key, value))


def _unreadable(text: str, position: int) -> InvalidRequest:
    rest = text[position : position + 40] or "its end"
    return InvalidRequest(f"We were unable to parse your search query near: {rest}", param="query")
