"""What operators see of erasures and exports, and how one is resumed and ended (`shared.sagas`)."""

from __future__ import annotations

from typing import Any

from blueprints.accounts import erasure, export, forget, gather, store
from blueprints.accounts.chasing import ANSWERED
from shared import orchestration
from shared.errors import Conflict
from shared.persistence.cosmos import Document
from shared.sagas import Saga


class Erasure(Saga):
    """Somebody who is to be forgotten. To end one that has begun is to certify it as it is, the silent named."""

    kind = erasure.NAME
    item = "erasure"
    open = ("cooling_off", "erasing")

    async def waits_for(self, document: Document) -> str:
        if document["status"] == "cooling_off":
            return f"the end of the time to think better of it, {document['due_at']}"
        _, silent = await forget.look_up(document["account_id"], document["id"])
        return f"the answers of {', '.join(silent)}" if silent else "its certificate"

    async def begin(self, client: Any, document: Document) -> None:
        given = erasure.input_for(document["id"], document["account_id"], document["due_at"])
        await orchestration.start(client, erasure.NAME, document["id"], given)

    async def wake(self, client: Any, document: Document) -> None:
        # an event that it does not wait for yet would only lie there
        if document["status"] == "cooling_off":
            await erasure.DROPPED.send(client, document["id"], "dropped")
        else:
            await ANSWERED.send(client, document["id"], "answered")

    async def end(self, document: Document) -> None:
        if document["status"] == "cooling_off":
            raise Conflict("only who asked for it may think better of it", code="erasure-not-begun")
        status = await forget.finish(document["account_id"], document["id"])
        if status not in ("erased", "incomplete"):
            raise Conflict(f"it is over: {status}", code="saga-over")


class Export(Saga):
    """Somebody who wants to see what is held of them. To end one is to offer what is there, the silent named."""

    kind = export.NAME
    item = "export"
    open = ("gathering",)

    async def waits_for(self, document: Document) -> str:
        silent = await gather.look_up(document["account_id"], document["id"])
        return f"the answers of {', '.join(silent)}" if silent else "its end"

    async def begin(self, client: Any, document: Document) -> None:
        given = export.input_for(document["id"], document["account_id"])
        await orchestration.start(client, export.NAME, document["id"], given)

    async def wake(self, client: Any, document: Document) -> None:
        await ANSWERED.send(client, document["id"], "answered")

    async def end(self, document: Document) -> None:
        status = await gather.finish(document["account_id"], document["id"])
        if status not in ("ready", "incomplete"):
            raise Conflict(f"it is over: {status}", code="saga-over")


KINDS = (Erasure(store.ACCOUNTS), Export(store.ACCOUNTS))
