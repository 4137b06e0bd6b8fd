"""One order's trace, read back by KQL from what the app told Application Insights, and drawn as a tree."""

from __future__ import annotations

import asyncio
import secrets
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from blueprints import SERVICES
from localazure.insights.wire import DEFAULT_KEY
from tests.e2e.conftest import Client, Login, System, started

KEY = "local-back-office-primary"
"""A subscription key of the gateway that every caller may use."""
CREDIT = {"ORDER_CREDIT": "1000000"}
"""App settings by which everybody has credit: stock and money are asked for at once, whoever has paid before."""
HOSTS = {"one host": (), "a host for each service": ("--split", ",".join(SERVICES))}
"""What runs the app → the arguments for `up`."""
PATIENCE = 90.0
"""Records are sent every five seconds, by each worker process for itself."""
ROUND = 7.0
"""By then every process has sent what it had, also what would be too much."""
EVERYTHING = (
    "union requests, dependencies | where operation_Id == '{trace}' "
    "| project id, trace = operation_Id, parent = operation_ParentId, role = cloud_RoleName, name, type, data, "
    "event = tostring(customDimensions.event_id)"
)
COSMOS = "Azure DocumentDB"
Row = dict[str, Any]


@contextmanager
def traced(folder: Path, hosts: str, *, deadline: int, provider: int) -> Iterator[System]:
    """A system with credit for everybody, on `hosts` of `HOSTS`, whose provider is waited for so many seconds.

    The provider sends no webhooks: who hears first would be chance (`test_trace.py` has them).
    """
    quiet = ("--set", "stripe.webhook_events=charge.refunded")
    settings = {**CREDIT, "STRIPE_TIMEOUT_SECONDS": str(provider)}
    with started(folder, *HOSTS[hosts], *quiet, deadline=deadline, app=settings) as running:
        yield running


@pytest.fixture
async def staff(login: Login) -> Client:
    """Staff at the gateway: where each service has a host of its own, there is no other way in."""
    return (await login("staff")).at_gateway(KEY)


async def asked(system: System, session: aiohttp.ClientSession, query: str) -> list[Row]:
    """The rows of a KQL query's answer."""
    url = f"{system.addresses['insights']}/v1/apps/{DEFAULT_KEY}/query"
    async with session.post(url, json={"query": query}) as answer:
        assert answer.status == 200, await answer.text()
        table = (await answer.json())["tables"][0]
    names = [column["name"] for column in table["columns"]]
    return [dict(zip(names, row, strict=True)) for row in table["rows"]]


class Trace:
    """The spans of one trace, each once: work that was done again is told again under the same id."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self.spans = {row["id"]: row for row in rows}
        self._children: dict[str, list[str]] = defaultdict(list)
        for span, row in self.spans.items():
            self._children[row["parent"] if row["parent"] in self.spans else ""].append(span)

    @property
    def roots(self) -> list[str]:
        """Labels of the spans whose parent is not among them: the first, and whatever is an orphan."""
        return sorted(label(self.spans[span]) for span in self._children[""])

    @property
    def labels(self) -> set[str]:
        return {label(row) for row in self.spans.values()}

    def tree(self, *, calls: bool = True) -> str:
        """A line for each span, indented below its parent, siblings by label; `calls`: the database's, too."""
        return "\n".join(line for root in self._children[""] for line in self._lines(root, calls))

    def below(self, wanted: str) -> str:
        """The tree from the span of that label on."""
        return "\n".join(
            line for span, row in self.spans.items() if label(row) == wanted for line in self._lines(span, calls=True)
        )

    def _lines(self, span: str, calls: bool) -> list[str]:
        children = [child for child in self._children[span] if calls or self.spans[child]["type"] != COSMOS]
        below = sorted(self._lines(child, calls) for child in children)
        return [label(self.spans[span]), *(f"  {line}" for lines in below for line in lines)]


def label(row: Row) -> str:
    """Role and name, and the event that it is about where there is one."""
    event = row["event"] or (row["data"] if row["name"].startswith("send ") else "")
    kind = event.removeprefix("commerce.").partition(".v1")[0]
    return f"{row['role']}: {row['name']}{f' {kind}' if kind else ''}"


async def trace_of(system: System, session: aiohttp.ClientSession, trace: str, holds: Callable[[Trace], bool]) -> Trace:
    """The trace once `holds` has been true of it for `ROUND` seconds, or as it is when patience is over."""
    loop = asyncio.get_running_loop()
    deadline, since = loop.time() + PATIENCE, loop.time()
    while True:
        found = Trace(await asked(system, session, EVERYTHING.format(trace=trace)))
        now = loop.time()
        since = since if holds(found) else now
        if now - since > ROUND or now > deadline:
            return found
        await asyncio.sleep(0.5)


async def newcomer(system: System, session: aiohttp.ClientSession) -> Client:
    """A customer of whom no process remembers anything, at the gateway: the same is read for every order."""
    order = {"account": "shopper", "claims": {"oid": f"newcomer-{secrets.token_hex(8)}"}}
    async with session.post(f"{system.addresses['entra']}/_local/tokens", json=order) as answer:
        assert answer.status == 200, await answer.text()
        return Client(system, session, (await answer.json())["access_token"]).at_gateway(KEY)


async def placed(shopper: Client, body: Any) -> tuple[str, str]:
    """Order id and trace id of an order; what orders has not heard of yet is asked for again."""
    async with asyncio.timeout(PATIENCE):
        while (answer := await shopper.order(body)).status != 202:  # noqa: ASYNC110 - events bring it about
            await asyncio.sleep(0.2)
    return answer.json["id"], answer.headers["traceparent"].split("-")[1]


def tree(text: str, parts: Mapping[str, str]) -> str:
    """A tree as a test writes it, its siblings in any order; `×2` is a span twice, `<…>` all of the part of that name.

    Raises KeyError for a part that there is not.
    """
    return "\n".join(line for block in _sorted(_written_out(text, parts)) for line in block)


def _written_out(text: str, parts: Mapping[str, str]) -> list[str]:
    lines: list[str] = []
    for line in textwrap.dedent(text).strip().splitlines():
        said = line.lstrip(" ")
        indent = " " * (len(line) - len(said))
        part = _written_out(parts[said[1:-1]], parts) if said.startswith("<") else [said]
        lines += [indent + inner for inner in part]
    return lines


def _sorted(lines: list[str]) -> list[list[str]]:
    blocks: list[list[str]] = []
    for line in lines:
        if line.startswith("  "):
            blocks[-1].append(line[2:])
        else:
            blocks.append([line])
    found: list[list[str]] = []
    for head, *below in blocks:
        name, _, number = head.partition(" ×")
        block = [name, *(f"  {line}" for inner in _sorted(below) for line in inner)]
        found += [block] * int(number or 1)
    return sorted(found)


def without_calls(tree: str) -> str:
    """The tree without what the database was asked for."""
    words = ("read ", "read many ", "query ", "create ", "upsert ", "patch ", "batch ")
    return "\n".join(line for line in tree.splitlines() if not line.partition(": ")[2].startswith(words))
