"""The example of each kind of problem, for the API's document."""

from __future__ import annotations

PROBLEMS = {
    400: ("invalid-request", "Expected `int` >= 1 - at `$.items[0].quantity`"),
    401: ("unauthenticated", "send an access token: Authorization: Bearer …"),
    403: ("insufficient-scope", "the access token lacks the scope orders.write"),
    404: ("not-found", "there is no such order"),
    409: ("conflict", "the order is already confirmed"),
    412: ("precondition-failed", "the product has changed since you read it; read it again"),
    413: ("payload-too-large", "Request's body is 200000 bytes long and it exceeds the limit of 102400 bytes."),
    415: ("unsupported-media-type", "send the body as Content-Type: application/json"),
    422: ("unknown-sku", "not for sale: the products of the lines 0, counted from 0"),
    428: ("precondition-required", "another price needs the product's ETag as If-Match; read the product first"),
    429: ("too-many-requests", "Rate limit is exceeded. Try again in 7 seconds."),
    500: ("internal-error", "something went wrong here; quote the trace id when you report it"),
    502: ("backend-unreachable", "the service behind this operation cannot be reached; try again later"),
    503: ("temporarily-unavailable", "the stock changes too fast at present"),
    504: (
        "backend-timeout",
        "the service behind this operation did not answer in time; it may still have done what was asked",
    ),
}
"""Status → the code and detail of its example."""
