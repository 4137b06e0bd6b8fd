"""What carts can do: open one, show it, change its lines, and take in what somebody gathered as a guest."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec

from blueprints.carts import domain, store
from blueprints.carts.declaration import SERVICE
from blueprints.carts.domain import Cart
from shared import data_export, ids
from shared.contracts.accounts import ErasureStarted, ExportStarted
from shared.contracts.carts import CartChanged
from shared.contracts.catalog import ProductDiscontinued, ProductReinstated
from shared.contracts.event import Event
from shared.contracts.orders import Line
from shared.errors import Contention, NotFound, PreconditionFailed, Unprocessable
from shared.patterns import whole
from shared.persistence.cosmos import AlreadyExists, ConditionFailed, Document
from shared.personal_data import answer
from shared.telemetry.log import Log
from shared.web.auth import Principal
from shared.web.body import Quantity

CART_ID = re.compile(r"crt_[a-z2-7]{26}")
GUEST_CART_ID = re.compile(r"gst_[a-z2-7]{52}")
MAX_ATTEMPTS = 8

log = Log("carts")


class SetLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many pieces of the SKU in the path."""

    quantity: Quantity


class MergeCart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The guest's cart that is to be taken in."""

    guest_cart_id: Annotated[str, msgspec.Meta(pattern=whole(GUEST_CART_ID.pattern))]


class CartView(msgspec.Struct, frozen=True):
    """A cart as the API shows it. What the lines cost is settled when the order is placed."""

    id: str
    items: list[Line]
    version: int
    discontinued: Annotated[
        list[str],
        msgspec.Meta(description="Products in the cart that are sold no more; an order takes none of them."),
    ]


async def open_cart(caller: Principal, key: str) -> tuple[CartView, str]:
    """A new, empty cart, and its ETag. A repeat under the same Idempotency-Key answers the cart it opened."""
    cart = Cart(_cart_id(caller.subject, key), caller.subject, 1)
    try:
        document = await store.save(cart, None, _event_of(cart))
    except AlreadyExists:
        document = await _own(caller, cart.id)
    return await _view(document)


async def get(caller: Principal, cart_id: str) -> tuple[CartView, str]:
    """The caller's cart and its ETag. Raises NotFound, also for the cart of someone else."""
    return await _view(await _own(caller, cart_id))


async def set_line(caller: Principal, cart_id: str, sku: str, quantity: int, etag: str | None) -> tuple[CartView, str]:
    """Have `quantity` pieces of `sku` in the cart. Raises Unprocessable for a full cart."""
    return await _change(caller, cart_id, etag, lambda cart: domain.set_line(cart, sku, quantity))


async def remove_line(caller: Principal, cart_id: str, sku: str, etag: str | None) -> tuple[CartView, str]:
    """Have no pieces of `sku` in the cart."""
    return await _change(caller, cart_id, etag, lambda cart: domain.remove_line(cart, sku))


async def merge(caller: Principal, cart_id: str, guest_cart_id: str) -> tuple[CartView, str]:
    """Take what a guest's cart holds into the caller's; the guest's cart is gone then. A repeat changes nothing.

    First the guest's cart is set aside for this one, then its lines are added together with its id, so that a crash
    between the two is mended by asking again. Raises NotFound, Unprocessable.
    """
    await _own(caller, cart_id)
    guest = await _claim(guest_cart_id, cart_id)
    return await _change(caller, cart_id, None, lambda cart: domain.with_guest(cart, guest))


async def open_guest_cart() -> tuple[CartView, str]:
    """A new, empty cart of nobody, and its ETag. Who knows its id may use it, so only its hash is kept."""
    guest_cart_id = ids.drawn("gst", 2 * ids.LENGTH)
    document = await store.save(Cart(_stored_id(guest_cart_id), "", 1), None, None)
    return await _guest_view(guest_cart_id, document)


async def get_guest_cart(guest_cart_id: str) -> tuple[CartView, str]:
    """A guest's cart and its ETag. Raises NotFound, also once it was merged."""
    return await _guest_view(guest_cart_id, await _guest(guest_cart_id))


async def set_guest_line(guest_cart_id: str, sku: str, quantity: int, etag: str | None) -> tuple[CartView, str]:
    """Have `quantity` pieces of `sku` in the guest's cart. Raises Unprocessable for a full cart."""
    return await _change_guest(guest_cart_id, etag, lambda cart: domain.set_line(cart, sku, quantity))


