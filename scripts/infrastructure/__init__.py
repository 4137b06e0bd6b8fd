"""What the surroundings of the services have to know of them, written from what the services declare.

    python -m scripts.infrastructure            write it
    python -m scripts.infrastructure --check    fail where a file is not what the declarations say

Containers, topics and subscriptions, what a deployment makes for each service and reads of apim/, who is granted
which scope (infra/); the API's document and its collection of requests, the gateway's backends and where they are,
what its policies repeat of the operations (apim/); the events' schemas (shared/contracts/schemas); the sample of the
app settings; what ships each service (.github/, azure.yaml); the subscriptions (shared/messaging) and the crash
points (shared/faultpoints); the tables of access, of role assignments, of the services and of what they hold of a
person (docs/).
"""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

from scripts import openapi, postman
from scripts.infrastructure import (
    app_settings,
    artifacts,
    azure,
    crashes,
    emulators,
    entra,
    gateway,
    identities,
    pipelines,
    policies,
    tables,
    topology,
)
from shared.contracts import published
from shared.contracts.event import type_of
from shared.declaration import Service
from shared.web.operation import Operation

ROOT = Path(__file__).resolve().parents[2]
OWN = ("apim/backends/*/*.json", f"{policies.OPERATIONS}/*/policy.xml")
"""Of these there are those alone that are written here."""


def files(services: list[Service], operations: Sequence[Operation]) -> dict[str, str]:
    """Path → what the file is to hold. Raises LookupError where an event is heard that nobody declares to publish."""
    _check(services)
    described = openapi.document(services, operations)
    events = published.FOLDER.relative_to(ROOT)
    documents: dict[str, Any] = {
        "infra/cosmos.json": emulators.cosmos(services),
        "infra/servicebus.json": emulators.service_bus(services),
        "infra/servicebus.emulator.json": emulators.for_microsoft(emulators.service_bus(services)),
        "infra/services.json": azure.document(services),
        entra.FILE: entra.document(ROOT, services),
        identities.FILE: identities.document(services),
        "local.settings.sample.json": app_settings.sample(services),
        crashes.FILE: crashes.document(services),
        openapi.SPECIFICATION: described,
        postman.COLLECTION: postman.collection(described),
        **{f"{events}/{name}": schema for name, schema in published.schemas().items()},
        **gateway.documents(ROOT, services),
    }
    written = {
        **{name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in documents.items()},
        topology.FILE: topology.module(services),
        **pipelines.files(services),
        **policies.files(ROOT, operations),
        openapi.ACCESS: openapi.access(operations),
        identities.SECURITY: tables.within(ROOT / identities.SECURITY, identities.table(services)),
        tables.ARCHITECTURE: tables.within(ROOT / tables.ARCHITECTURE, tables.of_services(services)),
        tables.PERSONAL_DATA: tables.within(ROOT / tables.PERSONAL_DATA, tables.of_holdings(services)),
        tables.README: tables.within(ROOT / tables.README, tables.of_operations(operations)),
    }
    left = {path.relative_to(ROOT).as_posix() for path in leftovers(ROOT, written)}
    return {**written, artifacts.PATH: artifacts.bicep((artifacts.present(ROOT) - left) | written.keys())}


def leftovers(root: Path, written: Container[str]) -> list[Path]:
    """Files of services and operations that are declared no more."""
    return [path for own in OWN for path in root.glob(own) if path.relative_to(root).as_posix() not in written]


def _check(services: list[Service]) -> None:
    """Raises LookupError where an event is heard that its publisher does not declare."""
    published = {service.name: service.publishes for service in services}
    for service in services:
        for topic in service.hears:
            if unknown := set(service.events(topic)) - set(published.get(topic, ())):
                names = ", ".join(sorted(map(type_of, unknown)))
                raise LookupError(f"{service.name} hears {names}, which {topic} does not publish")
