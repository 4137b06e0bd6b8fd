"""Odd requests by the thousand to gateway and host: none is an error of ours, none is repeated, nobody else is harmed.

    ODD_REQUESTS=50000 ODD_SEED=7 .venv/bin/python -m pytest tests/e2e/test_odd_requests.py -s

An honest caller goes on beside them. How long she waits is compared with how long she does beside ordinary requests,
because the machine has few processors, and the requests themselves take their part of them; by turns, because nothing
stays as it was a minute ago; on average, because ordinary ones are few that take long, and odd ones many that do not;
and up to three times, because what chance makes twice as long once it does not three times.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.e2e.conftest import PATIENCE, System, started
from tests.e2e.odd_parts import PARTS, of_a_part
from tests.e2e.odd_requests import Generator, Request, of_the_api
from tests.e2e.odd_values import MARK

COUNT = int(os.environ.get("ODD_REQUESTS", "2000"))
SEED = int(os.environ.get("ODD_SEED", "1"))
MAX_CONCURRENCY = 4
TURNS = 5
LOOKS = 3
SHOWN = 600
"""Bytes of a request and of its answer in a report."""
KEY = "local-back-office-primary"
UNLIMITED = {
    f"{who}-calls-per-{span}": "100000000"
    for span, callers in (
        ("minute", ("anonymous", "user", "internal", "webhook", "partner")),
        ("day", ("public",)),
        ("week", ("internal", "partner")),
    )
    for who in callers
}
REFUSED_VERSION = 505
UNFINISHED = 0.3
"""Seconds that an answer is waited for where the server rightly waits for the rest of a request."""
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


@dataclass
class Outcome:
    """What became of the requests to one server."""

    echoes: bool = False
    """The part tells its callers, who are developers, what they sent."""
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def note(self, request: Request, answer: bytes) -> None:
        found = _STATUS.match(answer)
        status = int(found[1]) if found else 0
        self.statuses[status] += 1
        why = ""
        if status >= 500 and not (status == REFUSED_VERSION and "version" in request.bent):
            why = "an error of ours"
        elif status == 0 and not request.unfinished:
            why = "no answer"
        elif status >= 400 and not self.echoes and MARK.encode() in answer:
            why = "a value is repeated"
        if why:
            sent = re.sub(rb"Bearer eyJ\S+", b"Bearer ...", request.bytes())
            self.wrong.append(f"{why}: {request.bent} {sent[:SHOWN]!r}\n    {answer[-SHOWN:]!r}")


@pytest.fixture(scope="module")
def odd_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of its own, whose gateway counts nothing, so that requests get as far as they can."""
    with started(tmp_path_factory.mktemp("odd"), "--set", f"apim.values={json.dumps(UNLIMITED)}") as running:
        yield running


async def token(system: System, account: str) -> str:
    url = f"{system.addresses['entra']}/_local/tokens"
    async with aiohttp.ClientSession() as session, session.post(url, json={"account": account}) as answer:
        return str((await answer.json())["access_token"])


async def sent(port: int, request: Request) -> bytes:
    """The first bytes of the answer; nothing where there is none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        content = request.bytes()
        writer.write(content[: len(content) * 2 // 3] if request.torn else content)
        if request.torn:
            await writer.drain()
            return b""
        async with asyncio.timeout(UNFINISHED if request.unfinished else PATIENCE):
            return await _answer(reader, request.method)
    except (ConnectionError, TimeoutError):
        return b""
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader, method: bytes) -> bytes:
    found = b""
    while part := await reader.read(65_536):
        found += part
        head, end, body = found.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        if end and (method == b"HEAD" or length is None or len(body) >= int(length[1])):
            break
    return found


async def all_sent(port: int, make: Callable[[], Request], count: int, outcome: Outcome) -> None:
    left = iter(range(count))

    async def some() -> None:
        for _ in left:
            request = make()
            outcome.note(request, await sent(port, request))

    await asyncio.gather(*(some() for _ in range(MAX_CONCURRENCY)))


@asynccontextmanager
async def honest(url: str, headers: dict[str, str], status: int, took: list[float]) -> AsyncIterator[None]:
    """A caller who asks again and again; how long each answer took her is added to `took`, in seconds."""

    async def go_on() -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session:
            while True:
                began = time.perf_counter()
                async with session.get(url, headers=headers) as answer:
                    assert answer.status == status, await answer.text()
                    await answer.read()
                took.append(time.perf_counter() - began)
                await asyncio.sleep(0.01)

    task = asyncio.get_running_loop().create_task(go_on())
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _breakers(system: System) -> dict[str, Any]:
    """The gateway's circuit breakers by their backends."""
    url = f"{system.addresses['apim']}/_local/breakers"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return dict(await answer.json())


