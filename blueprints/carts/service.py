"""What carts can do: open one, show it, put lines in and take them out."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable

import msgspec

from blueprints.carts import domain, store
from blueprints.carts.domain import Cart
from shared.contracts.carts import CartChanged
from shared.contracts.orders import Line
from shared.errors import Contention, NotFound, PreconditionFailed, Unprocessable
from shared.persistence.cosmos import AlreadyExists, Changed, Document
from shared.telemetry.log import Log
from shared.web.auth import Principal
from shared.web.body import Quantity

CART_ID = re.compile(r"crt_[a-z2-7]{26}")
TRIES = 8

log = Log("carts")


class SetLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many pieces of the SKU in the path."""

    quantity: Quantity


class CartView(msgspec.Struct, frozen=True):
    """A cart as the API shows it. What the lines cost is settled when the order is placed."""

    id: str
    items: list[Line]
    version: int


async def open_cart(caller: Principal, key: str) -> tuple[CartView, str]:
    """A new, empty cart, and its ETag. A repeat under the same Idempotency-Key answers the cart it opened."""
    cart = Cart(_cart_id(caller.subject, key), caller.subject, 1)
    try:
        document = await store.save(cart, None, _told(cart))
    except AlreadyExists:
        document = await _own(caller, cart.id)
    return _view(document)


async def get(caller: Principal, cart_id: str) -> tuple[CartView, str]:
    """The caller's cart and its ETag. Raises NotFound, also for the cart of someone else."""
    return _view(await _own(caller, cart_id))


async def set_line(caller: Principal, cart_id: str, sku: str, quantity: int, etag: str | None) -> tuple[CartView, str]:
    """Have `quantity` pieces of `sku` in the cart. Raises Unprocessable for a full cart."""
    return await _change(caller, cart_id, etag, lambda cart: domain.set_line(cart, sku, quantity))


async def remove_line(caller: Principal, cart_id: str, sku: str, etag: str | None) -> tuple[CartView, str]:
    """Have no pieces of `sku` in the cart."""
    return await _change(caller, cart_id, etag, lambda cart: domain.remove_line(cart, sku))


async def _change(
    caller: Principal, cart_id: str, etag: str | None, change: Callable[[Cart], Cart]
) -> tuple[CartView, str]:
    for _ in range(TRIES):
        document = await _own(caller, cart_id)
        if etag is not None and document["_etag"] != etag:
            raise PreconditionFailed("the cart has changed since you read it; read it again")
        before = store.cart_of(document)
        try:
            after = change(before)
        except domain.CartFull as exc:
            raise Unprocessable(str(exc), code="cart-full") from exc
        if after is before:
            return _view(document)
        try:
            return _view(await store.save(after, document["_etag"], _told(after)))
        except Changed:
            continue
    raise Contention(f"cart {cart_id} keeps changing", retry_after=1)


async def _own(caller: Principal, cart_id: str) -> Document:
    document = await store.get(cart_id)
    if document is None or document.get("customer_id") != caller.subject:
        raise NotFound("there is no such cart")
    return document


def _cart_id(customer_id: str, key: str) -> str:
    digest = hashlib.sha256(f"{customer_id}\0{key}".encode()).digest() if key else secrets.token_bytes(20)
    return "crt_" + base64.b32encode(digest).decode().lower()[:26]


def _lines(cart: Cart) -> list[Line]:
    return [Line(sku, quantity) for sku, quantity in cart.lines.items()]


def _told(cart: Cart) -> CartChanged:
    return CartChanged(cart_id=cart.id, customer_id=cart.customer_id, lines=_lines(cart))


def _view(document: Document) -> tuple[CartView, str]:
    cart = store.cart_of(document)
    return CartView(cart.id, _lines(cart), cart.version), document["_etag"]
