"""Sagas that began under an earlier release go on under this one: their recorded histories are replayed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blueprints.orders import saga
from tests.integration.saga_histories import FOLDER, STORIES, Recorder, Story, told

RECORDED: dict[tuple[str, str], list[dict[str, Any]]] = {
    (path.stem, title): episodes
    for path in sorted(FOLDER.glob("*.json"))
    for title, episodes in json.loads(path.read_text(encoding="utf-8")).items()
}


async def replayed(episode: dict[str, Any]) -> Any:
    return json.loads(await Recorder(Story(())).orchestrator(saga.NAME, json.dumps(episode["context"])))


@pytest.mark.parametrize(("release", "title"), RECORDED)
async def test_a_saga_of_an_earlier_release_asks_for_the_same_things(release: str, title: str) -> None:
    for episode in RECORDED[release, title]:
        assert await replayed(episode) == episode["answer"]


@pytest.mark.parametrize("title", STORIES)
async def test_every_story_ends_as_it_should(title: str) -> None:
    assert await told(STORIES[title])


async def test_a_saga_that_asks_for_something_else_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    last = RECORDED["1", "nobody replies"][-1]
    assert await replayed(last) == last["answer"]
    monkeypatch.setattr(saga, "LOOK_UP", "orders_look_elsewhere")
    assert await replayed(last) != last["answer"]
