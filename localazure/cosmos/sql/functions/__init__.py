"""The built-in functions of Cosmos DB's SQL that are here. An argument of a wrong type makes the result undefined.

Source: "System functions (NoSQL query)" and the page of each function; a table a group, as there.
"""

from __future__ import annotations

from localazure.cosmos.sql.functions import arrays, dates, numbers, strings, types
from localazure.cosmos.sql.functions.kinds import Function

FUNCTIONS: dict[str, Function] = {
    **arrays.FUNCTIONS,
    **dates.FUNCTIONS,
    **numbers.FUNCTIONS,
    **strings.FUNCTIONS,
    **types.FUNCTIONS,
}
"""By their names in capitals."""

CLOCK: dict[str, Function] = dates.CLOCK
"""Functions of the time, which is their first argument (seconds since the Unix epoch)."""

AGGREGATES = frozenset({"COUNT", "SUM", "AVG", "MIN", "MAX"})
