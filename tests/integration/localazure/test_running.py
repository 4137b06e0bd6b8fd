"""One running system for each state directory: found, looked at, stopped and forgotten from elsewhere."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from localazure.parts import TABLE, port_variable
from localazure.running import Taken, find, held, reset
from localazure.supervisor import Supervisor
from scripts.shop import ApiError, addresses

from .commands import command, get, up


async def test_a_second_one_says_where_the_first_one_is_and_leaves_it_alone(tmp_path: Path) -> None:
    async with up(tmp_path) as first:
        await first.ready()
        async with up(tmp_path) as second:
            assert await second.ended() == 0
        assert second.said[0] == f"already running on {tmp_path}, process {first.process.pid}"
        assert [line.split()[:2] for line in second.said[1:]] == [[name, url] for name, url in first.addresses.items()]
        assert await get(f"{first.addresses['stripe']}/_local/ledger") == 200


async def test_two_that_start_at_the_same_moment_do_not_share_a_state_directory(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(Taken, match="another `up` is running"):
        await Supervisor([], tmp_path, print).run(asyncio.Event())


async def test_what_runs_can_be_looked_at_stopped_and_forgotten_from_elsewhere(tmp_path: Path) -> None:
    async def said(name: str) -> tuple[int, str]:
        async with command(name, state=tmp_path) as running:
            return await running.ended(), "\n".join(running.said)

    assert await said("status") == (1, f"nothing is running on {tmp_path}")
    assert await said("stop") == (0, f"nothing is running on {tmp_path}")
    async with up(tmp_path) as running:
        await running.ready()
        code, text = await said("status")
        assert code == 0 and text.count("  answers") == 2 and f"process {running.process.pid}" in text
        assert (await said("reset")) == (1, f"process {running.process.pid} is running on {tmp_path}; stop it first")
        assert (tmp_path / "entra.sqlite3").exists()
        assert await said("stop") == (0, f"stopped what was running on {tmp_path}")
        assert await running.ended() == 0
    assert await said("reset") == (0, f"{tmp_path} is forgotten")
    assert await said("reset") == (0, f"nothing is kept in {tmp_path}")


async def test_a_machine_is_looked_at_before_anything_runs(tmp_path: Path) -> None:
    free = {port_variable(name): "0" for name in TABLE}
    async with command("doctor", state=tmp_path, environment=free) as looking:
        assert await looking.ended() == 0
    assert [line.split()[0] for line in looking.said] == ["ok"] * 5, looking.said
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with command("doctor", state=tmp_path, environment=free | {port_variable("entra"): port}) as looking:
            assert await looking.ended() == 1
    said = "\n".join(looking.said)
    assert f"port {port} (entra) is in use" in said and f"set {port_variable('entra')}" in said


async def test_what_a_killed_one_has_left_behind_is_not_taken_for_one_that_runs(tmp_path: Path) -> None:
    async with up(tmp_path) as first:
        await first.ready()
        first.process.kill()
        await first.process.wait()
    assert (tmp_path / "addresses.json").exists()
    assert find(tmp_path) is None
    with pytest.raises(ApiError, match="nothing is running"):
        addresses(tmp_path)


async def test_a_folder_that_is_no_state_directory_is_never_deleted(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear")
    assert not reset(tmp_path)
    assert (tmp_path / "diary.txt").exists()
