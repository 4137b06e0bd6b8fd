"""Every way a use case can fail, in one tree.

CommerceError
├── InvalidRequest          400  the request itself is wrong; sending it again cannot help
├── Unauthenticated         401  no valid access token
├── Forbidden               403  a valid token that lacks the scope or the role
├── NotFound                404  no such thing, or not the caller's to see
├── Conflict                409  the thing's present state forbids it
├── PreconditionFailed      412  If-Match names another version than the present one
├── PreconditionRequired    428  the change needs an If-Match, and has none
├── PayloadTooLarge         413
├── UnsupportedMediaType    415
├── Unprocessable           422  well-formed, but names or asks for what cannot be
├── LimitReached            429  more than the caller may have at a time; wait for Retry-After
├── Rejected                422  an event that can never be handled; it belongs in the dead-letter queue
└── Transient               503  a dependency is slow, throttled or down; try again
    └── Contention          503  lost a compare-and-swap too often

Use cases raise these. `shared.web` turns them into problem documents, `shared.messaging` into
settle-or-retry; nothing else looks at them. Errors of an SDK are translated where the SDK is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class CommerceError(Exception):
    """Base of the tree. `code` is stable and public: clients may switch on it; `detail` is for people."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"
    transient: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        retry_after: float | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.retry_after = retry_after
        """Seconds after which trying again makes sense, where the cause is known to say so."""
        self.members = members or {}
        """What else a client can use: extension members of the problem document (RFC 9457, section 3.2)."""


class InvalidRequest(CommerceError):
    status = 400
    default_code = "invalid-request"
    title = "The request is not valid"


class Unauthenticated(CommerceError):
    status = 401
    default_code = "unauthenticated"
    title = "A valid access token is required"


class Forbidden(CommerceError):
    status = 403
    default_code = "forbidden"
    title = "The access token does not allow this"


class NotFound(CommerceError):
    status = 404
    default_code = "not-found"
    title = "Not found"


class Conflict(CommerceError):
    status = 409
    default_code = "conflict"
    title = "Not possible in the present state"


class PreconditionFailed(CommerceError):
    status = 412
    default_code = "precondition-failed"
    title = "The resource has changed since you read it"


class PreconditionRequired(CommerceError):
    status = 428
    default_code = "precondition-required"
    title = "The request must name the version it changes"


class PayloadTooLarge(CommerceError):
    status = 413
    default_code = "payload-too-large"
    title = "The request body is too large"


class UnsupportedMediaType(CommerceError):
    status = 415
    default_code = "unsupported-media-type"
    title = "The request body is of another media type"


class Unprocessable(CommerceError):
    status = 422
    default_code = "unprocessable"
    title = "The request cannot be carried out"


class LimitReached(CommerceError):
    status = 429
    default_code = "too-many-requests"
    title = "Too many requests"


class Rejected(CommerceError):
    status = 422
    default_code = "event-rejected"
    title = "The event can never be handled"


class Transient(CommerceError):
    status = 503
    default_code = "temporarily-unavailable"
    title = "Temporarily unavailable"
    transient = True


class Contention(Transient):
    default_code = "contention"
    title = "Too many concurrent changes"
