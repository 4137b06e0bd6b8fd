"""What loyalty is: what it owns, publishes, hears and demands."""

from __future__ import annotations

from shared.contracts.loyalty import MemberJoined

from shared.contracts.orders import OrderConfirmed
from shared.declaration import CUSTOMER, Container, Scope, Service
from shared.settings import Setting

LOYALTY_POINTS = Setting("LOYALTY_POINTS", "What a confirmed order is worth.", "10", local="5")

SERVICE = Service(
    "loyalty",
    "Who comes back.",
    containers=(Container("members", "member_id", expires=True, outbox=True),),
    publishes=(MemberJoined,),
    hears={"orders": (OrderConfirmed,)},
    scopes=(Scope("loyalty.write", "Join", CUSTOMER),),
    settings=(LOYALTY_POINTS,),
    durable=True,
)
