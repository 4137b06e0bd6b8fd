"""What accounts does for who wants to see what is held of them: the wish, the steps that `export.py` asks for, the ZIP.

What a service tells is sealed for the export's own key, and so is accounts' own share. It is opened when its owner
downloads it, and at no other time.
"""

from __future__ import annotations

import io
import re
import zipfile
from datetime import timedelta
from typing import Any, Literal

import msgspec

from blueprints.accounts import domain, export_store, forget, service, store
from blueprints.accounts.declaration import EXPORT_KEEP_SECONDS, SERVICE
from blueprints.accounts.domain import Export
from blueprints.accounts.forget import Progress
from shared import data_export, ids
from shared.clock import parse_timestamp, timestamp, utc_now
from shared.contracts.accounts import ExportReady, ExportStarted
from shared.contracts.event import Event
from shared.contracts.personal_data import ExportAnswered
from shared.errors import Conflict, Contention, NotFound
from shared.patterns import Timestamp
from shared.persistence.cosmos import AlreadyExists, ConditionFailed, ItemNotFound
from shared.sealing import private_key, public_key
from shared.settings import settings
from shared.telemetry.log import Log
from shared.web.auth import Principal

EXPORT_ID = re.compile(r"exp_[a-z2-7]{26}")
ASKED = tuple(sorted(topic for topic, events in SERVICE.hears.items() if ExportAnswered in events))
"""The services that hold something of a person, whose answers are heard."""

log = Log("accounts")


class ExportResult(msgspec.Struct, frozen=True):
    """Where it can be downloaded and until when. `silent`: the services that never answered, whose share is missing."""

    content: str
    expires_at: Timestamp
    silent: tuple[str, ...]


class ExportView(msgspec.Struct, frozen=True):
    """An export as the API shows it; `result` says where it is, once it is there."""

    id: str
    kind: Literal["export"]
    status: domain.ExportStatus
    progress: Progress
    result: ExportResult | None
    created_at: Timestamp
    updated_at: Timestamp


async def request(caller: Principal) -> ExportView:
    """Ask for what is held of the caller. Who asks again gets the one that is under way or can be downloaded.

    Raises Conflict once the account is being erased.
    """
    for _ in range(service.MAX_ATTEMPTS):
        document = await store.get(caller.subject)
        account = service.new(caller) if document is None else store.account_of(document)
        if (present := await _present(account)) is not None:
            return await _view(present)
        await _refuse_if_erasing(account)
        at = timestamp()
        export = Export(ids.drawn("exp"), account.id, "gathering", at, at, private_key())
        try:
            await export_store.add(
                domain.exporting(account, export.id),
                None if document is None else document["_etag"],
                export,
                _asking(export),
            )
        except (ConditionFailed, ItemNotFound, AlreadyExists):
            continue
        log.info("export.requested", export_id=export.id)
        return await _view(export)
    raise Contention("your account keeps changing", retry_after=1)


async def get(caller: Principal, export_id: str) -> ExportView:
    """An export that the caller asked for. Raises NotFound, also for that of someone else and once it is deleted."""
    export, _ = await _existing(caller.subject, export_id)
    return await _view(export)


async def withdraw(caller: Principal, export_id: str) -> ExportView:
    """Do away with an export: nobody can read any more what was gathered. Asked again, it has the same answer."""
    for _ in range(service.MAX_ATTEMPTS):
        export, etag = await _existing(caller.subject, export_id)
        if export.status != "withdrawn":
            export = domain.export_move(export, "withdraw", timestamp())
            try:
                await export_store.end(export, etag, _kept_for(), None)
            except (ConditionFailed, ItemNotFound):
                continue
            log.info("export.withdrawn", export_id=export_id)
        await export_store.keep_parts(export_id, 1)
        return await _view(export)
    raise Contention("the export keeps changing", retry_after=1)


async def download(caller: Principal, export_id: str) -> bytes:
    """The ZIP: a folder of JSON files for each service, and `export.json`, which says what is in it.

    Raises NotFound, also once it is over, and Conflict where it cannot be downloaded yet, or no more.
    """
    export, _ = await _existing(caller.subject, export_id)
    if export.status not in domain.THERE:
        raise Conflict(f"the export is {export.status}; it cannot be downloaded", code="export-not-ready")
    log.info("export.downloaded", export_id=export_id)
    return _zipped(
        export,
        {name: data_export.opened(text, export.key) for name, text in (await export_store.told(export_id)).items()},
    )


async def hear(event: Event, data: ExportAnswered) -> None:
    """Keep a part of what a service told; who it is, its topic says. What nobody waits for any more is dropped."""
    if await _gathering(data.account_id, data.export_id) is not None:
        await export_store.record(event.source.removeprefix("/"), data.export_id, [data])


