"""Patch conditions: `from c where …`.

Conditions cannot have parameters, so callers write values into them and no two texts are the same. Taking the literals
out again makes them one text, which is parsed once.
"""

from __future__ import annotations

import json
import re
from typing import Any

from localazure.cosmos.errors import QueryError
from localazure.cosmos.sql.expressions import LIFTED
from localazure.cosmos.sql.lexer import unquoted
from localazure.cosmos.sql.query import Query, parse

_LONGEST_NAME = 64
_STRING = r"""(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
_PROPERTY = re.compile(r"\.\w+\[$")
"""What stands before a literal that names a property: `c.holds[`."""
_PIECE = re.compile(
    rf"""
    (?P<kept> --[^\n]* | \bESCAPE\s*{_STRING} | {_STRING}\s*: )  # a comment, an escape character, a property's name
    | (?P<literal> {_STRING} | (?<![\w.@$])\d+(?:\.\d+)?(?![\w.]) )
    """,
    re.VERBOSE | re.IGNORECASE,
)


def parse_condition(text: str) -> tuple[Query, dict[str, Any]]:
    """A condition as a query, and the parameters it is to be run with. Raises QueryError."""
    values: dict[str, Any] = {}

    def lift(match: re.Match[str]) -> str:
        literal = match["literal"]
        if literal is None:
            return match[0]
        quoted = literal[0] in "'\""
        if quoted and _PROPERTY.search(text, max(0, match.start() - _LONGEST_NAME), match.start()):
            name = f"{LIFTED}{len(values)}"
            values[name] = unquoted(literal)
            return f"'{name}'"
        name = f"@lifted{len(values)}"
        values[name] = unquoted(literal) if quoted else json.loads(literal)
        return name

    try:
        return parse(f"SELECT VALUE true {_PIECE.sub(lift, text)}"), values
    except QueryError:
        # somewhere a literal has to be one, as in FROM t IN c['tags']
        return parse(f"SELECT VALUE true {text}"), {}
