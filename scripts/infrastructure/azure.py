"""What a deployment makes for each service: one document, which Bicep reads with `loadJsonContent`.

Every entry has every key, so that a template may loop over them. Role ids are Azure's own
(https://learn.microsoft.com/azure/role-based-access-control/built-in-roles).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from scripts.infrastructure import topology
from scripts.infrastructure.emulators import LEASES, SUBSCRIPTION, TOPIC, indexing, subscriptions
from shared.declaration import ROLES, Container, Service
from shared.settings import KIT, SERVICES, Setting
from shared.web import gateway

RIGHTS = {
    "Cosmos DB Built-in Data Contributor": "00000000-0000-0000-0000-000000000002",
    "Azure Service Bus Data Sender": "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39",
    "Azure Service Bus Data Receiver": "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0",
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    # there is no smaller one that sends
    "Communication and Email Service Owner": "09976791-48a7-449e-bb21-39d1a415f350",
}


def document(services: list[Service]) -> dict[str, Any]:
    """Every service with what is its own, and what the API's registration in Entra has."""
    return {
        "topic": TOPIC,
        "subscription": SUBSCRIPTION,
        "services": [_service(service, services) for service in services],
        "entra": {
            "roles": [{"name": name, "meaning": meaning} for name, meaning in (ROLES | gateway.ROLES).items()],
            "scopes": [scope for service in services for scope in _scopes(service)],
        },
    }


def _service(service: Service, services: list[Service]) -> dict[str, Any]:
    # a Function App on Azure is one service's
    own = [replace(setting, default=service.name) if setting is SERVICES else setting for setting in KIT]
    own += service.settings
    return {
        "name": service.name,
        "summary": service.summary,
        "durable": service.durable,
        "containers": [_container(container) for container in (*service.containers, LEASES)],
        "topic": service.name if service.publishes else None,
        "subscriptions": [
            {"topic": publisher.name, "name": name, "filter": expression}
            for publisher in services
            for name, expression in subscriptions(publisher, [service])
        ],
        "connections": [
            {"name": setting.name, "resource": setting.resource, "identityPart": setting.identity_part}
            for setting in own
            if setting.resource
        ],
        "settings": [_setting(setting) for setting in own if not setting.resource and not setting.secret],
        "secrets": [_setting(setting) for setting in own if setting.secret],
        "rights": list(_rights(service, services)),
        "scopes": _scopes(service),
    }


def _container(container: Container) -> dict[str, Any]:
    return {
        "name": container.name,
        "partitionKey": f"/{container.partition_key}",
        "defaultTtl": -1 if container.expires else None,
        "outbox": container.outbox,
        "indexingPolicy": indexing(container),
    }


def _setting(setting: Setting) -> dict[str, Any]:
    return {"name": setting.name, "meaning": setting.meaning, "default": setting.default}


def _scopes(service: Service) -> list[dict[str, Any]]:
    return [{"name": scope.name, "meaning": scope.meaning, "roles": list(scope.roles)} for scope in service.scopes]


def _rights(service: Service, services: list[Service]) -> Iterator[dict[str, Any]]:
    """What the identity of the service's Function App may do, each on the smallest thing it can be given for."""
    yield _right("Storage Blob Data Owner", "storage", service.name)
    yield _right("Storage Table Data Contributor", "storage", service.name)
    if service.durable:
        yield _right("Storage Queue Data Contributor", "storage", service.name)
    yield _right("Monitoring Metrics Publisher", "insights", "")
    yield _right("Cosmos DB Built-in Data Contributor", "database", service.name)
    if service.publishes:
        yield _right("Azure Service Bus Data Sender", "topic", service.name)
    for topic in service.hears:
        yield _right("Azure Service Bus Data Receiver", "subscription", service.name, topic)
    if service.operates:
        for topic in topology.topics(services):
            yield _right("Azure Service Bus Data Sender", "topic", topic)
        others = [each for each in topology.subscriptions(services) if each[1] != service.name]
        for topic, subscription in others:
            yield _right("Azure Service Bus Data Receiver", "subscription", subscription, topic)
    for setting in service.settings:
        if setting.secret:
            yield _right("Key Vault Secrets User", "secret", setting.name)
        if setting.resource == "email":
            yield _right("Communication and Email Service Owner", "email", "")


def _right(role: str, resource: str, name: str, topic: str = "") -> dict[str, str]:
    return {"role": role, "roleId": RIGHTS[role], "resource": resource, "name": name, "topic": topic}
