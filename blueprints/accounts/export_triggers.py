"""Everything that can set an export in motion, beside the change feed that `triggers` takes."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from blueprints.accounts import export, gather
from blueprints.accounts.chasing import ANSWERED
from blueprints.accounts.declaration import SERVICE
from blueprints.accounts.gather import EXPORT_ID, ExportView
from shared.contracts.event import Event
from shared.contracts.personal_data import ExportAnswered
from shared.orchestration import activity, reported, wake
from shared.web.endpoint import Request, Response, endpoint
from shared.web.operation import PathParameter

bp = df.Blueprint()

EXPORT = PathParameter("export_id", "The export's id.", EXPORT_ID, "exp_6q3x7k5d2h4w6n2m5r7t3y4u2i")


@endpoint(
    bp,
    SERVICE,
    "export_request",
    "POST /me/export",
    scope="accounts.export",
    returns=ExportView,
    status=202,
    problems=(409,),
    location=True,
)
async def request_export(request: Request[Any]) -> Response:
    """Ask for what the shop holds of you.

    Every service is asked; once all have answered, usually within a few seconds, it can be downloaded for a day. Asked
    again meanwhile, it is the same export.
    """
    found = await gather.request(request.caller)
    return Response(found, 202, {"Location": f"/v1/me/export/{found.id}"})


@endpoint(
    bp,
    SERVICE,
    "export_get",
    "GET /me/export/{export_id}",
    EXPORT,
    scope="accounts.export",
    returns=ExportView,
    problems=(404,),
)
async def get_export(request: Request[Any]) -> Response:
    """Read how an export stands, and where it can be downloaded."""
    return Response(await gather.get(request.caller, request.path(EXPORT)))


@endpoint(
    bp,
    SERVICE,
    "export_download",
    "GET /me/export/{export_id}/content",
    EXPORT,
    scope="accounts.export",
    returns=bytes,
    media_type="application/zip",
    problems=(404, 409),
)
async def download_export(request: Request[Any]) -> Response:
    """Download what the shop holds of you.

    A ZIP with a folder of JSON files for each service, in the shapes of this API, and `export.json`, which says what is
    in it.
    """
    export_id = request.path(EXPORT)
    attached = {"Content-Disposition": f'attachment; filename="{export_id}.zip"'}
    return Response(await gather.download(request.caller, export_id), headers=attached)


@endpoint(
    bp,
    SERVICE,
    "export_withdraw",
    "DELETE /me/export/{export_id}",
    EXPORT,
    scope="accounts.export",
    returns=ExportView,
    problems=(404,),
)
async def withdraw_export(request: Request[Any]) -> Response:
    """Do away with an export before its time is over.

    Nobody can read it any more. Another may be asked for at once.
    """
    return Response(await gather.withdraw(request.caller, request.path(EXPORT)))


async def told(event: Event, data: ExportAnswered, client: df.DurableOrchestrationClient) -> None:
    """A part of an answer that an export waits for."""
    await gather.hear(event, data)
    await wake(client, data.export_id, ANSWERED, "answered", may_be_gone=True)


@bp.function_name(export.NAME)
@bp.orchestration_trigger(context_name="context")
def accounts_export(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    """See `export.export`."""
    return (yield from reported(context, SERVICE.name, export.NAME, export.export(context)))


@bp.function_name(export.LOOK_UP)
@bp.activity_trigger(input_name="about")
async def look_up_export(about: export.About) -> export.Facts:
    """What is recorded of an export."""
    with activity(SERVICE.name, export.LOOK_UP, about.get("traceparent")):
        return {"silent": await gather.look_up(about["account_id"], about["export_id"])}


@bp.function_name(export.ASK)
@bp.activity_trigger(input_name="about")
async def ask_to_export(about: export.About) -> export.Facts:
    """Ask every service what it holds. Answers what is recorded of the export."""
    with activity(SERVICE.name, export.ASK, about.get("traceparent")):
        return {"silent": await gather.ask(about["account_id"], about["export_id"], about["round"])}


@bp.function_name(export.FINISH)
@bp.activity_trigger(input_name="about")
async def finish_export(about: export.About) -> str:
    """Offer what was gathered. Answers the status that the export ends in."""
    with activity(SERVICE.name, export.FINISH, about.get("traceparent"), about["export_id"]):
        return await gather.finish(about["account_id"], about["export_id"])
