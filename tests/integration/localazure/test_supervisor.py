"""`python -m localazure up`, from the outside: what it prints, what it writes, and what it does when a part dies."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import aiohttp
import pytest

from localazure import launch, parts
from localazure.entra import TENANT
from localazure.supervisor import Launch, StartFailed, Supervisor

from .commands import PATIENCE, command, get, up

APP = Path(launch.__file__).parents[1]


async def keys(address: str) -> object:
    async with aiohttp.ClientSession() as session, session.get(f"{address}/{TENANT}/discovery/v2.0/keys") as answer:
        return await answer.json()


async def connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))


def discovery(address: str) -> str:
    return f"{address}/{TENANT}/v2.0/.well-known/openid-configuration"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_when_all_are_ready_one_table_names_addresses_that_answer(tmp_path: Path) -> None:
    async with up(tmp_path) as running:
        await running.ready()
        addresses = running.addresses
        assert list(addresses) == ["entra", "stripe"]
        table = [line.split()[:2] for line in running.said if line.startswith("  ")]
        assert table == [[name, address] for name, address in addresses.items()]
        assert await get(discovery(addresses["entra"])) == 200
        assert await get(f"{addresses['stripe']}/_local/ledger") == 200
        assert set(running.processes) == {"entra", "stripe"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_stops_everything_and_leaves_no_addresses_behind(tmp_path: Path, number: signal.Signals) -> None:
    async with up(tmp_path) as running:
        await running.ready()
        processes = running.processes
        running.process.send_signal(number)
        assert await running.ended() == 0
    assert not any(alive(pid) for pid in processes.values())
    assert not (tmp_path / "addresses.json").exists()
    assert not (tmp_path / "processes.json").exists()


async def test_each_part_writes_its_own_log_and_the_last_runs_log_is_kept(tmp_path: Path) -> None:
    for _ in range(2):
        async with up(tmp_path) as running:
            await running.ready()
            address = running.addresses["stripe"]
            running.process.terminate()
            await running.ended()
    assert address in (tmp_path / "logs" / "stripe.log").read_text()
    assert "has stopped" in (tmp_path / "logs" / "stripe.log.1").read_text()


async def test_a_part_that_dies_comes_back_at_its_address_with_its_state(tmp_path: Path) -> None:
    async with up(tmp_path) as running:
        await running.ready()
        address, pid = running.addresses["entra"], running.processes["entra"]
        before = await keys(address)
        os.kill(pid, signal.SIGKILL)
        died = await running.until(lambda line: line.startswith("entra died"))
        back = await running.until(lambda line: line.startswith("entra is back"))
        assert "killed by SIGKILL" in died
        assert back.endswith(f"{address}\n")
        assert await keys(address) == before
        assert running.addresses["entra"] == address


async def test_parts_end_by_themselves_when_up_is_killed(tmp_path: Path) -> None:
    async with up(tmp_path) as running:
        await running.ready()
        connections = [await connect(address) for address in running.addresses.values()]
        running.process.kill()
        await running.process.wait()
        for reader, writer in connections:
            assert await asyncio.wait_for(reader.read(), PATIENCE) == b"", "a part that stops closes its connections"
            writer.close()


async def test_a_part_that_cannot_start_stops_everything_and_shows_why(tmp_path: Path) -> None:
    async with up(tmp_path, "--set", "entra.tenant=nowhere") as running:
        assert await running.ended() == 1
    said = "\n".join(running.said)
    assert "entra could not start (exit code 1)" in said
    assert "the option tenant of entra must be a GUID, not 'nowhere'" in said
    assert "Ready" not in said
    assert not (tmp_path / "addresses.json").exists()


async def test_a_port_in_use_is_named_with_what_moves_it_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with up(tmp_path, "--port", f"stripe={port}") as running:
            assert await running.ended() == 1
    assert running.said == [f"port {port} (stripe) is in use; set LOCALAZURE_STRIPE_PORT or --port stripe=N"]
    assert not (tmp_path / "logs").exists()


async def test_an_environment_variable_moves_a_part(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        moved = {"LOCALAZURE_STRIPE_PORT": str(port)}
        async with command("up", "--only", "stripe", state=tmp_path, environment=moved) as running:
            assert await running.ended() == 1
    assert running.said[0].startswith(f"port {port} (stripe) is in use")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["up", "--only", "entra,kafka"], "there is no part 'kafka'"),
        (["up", "--port", "kafka=1"], "there is no part 'kafka'"),
        (["up", "--only", "entra", "--set", "entra.colour=red"], "entra has no option 'colour'"),
        (["up", "--set", "entra=red"], "'entra=red' is not PART.OPTION=VALUE"),
        (["up", "--port", "entra=many"], "'many' is not a port number"),
        (["up", "--instances", "many"], "'many' is not a number from 1 to 20"),
        (["up", "--instances", "auto:21"], "'21' is not a number from 1 to 20"),
        (["kafka"], "there is no part 'kafka'"),
        (["stripe", "--option", "colour=red"], "stripe has no option 'colour'"),
        (["durable"], "runs inside the functions host"),
    ],
)
async def test_a_command_that_cannot_be_understood_is_refused_by_name(
    tmp_path: Path, arguments: list[str], named: str
) -> None:
    async with command(*arguments, state=tmp_path) as running:
        assert await running.ended() == 2
    assert named in "\n".join(running.said)


async def test_one_part_runs_alone_until_it_is_stopped(tmp_path: Path) -> None:
    async with command("stripe", "--port", "0", "--option", "key=sk_test_other", state=tmp_path) as running:
        line = await running.until(lambda line: line.startswith("stripe ("))
        assert await get(f"{line.split()[-1]}/_local/ledger") == 200
        running.process.send_signal(signal.SIGINT)
        assert await running.ended() == 0
    assert (tmp_path / "stripe.sqlite3").exists()


async def test_one_part_alone_names_the_port_it_cannot_have(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with command("stripe", "--port", str(port), state=tmp_path) as running:
            assert await running.ended() == 1
    assert running.said == [f"port {port} (stripe) is in use; set LOCALAZURE_STRIPE_PORT or --port N"]


async def test_help_names_every_part_with_its_port_and_its_options() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "localazure", "--help", stdout=PIPE)
    said = (await asyncio.wait_for(process.communicate(), PATIENCE))[0].decode()
    assert process.returncode == 0
    for name in parts.TABLE:
        part = parts.load(name)
        assert f"\n  {name}\n" in said
        assert str(part.default_port) in said
        assert all(f"{option}: " in said for option in part.options)


def free_ports(*names: str) -> dict[str, int]:
    return launch.allocate(dict.fromkeys(names, 0))


async def test_a_host_stops_before_the_services_it_uses(tmp_path: Path) -> None:
    ports, stop, said = free_ports("service", "host"), asyncio.Event(), asyncio.Queue[str]()
    launches = [
        Launch("host", "stripe", "a host", ports["host"], host=True),
        Launch("service", "entra", "a service", ports["service"]),
    ]
    running = asyncio.create_task(Supervisor(launches, tmp_path, said.put_nowait).run(stop))
    await asyncio.wait_for(said.get(), PATIENCE)
    stop.set()
    await asyncio.wait_for(running, PATIENCE)
    last_words = {name: (tmp_path / "logs" / f"{name}.log").stat().st_mtime_ns for name in ports}
    assert last_words["host"] < last_words["service"]


async def test_a_host_is_not_started_before_its_services_are_ready(tmp_path: Path) -> None:
    ports = free_ports("service", "host")
    launches = [
        Launch("host", "stripe", "a host", ports["host"], host=True),
        Launch("service", "entra", "a service", ports["service"], {"token_seconds": "never"}),
    ]
    with pytest.raises(StartFailed, match="service could not start"):
        await asyncio.wait_for(Supervisor(launches, tmp_path, print).run(asyncio.Event()), PATIENCE)
    assert (tmp_path / "logs" / "host.log").read_text() == ""


async def test_a_stop_while_parts_are_starting_leaves_nothing_running(tmp_path: Path) -> None:
    ports, stop = free_ports("stripe"), asyncio.Event()
    running = asyncio.create_task(
        Supervisor([Launch("stripe", "stripe", "", ports["stripe"])], tmp_path, print).run(stop)
    )
    await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(running, PATIENCE)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", ports["stripe"])
