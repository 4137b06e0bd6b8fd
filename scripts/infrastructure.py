"""What the surroundings of the services have to know of them, written from what the services declare.

    python -m scripts.infrastructure            write it
    python -m scripts.infrastructure --check    fail where a file is not what the declarations say

Containers, topics and subscriptions (infra/), the gateway's backends and where they are (apim/), and the table in
docs/architecture.md.

The files in infra/ have the form that Microsoft's Service Bus emulator reads, and its like for Cosmos DB.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from shared.contracts.event import EventData, type_of
from shared.declaration import Container, Service
from shared.settings import SERVICES

ROOT = Path(__file__).resolve().parents[1]
ARCHITECTURE = "docs/architecture.md"
BEGIN, END = "<!-- written by scripts.infrastructure -->\n", "<!-- end -->\n"

LEASES = Container("leases", "id")
"""Where a service's change feed notes how far it has come."""
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


def declared() -> list[Service]:
    """What each service declares, in the order of the settings."""
    return [import_module(f"blueprints.{name}.declaration").SERVICE for name in SERVICES]


def files(services: list[Service]) -> dict[str, str]:
    """Path → what the file is to hold. Raises LookupError where an event is heard that nobody declares to publish."""
    _check(services)
    documents: dict[str, Any] = {
        "infra/cosmos.json": {"databases": [_database(service) for service in services]},
        "infra/servicebus.json": {
            "UserConfig": {
                "Namespaces": [
                    {
                        "Name": "sbemulatorns",
                        "Queues": [],
                        "Topics": [_topic(service, services) for service in services if service.publishes],
                    }
                ],
                "Logging": {"Type": "Console"},
            }
        },
    }
    before, _, rest = (ROOT / ARCHITECTURE).read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    for service in services:
        documents |= _gateway(service.name)
    for name, host in (("local", "{{functions}}"), ("split", "{{functions-{0}}}")):
        documents |= _addresses(f"apim/configuration.{name}.json", host, services)
    return {
        **{name: json.dumps(document, indent=2) + "\n" for name, document in documents.items()},
        ARCHITECTURE: f"{before}{BEGIN}{_table(services)}{END}{after}",
    }


def _gateway(name: str) -> dict[str, Any]:
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


def _addresses(path: str, host: str, services: list[Service]) -> dict[str, Any]:
    """A configuration of the gateway, whose other named values stay as they are."""
    present = json.loads((ROOT / path).read_text(encoding="utf-8"))["namedValues"]
    values = [value for value in present if not value["name"].endswith("-url") or value["name"] in OTHER_ADDRESSES]
    for service in services:
        address = f"{host.format(service.name)}/api/v1"
        values.append({"name": f"{service.name}-url", "properties": {"value": address}})
    return {path: {"namedValues": values}}


def _table(services: list[Service]) -> str:
    rows = [("service", "Cosmos DB (partition key)", "publishes", "hears"), ("---",) * 4]
    for service in services:
        containers = ", ".join(f"`{own.name}` (`/{own.partition_key}`)" for own in service.containers)
        heard = [event for topic in service.hears for event in service.events(topic)]
        rows.append((service.name, containers, _names(service.publishes), _names(heard) or "–"))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _names(events: Iterable[type[EventData]]) -> str:
    """The events' names, as in `order.placed`, `.confirmed`: what they are about is said once."""
    names, about = [], ""
    for event in events:
        subject, _, what = type_of(event).removeprefix("commerce.").removesuffix(".v1").partition(".")
        names.append(f"`.{what}`" if subject == about else f"`{subject}.{what}`")
        about = subject
    return ", ".join(names)


def _check(services: list[Service]) -> None:
    """Raises LookupError where an event is heard that its publisher does not declare."""
    published = {service.name: service.publishes for service in services}
    for service in services:
        for topic in service.hears:
            if unknown := set(service.events(topic)) - set(published.get(topic, ())):
                names = ", ".join(sorted(map(type_of, unknown)))
                raise LookupError(f"{service.name} hears {names}, which {topic} does not publish")


def _database(service: Service) -> dict[str, Any]:
    return {"id": service.name, "containers": [_container(container) for container in (*service.containers, LEASES)]}


def _container(container: Container) -> dict[str, Any]:
    return {
        "id": container.name,
        "partitionKey": f"/{container.partition_key}",
        **({"defaultTtl": -1} if container.expires else {}),
        "indexingPolicy": {
            "indexingMode": "consistent",
            "automatic": True,
            "includedPaths": [{"path": f"/{name}/?"} for name in container.indexed],
            "excludedPaths": [{"path": "/*"}],
        },
    }


def _topic(publisher: Service, services: list[Service]) -> dict[str, Any]:
    hearers = [service for service in services if publisher.name in service.hears]
    return {
        "Name": publisher.name,
        "Properties": TOPIC,
        "Subscriptions": [
            {
                "Name": hearer.name,
                "Properties": SUBSCRIPTION,
                "Rules": [_rule(event) for event in hearer.events(publisher.name)],
            }
            for hearer in hearers
        ],
    }


def _rule(event: type[EventData]) -> dict[str, Any]:
    name = type_of(event)
    return {
        "Name": name.replace(".", "-"),
        "Properties": {"FilterType": "Correlation", "CorrelationFilter": {"Label": name}},
    }


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Write the containers, topics and subscriptions that services declare."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is out of date")
    check = parser.parse_args().check
    stale = {
        name: text for name, text in files(declared()).items() if (ROOT / name).read_text(encoding="utf-8") != text
    }
    for name, text in stale.items():
        if check:
            print(f"{name} is out of date; run python -m scripts.infrastructure", file=sys.stderr)
        else:
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(text, encoding="utf-8")
            print(f"{name} written")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
