"""Orchestrators that began under an earlier release go on under this one: their recorded histories are replayed."""

from __future__ import annotations

from typing import Any

import pytest

from blueprints.orders import return_saga, saga
from blueprints.shipping import monitor
from tests.integration import fulfilment_histories, saga_histories
from tests.integration.recording import Recorded, kept, replayed
from tests.integration.saga_histories import FOLDER, SAGA, STORIES

RECORDED = kept(FOLDER)
FULFILMENT: dict[str, tuple[Recorded, dict[tuple[str, str], list[dict[str, Any]]]]] = {
    name: (recorded, kept(FOLDER / name)) for name, recorded in fulfilment_histories.RECORDED.items()
}


@pytest.mark.parametrize(("release", "title"), RECORDED)
async def test_a_saga_of_an_earlier_release_asks_for_the_same_things(release: str, title: str) -> None:
    for episode in RECORDED[release, title]:
        assert await replayed(SAGA, episode) == episode["answer"]


@pytest.mark.parametrize("title", STORIES)
async def test_every_story_ends_as_it_should(title: str) -> None:
    assert await saga_histories.told(STORIES[title])


@pytest.mark.parametrize(
    ("name", "release", "title"), [(name, *key) for name, (_, episodes) in FULFILMENT.items() for key in episodes]
)
async def test_what_began_under_an_earlier_release_asks_for_the_same_things(
    name: str, release: str, title: str
) -> None:
    recorded, episodes = FULFILMENT[name]
    for episode in episodes[release, title]:
        assert await replayed(recorded, episode) == episode["answer"]


@pytest.mark.parametrize(("name", "title"), fulfilment_histories.titles())
async def test_every_story_of_fulfilment_ends_as_it_should(name: str, title: str) -> None:
    assert await fulfilment_histories.told(name, title)


@pytest.mark.parametrize(("name", "title"), fulfilment_histories.titles())
def test_every_story_of_fulfilment_is_recorded(name: str, title: str) -> None:
    assert title in {recorded for _, recorded in FULFILMENT[name][1]}


async def test_a_saga_that_asks_for_something_else_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    last = RECORDED["1", "nobody replies"][-1]
    assert await replayed(SAGA, last) == last["answer"]
    monkeypatch.setattr(saga, "LOOK_UP", "orders_look_elsewhere")
    assert await replayed(SAGA, last) != last["answer"]


async def test_a_monitor_and_a_return_that_ask_for_something_else_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module, asked in (("tracking_monitor", monitor, "POLL"), ("return_saga", return_saga, "BEGIN")):
        recorded, episodes = FULFILMENT[name]
        last = next(iter(episodes.values()))[-1]
        assert await replayed(recorded, last) == last["answer"]
        monkeypatch.setattr(module, asked, "something_else")
        assert await replayed(recorded, last) != last["answer"]
