"""host.json and the app's settings, read once at the start."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localazure.functions.errors import InvalidApp, SettingMissing
from localazure.functions.timespan import seconds

_EXPRESSION = re.compile(r"%([^%]+)%")
WORKER_PROCESSES = "FUNCTIONS_WORKER_PROCESS_COUNT"


@dataclass(frozen=True)
class ServiceBusOptions:
    """`extensions.serviceBus` of host.json, with the extension's defaults."""

    concurrent_calls: int = 16
    concurrent_sessions: int = 8
    prefetch: int = 0
    auto_complete: bool = True
    renewal: float = 300.0
    session_idle: float = 60.0
    batch: int = 1000


@dataclass(frozen=True)
class HostOptions:
    """What the local host heeds of host.json."""

    route_prefix: str = "api"
    timeout: float = 1800.0
    hub_name: str = "TestHubName"
    activities_at_once: int = 100
    service_bus: ServiceBusOptions = field(default_factory=ServiceBusOptions)


def read_host_file(app: Path) -> HostOptions:
    """Raises InvalidApp for a file that is missing, no JSON, or not of version 2.0."""
    document = _read_json(app / "host.json")
    if document.get("version") != "2.0":
        raise InvalidApp(f'{app / "host.json"} must have "version": "2.0"')
    extensions = document.get("extensions", {})
    durable, bus = extensions.get("durableTask", {}), extensions.get("serviceBus", {})
    try:
        return HostOptions(
            route_prefix=extensions.get("http", {}).get("routePrefix", "api").strip("/"),
            timeout=seconds(document.get("functionTimeout", "00:30:00")),
            hub_name=durable.get("hubName", "TestHubName"),
            activities_at_once=int(durable.get("maxConcurrentActivityFunctions", 100)),
            service_bus=ServiceBusOptions(
                concurrent_calls=int(bus.get("maxConcurrentCalls", 16)),
                concurrent_sessions=int(bus.get("maxConcurrentSessions", 8)),
                prefetch=int(bus.get("prefetchCount", 0)),
                auto_complete=bool(bus.get("autoCompleteMessages", True)),
                renewal=seconds(bus.get("maxAutoLockRenewalDuration", "00:05:00")),
                session_idle=seconds(bus.get("sessionIdleTimeout", "00:01:00")),
                batch=int(bus.get("maxMessageBatchSize", 1000)),
            ),
        )
    except (TypeError, ValueError, AttributeError) as exc:
        raise InvalidApp(f"{app / 'host.json'}: {exc}") from exc


def read_settings_file(path: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The `Values` that the environment does not set already. No file: none. Raises InvalidApp."""
    if not path.exists():
        return {}
    values = _read_json(path).get("Values", {})
    if not isinstance(values, dict):
        raise InvalidApp(f"{path}: Values must be an object")
    return {name: str(value) for name, value in values.items() if name not in environment}


def worker_processes() -> int:
    """FUNCTIONS_WORKER_PROCESS_COUNT: how many processes run the app, 1 to 10. Raises InvalidApp."""
    text = os.environ.get(WORKER_PROCESSES, "1")
    if not text.isdecimal() or not 1 <= int(text) <= 10:
        raise InvalidApp(f"{WORKER_PROCESSES} must be a number from 1 to 10, not {text!r}")
    return int(text)


def resolve(text: str) -> str:
    """`%NAME%` replaced by the setting NAME. Raises SettingMissing."""

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            raise SettingMissing(f"the setting {match[1]} that '{text}' refers to does not exist")
        return found

    return _EXPRESSION.sub(value, text)


def connection(name: str) -> str:
    """The connection string that the setting `name` holds. Raises SettingMissing, also for identities."""
    if found := os.environ.get(name):
        return found
    if any(key.startswith(f"{name}__") for key in os.environ):
        raise SettingMissing(f"the connection {name} uses an identity; locally it must be a connection string")
    raise SettingMissing(f"the connection {name} is not set; put a connection string of that name into the settings")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InvalidApp(f"{path} does not exist") from None
    except ValueError as exc:
        raise InvalidApp(f"{path} is not valid JSON: {exc}") from exc
    if not isinstance(document, dict):
        raise InvalidApp(f"{path} must hold a JSON object")
    return document
