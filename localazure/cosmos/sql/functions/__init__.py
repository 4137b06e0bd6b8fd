"""The built-in functions of Cosmos DB's SQL that are here. An argument of a wrong type makes the result undefined.

Source: "System functions (NoSQL query)" and the page of each function; a table a group, as there.
"""

from __future__ import annotations

from localazure.cosmos.sql.functions import arrays, dates, numbers, regex, strings, types
from localazure.cosmos.sql.functions.kinds import Function

FUNCTIONS: dict[str, Function] = {
    **arrays.FUNCTIONS,
    **dates.FUNCTIONS,
    **numbers.FUNCTIONS,
    **regex.FUNCTIONS,
    **strings.FUNCTIONS,
    **types.FUNCTIONS,
}
"""By their names in capitals."""

CLOCK: dict[str, Function] = dates.CLOCK
"""Functions of the time, which is their first argument (seconds since the Unix epoch)."""

AGGREGATES = frozenset({"COUNT", "COUNTIF", "SUM", "AVG", "MIN", "MAX", "MAKELIST", "MAKESET"})

REFUSED: dict[str, tuple[int, int | None]] = {
    "FULLTEXTCONTAINS": (2, 2),
    "FULLTEXTCONTAINSALL": (2, None),
    "FULLTEXTCONTAINSANY": (2, None),
    "FULLTEXTSCORE": (2, None),
    "FULLTEXT_CONTAINS": (2, 2),
    "FULLTEXT_CONTAINS_ALL": (2, None),
    "FULLTEXT_CONTAINS_ANY": (2, None),
    "GENERATEEMBEDDINGS": (1, 1),
    "HASH": (1, 3),
    "RRF": (2, None),
    "ST_AREA": (1, 1),
    "ST_DISTANCE": (2, 2),
    "ST_INTERSECTS": (2, 2),
    "ST_ISVALID": (1, 1),
    "ST_ISVALIDDETAILED": (1, 1),
    "ST_WITHIN": (2, 2),
    "VECTORDISTANCE": (2, 4),
}
"""Functions that the service has and the local server has not, with the least and the most arguments they take."""


def arity(name: str) -> tuple[int, int | None] | None:
    """The least and the most arguments (`None`: any number) of a function; `None` for an unknown name."""
    if name in AGGREGATES:
        return 1, 1
    if name in REFUSED:
        return REFUSED[name]
    function = FUNCTIONS.get(name) or CLOCK.get(name)
    return None if function is None else (function.least, function.most)
