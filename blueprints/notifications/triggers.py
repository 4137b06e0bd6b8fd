"""Everything that can set notifications in motion: its operation, the events it hears, its change feed, its timer."""

from __future__ import annotations

from typing import Any

import azure.functions as func

from blueprints.notifications import service, store
from blueprints.notifications.declaration import SERVICE
from blueprints.notifications.service import MailView
from shared.contracts.accounts import (
    AccountChanged,
    ErasureDone,
    ErasureRequested,
    ErasureStarted,
    ErasureWithdrawn,
    ExportReady,
    ExportStarted,
)
from shared.contracts.orders import OrderCancelled, OrderConfirmed
from shared.messaging.relay import relay
from shared.messaging.triggers import change_feed, reconciliation, subscription
from shared.persistence.feed import as_written
from shared.web.endpoint import Request, Response, endpoint
from shared.web.paging import CURSOR, LIMIT, Page, read_limit

bp = func.Blueprint()


@endpoint(
    bp,
    SERVICE,
    "mails_list",
    "GET /me/mails",
    scope="notifications.read",
    returns=Page[MailView],
    query=(LIMIT, CURSOR),
)
async def list_by_recipient(request: Request[Any]) -> Response:
    """List the e-mails that the shop has sent to you.

    Newest first, those of the last 90 days. In which language they are, and whether you have more than those about your
    orders and your account, you say in your account.
    """
    return Response(
        await service.list_by_recipient(request.caller, request.query.get("cursor"), read_limit(request.query))
    )


@change_feed(bp, SERVICE, store.MAILS)
async def feed(documents: func.DocumentList) -> None:
    """Relay the outbox."""
    await relay(store.MAILS, as_written(documents))


subscription(
    bp,
    SERVICE,
    "accounts",
    {
        AccountChanged: service.hear_account,
        ErasureRequested: service.hear_erasure,
        ErasureWithdrawn: service.hear_withdrawn,
        ErasureStarted: service.erase,
        ErasureDone: service.hear_erased,
        ExportStarted: service.export,
        ExportReady: service.hear_export,
    },
)
subscription(bp, SERVICE, "orders", {OrderConfirmed: service.hear_confirmed, OrderCancelled: service.hear_cancelled})


@reconciliation(bp, SERVICE)
async def reconcile(timer: func.TimerRequest) -> None:
    """Try what could not be sent before."""
    await service.try_again()
