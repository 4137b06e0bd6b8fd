"""What operators see of the tracking monitors, and how one is resumed and ended (`shared.sagas`)."""

from __future__ import annotations

from typing import Any

from blueprints.shipping import monitor, service, store
from shared import orchestration
from shared.errors import Conflict
from shared.persistence.cosmos import Document
from shared.sagas import Saga


class TrackingMonitor(Saga):
    """A parcel under way. To end its monitor is to count it as lost, as the monitor itself does in the end."""

    kind = monitor.NAME
    item = "shipment"
    open = ("shipped",)

    async def waits_for(self, document: Document) -> str:
        return f"news of {document['carrier']} after {document['tracking']}, of {document['heard_at']}"

    async def begin(self, client: Any, document: Document) -> None:
        given = monitor.input_for(document["order_id"], document["id"], document["shipped_at"])
        await orchestration.start(client, monitor.NAME, document["id"], given)

    async def wake(self, client: Any, document: Document) -> None:
        # it asks the carrier, and reads the shipment before
        await monitor.ENDED.send(client, document["id"], "ended")

    async def end(self, document: Document) -> None:
        status = await service.give_up(document["order_id"], document["id"])
        if status != "failed":
            raise Conflict(f"it is over: the parcel is {status}", code="saga-over")


KINDS = (TrackingMonitor(store.SHIPMENTS),)
