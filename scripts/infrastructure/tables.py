"""The tables of services and operations in Markdown files, each between two marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from shared.contracts.event import EventData, type_of
from shared.declaration import Service
from shared.web.endpoint import VERSION
from shared.web.operation import Operation

ARCHITECTURE, README, PERSONAL_DATA = "docs/architecture.md", "README.md", "docs/personal-data.md"
BEGIN, END = "<!-- written by scripts.infrastructure -->\n", "<!-- end -->\n"


def within(path: Path, table: str) -> str:
    """The file's text with this table between its marks."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table}{END}{after}"


def of_services(services: Sequence[Service]) -> str:
    """What each owns, publishes and hears."""
    rows = [("service", "Cosmos DB (partition key)", "publishes", "hears"), ("---",) * 4]
    for service in services:
        containers = ", ".join(f"`{own.name}` (`/{own.partition_key}`)" for own in service.containers)
        heard = [event for topic in service.hears for event in service.events(topic)]
        rows.append((service.name, containers, _names(service.publishes), _names(heard) or "–"))
    return _markdown(rows)


def of_holdings(services: Sequence[Service]) -> str:
    """What each holds of a person, and what becomes of it."""
    rows = [("service", "what it holds", "when its owner asks to be erased"), ("---",) * 3]
    for service in services:
        for holding in service.holds:
            rows.append((service.name, holding.what, ": ".join(filter(None, (holding.fate, holding.why)))))
    return _markdown(rows)


def _names(events: Iterable[type[EventData]]) -> str:
    """The events' names, as in `order.placed`, `.confirmed`: what they are about is said once."""
    names, about = [], ""
    for event in events:
        subject, _, what = type_of(event).removeprefix("commerce.").removesuffix(".v1").partition(".")
        names.append(f"`.{what}`" if subject == about else f"`{subject}.{what}`")
        about = subject
    return ", ".join(names)


def of_operations(operations: Sequence[Operation]) -> str:
    """How each is called, what it does, and who may."""
    rows = [("call", "what it does", "who may"), ("---",) * 3]
    for operation in operations:
        call = f"`{operation.method} /{VERSION}{operation.path}`"
        rows.append((call, operation.summary, _who(operation)))
    return _markdown(rows)


def _who(operation: Operation) -> str:
    if operation.signature:
        return f"its sender, by `{operation.signature.name}`"
    return ", ".join(operation.roles) or "anyone"


def _markdown(rows: Iterable[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
