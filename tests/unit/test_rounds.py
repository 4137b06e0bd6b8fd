"""What timers do before their own work: each begins a trace, and every service's queues are measured once a round."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import signature
from typing import NoReturn

import pytest

from scripts import declared
from shared.declaration import Service
from shared.messaging import triggers
from tests.unit.registered import functions
from tests.unit.registered import triggers as registered

Noted = list[tuple[str, str]]


class Begun(Exception):
    """The round has begun its trace; its own work is not what is looked at here."""


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Noted:
    """What a round does, in its order."""
    found: Noted = []

    async def observe(service: Service) -> None:
        found.append(("measured", service.name))

    def request(service: str, name: str, *_: object, source: str) -> NoReturn:
        assert source == "timer" and name.startswith(f"{service}_")
        found.append(("trace", name))
        raise Begun

    monkeypatch.setattr(triggers, "observe", observe)
    monkeypatch.setattr(triggers, "request", request)
    return found


async def begin(round_: Callable[..., Awaitable[None]]) -> None:
    """Call it as the host does, by the names of its parameters, as far as its own work."""
    with pytest.raises(Begun):
        await round_(**dict.fromkeys(signature(round_).parameters))


async def test_the_queues_of_every_service_that_hears_something_are_measured_once_a_round(noted: Noted) -> None:
    for round_ in functions("timerTrigger").values():
        await begin(round_)
    assert sorted(name for what, name in noted if what == "measured") == [
        service.name for service in declared.services() if service.hears
    ]


async def test_every_timer_begins_a_trace_of_its_own_name(noted: Noted) -> None:
    for name, round_ in functions("timerTrigger").items():
        noted.clear()
        await begin(round_)
        assert noted[-1] == ("trace", name)


def test_a_service_has_a_timer_for_its_queues_alone_where_it_has_no_other() -> None:
    assert {name for name, _ in registered("timerTrigger")} == set(triggers.ROUNDS)
    for service in declared.services():
        own = {name for name, whose in triggers.ROUNDS.items() if whose == service.name}
        alone = f"{service.name}_queues"
        assert own == {alone} if alone in own else bool(own) or not service.hears, service.name


def test_timers_keep_the_reconcilers_schedule() -> None:
    assert {trigger["schedule"] for _, trigger in registered("timerTrigger")} == {"%RECONCILE_SCHEDULE%"}