async def remove_guest_line(guest_cart_id: str, sku: str, etag: str | None) -> tuple[CartView, str]:
    """Have no pieces of `sku` in the guest's cart."""
    return await _change_guest(guest_cart_id, etag, lambda cart: domain.remove_line(cart, sku))


async def discontinue(event: Event, data: ProductDiscontinued) -> None:
    """The product is sold no more: carts that hold it say so."""
    await store.keep_discontinued(data.sku, event.version, discontinued=True)


async def reinstate(event: Event, data: ProductReinstated) -> None:
    """The product is sold again."""
    await store.keep_discontinued(data.sku, event.version, discontinued=False)


async def erase(event: Event, started: ErasureStarted) -> None:
    """Remove the customer's carts, and answer."""
    for cart_id in await store.ids_of(started.account_id):
        await store.remove(cart_id)
    await answer(SERVICE, store.CARTS, started)


async def export(event: Event, started: ExportStarted) -> None:
    """Tell which carts the customer has."""
    cart_ids = (await store.ids_of(started.account_id))[: data_export.MAX_ITEMS + 1]
    found = [await store.get(cart_id) for cart_id in cart_ids]
    carts = [(await _view(document))[0] for document in found if document is not None]
    await data_export.answer(store.CARTS, started, data_export.held(carts=carts))


async def _change(
    caller: Principal, cart_id: str, etag: str | None, change: Callable[[Cart], Cart]
) -> tuple[CartView, str]:
    return await _view(await _changed(lambda: _own(caller, cart_id), etag, change))


async def _change_guest(guest_cart_id: str, etag: str | None, change: Callable[[Cart], Cart]) -> tuple[CartView, str]:
    return await _guest_view(guest_cart_id, await _changed(lambda: _guest(guest_cart_id), etag, change))


async def _claim(guest_cart_id: str, cart_id: str) -> Cart:
    """The guest's cart, set aside for that cart. Raises NotFound where it was for another."""

    async def unclaimed() -> Document:
        return await _guest(guest_cart_id, for_cart=cart_id)

    return store.cart_of(await _changed(unclaimed, None, lambda guest: domain.claimed(guest, cart_id)))


async def _changed(
    read: Callable[[], Awaitable[Document]], etag: str | None, change: Callable[[Cart], Cart]
) -> Document:
    for _ in range(MAX_ATTEMPTS):
        document = await read()
        if etag is not None and document["_etag"] != etag:
            raise PreconditionFailed("the cart has changed since you read it; read it again")
        before = store.cart_of(document)
        try:
            after = change(before)
        except domain.CartFull as exc:
            raise Unprocessable(str(exc), code="cart-full") from exc
        except domain.MergedTooOften as exc:
            raise Unprocessable(str(exc), code="cart-merged-too-often") from exc
        if after is before:
            return document
        try:
            return await store.save(after, document["_etag"], _event_of(after) if after.customer_id else None)
        except ConditionFailed:
            continue
    raise Contention("the cart keeps changing", retry_after=1)


async def _own(caller: Principal, cart_id: str) -> Document:
    document = await store.get(cart_id)
    if document is None or document.get("customer_id") != caller.subject:
        raise NotFound("there is no such cart")
    return document


async def _guest(guest_cart_id: str, *, for_cart: str = "") -> Document:
    """The item of a guest's cart. Raises NotFound where it was merged, but into the cart `for_cart`."""
    document = await store.get(_stored_id(guest_cart_id))
    if document is None or document.get("customer_id") or document.get("merged_into", "") not in ("", for_cart):
        raise NotFound("there is no such guest cart")
    return document


def _stored_id(guest_cart_id: str) -> str:
    """The id under which a guest's cart is kept: its hash. The id has 256 random bits, so no salt is needed."""
    return ids.derived("crt", "guest", guest_cart_id)


async def _guest_view(guest_cart_id: str, document: Document) -> tuple[CartView, str]:
    view, etag = await _view(document)
    return msgspec.structs.replace(view, id=guest_cart_id), etag


def _cart_id(customer_id: str, key: str) -> str:
    return ids.derived("crt", customer_id, key) if key else ids.drawn("crt")


def _lines(cart: Cart) -> list[Line]:
    return [Line(sku, quantity) for sku, quantity in cart.lines.items()]


def _event_of(cart: Cart) -> CartChanged:
    return CartChanged(cart_id=cart.id, customer_id=cart.customer_id, lines=_lines(cart))


async def _view(document: Document) -> tuple[CartView, str]:
    cart = store.cart_of(document)
    return CartView(cart.id, _lines(cart), cart.version, await store.discontinued_among(cart.lines)), document["_etag"]
