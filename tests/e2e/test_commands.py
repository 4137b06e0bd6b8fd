"""What one types beside a running system, and what it says: status, logs, a token, and where nothing runs, so."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage

from localazure.running import LOCK
from scripts.bus import connected
from tests.e2e.conftest import PATIENCE, ROOT, Client, Stocked, System, basket


async def said(state: Path, *module: str, status: int = 0) -> tuple[str, str]:
    """What a module of the project prints, and what it complains of."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *module),
        cwd=ROOT,
        env={**os.environ, "LOCALAZURE_STATE": str(state)},
        stdout=PIPE,
        stderr=PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        output, errors = await process.communicate()
    assert process.returncode == status, (output, errors)
    return output.decode(), errors.decode()


async def test_status_tells_parts_orders_queues_and_dead_letters(
    system: System, shopper: Client, stocked: Stocked
) -> None:
    order = await shopper.placed(basket((await stocked(250, 10), 1)))
    assert (await shopper.settled(order["id"]))["status"] == "confirmed"
    poison = ServiceBusMessage("not an event", message_id=secrets.token_hex(8), subject="commerce.order.placed.v1")
    async with connected(system.addresses["servicebus"]) as bus, bus.get_topic_sender("orders") as sender:
        await sender.send_messages(poison)
    text, dead = "", re.compile(r"^  orders/payments: \d+ waiting, [1-9]", re.MULTILINE)
    async with asyncio.timeout(PATIENCE):
        while not dead.search(text):
            text, _ = await said(system.state, "scripts.status")
    for name, address in system.addresses.items():
        assert re.search(rf"^  {name} +{re.escape(address)} +pid \d+  answers$", text, re.MULTILINE), text
    assert re.search(r"^orders  .*[1-9]\d* confirmed", text, re.MULTILINE), text
    assert re.search(r"^queues  \d+ waiting, [1-9]\d* dead$", text, re.MULTILINE), text


async def test_logs_tell_of_one_order_for_people_and_for_programs(
    system: System, shopper: Client, stocked: Stocked
) -> None:
    order = await shopper.placed(basket((await stocked(250, 10), 1)))
    await shopper.settled(order["id"])
    of_it = ("localazure", "logs", "--where", f"order_id={order['id']}")
    lines = (await said(system.state, *of_it))[0].splitlines()
    assert lines and all(order["id"] in line and not line.startswith("{") for line in lines)
    entries = [json.loads(line) for line in (await said(system.state, *of_it, "--json"))[0].splitlines()]
    assert len({entry["service"] for entry in entries}) > 1
    one = (await said(system.state, *of_it, "--where", "service=payments", "--json"))[0].splitlines()
    assert {json.loads(line)["service"] for line in one} == {"payments"}


async def test_logs_are_followed(system: System, shopper: Client, stocked: Stocked) -> None:
    sku = await stocked(250, 10)
    following = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "localazure", "logs", "--follow", "--json", "--where", "service=orders"),
        env={**os.environ, "LOCALAZURE_STATE": str(system.state)},
        cwd=ROOT,
        stdout=PIPE,
    )
    assert following.stdout is not None
    try:
        order = await shopper.placed(basket((sku, 1)))
        async with asyncio.timeout(PATIENCE):
            while order["id"] not in (line := (await following.stdout.readline()).decode()):
                assert line, "it has ended"
    finally:
        following.terminate()
        await following.wait()
    assert json.loads(line)["service"] == "orders"


async def test_a_token_is_all_that_is_printed(system: System, anonymous: Client) -> None:
    output, errors = await said(system.state, "scripts.token", "shopper")
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", output) and not errors
    shopper = Client(system, anonymous.session, output.strip())
    assert (await shopper.at_gateway().call("GET", "/me")).status == 200


@pytest.mark.parametrize(
    ("status", "module"),
    [
        (1, ("scripts.demo",)),
        (1, ("scripts.token", "staff")),
        (1, ("scripts.trigger", "confirmed")),
        (1, ("scripts.operate", "queues")),
        (2, ("scripts.replay",)),
    ],
)
async def test_what_a_killed_system_has_left_behind_is_one_line_to_who_asks(
    tmp_path: Path, status: int, module: tuple[str, ...]
) -> None:
    (tmp_path / LOCK).write_text("1")
    (tmp_path / "addresses.json").write_text(json.dumps({"apim": "http://127.0.0.1:1", "entra": "http://127.0.0.1:1"}))
    _, errors = await said(tmp_path, *module, status=status)
    assert re.search(r"nothing is running on .*; start it with `make run`\n\Z", errors)
    assert "Traceback" not in errors
