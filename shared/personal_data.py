"""How a service answers that it has erased what it holds of a person: in the words of its declaration."""

from __future__ import annotations

from shared.contracts.accounts import ErasureStarted
from shared.contracts.personal_data import ErasureAnswered, Kept
from shared.declaration import Service
from shared.messaging.republish import republish_last
from shared.persistence.cosmos import AlreadyExists, Container
from shared.persistence.outbox import enqueue_event


async def answer(service: Service, container: Container, started: ErasureStarted) -> None:
    """Tell that it is done, through the outbox of `container`. Who is asked again has not been heard, so tells again.

    Raises Transient.
    """
    event = ErasureAnswered(
        erasure_id=started.erasure_id, account_id=started.account_id, erased=erased(service), kept=kept(service)
    )
    try:
        await container.batch(started.erasure_id, [enqueue_event(container, started.erasure_id, event, version=1)])
    except AlreadyExists:
        await republish_last(container, started.erasure_id)


def erased(service: Service) -> list[str]:
    """What the service holds no longer."""
    return [holding.what for holding in service.holds if holding.fate in ("erased", "redacted")]


def kept(service: Service) -> list[Kept]:
    """What the service still holds, and why. Of what is redacted, something is left."""
    return [Kept(holding.what, holding.why) for holding in service.holds if holding.why]
