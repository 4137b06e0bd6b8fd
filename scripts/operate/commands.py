"""The commands."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from scripts.operate import show
from scripts.operate.api import ENDED, Access, Api
from scripts.operate.verifying import all_verified, flat
from scripts.shop import STATE, ApiError

T = TypeVar("T")
LETTERS = ("id", "event_type", "subject", "reason", "problem", "enqueued_at")
TASK = ("id", "kind", "status", "progress", "created_at")
LOOK_EVERY = 0.5
"""Seconds between two looks at a task that is followed."""


@dataclass(frozen=True)
class Operator:
    """How this run asks and prints."""

    access: Access
    json: bool

    def ask(self, work: Callable[[Api], Awaitable[T]]) -> T:
        """What the API says. Raises ApiError."""

        async def asking() -> T:
            async with Api(self.access) as api:
                return await work(api)

        return asyncio.run(asking())

    def pages(self, path: str, asked: dict[str, Any], names: tuple[str, ...], most: int) -> None:
        async def all_of(api: Api) -> list[Any]:
            return [item async for item in api.each(path, asked, most)]

        self.print(self.ask(all_of), names)

    def print(self, items: list[Any], names: tuple[str, ...]) -> None:
        show.as_json(items) if self.json else show.table(names, items)

    def one(self, item: Any) -> None:
        show.as_json(item) if self.json else show.one(item)


pass_operator = click.make_pass_decorator(Operator)
AT_MOST = click.option(
    "--most", type=click.IntRange(1, 100_000), default=100, show_default=True, help="At most so many."
)


def filters(command: Any) -> Any:
    """The options that choose dead letters."""
    options = (
        click.option("--event-type", help="Only events of this type."),
        click.option("--reason", help="Only those with this reason of the broker."),
        click.option("--subject", help="Only events about this subject, such as an order's id."),
        click.option("--min-age-seconds", type=click.IntRange(0), help="Only those that old."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(help="See what is stuck, why, and mend it. It asks the API; what changes something needs the role admin.")
@click.option("--url", envvar="OPERATE_URL", default="", help="The API, with its version: https://…/v1. Default: here.")
@click.option("--token", envvar="OPERATE_TOKEN", default="", help="An access token. Better in OPERATE_TOKEN.")
@click.option("--key", envvar="OPERATE_KEY", default="", help="A subscription key of the gateway.")
@click.option("--account", default="admin", show_default=True, help="Who signs in, on this machine.")
@click.option(
    "--state", type=click.Path(path_type=Path), default=STATE, help="What runs on this machine, by its files."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def main(context: click.Context, url: str, token: str, key: str, account: str, state: Path, as_json: bool) -> None:
    context.obj = Operator(Access(url, token, key, account, state), as_json)


@main.command()
@pass_operator
def queues(operator: Operator) -> None:
    """Every subscription: what waits, what is dead, and since when."""
    names = ("topic", "service", "waiting", "scheduled", "dead_lettered")
    ages = ("oldest_waiting_seconds", "oldest_dead_letter_seconds")
    items = operator.ask(lambda api: api.call("GET", "/operations/queues"))["items"]
    operator.print(items, (*names, *ages))


@main.group("dead-letters")
def dead_letters() -> None:
    """What no service could handle."""


@dead_letters.command("list")
@click.option("--topic", help="Only those of this topic.")
@click.option("--service", help="Only those that this service did not handle.")
@filters
@AT_MOST
@pass_operator
def list_dead_letters(operator: Operator, /, most: int, **asked: Any) -> None:
    """List dead letters."""
    operator.pages("/operations/dead-letters", asked, LETTERS, most)


@dead_letters.command("show")
@click.argument("dead_letter_id")
@pass_operator
def show_dead_letter(operator: Operator, dead_letter_id: str) -> None:
    """Read one dead letter, without what may be personal."""
    operator.one(operator.ask(lambda api: api.call("GET", f"/operations/dead-letters/{dead_letter_id}")))


@dead_letters.command("set-aside")
@click.argument("dead_letter_id")
@click.option("--why", required=True, help="Why; it is kept.")
@pass_operator
def set_aside(operator: Operator, dead_letter_id: str, why: str) -> None:
    """Keep a dead letter with the reason, out of its queue."""
    path = f"/operations/dead-letters/{dead_letter_id}/set-aside"
    operator.one(operator.ask(lambda api: api.call("POST", path, {"why": why})))


@dead_letters.command("kept")
@AT_MOST
@pass_operator
def kept(operator: Operator, most: int) -> None:
    """List what was set aside."""
    operator.pages("/operations/set-aside", {}, ("id", "event_type", "subject", "why", "by", "at"), most)


@dead_letters.command()
@click.argument("topic")
@click.argument("service")
@click.option("--why", required=True, help="Why; it is kept.")
@click.option("--id", "ids", multiple=True, help="Only this dead letter; may be repeated.")
@filters
@click.option("--rate", type=click.IntRange(1, 1_000), default=10, show_default=True, help="Dead letters a second.")
@click.option(
    "--stop-after", type=click.IntRange(1, 1_000), default=3, show_default=True, help="So many that come back."
)
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--yes", is_flag=True, help="Do not ask between the dry run and the redrive.")
@pass_operator
def redrive(
    operator: Operator,
    /,
    topic: str,
    service: str,
    why: str,
    ids: tuple[str, ...],
    rate: int,
    stop_after: int,
    dry_run: bool,
    yes: bool,
    **chosen: Any,
) -> None:
    """Send the dead letters of SERVICE's subscription to TOPIC again, after a dry run."""
    asked = {
        "topic": topic,
        "service": service,
        "why": why,
        "rate": rate,
        "stop_after": stop_after,
        "filter": {name: value for name, value in chosen.items() if value is not None},
        "dead_letter_ids": list(ids),
    }
    counted = operator.ask(lambda api: _redrive(operator, api, {**asked, "dry_run": True}))
    matched = counted["result"]["matched"]
    if dry_run or not matched:
        operator.one(counted)
        return
    if not yes:
        show.one(counted["result"])
        click.confirm(f"Send {matched} dead letters again, {rate} a second?", abort=True, err=True)
    task = operator.ask(lambda api: _redrive(operator, api, {**asked, "dry_run": False}))
    operator.one(task)
    if task["status"] != "completed":
        raise ApiError(f"the task is {task['status']}: {(task.get('problem') or {}).get('detail', 'see its result')}")


