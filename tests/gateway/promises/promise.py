"""What a promise is, and the good call of each operation that promises are made about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from scripts.declared import example_call, operations
from shared.web.operation import Operation
from tests.gateway.world import Answer, World

Case = Callable[[World], Awaitable[None]]
CASES: dict[str, Case] = {}

ORDER = "ord_7x3kq5n2w4m6r5t3y2u7i4o6p5"
CART = "crt_4q2n5xk7d6h3w2m5r7t2y4u6i3"
ADDRESS = {"name": "A. Shopper", "line1": "1 High Street", "city": "London", "postal_code": "N1 1AA", "country": "GB"}
PLACE = {"items": [{"sku": "85123A", "quantity": 6}], "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
PRODUCT = {"name": "HEART", "category": "home", "price": {"amount": 255, "currency": "GBP"}}
KEYED = {"Idempotency-Key": "k1"}
ACCOUNTS = {"customer": "shopper", "staff": "staff", "admin": "admin"}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _call(operation: Operation) -> tuple[str, str, Any, dict[str, str], str]:
    path, headers, body = example_call(operation)
    who = next((account for role, account in ACCOUNTS.items() if role in operation.roles), "")
    return operation.method, f"/v1{path}", body, headers, who


DECLARED = {operation.id: operation for operation in operations()}
OPERATIONS = {name: _call(operation) for name, operation in DECLARED.items()}
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
