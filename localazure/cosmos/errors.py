"""What Cosmos DB answers when it does not do what was asked, by HTTP status and sub-status.

CosmosError
├── BadRequest            400
│   └── QueryError        400, what is wrong with a query and where
├── Unauthorized          401
├── Forbidden             403
├── NotFound              404
├── Conflict              409
├── Gone                  410, of a physical range
├── PreconditionFailed    412
├── TooLarge              413
├── Unavailable           503
└── Injected              429, 503 and the like, by order of a test
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar


class CosmosError(Exception):
    """Base; `substatus` is what the client's retry rules look at."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "InternalServerError"

    def __init__(self, message: str, substatus: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.substatus = substatus

    @property
    def explanation(self) -> str:
        """The message as the answer has it."""
        return self.message


class BadRequest(CosmosError):
    """`additional` is what the answer has as `additionalErrorInfo`: the plan of a query that is not served without."""

    status = 400
    code = "BadRequest"

    def __init__(self, message: str, substatus: int = 0, additional: str = "") -> None:
        super().__init__(message, substatus)
        self.additional = additional


class QueryError(BadRequest):
    """What is wrong with a query, from `start` to `end` (characters) of its text, with the service's number for it.

    Source of numbers and words: Microsoft's own query planner. What the local server alone refuses has no number.
    """

    def __init__(self, message: str, code: str = "", start: int = 0, end: int = 0) -> None:
        super().__init__(message)
        error: dict[str, Any] = {"severity": "Error", "location": {"start": start, "end": end}}
        error |= {"code": code, "message": message} if code else {"message": message}
        self.errors: list[dict[str, Any]] = [error]

    @classmethod
    def of(cls, errors: Sequence[QueryError]) -> QueryError:
        """All of them as one, in their order."""
        found = cls(errors[0].message)
        found.errors = [error for one in errors for error in one.errors]
        return found

    @property
    def explanation(self) -> str:
        return f"Message: {json.dumps({'errors': self.errors}, ensure_ascii=False)}"


class Unauthorized(CosmosError):
    status = 401
    code = "Unauthorized"


class Forbidden(CosmosError):
    status = 403
    code = "Forbidden"


class NotFound(CosmosError):
    status = 404
    code = "NotFound"


class Conflict(CosmosError):
    status = 409
    code = "Conflict"


class Gone(CosmosError):
    status = 410
    code = "Gone"


class PreconditionFailed(CosmosError):
    status = 412
    code = "PreconditionFailed"


class TooLarge(CosmosError):
    status = 413
    code = "RequestEntityTooLarge"


class Unavailable(CosmosError):
    status = 503
    code = "ServiceUnavailable"