async def ask(account_id: str, export_id: str, number: int) -> list[str]:
    """Ask every service, for the `number`-th time, what it holds; then as `look_up`."""
    export = await _gathering(account_id, export_id)
    silent = [] if export is None else await _silent(export_id)
    if silent and export is not None:
        await export_store.republish_overdue(export, _asking(export), number)
        say = log.error if number > forget.LOUD else log.warning if number > 1 else log.info
        say("export.asked", export_id=export_id, round=number, silent=", ".join(silent))
    return silent


async def look_up(account_id: str, export_id: str) -> list[str]:
    """Which services have not answered; none where nobody waits for them any more."""
    return [] if await _gathering(account_id, export_id) is None else await _silent(export_id)


async def finish(account_id: str, export_id: str) -> str:
    """Add what accounts itself holds, and offer it for a day. Answers the status, or `gone` where there is none."""
    found = await export_store.get(account_id, export_id)
    if found is None:
        return "gone"
    export, etag = found
    if export.status != "gathering":
        return export.status
    silent = tuple(await _silent(export_id))
    await _tell_own(export)
    keep, now = _kept_for(), utc_now()
    await export_store.keep_parts(export_id, keep)
    after = domain.gathered(export, silent, timestamp(now), timestamp(now + timedelta(seconds=keep)))
    event = ExportReady(export_id=export_id, account_id=account_id, expires_at=after.expires_at, complete=not silent)
    await export_store.end(after, etag, keep, event)
    say = log.error if silent else log.info
    say(f"export.{after.status}", export_id=export_id, silent=", ".join(silent))
    return after.status


async def _gathering(account_id: str, export_id: str) -> Export | None:
    """The export, while somebody is waited for."""
    found = await export_store.get(account_id, export_id)
    return found[0] if found is not None and found[0].status == "gathering" else None


async def _silent(export_id: str) -> list[str]:
    answered = await export_store.answered(export_id)
    return [name for name in ASKED if name not in answered]


async def _tell_own(export: Export) -> None:
    """Keep what accounts holds of the person as if another service had told it."""
    document = await store.get(export.account_id)
    if document is None:
        return
    account = store.account_of(document)
    erasures = [await forget.view(erasure) for erasure in await store.erasures(account.id)]
    held = data_export.Held({
        "account": [service.view(account)],
        "addresses": [service.shown(address) for address in account.addresses],
        "erasures": erasures,
    })  # fmt: skip
    await export_store.record(SERVICE.name, export.id, data_export.parts_of(_asking(export), held, SERVICE.name))


async def _present(account: domain.Account) -> Export | None:
    """The account's export that is under way, or can be downloaded."""
    if not account.export_id:
        return None
    found = await export_store.get(account.id, account.export_id)
    return found[0] if found is not None and not _is_over(found[0]) else None


async def _refuse_if_erasing(account: domain.Account) -> None:
    found = await store.get_erasure(account.id, account.erasure_id) if account.erasure_id else None
    if found is not None and found[0].status == "erasing":
        raise Conflict("your account is being erased; what is left of it can be asked for then", code="erasure-begun")


async def _existing(account_id: str, export_id: str) -> tuple[Export, str]:
    found = await export_store.get(account_id, export_id)
    if found is None or _is_expired(found[0]):
        raise NotFound("there is no such export")
    return found


def _is_over(export: Export) -> bool:
    return export.status == "withdrawn" or _is_expired(export)


def _is_expired(export: Export) -> bool:
    """Whether its time is over; the database deletes it about then."""
    return bool(export.expires_at) and utc_now() >= parse_timestamp(export.expires_at)


def _kept_for() -> int:
    """Seconds; a `ttl` is whole ones."""
    return int(settings().seconds(EXPORT_KEEP_SECONDS))


def _asking(export: Export) -> ExportStarted:
    return ExportStarted(export_id=export.id, account_id=export.account_id, key=public_key(export.key))


async def _view(export: Export) -> ExportView:
    there = export.status in domain.THERE
    answered = await export_store.answered(export.id) if export.status == "gathering" else ASKED
    done = len(ASKED) - len(export.silent) if there else len([name for name in ASKED if name in answered])
    return ExportView(
        id=export.id,
        kind="export",
        status=export.status,
        progress=Progress(done if export.status != "withdrawn" else 0, len(ASKED)),
        result=ExportResult(f"/v1/me/export/{export.id}/content", export.expires_at, export.silent) if there else None,
        created_at=export.requested_at,
        updated_at=export.updated_at,
    )


def _zipped(export: Export, held: dict[str, data_export.Held]) -> bytes:
    """One file for each kind of thing; each is a list of what the API shows of them."""
    contents: dict[str, Any] = {
        "id": export.id,
        "account_id": export.account_id,
        "made_at": export.updated_at,
        "services": {
            name: {"files": sorted(event.files), "complete": event.complete} for name, event in sorted(held.items())
        },
        "silent": list(export.silent),
    }
    files = {"export.json": contents} | {
        f"{name}/{file}.json": items for name, event in sorted(held.items()) for file, items in event.files.items()
    }
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, value in files.items():
            archive.writestr(path, msgspec.json.format(msgspec.json.encode(value)))
    return written.getvalue()
