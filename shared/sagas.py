"""The sagas of a service, as operators see and mend them: the orchestrators that follow something in its stores.

What a saga is about stands in the store, which is the authority: so the list is of what is open there, and shows
beside each what Durable says of its instance, that there is none included. To resume is to see to it that a live
instance looks at the store again: one that sleeps is woken, one that is suspended goes on, one that has failed, was
terminated or is gone begins anew under its id. To end is a move in the store, the saga's own way to give up, whose
events have the other services give back what they hold; the instance finds it and ends by itself. Where giving up
would leave somebody without their money there is no such move, and ending is refused.
"""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from shared.acting import because, record_act
from shared.clock import timestamp, utc_now
from shared.declaration import Service
from shared.errors import Conflict, InvalidRequest, NotFound, Transient
from shared.operating import MIN_AGE, READ, WRITE, Source, changed_at, oldest, read_age
from shared.orchestration import ENDED, status_of
from shared.patterns import Timestamp
from shared.persistence.cosmos import AlreadyExists, Container, Document
from shared.telemetry.log import Log
from shared.web.body import Because
from shared.web.endpoint import EACH, Request, Response, endpoint
from shared.web.operation import Parameter, PathParameter
from shared.web.paging import CURSOR, LIMIT, Page, read_limit

SAGA = PathParameter(
    "saga_id",
    "The id of what the saga is about.",
    re.compile(r"[a-z]{3}_[a-z2-7]{26}"),
    "ord_7x3kq5n2w4m6r5t3y2u7i4o6p5",
)
_NAME = {"type": "string", "minLength": 1, "maxLength": 50, "pattern": "^[a-z_]+$"}
KIND = Parameter("kind", "Only sagas of this kind.", _NAME)
STATUS = Parameter("status", "Only those of this status.", _NAME)


class SagaView(msgspec.Struct, frozen=True):
    """A saga: what it is about, and how far that is.

    `status` is what the service has stored, since `changed_at`; `waits_for` says what has to happen next, and is empty
    once it is over. `runtime` is what Durable says of the saga's instance: `missing` where there is none.
    """

    id: str
    service: str
    kind: str
    about: str
    status: str
    waits_for: str
    runtime: str
    changed_at: Timestamp


class Saga(ABC):
    """One kind of saga: an orchestrator, and the items of a container that it follows. Its instances have their ids."""

    kind: ClassVar[str]
    item: ClassVar[str]
    """What the items say as their `kind`."""
    open: ClassVar[tuple[str, ...]]
    """The statuses of an item that is not over."""

    def __init__(self, container: Container) -> None:
        self.container = container

    @abstractmethod
    async def waits_for(self, document: Document) -> str:
        """What has to happen next to an open one."""

    @abstractmethod
    async def begin(self, client: Any, document: Document) -> None:
        """Start an instance for an open one. Raises what the client raises."""

    @abstractmethod
    async def wake(self, client: Any, document: Document) -> None:
        """Have a live instance look at the store. Raises what the client raises."""

    @abstractmethod
    async def end(self, document: Document) -> None:
        """Give up an open one. Raises Conflict where that may not be, or where it is over meanwhile."""

    def about(self, document: Document) -> str:
        """Whose partition it lies in, such as the order's id."""
        return str(document[self.container.partition_key])


def sagas(bp: Any, service: Service, kinds: Sequence[Saga]) -> None:
    """Give the service the operations on its sagas. `bp` is a blueprint of Durable."""
    book = Book(service.name, kinds)

    @endpoint(
        bp,
        service,
        "operations_sagas_list",
        "GET /operations/sagas/{service}",
        EACH,
        scope=READ,
        returns=Page[SagaView],
        problems=(404,),
        query=(KIND, STATUS, MIN_AGE, LIMIT, CURSOR),
        durable=True,
    )
    async def list_sagas(request: Request[Any]) -> Response:
        """List the open sagas of a service, kind by kind; those first that have waited for the longest time."""
        query = request.query
        asked = (query.get(KIND.name), query.get(STATUS.name), read_age(query))
        return Response(await book.page(request.client, *asked, query.get("cursor"), read_limit(query)))

    @endpoint(
        bp,
        service,
        "operations_sagas_get",
        "GET /operations/sagas/{service}/{saga_id}",
        EACH,
        SAGA,
        scope=READ,
        returns=SagaView,
        problems=(404,),
        durable=True,
    )
    async def get_saga(request: Request[Any]) -> Response:
        """Read one saga and what it waits for; one that is over, too."""
        return Response(await book.read(request.client, request.path(SAGA)))

    @endpoint(
        bp,
        service,
        "operations_sagas_resume",
        "POST /operations/sagas/{service}/{saga_id}/resume",
        EACH,
        SAGA,
        scope=WRITE,
        body=Because,
        returns=SagaView,
        status=202,
        problems=(404, 409),
        durable=True,
    )
    async def resume_saga(request: Request[Because]) -> Response:
        """Resume a saga: it looks at what is stored and goes on from there.

        One that was suspended goes on, one that has failed, was terminated or is gone begins anew. Harmless for one
        that is well. One that is over is a 409.
        """
        return Response(await book.resume(request.client, request.path(SAGA), request.body.why), 202)

    @endpoint(
        bp,
        service,
        "operations_sagas_end",
        "POST /operations/sagas/{service}/{saga_id}/end",
        EACH,
        SAGA,
        scope=WRITE,
        body=Because,
        returns=SagaView,
        status=202,
        problems=(404, 409),
        durable=True,
    )
    async def end_saga(request: Request[Because]) -> Response:
        """End a saga by its own way to give up, so that nothing stays held.

        One that is over is a 409, and so is one that may not end like this: what came back is owed, for example.
        """
        return Response(await book.end(request.client, request.path(SAGA), request.body.why), 202)


