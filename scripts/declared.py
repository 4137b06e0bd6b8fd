"""What the services declare, all of it: read by everything that writes from it, and by the tests that go through it."""

from __future__ import annotations

import json
from functools import cache
from importlib import import_module
from typing import Any

from azure.functions import Blueprint

from blueprints import SERVICES
from shared.declaration import Service
from shared.messaging.triggers import ROUNDS, measuring
from shared.web.endpoint import EACH, OPERATIONS
from shared.web.operation import Operation


def services() -> list[Service]:
    """What each service declares."""
    return [import_module(f"blueprints.{name}.declaration").SERVICE for name in SERVICES]


@cache
def operations() -> tuple[Operation, ...]:
    """Every HTTP operation, in the order of their paths."""
    for name in SERVICES:
        import_module(f"blueprints.{name}.triggers")
    return tuple(sorted(OPERATIONS.values(), key=lambda operation: (operation.path, operation.method.lower())))


@cache
def timers() -> int:
    """How many functions a timer starts in a deployment of all services."""
    operations()  # the triggers are imported with them
    for service in services():
        measuring(Blueprint(), service)  # type: ignore[no-untyped-call]
    return len(ROUNDS)


def routes(operation: Operation) -> dict[str, tuple[str, str]]:
    """Service → the function and the path by which it serves the operation: those of its own, or one of all alike."""
    if not operation.owners:
        return {operation.service: (operation.id, operation.path)}
    return {
        owner: (
            operation.id.replace(operation.service, owner, 1),
            operation.path.replace(f"{{{EACH.name}}}", owner),
        )
        for owner in operation.owners
    }


def example_service(operation: Operation) -> str:
    """The service that serves the call of `example_call`."""
    return EACH.example if operation.owners else operation.service


def example_body(operation: Operation) -> Any:
    """A good body of a request. Raises LookupError where the service's `examples.py` has none."""
    return _examples(operation, "BODIES")


def example_answer(operation: Operation) -> Any:
    """A good answer's body. Raises LookupError where the service's `examples.py` has none."""
    return _examples(operation, "ANSWERS")


def _examples(operation: Operation, which: str) -> Any:
    name = f"blueprints.{operation.service}.examples"
    try:
        return getattr(import_module(name), which)[operation.id]
    except LookupError:
        raise LookupError(f"{name}.{which} has no example of {operation.id}") from None


def example_call(operation: Operation) -> tuple[str, dict[str, str], Any]:
    """A call as the document shows it: path behind the version, the headers it needs, its body (`None`: none; the text
    of a file)."""
    path = operation.path.format(**{part.name: part.example for part in operation.parts})
    headers = {"Idempotency-Key": "k1"} if operation.idempotency_key == "required" else {}
    if operation.signature:
        headers[operation.signature.name] = operation.signature.example
    if operation.upload:
        headers["Content-Type"] = operation.upload.media_types[0]
    return path, headers, example_body(operation) if operation.takes_body else None


def encoded(body: Any) -> bytes:
    """The bytes of the body of a call: a file as it is, anything else as JSON."""
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()
