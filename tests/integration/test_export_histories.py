"""Exports that began under an earlier release go on under this one, and each of them ends, whatever happens."""

from __future__ import annotations

import json

import pytest

from blueprints.accounts import export
from tests.integration.export_histories import FOLDER, SAGA, STORIES, told
from tests.integration.recording import kept, replayed

RECORDED = kept(FOLDER)
# what the package says of an event that comes before anybody waits for it
pytestmark = pytest.mark.filterwarnings("ignore:Potential duplicate Task completion")


@pytest.mark.parametrize(("release", "title"), RECORDED)
async def test_an_export_of_an_earlier_release_asks_for_the_same_things(release: str, title: str) -> None:
    for episode in RECORDED[release, title]:
        assert await replayed(SAGA, episode) == episode["answer"]


@pytest.mark.parametrize("title", STORIES)
async def test_every_story_ends_as_it_should(title: str) -> None:
    assert await told(STORIES[title])


async def test_an_export_that_asks_for_something_else_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    last = RECORDED["1", "everybody answers"][-1]
    assert await replayed(SAGA, last) == last["answer"]
    monkeypatch.setattr(export, "FINISH", "accounts_finish_elsewhere")
    assert await replayed(SAGA, last) != last["answer"]


async def test_an_export_that_nobody_answers_has_a_history_with_an_end() -> None:
    episodes = await told(STORIES["somebody never answers"])
    assert len(episodes[-1]["context"]["history"]) < 1_000


async def test_a_history_holds_ids_alone() -> None:
    text = json.dumps(await told(STORIES["everybody answers"]))
    assert "sealed" not in text and "key" not in text