class Book:
    """The sagas of a service."""

    def __init__(self, service: str, kinds: Sequence[Saga]) -> None:
        self._service = service
        self._kinds = {saga.kind: saga for saga in kinds}
        self._log = Log(service)

    async def page(
        self, client: Any, kind: str | None, status: str | None, age: int | None, cursor: str | None, limit: int
    ) -> Page[SagaView]:
        """Open ones, a page of them. Raises InvalidRequest, Transient."""
        kinds = [saga for saga in self._kinds.values() if kind in (None, saga.kind)]
        if not kinds:
            raise InvalidRequest(f"kind must be one of {', '.join(self._kinds)}")
        known = [status for saga in kinds for status in saga.open]
        if status is not None and status not in known:
            raise InvalidRequest(f"status must be one of {', '.join(known)}")
        before = int(utc_now().timestamp()) + 1 - (age or 0)
        sources = [
            Source(
                saga.container,
                "c.kind = @kind AND ARRAY_CONTAINS(@statuses, c.status) AND c._ts < @before",
                {
                    "@kind": saga.item,
                    "@statuses": [known for known in saga.open if status in (None, known)],
                    "@before": before,
                },
            )
            for saga in kinds
        ]
        found, following = await oldest(sources, cursor, f"sagas {kind} {status} {age}", limit)
        return Page(
            list(await asyncio.gather(*(self._view(client, kinds[number], document) for number, document in found))),
            following,
        )

    async def read(self, client: Any, saga_id: str) -> SagaView:
        """Raises NotFound, Transient."""
        return await self._view(client, *await self._existing(saga_id))

    async def resume(self, client: Any, saga_id: str, why: str) -> SagaView:
        """Raises NotFound; Conflict for one that is over; Transient."""
        saga, document = await self._open(saga_id)
        await self._record(saga, document, why)
        status = await status_of(client, saga_id)
        try:
            if status is None or status in ENDED:
                await saga.begin(client, document)
            elif status == "Suspended":
                await client.resume(saga_id, "an operator")
            else:
                await saga.wake(client, document)
        except Exception as exc:  # the client raises bare exceptions
            raise Transient("the saga could not be resumed; try again", retry_after=1) from exc
        self._log.info("saga.resumed", saga=saga.kind, instance=saga_id, runtime=status or "missing")
        return await self._view(client, saga, document)

    async def end(self, client: Any, saga_id: str, why: str) -> SagaView:
        """Raises NotFound; Conflict for one that is over, or may not end; Transient."""
        saga, document = await self._open(saga_id)
        with because(why):
            await saga.end(document)
        self._log.info("saga.ended", saga=saga.kind, instance=saga_id)
        status = await status_of(client, saga_id)
        if status is not None and status not in ENDED:
            try:
                if status == "Suspended":
                    await client.resume(saga_id, "an operator")
                await saga.wake(client, document)
            except Exception as exc:  # the client raises bare exceptions; what it waits for ends, too
                self._log.warning("saga.not_woken", saga=saga.kind, instance=saga_id, error=type(exc).__name__)
        return await self.read(client, saga_id)

    async def _record(self, saga: Saga, document: Document, why: str) -> None:
        """Nothing is resumed that is not recorded."""
        with because(why):
            about = saga.about(document)
            act = record_act(saga.container, about, document["id"], {}, {"resumed_at": timestamp()})
        if act:
            try:
                await saga.container.batch(about, act)
            except AlreadyExists as exc:
                raise Transient("somebody resumes it at this moment", retry_after=1) from exc

    async def _existing(self, saga_id: str) -> tuple[Saga, Document]:
        """Raises NotFound."""
        for saga in self._kinds.values():
            query = "SELECT * FROM c WHERE c.id = @id AND c.kind = @kind"
            found = await saga.container.first(query, {"@id": saga_id, "@kind": saga.item}, 1)
            if found:
                return saga, found[0]
        raise NotFound("there is no such saga")

    async def _open(self, saga_id: str) -> tuple[Saga, Document]:
        saga, document = await self._existing(saga_id)
        if document["status"] not in saga.open:
            raise Conflict(f"it is over: {document['status']}", code="saga-over")
        return saga, document

    async def _view(self, client: Any, saga: Saga, document: Document) -> SagaView:
        status, is_open = str(document["status"]), document["status"] in saga.open
        runtime = await status_of(client, document["id"])
        return SagaView(
            id=document["id"],
            service=self._service,
            kind=saga.kind,
            about=saga.about(document),
            status=status,
            waits_for=await saga.waits_for(document) if is_open else "",
            runtime="missing" if runtime is None else runtime.lower(),
            changed_at=changed_at(document),
        )
