"""Containers, topics and subscriptions as the emulators read them: Microsoft's of Service Bus, and its like."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from shared.contracts.event import type_of
from shared.declaration import Container, Service

LEASES = Container("leases", "id")
"""Where a service's change feed notes how far it has come."""
TOPIC = {
    "DefaultMessageTimeToLive": "P14D",
    "DuplicateDetectionHistoryTimeWindow": "PT10M",
    "RequiresDuplicateDetection": True,
}
SUBSCRIPTION = {
    "DeadLetteringOnMessageExpiration": True,
    "DefaultMessageTimeToLive": "P14D",
    "LockDuration": "PT1M",
    "MaxDeliveryCount": 10,
    "RequiresSession": False,
}
DEFAULT_RULE = "$Default"
"""Azure makes it with every subscription: ours stands in its place."""
MAX_OF_A_FILTER = 1024
"""Characters of a SQL filter's condition ("Service Bus quotas")."""
MAX_DURATIONS = {"DefaultMessageTimeToLive": "PT1H", "DuplicateDetectionHistoryTimeWindow": "PT5M"}
"""The longest that Microsoft's emulator takes, by the schema of its configuration; ours are longer."""


def cosmos(services: list[Service]) -> dict[str, Any]:
    """A database for each service."""
    return {
        "databases": [
            {"id": service.name, "containers": [_container(own) for own in (*service.containers, LEASES)]}
            for service in services
        ]
    }


def service_bus(services: list[Service]) -> dict[str, Any]:
    """A topic for each service that publishes, with a subscription for each that hears it."""
    topics = [
        {
            "Name": publisher.name,
            "Properties": TOPIC,
            "Subscriptions": [
                {
                    "Name": name,
                    "Properties": SUBSCRIPTION,
                    "Rules": [
                        {
                            "Name": DEFAULT_RULE,
                            "Properties": {"FilterType": "Sql", "SqlFilter": {"SqlExpression": expression}},
                        }
                    ],
                }
                for name, expression in subscriptions(publisher, services)
            ],
        }
        for publisher in services
        if publisher.publishes
    ]
    return {
        "UserConfig": {
            "Namespaces": [{"Name": "sbemulatorns", "Queues": [], "Topics": topics}],
            "Logging": {"Type": "Console"},
        }
    }


def for_microsoft(document: dict[str, Any]) -> dict[str, Any]:
    """The same entities within the limits of Microsoft's emulator, which does not start with more."""
    within = deepcopy(document)
    for topic in within["UserConfig"]["Namespaces"][0]["Topics"]:
        for entity in (topic, *topic["Subscriptions"]):
            entity["Properties"] |= {name: most for name, most in MAX_DURATIONS.items() if name in entity["Properties"]}
    return within


def _container(container: Container) -> dict[str, Any]:
    return {
        "id": container.name,
        "partitionKey": f"/{container.partition_key}",
        **({"defaultTtl": -1} if container.expires else {}),
        "indexingPolicy": indexing(container),
    }


def indexing(container: Container) -> dict[str, Any]:
    """What is indexed of the container's items: what is named, and nothing else."""
    return {
        "indexingMode": "consistent",
        "automatic": True,
        "includedPaths": [{"path": f"/{name}/?"} for name in container.indexed],
        "excludedPaths": [{"path": "/*"}],
    }


def subscriptions(publisher: Service, hearers: list[Service]) -> Iterator[tuple[str, str]]:
    """The subscriptions of `hearers` to a topic: name, and the SQL filter of its one rule.

    It lets in the events that are heard, by their label, and what is addressed to this subscription alone: a dead
    letter that is sent again (`shared.messaging.dead_letters`). Raises ValueError for one too long for Service Bus.
    """
    for hearer in hearers:
        if publisher.name in hearer.hears:
            labels = ", ".join(f"'{type_of(event)}'" for event in hearer.events(publisher.name))
            expression = f"sys.Label IN ({labels}) OR sys.To = '{hearer.name}'"
            if len(expression) > MAX_OF_A_FILTER:
                raise ValueError(
                    f"{hearer.name} hears too much of {publisher.name}: its filter has {len(expression)} characters, "
                    f"and Service Bus takes {MAX_OF_A_FILTER}"
                )
            yield hearer.name, expression
