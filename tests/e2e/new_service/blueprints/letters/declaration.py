"""What letters is: what it owns, publishes, hears and demands."""

from __future__ import annotations

from shared.contracts.loyalty import MemberJoined

from shared.declaration import STAFF, Container, Scope, Service

SERVICE = Service(
    "letters",
    "What was written to whom. For staff.",
    containers=(Container("letters", "member_id"),),
    hears={"loyalty": (MemberJoined,)},
    scopes=(Scope("letters.read", "Read letters", STAFF),),
)
