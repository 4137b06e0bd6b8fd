"""The commands on what each service answers for itself: its sagas, and the events that it could not publish."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import click

from blueprints import SERVICES
from scripts.operate.api import Absent, Api
from scripts.operate.commands import AT_MOST, Operator, pass_operator

SAGA = ("id", "service", "kind", "about", "status", "waits_for", "runtime", "changed_at")
PARKED = ("id", "service", "event_id", "event_type", "reason", "changed_at", "why")
SERVICE = click.option("--service", type=click.Choice(SERVICES), help="Only those of this service; default: of each.")
WHY = click.option("--why", required=True, help="Why; it is kept.")
OWNER = click.argument("service", type=click.Choice(SERVICES))


def _gathered(
    operator: Operator, what: str, service: str | None, asked: dict[str, Any], names: tuple[str, ...], most: int
) -> None:
    """What the services list, one after the other; one that has no such list has nothing."""

    async def all_of(api: Api) -> list[Any]:
        found: list[Any] = []
        for name in (service,) if service else SERVICES:
            with suppress(Absent):
                found += [item async for item in api.each(f"/operations/{what}/{name}", asked, most - len(found))]
        return found

    operator.print(operator.ask(all_of), names)


def _act(operator: Operator, path: str, why: str) -> None:
    operator.one(operator.ask(lambda api: api.call("POST", path, {"why": why})))


@click.group()
def sagas() -> None:
    """What services follow over a time, and what each waits for."""


@sagas.command("list")
@SERVICE
@click.option("--kind", help="Only sagas of this kind; needs --service.")
@click.option("--status", help="Only those of this status; needs --service.")
@click.option("--min-age-seconds", type=click.IntRange(0), help="Only those that have not changed for so long.")
@AT_MOST
@pass_operator
def list_sagas(operator: Operator, /, service: str | None, most: int, **asked: Any) -> None:
    """List open sagas, those first that have waited for the longest time. RUNTIME `missing`: nobody follows it."""
    if service is None and (asked["kind"] or asked["status"]):
        raise click.UsageError("--kind and --status are a service's own: say which with --service")
    _gathered(operator, "sagas", service, asked, SAGA, most)


@sagas.command("show")
@OWNER
@click.argument("saga_id")
@pass_operator
def show_saga(operator: Operator, service: str, saga_id: str) -> None:
    """Read one saga and what it waits for."""
    operator.one(operator.ask(lambda api: api.call("GET", f"/operations/sagas/{service}/{saga_id}")))


@sagas.command()
@OWNER
@click.argument("saga_id")
@WHY
@pass_operator
def resume(operator: Operator, service: str, saga_id: str, why: str) -> None:
    """Have a saga look at what is stored and go on; one that is gone begins anew."""
    _act(operator, f"/operations/sagas/{service}/{saga_id}/resume", why)


@sagas.command()
@OWNER
@click.argument("saga_id")
@WHY
@pass_operator
def end(operator: Operator, service: str, saga_id: str, why: str) -> None:
    """End a saga by its own way to give up: an order is cancelled, a parcel counts as lost."""
    _act(operator, f"/operations/sagas/{service}/{saga_id}/end", why)


@click.group()
def parked() -> None:
    """Events that could not be published."""


@parked.command("list")
@SERVICE
@click.option("--set-aside", is_flag=True, help="Those that were set aside.")
@AT_MOST
@pass_operator
def list_parked(operator: Operator, /, service: str | None, set_aside: bool, most: int) -> None:
    """List them, the oldest first."""
    _gathered(operator, "parked", service, {"status": "set-aside" if set_aside else None}, PARKED, most)


@parked.command("show")
@OWNER
@click.argument("parked_id")
@pass_operator
def show_parked(operator: Operator, service: str, parked_id: str) -> None:
    """Read one, without what may be personal."""
    operator.one(operator.ask(lambda api: api.call("GET", f"/operations/parked/{service}/{parked_id}")))


@parked.command()
@OWNER
@click.argument("parked_id")
@WHY
@pass_operator
def retry(operator: Operator, service: str, parked_id: str, why: str) -> None:
    """Put an event back into the outbox; where it cannot be published now either, it is parked anew."""
    _act(operator, f"/operations/parked/{service}/{parked_id}/retry", why)


@parked.command("set-aside")
@OWNER
@click.argument("parked_id")
@WHY
@pass_operator
def set_parked_aside(operator: Operator, service: str, parked_id: str, why: str) -> None:
    """Keep an event with the reason, out of the list."""
    _act(operator, f"/operations/parked/{service}/{parked_id}/set-aside", why)
