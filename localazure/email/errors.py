"""What the service refuses, each as `{"error": {"code", "message"}}`.

EmailError
├── Unauthenticated        401  no signature, another key's, or one that is too old; a token that proves nothing
├── Forbidden              403  an identity without the role
├── InvalidRequest         400  the message is not one
│   └── UnsupportedFeature 400  the service has it, this does not
├── UnknownOperation       404  nobody sent such a message
├── UnknownAddress         404  no such endpoint
├── SenderRefused          404  the sender's domain is linked to no resource
├── Injected               4xx  or 5xx: a fault ordered by a test
└── Unavailable            503  the issuer of tokens cannot be asked
"""

from __future__ import annotations

from typing import ClassVar


class EmailError(Exception):
    """One error. `code` is what the service calls it."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "BadRequest"

    @property
    def http_status(self) -> int:
        return self.status


class Unauthenticated(EmailError):
    status = 401
    code = "Denied"


class Forbidden(EmailError):
    status = 403
    code = "Forbidden"


class Unavailable(EmailError):
    status = 503
    code = "ServiceUnavailable"


class InvalidRequest(EmailError):
    pass


class UnsupportedFeature(InvalidRequest):
    """The service can do this; localazure cannot, and says so rather than pretend."""

    def __init__(self, feature: str) -> None:
        super().__init__(f"localazure does not support {feature}")


class UnknownOperation(EmailError):
    status = 404
    code = "NotFound"


class UnknownAddress(EmailError):
    status = 404
    code = "NotFound"


class SenderRefused(EmailError):
    status = 404
    code = "DomainNotLinked"


class Injected(EmailError):
    """Raised before any effect."""

    def __init__(self, status: int) -> None:
        super().__init__(f"an injected fault answers {status} before any effect")
        self._status = status

    @property
    def http_status(self) -> int:
        return self._status
