"""The table of role assignments, held against what triggers and bindings need: each is needed, and none is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from blueprints import SERVICES
from shared.settings import COSMOS_CONNECTION, SERVICEBUS_CONNECTION
from tests.unit.registered import triggers

ROOT = Path(__file__).parents[2]
Right = tuple[str, str, str, str]
"""Identity, resource, scope, role."""
DOCUMENT = json.loads((ROOT / "infra" / "identities.json").read_text(encoding="utf-8"))
TABLE: list[Right] = [
    (given["identity"], given["resource"], given["scope"], given["role"]) for given in DOCUMENT["roleAssignments"]
]
DEPLOYED = {
    service["name"]: service for service in json.loads((ROOT / "infra" / "services.json").read_text())["services"]
}


def _needs() -> Iterator[Right]:
    """What the host and the extensions of each trigger do with the app's identity, and what its code does."""
    for service in SERVICES:
        # locks, keys and the package; what the host says of itself
        yield service, "storage", "/", "Storage Blob Data Owner"
        yield service, "storage", "/", "Storage Table Data Contributor"
        yield service, "insights", "/", "Monitoring Metrics Publisher"
        for setting in DEPLOYED[service]["secrets"]:
            yield service, "keyvault", f"/secrets/{setting['name']}", "Key Vault Secrets User"
        if any(each["resource"] == "email" for each in DEPLOYED[service]["connections"]):
            yield service, "email", "/", "Communication and Email Service Owner"
    # long tasks, and what is set aside
    yield "operations", "cosmos", "/dbs/operations", "Cosmos DB Built-in Data Contributor"
    for name, _ in triggers("orchestrationTrigger"):
        # control and work-item queues
        yield _service(name), "storage", "/", "Storage Queue Data Contributor"
    for name, trigger in triggers("cosmosDBTrigger"):
        # leases and checkpoints are written; the relay behind the feed publishes to the service's own topic
        yield _service(name), "cosmos", f"/dbs/{trigger['databaseName']}", "Cosmos DB Built-in Data Contributor"
        yield _service(name), "servicebus", f"/topics/{_service(name)}", "Azure Service Bus Data Sender"
    for name, trigger in triggers("serviceBusTrigger"):
        scope = f"/topics/{trigger['topicName']}/subscriptions/{trigger['subscriptionName']}"
        yield _service(name), "servicebus", scope, "Azure Service Bus Data Receiver"
        # dead letters are looked at and taken out of their queue, and go back through the topic
        yield "operations", "servicebus", scope, "Azure Service Bus Data Receiver"
        yield "operations", "servicebus", f"/topics/{trigger['topicName']}", "Azure Service Bus Data Sender"


def _service(function: str) -> str:
    found = [name for name in SERVICES if function == name or function.startswith(f"{name}_")]
    return found[0] if found else "orders"


@pytest.mark.parametrize("given", TABLE, ids="-".join)
def test_a_role_is_needed(given: Right) -> None:
    assert given in set(_needs()), "nothing needs it: it is a right too many"


@pytest.mark.parametrize("need", sorted(set(_needs())), ids="-".join)
def test_what_is_needed_is_given(need: Right) -> None:
    assert TABLE.count(need) == 1


def test_identities_are_told_apart() -> None:
    identities = DOCUMENT["identities"]
    assert [each["name"] for each in identities] == list(SERVICES)
    ids = [each[kind] for each in identities for kind in ("clientId", "principalId")]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("kind", "setting"),
    [("cosmosDBTrigger", COSMOS_CONNECTION), ("serviceBusTrigger", SERVICEBUS_CONNECTION)],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_triggers_connect_by_the_settings_that_a_deployment_makes(kind: str, setting: object) -> None:
    for name, trigger in triggers(kind):
        connections = {each["name"]: each["identityPart"] for each in DEPLOYED[_service(name)]["connections"]}
        assert connections[trigger["connection"]] == setting.identity_part  # type: ignore[attr-defined]
        assert trigger["connection"] == setting.name  # type: ignore[attr-defined]
