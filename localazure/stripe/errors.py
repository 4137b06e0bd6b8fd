"""What the API refuses, in Stripe's own terms.

ApiError
├── before anything is executed, so no idempotency key remembers it
│   ├── Unauthenticated        401  no key, or another key
│   ├── InvalidRequest         400  a parameter is unknown, missing or malformed
│   │   └── UnsupportedFeature 400  Stripe has it, this does not
│   ├── ResourceMissing        404  no such object
│   ├── UnknownAddress         404  no such endpoint
│   ├── KeyMismatch            400  the idempotency key belongs to another request
│   ├── KeyInUse               409  the idempotency key's first request is still under way
│   └── Injected                    a fault ordered by a test
└── Executed: an idempotency key replays these
    ├── UnexpectedState        400  the object's state does not allow it
    ├── NotRefundable          400  nothing is left to refund, or less than asked
    └── CardDeclined           402  the issuer says no
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from localazure.stripe.model import Intent

DOCUMENTATION = "https://docs.stripe.com/error-codes/"


class ApiError(Exception):
    """One error object. `intent` is shown as the error's `payment_intent`; `details` are its further fields."""

    status: ClassVar[int] = 400
    type: ClassVar[str] = "invalid_request_error"

    def __init__(
        self,
        message: str,
        code: str | None = None,
        param: str | None = None,
        intent: Intent | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.intent = intent
        self.details = details

    @property
    def http_status(self) -> int:
        return self.status


class Unauthenticated(ApiError):
    status = 401


class InvalidRequest(ApiError):
    pass


class UnsupportedFeature(InvalidRequest):
    """Stripe can do this; localazure cannot, and says so rather than pretend."""

    def __init__(self, feature: str, param: str | None = None) -> None:
        super().__init__(f"localazure does not support {feature}", code="unsupported_feature", param=param)


class ResourceMissing(ApiError):
    status = 404

    def __init__(self, kind: str, identity: str, param: str) -> None:
        super().__init__(f"No such {kind}: '{identity}'", code="resource_missing", param=param)


class UnknownAddress(ApiError):
    status = 404


class KeyMismatch(ApiError):
    type = "idempotency_error"


class KeyInUse(ApiError):
    status = 409

    def __init__(self, key: str) -> None:
        super().__init__(
            "There is currently another in-progress request using this idempotency key "
            f"(that probably means you submitted twice, and the other request is still going through): {key}.",
            code="idempotency_key_in_use",
        )


class Injected(ApiError):
    """Raised before any effect, so a repeat with the same key is executed."""

    type = "api_error"

    def __init__(self, status: int) -> None:
        code = "rate_limit" if status == 429 else None
        super().__init__(f"an injected fault answers {status} before any effect", code=code)
        self._status = status

    @property
    def http_status(self) -> int:
        return self._status


class Executed(ApiError):
    """The request was carried out and failed; what it changed is kept."""


class UnexpectedState(Executed):
    def __init__(self, message: str, intent: Intent) -> None:
        super().__init__(message, code="payment_intent_unexpected_state", intent=intent)


class NotRefundable(Executed):
    pass


class CardDeclined(Executed):
    status = 402
    type = "card_error"
