"""`up --reload`: a changed file of an app is in effect a moment later, and nobody who calls meanwhile is let down."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from localazure.reload import App

from .commands import PATIENCE, Up, command

CODE = """
import asyncio
import os
import azure.functions as func
from words import WORD

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="word")
async def word(req: func.HttpRequest) -> str:
    await asyncio.sleep(float(req.params.get("after", "0")))
    return f"{WORD} {os.environ.get('SETTING', '')}"
"""
SETTINGS = '{"IsEncrypted": false, "Values": {"SETTING": "%s", "FUNCTIONS_WORKER_PROCESS_COUNT": "%d"}}'


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "tests").mkdir(parents=True)
    (folder / "function_app.py").write_text(CODE)
    (folder / "words.py").write_text("WORD = 'old'\n")
    (folder / "host.json").write_text('{"version": "2.0"}')
    (folder / ".funcignore").write_text("tests\n")
    (folder / "local.settings.json").write_text(SETTINGS % ("one", 2))
    return folder


@asynccontextmanager
async def reloading(app: Path, *more: str) -> AsyncIterator[Up]:
    own = ["--only", "functions", "--port", "all=0", "--set", f"functions.app={app}", "--reload", *more]
    async with command("up", *own, state=app.parent / "state") as running:
        await running.ready()
        yield running


async def word(running: Up, after: float = 0) -> str:
    """What the app answers, from a connection of its own."""
    url = f"{running.addresses['functions']}/api/word?after={after}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.text()


async def until_word(running: Up, wanted: str) -> None:
    """Until every process that listens answers so: while the old one is about to leave, the kernel may choose it."""
    async with asyncio.timeout(PATIENCE):
        while {await word(running) for _ in range(20)} != {wanted}:
            pass


@pytest.mark.parametrize("instances", [1, 2])
async def test_a_change_is_in_effect_and_what_is_under_way_ends_as_it_began(app: Path, instances: int) -> None:
    async with reloading(app, "--instances", str(instances)) as running:
        before = dict(running.processes)
        slow = asyncio.create_task(word(running, after=3))
        assert await word(running) == "old one"
        (app / "words.py").write_text("WORD = 'new'\n")
        await running.until(lambda line: line.startswith("words.py changed: the app was started anew"))
        await until_word(running, "new one")
        assert await slow == "old one"
        after = running.processes
        assert after.keys() == before.keys()
        assert not set(after.values()) & set(before.values())


async def test_callers_meanwhile_are_all_answered(app: Path) -> None:
    answers: Counter[str] = Counter()

    async def ask(running: Up) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.get(f"{running.addresses['functions']}/api/word") as answer:
                    answers[f"{answer.status} {await answer.text()}"] += 1

    async with reloading(app) as running:
        asking = [asyncio.create_task(ask(running)) for _ in range(4)]
        for number in range(3):
            (app / "words.py").write_text(f"WORD = 'word{number}'\n")
            await until_word(running, f"word{number} one")
        ended = [task for task in asking if task.done()]
        for task in asking:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*asking)
    assert not ended
    assert {answer.partition(" ")[0] for answer in answers} == {"200"}, answers
    assert len(answers) >= 3, "before and after"


async def test_an_app_that_cannot_start_leaves_the_old_one_at_work_until_it_is_mended(app: Path) -> None:
    async with reloading(app) as running:
        (app / "words.py").write_text("WORD = \n")
        await running.until(lambda line: "functions goes on as it was before words.py changed" in line)
        assert any("SyntaxError" in line for line in running.said), running.said
        assert any(line.endswith(f", at {app / 'words.py'}:1") for line in running.said), running.said
        assert await word(running) == "old one"
        (app / "words.py").write_text("WORD = 'mended'\n")
        await until_word(running, "mended one")


async def test_a_changed_setting_is_in_effect_too(app: Path) -> None:
    async with reloading(app) as running:
        (app / "local.settings.json").write_text(SETTINGS % ("two", 1))
        await until_word(running, "old two")


async def test_a_file_that_is_not_deployed_changes_nothing(app: Path) -> None:
    async with reloading(app) as running:
        before = dict(running.processes)
        (app / "tests" / "test_words.py").write_text("")
        (app / ".hidden.py").write_text("")
        (app / "out.txt").write_text("Ready in 1.1 s")
        (app / "words.py").write_text("WORD = 'new'\n")
        line = await running.until(lambda line: "changed: the app was started anew" in line)
        assert line.startswith("words.py changed")
        assert len(running.processes) == len(before)


def test_what_an_app_consists_of(app: Path) -> None:
    (app / ".venv").mkdir()
    (app / "blueprints").mkdir()
    found = App(app, app / "local.settings.json")
    assert [folder.name for folder in found.folders] == ["blueprints"]
    assert found.has(app / "blueprints" / "orders" / "triggers.py")
    assert not found.has(app / "blueprints" / "__pycache__" / "triggers.pyc")
    assert found.has(app / "local.settings.json")
    assert found.has(app / "host.json") and not found.has(app / "out.txt")
    assert not found.has(app / "tests" / "test_words.py")
    assert not found.has(app.parent / "elsewhere.py")
