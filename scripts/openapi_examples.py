"""Examples and longer words for the API's document. Products and prices are from `data/`."""

from __future__ import annotations

from typing import Any, NamedTuple


class _Examples(NamedTuple):
    bodies: dict[str, Any]
    answers: dict[str, Any]
    descriptions: dict[str, str]


_PRODUCT = {
    "sku": "85123A",
    "name": "WHITE HANGING HEART T-LIGHT HOLDER",
    "category": "home",
    "price": {"amount": 255, "currency": "GBP"},
}
_CART = {
    "id": "crt_4q2n5xk7d6h3w2m5r7t2y4u6i3",
    "items": [{"sku": "85123A", "quantity": 6}],
    "version": 2,
}
_ADDRESS = {"name": "A. Shopper", "line1": "1 High Street", "city": "London", "postal_code": "N1 1AA", "country": "GB"}
_PLACED_AT = "2026-11-02T09:00:00.000000Z"
_ORDER = {
    "id": "ord_7x3kq5n2w4m6r5t3y2u7i4o6p5",
    "status": "placed",
    "items": [
        {
            "sku": "85123A",
            "name": "WHITE HANGING HEART T-LIGHT HOLDER",
            "quantity": 6,
            "unit_price": {"amount": 255, "currency": "GBP"},
        }
    ],
    "total": {"amount": 1530, "currency": "GBP"},
    "shipping_address": {**_ADDRESS, "line2": None},
    "placed_at": _PLACED_AT,
    "history": [{"status": "placed", "at": _PLACED_AT, "reason": None}],
}
_CANCELLED = {
    **_ORDER,
    "status": "cancelled",
    "history": [
        *_ORDER["history"],
        {"status": "cancelled", "at": "2026-11-02T09:00:01.000000Z", "reason": "customer_request"},
    ],
}
_STOCK = {"sku": "85123A", "on_hand": 120, "reserved": 6, "available": 114}

EXAMPLES = _Examples(
    bodies={
        "products_put": {key: value for key, value in _PRODUCT.items() if key != "sku"},
        "carts_set_line": {"quantity": 6},
        "orders_place": {
            "items": [{"sku": "85123A", "quantity": 6}],
            "shipping_address": _ADDRESS,
            "payment_method": "pm_card_visa",
        },
        "stock_put": {"on_hand": 120},
        "payments_webhook": {"id": "evt_1", "object": "event", "type": "payment_intent.succeeded"},
    },
    answers={
        "products_list": {"items": [_PRODUCT], "next_cursor": None},
        "products_get": _PRODUCT,
        "products_put": _PRODUCT,
        "carts_open": {**_CART, "items": [], "version": 1},
        "carts_get": _CART,
        "carts_set_line": _CART,
        "carts_remove_line": {**_CART, "items": [], "version": 3},
        "orders_place": _ORDER,
        "orders_list": {
            "items": [{key: _ORDER[key] for key in ("id", "status", "total", "placed_at")}],
            "next_cursor": None,
        },
        "orders_get": _ORDER,
        "orders_timeline": {
            "items": [{"at": _PLACED_AT, "event": "commerce.order.placed.v1", "source": "orders"}],
            "next_cursor": None,
        },
        "orders_cancel": _CANCELLED,
        "stock_get": _STOCK,
        "stock_put": _STOCK,
        "payments_get": {
            "order_id": _ORDER["id"],
            "status": "captured",
            "amount": {"amount": 1530, "currency": "GBP"},
        },
        "payments_webhook": {"received": True},
    },
    descriptions={
        "orders_place": (
            "Send `items` or `cart_id`, not both. An order of a cart names `expected_total`, what the shopper saw: "
            "where it costs anything else now, the answer is 409 with the new `total`. "
            "The answer comes as soon as the order is safe; read it again to see "
            "it `confirmed` or `cancelled`, usually within a second. At the gateway two other dialects are understood "
            "as well, camel case and that of the former partner interface; docs/api.md has the table."
        ),
        "orders_cancel": "Possible until the order is confirmed. Sent again, it has the same answer.",
        "payments_webhook": "For the payment provider alone: the signature covers the body's very bytes.",
        "products_list": "By SKU. Answers are kept for a few seconds at the gateway, unless the request has a token.",
        "stock_put": "What is reserved for orders cannot be taken away: 409.",
    },
)

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
