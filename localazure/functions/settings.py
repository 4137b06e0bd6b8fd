"""host.json and the app's settings, read once at the start."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localazure import newtonsoft
from localazure.durable.partitions import Provider
from localazure.functions import hostconfig, timespan
from localazure.functions.errors import InvalidApp, SettingMissing

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
    orchestrators_at_once: int = 100
    """Read for the scaler alone."""
    storage: Provider = field(default_factory=Provider)
    service_bus: ServiceBusOptions = field(default_factory=ServiceBusOptions)
    only: frozenset[str] = frozenset()
    """The functions to serve, in lower case; empty: all of them."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """What every answer has besides its own."""
    log_level: int | None = None
    """Of what the app logs; None: as the process has it."""

    def serves(self, function: str) -> bool:
        return not self.only or function.lower() in self.only


def read_host_file(app: Path) -> HostOptions:
    """host.json as the host reads it; without the file the defaults. Raises InvalidApp, in the host's words."""
    document = _host_document(app / "host.json")
    given = hostconfig.Section(document)
    try:
        extensions = given.section("extensions")
        durable, bus, http = (extensions.section(name) for name in ("durableTask", "serviceBus", "http"))
        return HostOptions(
            route_prefix=http.text("routePrefix", "api"),
            timeout=_timeout(given),
            hub_name=durable.text("hubName", "TestHubName"),
            activities_at_once=durable.whole("maxConcurrentActivityFunctions", 100, least=1),
            orchestrators_at_once=durable.whole("maxConcurrentOrchestratorFunctions", 100, least=1),
            storage=_storage(durable.section("storageProvider")),
            service_bus=_service_bus(bus),
            only=frozenset(name.lower() for name in given.texts("functions")),
            headers=http.section("customHeaders").pairs(),
            log_level=_log_level(given.section("logging").section("logLevel")),
        )
    except ValueError as exc:
        raise InvalidApp(f"{app / 'host.json'}: {exc}") from exc


def _host_document(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"version": "2.0"}
    document = _read_json(path, f"Unable to parse host configuration file '{path}'.") or {"version": "2.0"}
    version = document.get("version")
    if version in (None, ""):
        raise InvalidApp("The host.json file is missing the required 'version' property.")
    if version != "2.0":
        raise InvalidApp(
            f"'{version}' is an invalid value for host.json 'version' property. We recommend you set the 'version' "
            "property to '2.0'."
        )
    return document


def _timeout(given: hostconfig.Section) -> float:
    """Seconds; -1, which is a day backwards, is no limit."""
    limit = given.span("functionTimeout", 1800.0)
    if limit == -86_400.0:
        return float("inf")
    if limit < 1.0:
        raise ValueError(f"FunctionTimeout must be greater than 00:00:01 and less than {timespan.MAX_VALUE}.")
    return limit


def _storage(given: hostconfig.Section) -> Provider:
    """Raises ValueError in the extension's words."""
    kind = given.text("type", "AzureStorage")
    if kind.lower() not in ("azurestorage", "azure_storage"):
        raise ValueError(f"the storage provider '{kind}' is not supported; the local task hub is as Azure Storage's")
    return Provider(
        partitions=given.whole("partitionCount", 4, least=-(2**31)),
        control_visibility=given.span("controlQueueVisibilityTimeout", 300.0),
        work_visibility=given.span("workItemQueueVisibilityTimeout", 300.0),
        longest_poll=given.span("maxQueuePollingInterval", 30.0),
    )


def _service_bus(bus: hostconfig.Section) -> ServiceBusOptions:
    """The extension's section; what it was called before version 5 counts where the new name is not there."""
    one, sessions, batch = (bus.section(f"{name}Options") for name in ("messageHandler", "sessionHandler", "batch"))
    complete = one.flag("autoComplete", sessions.flag("autoComplete", batch.flag("autoComplete", True)))
    renewal = one.span("maxAutoRenewDuration", sessions.span("maxAutoRenewDuration", 300.0))
    options = ServiceBusOptions(
        concurrent_calls=bus.whole("maxConcurrentCalls", one.whole("maxConcurrentCalls", 16, least=1), least=1),
        concurrent_sessions=bus.whole(
            "maxConcurrentSessions", sessions.whole("maxConcurrentSessions", 8, least=1), least=1
        ),
        prefetch=bus.whole("prefetchCount", 0, least=0),
        auto_complete=bus.flag("autoCompleteMessages", complete),
        renewal=bus.span("maxAutoLockRenewalDuration", renewal),
        session_idle=bus.span("sessionIdleTimeout", sessions.span("messageWaitTime", 60.0)),
        batch=bus.whole("maxMessageBatchSize", 1000, least=1),
    )
    if options.renewal < 0:
        raise ValueError("Argument MaxAutoLockRenewalDuration must be a non-negative timespan value.")
    if bus.whole("minMessageBatchSize", 1, least=1) > options.batch:
        raise ValueError("The minimum message batch size must be less than the maximum message batch size")
    return options


_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 10,
}


def _log_level(levels: hostconfig.Section) -> int | None:
    """What an app may log, `Function` before `default`; each value must be a level."""
    for value in levels.pairs().values():
        if value.lower() not in _LEVELS:
            raise ValueError(f"Configuration value '{value}' is not supported.")
    level = levels.text("Function", levels.text("default", ""))
    return _LEVELS.get(level.lower())


def read_settings_file(path: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The `Values` that the environment does not set already, as itself or by identity (`NAME__*`). No file: none.

    Raises InvalidApp.
    """
    if not path.exists():
        return {}
    values = _read_json(path, f"{path} is not valid JSON").get("Values", {})
    if not isinstance(values, dict):
        raise InvalidApp(f"{path}: Values must be an object")
    by_identity = {name.partition("__")[0] for name in environment if "__" in name}
    return {name: str(value) for name, value in values.items() if name not in environment and name not in by_identity}


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


def _read_json(path: Path, refusal: str) -> dict[str, Any]:
    try:
        document = newtonsoft.read(path.read_text(encoding="utf-8-sig"))
    except ValueError as exc:
        raise InvalidApp(f"{refusal}: {exc}") from exc
    if not isinstance(document, dict):
        raise InvalidApp(f"{refusal}: it must hold a JSON object")
    return document
