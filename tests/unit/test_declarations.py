"""What services declare: everything written from it is up to date, and nothing else can be used."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from scripts import declared
from scripts.infrastructure import ROOT, azure, files, leftovers
from shared.contracts.accounts import ErasureStarted, ExportStarted
from shared.contracts.catalog import ProductChanged
from shared.contracts.event import EventData
from shared.contracts.orders import OrderCancelled, OrderConfirmed, OrderPlaced
from shared.contracts.personal_data import ErasureAnswered, ExportAnswered, ExportListed
from shared.declaration import Container, Holding, Scope, Service, Undeclared
from shared.messaging.triggers import change_feed, reconciliation, subscription
from shared.orchestration import durable_subscription
from shared.persistence import cosmos
from shared.settings import Setting
from tests.unit.registered import triggers

SERVICES = {service.name: service for service in declared.services()}
HEARD = (OrderPlaced, OrderConfirmed, OrderCancelled)


WRITTEN = files(declared.services(), declared.operations())


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_from_the_declarations_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == WRITTEN[name], "run make schemas"


def test_a_file_of_what_is_declared_no_more_is_left_over(tmp_path: Path) -> None:
    assert leftovers(ROOT, WRITTEN) == []
    names = ["apim/backends/gone/backendInformation.json", "apim/apis/commerce/operations/gone-get/policy.xml"]
    for name in (*names, "apim/apis/commerce/policy.xml", "apim/named values/web-origin/namedValueInformation.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(path.relative_to(tmp_path).as_posix() for path in leftovers(tmp_path, WRITTEN)) == sorted(names)


def test_an_event_that_nobody_publishes_cannot_be_heard() -> None:
    deaf = [replace(service, publishes=service.publishes[1:]) for service in SERVICES.values()]
    with pytest.raises(LookupError, match=r"\w+ hears commerce\.\S+, which \w+ does not publish"):
        files(deaf, ())


def test_a_new_service_is_written_everywhere_from_its_declaration_alone() -> None:
    key = Setting("WISHES_KEY", "What wishes are sealed with.", local="local", secret=True)
    containers = (Container("wishes", "wish_id"),)
    scope = Scope("wishes.read", "Read your wishes")
    wishes = Service(
        "wishes", "Who wants what.", containers, hears={"orders": (OrderPlaced,)}, scopes=(scope,), settings=(key,)
    )
    before, after = WRITTEN, files([*declared.services(), wishes], declared.operations())
    new = {
        "apim/backends/wishes/backendInformation.json",
        "apim/named values/wishes-url/namedValueInformation.json",
        ".github/workflows/deploy-wishes.yml",
    }
    assert after.keys() - before.keys() == new
    assert {name for name in before if before[name] != after[name]} == {
        "apim/apis/commerce/specification.json",
        "apim/configuration.local.json",
        "apim/configuration.split.json",
        "azure.yaml",
        "docs/architecture.md",
        "docs/security.md",
        "infra/cosmos.json",
        "infra/entra.json",
        "infra/gateway/artifacts.bicep",
        "infra/identities.json",
        "infra/services.json",
        "infra/servicebus.emulator.json",
        "infra/servicebus.json",
        "local.settings.sample.json",
        "shared/faultpoints/points.json",
        "shared/messaging/topology.py",
    }
    assert all("wishes" in after[name].lower() for name in after if name in new or before[name] != after[name])


def test_an_identity_may_do_what_its_service_declares_and_nothing_else() -> None:
    services = {service["name"]: service for service in azure.document(declared.services())["services"]}
    for name, service in SERVICES.items():
        rights = services[name]["rights"]
        by_resource = {
            kind: {(right["topic"], right["name"]) for right in rights if right["resource"] == kind}
            for kind in {right["resource"] for right in rights}
        }
        assert by_resource.pop("storage") == by_resource.pop("database") == {("", name)}
        assert by_resource.pop("insights") == {("", "")}
        topics = {("", name)} if service.publishes else set()
        heard = {(topic, name) for topic in service.hears}
        if service.operates:
            heard |= {(topic, other.name) for other in SERVICES.values() for topic in other.hears}
            topics |= {("", topic) for topic, _ in heard}
        assert by_resource.pop("topic", set()) == topics
        assert by_resource.pop("subscription", set()) == heard
        sends = any(own.resource == "email" for own in service.settings)
        assert by_resource.pop("email", set()) == ({("", "")} if sends else set())
        assert by_resource.pop("secret", set()) == {("", own.name) for own in service.settings if own.secret}
        assert not by_resource


def test_every_entry_of_what_a_deployment_makes_has_the_same_keys() -> None:
    def shapes(entries: list[Any]) -> None:
        assert len({tuple(entry) for entry in entries if isinstance(entry, dict)}) <= 1
        for key in entries[0] if entries and isinstance(entries[0], dict) else ():
            shapes([item for entry in entries if isinstance(entry[key], list) for item in entry[key]])

    shapes([azure.document(declared.services())])


@pytest.mark.parametrize(
    "use",
    [
        lambda service: cosmos.Container.of(service, "nothing"),
        lambda service: subscription(None, service, "nothing", {}),
        lambda service: change_feed(None, service, cosmos.Container.of(service, "stock")),
        lambda service: service.scope("nothing"),
        lambda service: reconciliation(None, replace(service, settings=())),
    ],
    ids=["container", "topic", "outbox", "scope", "setting"],
)
def test_what_is_not_declared_cannot_be_used(use: Any) -> None:
    with pytest.raises(Undeclared, match="inventory "):
        use(SERVICES["inventory"])


@pytest.mark.parametrize("handled", [HEARD[1:], (*HEARD, ProductChanged), ()], ids=["less", "more", "none"])
def test_what_is_handled_is_what_is_heard(handled: tuple[type[EventData], ...]) -> None:
    with pytest.raises(Undeclared, match=r"inventory declares to hear commerce\..* of orders without"):
        subscription(None, SERVICES["inventory"], "orders", dict.fromkeys(handled, nothing))
    with pytest.raises(Undeclared, match=r"inventory declares to hear commerce\..* of orders without"):
        durable_subscription(None, SERVICES["inventory"], "orders", dict.fromkeys(handled, nothing))


async def nothing(*_: Any) -> None:
    """Handle whatever it is."""


def test_every_event_that_is_heard_has_a_trigger() -> None:
    found = {(binding["subscriptionName"], binding["topicName"]) for _, binding in triggers("serviceBusTrigger")}
    assert found == {(service.name, topic) for service in SERVICES.values() for topic in service.hears}


def test_who_holds_something_of_a_person_is_asked_to_erase_it_and_heard() -> None:
    holders = {name for name, service in SERVICES.items() if service.holds} - {"accounts"}
    assert holders == {
        name for name, service in SERVICES.items() if ErasureStarted in service.hears.get("accounts", ())
    }
    assert holders == {name for name, service in SERVICES.items() if ErasureAnswered in service.publishes}
    assert holders == {topic for topic, events in SERVICES["accounts"].hears.items() if ErasureAnswered in events}


def test_who_holds_something_of_a_person_is_asked_what_it_is_and_heard() -> None:
    holders = {name for name, service in SERVICES.items() if service.holds} - {"accounts"}
    assert holders == {
        name
        for name, service in SERVICES.items()
        if ExportStarted in service.hears.get("accounts", ()) or ExportListed in service.hears.get("orders", ())
    }
    assert holders == {name for name, service in SERVICES.items() if ExportAnswered in service.publishes}
    assert holders == {topic for topic, events in SERVICES["accounts"].hears.items() if ExportAnswered in events}


@pytest.mark.parametrize("holding", [("a", "kept", ""), ("a", "redacted", ""), ("a", "erased", "b")])
def test_what_stays_has_a_reason(holding: Any) -> None:
    with pytest.raises(ValueError, match="needs"):
        Holding(*holding)


def test_a_service_with_orchestrators_says_so() -> None:
    durable = {
        name
        for name in SERVICES
        for function in import_module(f"blueprints.{name}.triggers").bp._function_builders
        if function._function.get_trigger().type in ("orchestrationTrigger", "entityTrigger")
    }
    assert durable == {name for name, service in SERVICES.items() if service.durable}
