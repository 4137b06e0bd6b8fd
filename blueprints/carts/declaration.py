"""What carts is: what it owns, publishes, hears and demands."""

from __future__ import annotations

from shared.contracts.carts import CartChanged
from shared.declaration import Container, Scope, Service

SERVICE = Service(
    "carts",
    "What a shopper is about to buy.",
    containers=(Container("carts", "cart_id", expires=True, outbox=True),),
    publishes=(CartChanged,),
    scopes=(Scope("carts.read", "Read your carts"), Scope("carts.write", "Fill your carts")),
)
