"""Patch conditions: `from c where …`.

Conditions cannot have parameters, so callers write values into them and no two texts are the same. Those that differ in
values of WHERE alone share a template: a query that is compiled once, and is given the values that stand in a text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from localazure.cosmos.errors import QueryError
from localazure.cosmos.sql.expressions import Bindings
from localazure.cosmos.sql.lexer import LITERAL, MAX_TEXT, literal
from localazure.cosmos.sql.query import Query, parse, parse_open

_MAX_TEMPLATES = 512
_PIECES = re.compile(rf"--[^\n]*|({LITERAL})", re.VERBOSE | re.DOTALL)

Shape = tuple[str | bool | None, ...]
"""What stands between literals and comments, and of each of them whether it is quoted (of a comment, None)."""


@dataclass(frozen=True)
class _Template:
    """A query whose WHERE is given the literals at `open`; the others are as in the text that it was made of."""

    query: Query
    open: frozenset[int]
    literals: Sequence[str | None]

    def fits(self, literals: Sequence[str | None]) -> bool:
        pairs = zip(self.literals, literals, strict=True)
        return all(number in self.open or own == other for number, (own, other) in enumerate(pairs))


_templates: dict[Shape, _Template] = {}


def holds(condition: str, document: Any, now: float) -> bool:
    """Whether a document fulfils a condition. Raises QueryError."""
    query, values = _parsed(f"SELECT VALUE true {condition}")
    return bool(query.run([document], Bindings({}, now, values)))


def _parsed(text: str) -> tuple[Query, Sequence[Any]]:
    """A condition as a query, and the literals that it is to be given."""
    pieces = _PIECES.split(text)
    literals = pieces[1::2]
    shape = (*pieces[::2], *(each and each[0] in "'\"" for each in literals))
    known = _templates.get(shape)
    if known is None:
        known = _templates[shape] = _template(text, pieces)
        if len(_templates) > _MAX_TEMPLATES:
            del _templates[next(iter(_templates))]
    elif len(text) > MAX_TEXT or not known.fits(literals):
        return parse(text), ()
    try:
        values = [literal(each) if number in known.open else None for number, each in enumerate(literals)]
    except QueryError:
        return parse(text), ()  # which says where in the text it is wrong
    return known.query, values


def _template(text: str, pieces: Sequence[str]) -> _Template:
    """Raises QueryError."""
    starts = {match.start(1): number for number, match in enumerate(_PIECES.finditer(text))}
    query, opened = parse_open(text, starts)
    return _Template(query, opened, pieces[1::2])
