"""Everything that can set accounts in motion: its operations, the events it hears, its change feed, its erasures.

Exports are in `export_triggers.py`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from blueprints.accounts import erasure, export, export_triggers, forget, service, store
from blueprints.accounts.chasing import ANSWERED
from blueprints.accounts.declaration import SERVICE
from blueprints.accounts.erasure import DROPPED
from blueprints.accounts.forget import ERASURE_ID, ErasureView
from blueprints.accounts.sagas import KINDS
from blueprints.accounts.service import ADDRESS_ID, AccountView, AddressView, ChangeAccount, FindAccounts
from shared.contracts.accounts import ErasureRequested, ErasureWithdrawn, ExportStarted
from shared.contracts.event import Event, EventData
from shared.contracts.personal_data import ErasureAnswered, ErasureRefused, ExportAnswered
from shared.messaging.relay import relay
from shared.messaging.triggers import change_feed
from shared.orchestration import activity, durable_subscription, reported, wake
from shared.persistence.feed import as_written
from shared.sagas import sagas
from shared.web.address import AddressIn
from shared.web.endpoint import Request, Response, endpoint
from shared.web.operation import PathParameter
from shared.web.paging import Page

bp = export_triggers.bp
"""One blueprint a service: what is said of exports stands on it already."""

ERASURE = PathParameter("erasure_id", "The erasure's id.", ERASURE_ID, "era_2n5x7k4q3d6h2w5m3r7t4y2u6i")
ADDRESS = PathParameter("address_id", "The address's id.", ADDRESS_ID, "adr_5m2q7xk4d3h6w2n5r7t4y2u6i3")


@endpoint(bp, SERVICE, "me_get", "GET /me", scope="accounts.read", returns=AccountView, etag=True)
async def get(request: Request[Any]) -> Response:
    """Read your account.

    It is made when you first come. Your e-mail address is the one that the issuer of your token knows.
    """
    account, etag = await service.me(request.caller)
    return Response(account, headers={"ETag": etag})


@endpoint(
    bp,
    SERVICE,
    "me_change",
    "PATCH /me",
    scope="accounts.write",
    body=ChangeAccount,
    returns=AccountView,
    etag=True,
    if_match=True,
)
async def change(request: Request[ChangeAccount]) -> Response:
    """Change your name, your language or what you agree to.

    What is left out stays as it is.
    """
    account, etag = await service.change(request.caller, request.body, request.if_match)
    return Response(account, headers={"ETag": etag})


@endpoint(
    bp, SERVICE, "addresses_list", "GET /me/addresses", scope="accounts.read", returns=Page[AddressView], etag=True
)
async def list_addresses(request: Request[Any]) -> Response:
    """List your addresses."""
    page, etag = await service.addresses(request.caller)
    return Response(page, headers={"ETag": etag})


@endpoint(
    bp,
    SERVICE,
    "addresses_add",
    "POST /me/addresses",
    scope="accounts.write",
    body=AddressIn,
    idempotency_key="optional",
    returns=AddressView,
    status=201,
    problems=(422,),
    etag=True,
    location=True,
)
async def add_address(request: Request[AddressIn]) -> Response:
    """Keep another address."""
    address, etag = await service.add_address(request.caller, request.idempotency_key, request.body)
    return Response(address, 201, {"Location": f"/v1/me/addresses/{address.id}", "ETag": etag})


@endpoint(
    bp,
    SERVICE,
    "addresses_get",
    "GET /me/addresses/{address_id}",
    ADDRESS,
    scope="accounts.read",
    returns=AddressView,
    problems=(404,),
    etag=True,
)
async def get_address(request: Request[Any]) -> Response:
    """Read one of your addresses."""
    address, etag = await service.address(request.caller, request.path(ADDRESS))
    return Response(address, headers={"ETag": etag})


@endpoint(
    bp,
    SERVICE,
    "addresses_change",
    "PUT /me/addresses/{address_id}",
    ADDRESS,
    scope="accounts.write",
    body=AddressIn,
    returns=AddressView,
    problems=(404,),
    etag=True,
    if_match=True,
)
async def change_address(request: Request[AddressIn]) -> Response:
    """Change one of your addresses.

    Orders that were sent there keep what they were sent to.
    """
    address, etag = await service.change_address(request.caller, request.path(ADDRESS), request.body, request.if_match)
    return Response(address, headers={"ETag": etag})


@endpoint(
    bp,
    SERVICE,
    "addresses_remove",
    "DELETE /me/addresses/{address_id}",
    ADDRESS,
    scope="accounts.write",
    returns=Page[AddressView],
    problems=(404,),
    etag=True,
    if_match=True,
)
async def remove_address(request: Request[Any]) -> Response:
    """Remove one of your addresses.

    The answer has those that are left, also where it was removed before.
    """
    page, etag = await service.remove_address(request.caller, request.path(ADDRESS), request.if_match)
    return Response(page, headers={"ETag": etag})


@endpoint(
    bp,
    SERVICE,
    "accounts_find",
    "POST /accounts/search",
    scope="accounts.find",
    body=FindAccounts,
    returns=Page[AccountView],
)
async def find(request: Request[FindAccounts]) -> Response:
    """Find the accounts with an e-mail address.

    Upper and lower case are the same. The address is in the body, because addresses of requests are written into logs.
    """
    return Response(await service.find(request.caller, request.body))


@endpoint(
    bp,
    SERVICE,
    "erasure_request",
    "POST /me/erasure",
    scope="accounts.write",
    returns=ErasureView,
    status=202,
    location=True,
)
async def request_erasure(request: Request[Any]) -> Response:
    """Ask to be forgotten.

    It is `refused` a moment later where an order is open: `orders` says which. After a time to think better of it every
    service erases what it holds of you; `result` then says what was erased, what is kept and why. Asked again while it
    is under way, it is the same erasure.
    """
    found = await forget.request(request.caller)
    return Response(found, 202, {"Location": f"/v1/me/erasure/{found.id}"})


@endpoint(
    bp,
    SERVICE,
    "erasure_get",
    "GET /me/erasure/{erasure_id}",
    ERASURE,
    scope="accounts.read",
    returns=ErasureView,
    problems=(404,),
)
async def get_erasure(request: Request[Any]) -> Response:
    """Read how an erasure stands."""
    return Response(await forget.get(request.caller, request.path(ERASURE)))


@endpoint(
    bp,
    SERVICE,
    "erasure_withdraw",
    "DELETE /me/erasure/{erasure_id}",
    ERASURE,
    scope="accounts.write",
    returns=ErasureView,
    problems=(404, 409),
)
async def withdraw_erasure(request: Request[Any]) -> Response:
    """Think better of an erasure that has not begun."""
    return Response(await forget.withdraw(request.caller, request.path(ERASURE)))


sagas(bp, SERVICE, KINDS)


@change_feed(bp, SERVICE, store.ACCOUNTS)
@bp.durable_client_input(client_name="client")
async def feed(documents: func.DocumentList, client: df.DurableOrchestrationClient) -> None:
    """Relay the outbox; start exports, start and wake erasures ahead of it."""

    async def before(_: Event, data: EventData) -> None:
        if isinstance(data, ErasureRequested):
            await erasure.start(client, data)
        elif isinstance(data, ExportStarted):
            await export.start(client, data)
        elif isinstance(data, ErasureWithdrawn):
            await wake(client, data.erasure_id, DROPPED, "dropped", may_be_gone=True)

    await relay(store.ACCOUNTS, as_written(documents), before)


async def answered(event: Event, data: ErasureAnswered, client: df.DurableOrchestrationClient) -> None:
    """An answer that an erasure waits for."""
    await forget.hear_answer(event, data)
    await wake(client, data.erasure_id, ANSWERED, "answered", may_be_gone=True)


async def refused(event: Event, data: ErasureRefused, client: df.DurableOrchestrationClient) -> None:
    """An order is open."""
    await forget.hear_refusal(event, data)
    await wake(client, data.erasure_id, DROPPED, "dropped", may_be_gone=True)


told = export_triggers.told
durable_subscription(bp, SERVICE, "orders", {ErasureRefused: refused, ErasureAnswered: answered, ExportAnswered: told})
for holder in ("carts", "notifications", "payments", "shipping"):
    durable_subscription(bp, SERVICE, holder, {ErasureAnswered: answered, ExportAnswered: told})


@bp.function_name(erasure.NAME)
@bp.orchestration_trigger(context_name="context")
def accounts_erasure(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    """See `erasure.erasure`."""
    return (yield from reported(context, SERVICE.name, erasure.NAME, erasure.erasure(context)))


@bp.function_name(erasure.LOOK_UP)
@bp.activity_trigger(input_name="about")
async def look_up(about: erasure.About) -> erasure.Facts:
    """What is recorded of an erasure."""
    with activity(SERVICE.name, erasure.LOOK_UP, about.get("traceparent")):
        status, silent = await forget.look_up(about["account_id"], about["erasure_id"])
    return {"status": status, "silent": silent}


@bp.function_name(erasure.BEGIN)
@bp.activity_trigger(input_name="about")
async def begin(about: erasure.About) -> erasure.Facts:
    """Begin an erasure whose time has come. Answers what is recorded of it."""
    with activity(SERVICE.name, erasure.BEGIN, about.get("traceparent")):
        status, silent = await forget.begin(about["account_id"], about["erasure_id"])
    return {"status": status, "silent": silent}


@bp.function_name(erasure.ASK)
@bp.activity_trigger(input_name="about")
async def ask(about: erasure.About) -> erasure.Facts:
    """Ask every service to erase what it holds. Answers what is recorded of the erasure."""
    with activity(SERVICE.name, erasure.ASK, about.get("traceparent")):
        status, silent = await forget.ask(about["account_id"], about["erasure_id"], about["round"])
    return {"status": status, "silent": silent}


@bp.function_name(erasure.FINISH)
@bp.activity_trigger(input_name="about")
async def finish(about: erasure.About) -> str:
    """Delete the account and write the certificate. Answers the status that the erasure ends in."""
    with activity(SERVICE.name, erasure.FINISH, about.get("traceparent"), about["erasure_id"]):
        return await forget.finish(about["account_id"], about["erasure_id"])