async def _redrive(operator: Operator, api: Api, asked: dict[str, Any]) -> Any:
    task = await api.call("POST", "/operations/redrives", asked, key=secrets.token_hex(16))
    return await _followed(api, task, silent=operator.json or asked["dry_run"])


async def _followed(api: Api, task: Any, silent: bool) -> Any:
    """The task once it has ended, with a progress bar meanwhile."""
    path = f"/operations/tasks/{task['id']}"
    bar: Any = None
    click.echo(f"task {task['id']}; end it with: tasks cancel {task['id']}", err=True)
    try:
        while task["status"] not in ENDED:
            await asyncio.sleep(LOOK_EVERY)
            task = await api.call("GET", path)
            done, total = task["progress"]["done"], task["progress"]["total"]
            if bar is None and total and not silent:
                bar = click.progressbar(length=total, label=task["kind"], show_pos=True, file=sys.stderr)
            if bar is not None:
                bar.update(done - bar.pos)
    finally:
        if bar is not None:
            bar.render_finish()
    return task


@main.group()
def tasks() -> None:
    """Long tasks: what runs, how far it is, what came of it."""


@tasks.command("list")
@click.option("--status", type=click.Choice(["pending", "running", "cancelling", *ENDED]), help="Only these.")
@AT_MOST
@pass_operator
def list_tasks(operator: Operator, status: str | None, most: int) -> None:
    """List long tasks, the newest first."""
    operator.pages("/operations/tasks", {"status": status}, TASK, most)


@tasks.command("show")
@click.argument("task_id")
@pass_operator
def show_task(operator: Operator, task_id: str) -> None:
    """Read a long task."""
    operator.one(operator.ask(lambda api: api.call("GET", f"/operations/tasks/{task_id}")))


@tasks.command("follow")
@click.argument("task_id")
@pass_operator
def follow(operator: Operator, task_id: str) -> None:
    """Wait for a long task, with a progress bar."""

    async def following(api: Api) -> Any:
        return await _followed(api, await api.call("GET", f"/operations/tasks/{task_id}"), operator.json)

    operator.one(operator.ask(following))


@tasks.command("cancel")
@click.argument("task_id")
@pass_operator
def cancel(operator: Operator, task_id: str) -> None:
    """Cancel a long task; what it has done stays done."""
    operator.one(operator.ask(lambda api: api.call("POST", f"/operations/tasks/{task_id}/cancel")))


@tasks.command("messages")
@click.argument("task_id")
@AT_MOST
@pass_operator
def messages(operator: Operator, task_id: str, most: int) -> None:
    """What a redrive has sent again, and what became of each."""
    names = ("dead_letter_id", "event_type", "subject", "fate")
    operator.pages(f"/operations/redrives/{task_id}/messages", {}, names, most)


@main.group()
def audit() -> None:
    """Who with special rights did what, and whether that log is whole."""


@audit.command("list")
@click.option("--day", help="A day in UTC; default: today.")
@AT_MOST
@pass_operator
def list_entries(operator: Operator, day: str | None, most: int) -> None:
    """List the privileged acts of a day."""

    async def entries(api: Api) -> list[Any]:
        found = api.each("/operations/audit/entries", {"day": day}, most)
        return [{"number": each["number"], **flat(each["entry"])} async for each in found]

    operator.print(operator.ask(entries), ("number", "at", "act", "target", "subject", "before", "after", "reason"))


@audit.command()
@pass_operator
def heads(operator: Operator) -> None:
    """How far the log of each day has come: to be kept elsewhere."""
    items = operator.ask(lambda api: api.call("GET", "/operations/audit/heads"))["items"]
    operator.print(items, ("day", "number", "hash"))


@audit.command()
@click.option("--day", help="Only this day; default: every day.")
@click.option("--heads", "file", type=click.File(), help="Heads that were noted elsewhere: JSON objects, one a line.")
@pass_operator
def verify(operator: Operator, day: str | None, file: Any) -> None:
    """Verify the log: what was altered, removed, inserted, moved or written anew is named.

    On this machine the heads that the log has told Application Insights are held against it, too.
    """
    verified = operator.ask(lambda api: all_verified(api, operator.access, day, file))
    operator.print(verified, ("day", "entries", "noted", "findings"))
    if any(each["findings"] for each in verified):
        raise ApiError("the audit log is not what it was")
