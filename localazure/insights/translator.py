"""A process that turns Kusto queries into SQL: one line of JSON in, one out, until its input ends.

Its parser is Python and cannot be interrupted, and a query of a few kilobytes can keep it busy for minutes. In a
process of its own it holds nobody up, and ends with its query's time limit. `kql.py` is the other side.
"""

from __future__ import annotations

import json
import re
import resource
import sys
from datetime import datetime
from typing import Any

MEMORY = 1 << 30
"""Bytes of address space."""
_DEEPEST = 8_000
"""Python calls: a bracket takes about a hundred of the parser's."""


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.setrecursionlimit(_DEEPEST)
    for line in sys.stdin:
        print(json.dumps(_answer(**json.loads(line))), flush=True)


def _answer(query: str, schema: dict[str, list[str]], now: str) -> dict[str, Any]:
    """`sql` and `parameters`, or `refused` with what is wrong and where."""
    from duckdb_kql import KqlSchemaError, KqlSyntaxError, KqlUnsupportedError, to_sql

    try:
        result = to_sql(query, schema, allow_write=False, query_now=datetime.fromisoformat(now))
    except KqlSyntaxError as exc:
        first = exc.diagnostics[0] if exc.diagnostics else None
        place = {"line": first.span.line, "column": first.span.column} if first else {}
        return {"refused": "syntax", "message": first.message if first else str(exc), **place}
    except KqlUnsupportedError as exc:
        place = {"line": exc.span.line, "column": exc.span.column} if exc.span else {}
        return {"refused": "unsupported", "message": _keyword(exc.construct), **place}
    except KqlSchemaError as exc:
        if exc.name.startswith("cluster("):
            return {"refused": "unsupported", "message": exc.name}
        return {"refused": "semantic", "message": str(exc)}
    except (RecursionError, MemoryError):
        return {"refused": "syntax", "message": "the query is nested too deeply"}
    if result.unbound:
        return {"refused": "unsupported", "message": "declare query_parameters"}
    return {"sql": str(result), "parameters": {name: _plain(value) for name, value in result.parameters.items()}}


def _keyword(construct: str) -> str:
    """As it is written in a query: `make-series`, where the grammar says `MakeSeriesOperator`."""
    if not construct.endswith("Operator"):
        return construct
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=^Mv)", "-", construct.removesuffix("Operator")).lower()


def _plain(value: Any) -> Any:
    return {"datetime": value.isoformat()} if isinstance(value, datetime) else value


if __name__ == "__main__":
    main()
