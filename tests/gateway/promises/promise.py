"""What a promise is, and the good call of each operation that promises are made about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.gateway.world import Answer, World

Case = Callable[[World], Awaitable[None]]
CASES: dict[str, Case] = {}

ORDER = "ord_7x3kq5n2w4m6r5t3y2u7i4o6p5"
CART = "crt_4q2n5xk7d6h3w2m5r7t2y4u6i3"
ADDRESS = {"name": "A. Shopper", "line1": "1 High Street", "city": "London", "postal_code": "N1 1AA", "country": "GB"}
PLACE = {"items": [{"sku": "85123A", "quantity": 6}], "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
PRODUCT = {"name": "HEART", "category": "home", "price": {"amount": 255, "currency": "GBP"}}
KEYED = {"Idempotency-Key": "k1"}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

OPERATIONS: dict[str, tuple[str, str, Any, dict[str, str], str]] = {
    "products_list": ("GET", "/v1/products", None, {}, ""),
    "products_get": ("GET", "/v1/products/85123A", None, {}, ""),
    "products_put": ("PUT", "/v1/products/85123A", PRODUCT, {}, "staff"),
    "carts_open": ("POST", "/v1/carts", None, {}, "shopper"),
    "carts_get": ("GET", f"/v1/carts/{CART}", None, {}, "shopper"),
    "carts_set_line": ("PUT", f"/v1/carts/{CART}/items/85123A", {"quantity": 2}, {}, "shopper"),
    "carts_remove_line": ("DELETE", f"/v1/carts/{CART}/items/85123A", None, {}, "shopper"),
    "orders_place": ("POST", "/v1/orders", PLACE, KEYED, "shopper"),
    "orders_list": ("GET", "/v1/orders", None, {}, "shopper"),
    "orders_get": ("GET", f"/v1/orders/{ORDER}", None, {}, "shopper"),
    "orders_timeline": ("GET", f"/v1/orders/{ORDER}/timeline", None, {}, "shopper"),
    "orders_cancel": ("POST", f"/v1/orders/{ORDER}/cancel", None, {}, "shopper"),
    "payments_get": ("GET", f"/v1/orders/{ORDER}/payment", None, {}, "shopper"),
    "payments_webhook": ("POST", "/v1/payments/webhooks/stripe", {"id": "evt"}, {"Stripe-Signature": "t=1,v1=a"}, ""),
    "stock_get": ("GET", "/v1/stock/85123A", None, {}, "staff"),
    "stock_put": ("PUT", "/v1/stock/85123A", {"on_hand": 5}, {}, "staff"),
}
"""Operation → method, path, a good body, headers it needs, and who may call it."""


def case(function: Case) -> Case:
    """Enter a promise in the table."""
    CASES[function.__name__] = function
    return function


async def operate(world: World, name: str, **more: Any) -> Answer:
    """A good call of an operation, with something changed."""
    method, path, body, headers, who = OPERATIONS[name]
    given: dict[str, Any] = {"token": who or None, "body": body, "headers": headers}
    given |= {**more, "headers": {**headers, **more.get("headers", {})}}
    return await world.call(method, path + more.pop("query", ""), **{k: v for k, v in given.items() if k != "query"})
