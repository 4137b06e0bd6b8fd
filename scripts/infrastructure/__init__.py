"""What the surroundings of the services have to know of them, written from what the services declare.

    python -m scripts.infrastructure            write it
    python -m scripts.infrastructure --check    fail where a file is not what the declarations say

Containers, topics and subscriptions, what a deployment makes for each service, who is granted which scope (infra/); the
API's document, the gateway's backends and where they are, what its policies repeat of the operations (apim/); the
events' schemas (shared/contracts/schemas); the sample of the app settings; what ships each service (.github/,
azure.yaml); the crash points (shared/faultpoints); the table of access and that of the services (docs/).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from scripts import openapi
from scripts.infrastructure import app_settings, azure, crashes, emulators, entra, gateway, pipelines, policies
from shared.contracts import published
from shared.contracts.event import EventData, type_of
from shared.declaration import Service
from shared.web.operation import Operation

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURE = "docs/architecture.md"
BEGIN, END = "<!-- written by scripts.infrastructure -->\n", "<!-- end -->\n"


def files(services: list[Service], operations: Sequence[Operation]) -> dict[str, str]:
    """Path → what the file is to hold. Raises LookupError where an event is heard that nobody declares to publish."""
    _check(services)
    events = published.FOLDER.relative_to(ROOT)
    documents: dict[str, Any] = {
        "infra/cosmos.json": emulators.cosmos(services),
        "infra/servicebus.json": emulators.service_bus(services),
        "infra/servicebus.emulator.json": emulators.for_microsoft(emulators.service_bus(services)),
        "infra/services.json": azure.document(services),
        entra.FILE: entra.document(ROOT, services),
        "local.settings.sample.json": app_settings.sample(services),
        crashes.FILE: crashes.document(services),
        openapi.SPECIFICATION: openapi.document(services, operations),
        **{f"{events}/{name}": schema for name, schema in published.schemas().items()},
        **gateway.documents(ROOT, services),
    }
    before, _, rest = (ROOT / ARCHITECTURE).read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return {
        **{name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in documents.items()},
        **pipelines.files(services),
        **policies.files(ROOT, operations),
        openapi.ACCESS: openapi.access(operations),
        ARCHITECTURE: f"{before}{BEGIN}{_table(services)}{END}{after}",
    }


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
