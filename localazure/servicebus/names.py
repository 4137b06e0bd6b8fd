"""What entities and rules may be called, and where an address leads."""

from __future__ import annotations

import re
from typing import Any

from localazure.servicebus.errors import NotAllowed

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/~-]*[A-Za-z0-9_])?")
_MAX_LENGTH = {"queue": 260, "topic": 260, "subscription": 50, "rule": 50}


def check_name(kind: str, name: str) -> None:
    """Raises NotAllowed."""
    if not _NAME.fullmatch(name.removeprefix("$") if kind == "rule" else name) or len(name) > _MAX_LENGTH[kind]:
        raise NotAllowed(
            f"'{name}' cannot name a {kind}: up to {_MAX_LENGTH[kind]} letters, digits, periods, hyphens, underscores"
        )


def entity_path(address: Any) -> str:
    """`amqps://host:port/t/Subscriptions/s` or a bare path → the entity's path."""
    path = str(address or "")
    if "://" in path:
        path = path.partition("://")[2].partition("/")[2]
    return path.strip("/")
