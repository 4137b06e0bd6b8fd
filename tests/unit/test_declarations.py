"""What services declare: everything written from it is up to date, and nothing else can be used."""

from __future__ import annotations

import inspect
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from scripts.infrastructure import ROOT, declared, files
from shared.contracts.orders import OrderPlaced
from shared.declaration import Container, Service, Undeclared
from shared.messaging.triggers import change_feed, subscription
from shared.persistence import cosmos

SERVICES = {service.name: service for service in declared()}
SUBSCRIPTIONS = [(service.name, topic) for service in SERVICES.values() for topic in service.hears]


@pytest.mark.parametrize("name", sorted(files(declared())))
def test_what_is_written_from_the_declarations_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == files(declared())[name], "run make schemas"


def test_an_event_that_nobody_publishes_cannot_be_heard() -> None:
    deaf = [replace(service, publishes=service.publishes[1:]) for service in SERVICES.values()]
    with pytest.raises(LookupError, match=r"\w+ hears commerce\.\S+, which \w+ does not publish"):
        files(deaf)


def test_a_new_service_is_written_everywhere_from_its_declaration_alone() -> None:
    accounts = Service("accounts", (Container("accounts", "account_id"),), hears={"orders": (OrderPlaced,)})
    before, after = files(declared()), files([*declared(), accounts])
    new = {
        "apim/backends/accounts/backendInformation.json",
        "apim/named values/accounts-url/namedValueInformation.json",
    }
    assert after.keys() - before.keys() == new
    assert {name for name in before if before[name] != after[name]} == before.keys() - {
        name for name in before if name.startswith(("apim/backends/", "apim/named values/"))
    }
    assert all("accounts" in after[name] for name in after if name in new or before[name] != after[name])


@pytest.mark.parametrize(
    "use",
    [
        lambda service: cosmos.Container.of(service, "nothing"),
        lambda service: subscription(None, service, "nothing"),
        lambda service: change_feed(None, cosmos.Container.of(service, "stock")),
    ],
    ids=["container", "topic", "outbox"],
)
def test_what_is_not_declared_cannot_be_used(use: Any) -> None:
    with pytest.raises(Undeclared, match="inventory "):
        use(SERVICES["inventory"])


@pytest.mark.parametrize(("name", "topic"), SUBSCRIPTIONS)
async def test_every_event_that_is_heard_is_handled(name: str, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    triggers = import_module(f"blueprints.{name}.triggers")
    handled: list[set[type]] = []

    async def consume(_: str, __: Any, handlers: dict[type, Any]) -> None:
        handled.append(set(handlers))

    monkeypatch.setattr(triggers, "consume", consume)
    function = inspect.unwrap(getattr(triggers, f"on_{topic}")._function.get_user_function())
    await function(**dict.fromkeys(inspect.signature(function).parameters))
    assert set(SERVICES[name].events(topic)) <= handled[0]
