"""What Cosmos DB answers when it does not do what was asked, by HTTP status and sub-status.

CosmosError
├── BadRequest            400
├── Unauthorized          401
├── NotFound              404
├── Conflict              409
├── PreconditionFailed    412
├── TooLarge              413
└── Injected              429, 503 and the like, by order of a test
"""

from __future__ import annotations

from typing import ClassVar


class CosmosError(Exception):
    """Base; `substatus` is what the client's retry rules look at."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "InternalServerError"

    def __init__(self, message: str, substatus: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.substatus = substatus


class BadRequest(CosmosError):
    status = 400
    code = "BadRequest"


class Unauthorized(CosmosError):
    status = 401
    code = "Unauthorized"


class NotFound(CosmosError):
    status = 404
    code = "NotFound"


class Conflict(CosmosError):
    status = 409
    code = "Conflict"


class PreconditionFailed(CosmosError):
    status = 412
    code = "PreconditionFailed"


class TooLarge(CosmosError):
    status = 413
    code = "RequestEntityTooLarge"