@pytest.mark.parametrize("where", ["apim", "functions"])
async def test_odd_requests_harm_nobody(odd_system: System, where: str) -> None:
    address = odd_system.addresses[where]
    port, prefix = urlsplit(address).port or 0, "/v1" if where == "apim" else "/api/v1"
    tokens = (await token(odd_system, "staff"), await token(odd_system, "shopper"))
    key = {"Ocp-Apim-Subscription-Key": KEY} if where == "apim" else {}
    generator = Generator(SEED, of_the_api(prefix, tokens, key))
    other = {"Authorization": f"Bearer {await token(odd_system, 'shopper2')}"}
    caller = (f"{address}{prefix}/orders?limit=1", other, 200)
    ratios = list[float]()
    while not ratios or (ratios[-1] >= 2 and len(ratios) < LOOKS):
        before, during = await _waits(odd_system, port, generator, caller, where)
        ratios.append(during / before)
    assert min(ratios) < 2, ratios


async def _waits(
    system: System, port: int, generator: Generator, caller: tuple[str, dict[str, str], int], where: str
) -> tuple[float, float]:
    """How long the honest caller waits beside ordinary requests, and beside odd ones: seconds, on average."""
    count, outcome, ordinary = COUNT // 2, Outcome(), Outcome()
    beside_ordinary, beside_odd = list[float](), list[float]()
    for _ in range(TURNS):
        async with honest(*caller, beside_ordinary):
            await all_sent(port, generator.ordinary, count // 4 // TURNS, ordinary)
        async with honest(*caller, beside_odd):
            await all_sent(port, generator.next, count // TURNS, outcome)
            breakers = await _breakers(system)
            assert breakers and all(state["open_seconds"] == 0 for state in breakers.values())
    before, during = statistics.fmean(beside_ordinary), statistics.fmean(beside_odd)
    print(
        f"{where}: {count} odd requests {dict(sorted(outcome.statuses.items()))}, of {count // 4} ordinary ones "
        f"{dict(sorted(ordinary.statuses.items()))}; the honest caller: {len(beside_odd)} answers, on average "
        f"{before * 1000:.1f} → {during * 1000:.1f} ms, 95 % {_p95(beside_ordinary) * 1000:.1f} → "
        f"{_p95(beside_odd) * 1000:.1f} ms"
    )
    assert not outcome.wrong, f"{len(outcome.wrong)} of {count}:\n" + "\n".join(outcome.wrong[:20])
    assert len(outcome.statuses) > 5
    return before, during


@pytest.mark.parametrize("part", PARTS)
async def test_odd_requests_are_no_error_of_a_part(odd_system: System, part: str) -> None:
    port = urlsplit(odd_system.addresses[PARTS[part][0]]).port or 0
    generator, outcome = Generator(SEED, of_a_part(part)), Outcome(echoes=True)
    await all_sent(port, generator.next, COUNT // 8, outcome)
    print(f"{part}: {COUNT // 8} odd requests {dict(sorted(outcome.statuses.items()))}")
    assert not outcome.wrong, f"{len(outcome.wrong)} of {COUNT // 8}:\n" + "\n".join(outcome.wrong[:20])
    logs = (odd_system.state / "logs" / f"{PARTS[part][0]}.log").read_text()
    assert "Traceback" not in logs


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]
