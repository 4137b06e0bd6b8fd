"""The gateway's backend of each service, and where it is: on Azure, and on one machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shared.declaration import Service

CONFIGURATIONS = {"local": "{{functions}}", "split": "{{functions-{0}}}"}
"""Configuration of the gateway → where a service's host is under it."""
OTHER_ADDRESSES = frozenset({"openid-config-url"})
BREAKER = {
    "name": "failing",
    "failureCondition": {
        "count": 10,
        "interval": "PT10S",
        "statusCodeRanges": [{"min": 502, "max": 502}, {"min": 504, "max": 504}],
        "errorReasons": ["BackendConnectionFailure", "Timeout"],
    },
    "tripDuration": "PT5S",
    "acceptRetryAfter": False,
}
"""What a client can provoke does not count (`docs/decisions/0037-what-a-breaker-and-a-limit-count.md`)."""


def documents(root: Path, services: list[Service]) -> dict[str, Any]:
    """Path → document."""
    found: dict[str, Any] = {}
    for service in services:
        found |= _backend(service.name)
    for name, host in CONFIGURATIONS.items():
        found |= _addresses(root, f"apim/configuration.{name}.json", host, services)
    return found


def _backend(name: str) -> dict[str, Any]:
    """The backend of one service, with a circuit breaker of its own, and its address on Azure."""
    address = {"displayName": f"{name}-url", "value": f"https://durable-commerce-{name}.azurewebsites.net/api/v1"}
    backend = {
        "url": f"{{{{{name}-url}}}}",
        "protocol": "http",
        "description": f"The Function App of the service {name}.",
        "circuitBreaker": {"rules": [BREAKER]},
    }
    return {
        f"apim/backends/{name}/backendInformation.json": {"properties": backend},
        f"apim/named values/{name}-url/namedValueInformation.json": {"properties": {**address, "secret": False}},
    }


def _addresses(root: Path, path: str, host: str, services: list[Service]) -> dict[str, Any]:
    """A configuration of the gateway, whose other named values stay as they are."""
    present = json.loads((root / path).read_text(encoding="utf-8"))["namedValues"]
    values = [value for value in present if not value["name"].endswith("-url") or value["name"] in OTHER_ADDRESSES]
    for service in services:
        address = f"{host.format(service.name)}/api/v1"
        values.append({"name": f"{service.name}-url", "properties": {"value": address}})
    return {path: {"namedValues": values}}
