"""What Application Insights refuses.

InsightsError
├── ItemRefused            one envelope of a batch, with the index and the status that the answer names
├── Throttled        429   more is under way than there is room for
└── QueryError             the error of the query API, with its code
    ├── BadArgument  400   the request itself: no query, or a timespan that cannot be read
    ├── BadQuery     400   the query: its syntax, a name that does not exist, or a value that cannot be computed
    ├── Unsupported  400   Kusto has it, this does not
    ├── UnknownPath  404   no such application
    └── TooLong      504   the query did not end within its time
"""

from __future__ import annotations

from typing import ClassVar


class InsightsError(Exception):
    """What a caller is told."""


class ItemRefused(InsightsError):
    """An envelope that is not kept. `status` is the one that its entry among the answer's errors carries."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Throttled(InsightsError):
    """Nothing was kept or answered; the same request may succeed later."""


class QueryError(InsightsError):
    """One error object of the query API. `inner` is the code of what lies beneath it."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "BadArgumentError"
    summary: ClassVar[str] = "The request had some invalid properties"

    def __init__(self, message: str, inner: str = "", line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.inner, self.line, self.column = inner, line, column


class BadArgument(QueryError):
    pass


class BadQuery(QueryError):
    pass


class Unsupported(QueryError):
    def __init__(self, feature: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(f"not supported here: {feature}; see COMPATIBILITY.md", "UnsupportedFeature", line, column)


class UnknownPath(QueryError):
    status = 404
    code = "PathNotFoundError"
    summary = "The requested path does not exist"


class TooLong(QueryError):
    status = 504
    code = "GatewayTimeout"
    summary = "The query did not complete within its time"
