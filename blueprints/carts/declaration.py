"""What carts is: its containers, the events it publishes, and those it hears."""

from __future__ import annotations

from shared.contracts.carts import CartChanged
from shared.declaration import Container, Service

SERVICE = Service(
    "carts",
    containers=(Container("carts", "cart_id", expires=True, outbox=True),),
    publishes=(CartChanged,),
)
