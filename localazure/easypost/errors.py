"""What the API refuses, in EasyPost's own terms.

ApiError
├── Unauthenticated      401  no key, or another key
├── NotFound             404  no such tracker, or no such address
├── Unreadable           400  the body is not JSON, or nested too deep
├── TooLarge             413
├── Invalid              422  a parameter is missing or malformed
│   └── Unsupported      422  EasyPost has it, this does not
└── Injected                  a fault ordered by a test
"""

from __future__ import annotations

from typing import ClassVar


class ApiError(Exception):
    """One error object. `field`: the parameter that is wrong."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "PARAMETER.INVALID"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    @property
    def http_status(self) -> int:
        return self.status


class Unauthenticated(ApiError):
    status = 401
    code = "APIKEY.INVALID"


class NotFound(ApiError):
    status = 404
    code = "NOT_FOUND"


class Unreadable(ApiError):
    status = 400
    code = "BAD_REQUEST"


class TooLarge(ApiError):
    status = 413
    code = "PAYLOAD.TOO_LARGE"


class Invalid(ApiError):
    pass


class Unsupported(Invalid):
    """EasyPost can do this; localazure cannot, and says so rather than pretend."""

    code = "UNSUPPORTED"

    def __init__(self, feature: str, field: str | None = None) -> None:
        super().__init__(f"localazure does not support {feature}", field)


class Injected(ApiError):
    """Raised before any effect."""

    code = "INJECTED"

    def __init__(self, status: int) -> None:
        super().__init__(f"an injected fault answers {status} before any effect")
        self._status = status

    @property
    def http_status(self) -> int:
        return self._status
