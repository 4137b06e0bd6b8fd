"""Parked outbox items, as operators see and mend them: events that the relay could not publish.

An item is parked beside the state that it tells of, with its event. To try it again is to put the event back into the
outbox, in one batch with the end of the parked item and the record of who did it: the relay then takes it like any
other, and parks it anew where the cause is still there. Set aside, it is kept with the reason, and listed apart.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from shared.acting import because, record_act
from shared.declaration import Service
from shared.errors import Conflict, NotFound
from shared.operating import READ, WRITE, Source, changed_at, oldest
from shared.patterns import Timestamp
from shared.persistence.cosmos import ConditionFailed, Container, Document, delete, patch, upsert
from shared.persistence.documents import read_as, readable
from shared.persistence.outbox import item_of
from shared.redaction import redacted_data
from shared.telemetry import trace
from shared.telemetry.log import Log
from shared.web.body import Because
from shared.web.endpoint import EACH, Request, Response, endpoint
from shared.web.operation import Parameter, PathParameter
from shared.web.paging import CURSOR, LIMIT, Page, read_limit

Kind = Literal["parked", "set-aside"]
PREFIX = "parked:"
PARKED = PathParameter(
    "parked_id",
    "The parked event's id.",
    re.compile(r"[A-Za-z0-9_-]{1,1000}"),
    "WyJvcmRlcnMiLCJvcmRfN3gza3E1bjJ3NG02cjV0M3kydTdpNG82cDUiLCJvcmRlci5wbGFjZWQudjEiXQ",
)
STATUS = Parameter(
    "status",
    "`parked` unless it says otherwise; `set-aside`: what nobody wants published any more.",
    {"type": "string", "enum": ["parked", "set-aside"]},
)
ITEM_ID = re.compile(r"[^/\\\\?#\x00-\x1f]{1,255}(?<! )")
"""What can be the id of an item of Cosmos DB."""
MAX_LENGTH = 200
"""Characters that are shown of what may be anything."""


class ParkedItem(msgspec.Struct, frozen=True, kw_only=True):
    """A parked item as it lies in its container. `event` is as it lay in the outbox, whatever that was."""

    id: str
    kind: Kind
    outbox_id: str
    reason: str
    event: Any = None
    why: str | None = None
    by: str | None = None


class ParkedSummary(msgspec.Struct, frozen=True):
    """An event that could not be published, in a list.

    `changed_at`: when it was parked, or set aside: `why` and `by` whom are null until then.
    """

    id: str
    service: str
    status: Kind
    event_id: str
    event_type: str
    subject: str
    reason: str
    changed_at: Timestamp
    why: str | None
    by: str | None


class ParkedView(ParkedSummary, frozen=True):
    """An event that could not be published. Values in `data` that may be personal are left out."""

    container: str
    trace_id: str
    data: dict[str, Any] | None


class RetriedView(msgspec.Struct, frozen=True):
    """An event that is in the outbox again. Where it cannot be published now either, it is parked anew."""

    event_id: str
    status: Literal["waiting"] = "waiting"


@dataclass(frozen=True)
class Parked:
    """The parked items of a service, which lie in these of its containers."""

    service: str
    containers: Sequence[Container]

    async def page(self, status: str, cursor: str | None, limit: int) -> Page[ParkedSummary]:
        """Those of a status, the oldest first. Raises InvalidRequest, Transient."""
        sources = [Source(container, "c.kind = @status", {"@status": status}) for container in self.containers]
        found, following = await oldest(sources, cursor, f"parked {status}", limit)
        items = [
            self._summary(self.containers[number], document, item)
            for number, document in found
            for item in readable(self.containers[number], [document], ParkedItem)
        ]
        return Page(items, following)

    async def read(self, parked_id: str) -> ParkedView:
        """Raises NotFound."""
        container, document, item = await self._existing(parked_id)
        event = item.event if isinstance(item.event, dict) else {}
        told = trace.parse(_text(event, "traceparent"))
        return ParkedView(
            **msgspec.structs.asdict(self._summary(container, document, item)),
            container=container.name,
            trace_id=told.trace_id if told else "",
            data=redacted_data(event.get("data")),
        )

    async def retry(self, parked_id: str, why: str) -> RetriedView:
        """Put the event back into the outbox. Raises NotFound, also for one that was put back; Conflict where there is
        no event."""
        container, document, item = await self._existing(parked_id)
        key = document[container.partition_key]
        if not isinstance(item.event, dict):
            raise Conflict("what was parked is no event: set it aside", code="no-event")
        again = item_of(container, key, "outbox", item.outbox_id, item.event)
        event_id = item.id.removeprefix(PREFIX)
        with because(why):
            act = record_act(container, key, event_id, {"status": item.kind}, {"status": "waiting"})
        await container.batch(key, [delete(item.id), upsert(again), *act])
        Log(self.service).info("event.retried", event_id=event_id)
        return RetriedView(event_id[:MAX_LENGTH])

    async def set_aside(self, parked_id: str, why: str, by: str) -> ParkedView:
        """Keep it with the reason, out of the list. Sent again, it has the same answer. Raises NotFound."""
        container, document, item = await self._existing(parked_id)
        if item.kind == "parked":
            key = document[container.partition_key]
            values = {"kind": "set-aside", "why": why, "by": by}
            changes = [{"op": "set", "path": f"/{name}", "value": value} for name, value in values.items()]
            event_id = item.id.removeprefix(PREFIX)
            with because(why):
                act = record_act(container, key, event_id, {"status": "parked"}, {"status": "set-aside"})
            try:
                await container.batch(key, [patch(item.id, changes, etag=document["_etag"]), *act])
            except ConditionFailed as exc:
                raise Conflict("it has changed meanwhile; read it again", code="parked-changed", retry_after=1) from exc
            Log(self.service).info("event.set_aside", event_id=event_id)
        return await self.read(parked_id)

    async def _existing(self, parked_id: str) -> tuple[Container, Document, ParkedItem]:
        name, key, event_id = _decoded(parked_id)
        for container in self.containers:
            if container.name == name:
                document = await container.read(f"{PREFIX}{event_id}", key)
                if document is not None:
                    return container, document, read_as(container, document, ParkedItem)
        raise NotFound("there is no such parked event")

    def _summary(self, container: Container, document: Document, item: ParkedItem) -> ParkedSummary:
        event = item.event if isinstance(item.event, dict) else {}
        event_id = item.id.removeprefix(PREFIX)
        return ParkedSummary(
            id=_encoded(container.name, str(document.get(container.partition_key, "")), event_id),
            service=self.service,
            status=item.kind,
            event_id=event_id[:MAX_LENGTH],
            event_type=_text(event, "type"),
            subject=_text(event, "subject"),
            reason=item.reason[:MAX_LENGTH],
            changed_at=changed_at(document),
            why=item.why,
            by=item.by,
        )


def parked_operations(bp: Any, service: Service, containers: Sequence[Container]) -> None:
    """Give the service the operations on what it has parked in these containers."""
    parked = Parked(service.name, containers)

    @endpoint(
        bp,
        service,
        "operations_parked_list",
        "GET /operations/parked/{service}",
        EACH,
        scope=READ,
        returns=Page[ParkedSummary],
        problems=(404,),
        query=(STATUS, LIMIT, CURSOR),
    )
    async def list_parked(request: Request[Any]) -> Response:
        """List events of a service that could not be published, the oldest first."""
        query = request.query
        status = STATUS.choice(query) or "parked"
        return Response(await parked.page(status, query.get("cursor"), read_limit(query)))

    @endpoint(
        bp,
        service,
        "operations_parked_get",
        "GET /operations/parked/{service}/{parked_id}",
        EACH,
        PARKED,
        scope=READ,
        returns=ParkedView,
        problems=(404,),
    )
    async def get_parked(request: Request[Any]) -> Response:
        """Read one event that could not be published, without what may be personal."""
        return Response(await parked.read(request.path(PARKED)))

    @endpoint(
        bp,
        service,
        "operations_parked_retry",
        "POST /operations/parked/{service}/{parked_id}/retry",
        EACH,
        PARKED,
        scope=WRITE,
        body=Because,
        returns=RetriedView,
        status=202,
        problems=(404, 409),
    )
    async def retry_parked(request: Request[Because]) -> Response:
        """Publish an event that could not be published.

        It goes back into the outbox. Where it cannot be published now either, it is parked anew.
        """
        return Response(await parked.retry(request.path(PARKED), request.body.why), 202)

    @endpoint(
        bp,
        service,
        "operations_parked_set_aside",
        "POST /operations/parked/{service}/{parked_id}/set-aside",
        EACH,
        PARKED,
        scope=WRITE,
        body=Because,
        returns=ParkedView,
        problems=(404, 409),
    )
    async def set_parked_aside(request: Request[Because]) -> Response:
        """Set an event that could not be published aside: it is kept with the reason.

        Sent again, it has the same answer. It can still be published later.
        """
        return Response(await parked.set_aside(request.path(PARKED), request.body.why, request.caller.subject))


def _text(event: dict[str, Any], name: str) -> str:
    value = event.get(name)
    return value[:MAX_LENGTH] if isinstance(value, str) else ""


def _encoded(container: str, key: str, event_id: str) -> str:
    text = json.dumps([container, key, event_id], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(parked_id: str) -> tuple[str, str, str]:
    """Container, partition key and event id. Raises NotFound for what no list gave out."""
    try:
        text = base64.b64decode(parked_id + "=" * (-len(parked_id) % 4), altchars=b"-_", validate=True).decode()
        container, key, event_id = msgspec.json.decode(text, type=tuple[str, str, str])
    except (ValueError, binascii.Error, msgspec.MsgspecError) as exc:
        raise NotFound("there is no such parked event") from exc
    if not ITEM_ID.fullmatch(f"{PREFIX}{event_id}"):
        raise NotFound("there is no such parked event")
    return container, key, event_id
