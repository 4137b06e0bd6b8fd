"""App settings: what one is, those of the kit, and their values in this process.

A service declares its own in its `declaration.py`; `local.settings.sample.json` and what a deployment sets are written
from both lists (`python -m scripts.infrastructure`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from shared import recovery


class SettingError(RuntimeError):
    """A setting is missing or cannot be read; the message names it and says what it should be."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One app setting: its name, what it means, and what it is where nobody sets it (`None`: required).

    `local`: its value on one machine, where that is another. `secret`: a deployment keeps it in the vault.
    `resource`: the resource of Azure that the setting leads to (`cosmos`, `servicebus`, `insights`, `email`);
    `identity_part` is the part of the setting that names it there, where the app's identity is used instead of a
    connection string.
    """

    name: str
    meaning: str
    default: str | None = None
    local: str | None = None
    secret: bool = False
    resource: str = ""
    identity_part: str = ""

    @property
    def for_identity(self) -> str:
        """The setting that names the resource where the app's identity is used."""
        return f"{self.name}__{self.identity_part}"


@dataclass(frozen=True, slots=True)
class Connection:
    """How a resource is reached: by a connection string, or at its address with the identity of that client id."""

    string: str = ""
    address: str = ""
    client_id: str = ""


SERVICES = Setting("SERVICES", "Which services this Function App registers: `*`, or names separated by commas.", "*")
COSMOS_CONNECTION = Setting(
    "COSMOS_CONNECTION",
    "Cosmos DB connection string. On Azure use COSMOS_CONNECTION__accountEndpoint and the app's identity instead.",
    local="AccountEndpoint=http://localhost:8081/;AccountKey="
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==;",
    resource="cosmos",
    identity_part="accountEndpoint",
)
SERVICEBUS_CONNECTION = Setting(
    "SERVICEBUS_CONNECTION",
    "Service Bus connection string. On Azure use SERVICEBUS_CONNECTION__fullyQualifiedNamespace and the app's "
    "identity instead.",
    local="Endpoint=sb://localhost:5672;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;"
    "UseDevelopmentEmulator=true",
    resource="servicebus",
    identity_part="fullyQualifiedNamespace",
)
AUTH_ISSUER = Setting(
    "AUTH_ISSUER",
    "Issuer of the access tokens; its OpenID Connect discovery document names the keys.",
    local="http://localhost:8082/2f1a7c64-9d0e-4b53-8e6f-5b0c3a91d7e2/v2.0",
)
AUTH_AUDIENCE = Setting("AUTH_AUDIENCE", "Audience an access token must carry.", "api://durable-commerce")
APPLICATIONINSIGHTS_CONNECTION_STRING = Setting(
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "Where traces, logs and metrics go; empty: nowhere but the host's own log.",
    "",
    local="InstrumentationKey=00000000-0000-0000-0000-000000000001;IngestionEndpoint=http://localhost:8083",
    resource="insights",
)
APPLICATIONINSIGHTS_AUTHENTICATION_STRING = Setting(
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "`ClientId=…;Authorization=AAD` where telemetry is taken from identities alone; the host reads it, too.",
    "",
)
TELEMETRY_SAMPLING = Setting(
    "TELEMETRY_SAMPLING", "Share of ordinary traces that is exported, 0 to 1; failed and slow ones are all.", "1"
)
RECONCILE_SCHEDULE = Setting(
    "RECONCILE_SCHEDULE",
    "When each service measures its queues and looks for what has been waiting too long (NCRONTAB).",
    "0 * * * * *",
)

KIT = (
    SERVICES,
    COSMOS_CONNECTION,
    SERVICEBUS_CONNECTION,
    AUTH_ISSUER,
    AUTH_AUDIENCE,
    APPLICATIONINSIGHTS_CONNECTION_STRING,
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING,
    TELEMETRY_SAMPLING,
    RECONCILE_SCHEDULE,
)
"""What every service needs."""

RECONCILE_AFTER_SECONDS = Setting(
    "RECONCILE_AFTER_SECONDS",
    "How long something must have been waiting for that.",
    str(recovery.RECONCILE_AFTER_SECONDS),
)
RECONCILIATION = (RECONCILE_AFTER_SECONDS,)
"""What a service needs that waits for others."""

TASK_KEEP_SECONDS = Setting(
    "TASK_KEEP_SECONDS",
    "How long a long task that has ended can be read, and its history is kept.",
    str(30 * 24 * 3600),
)
TASKS = (*RECONCILIATION, TASK_KEEP_SECONDS)
"""What a service needs that has long tasks."""

CONTACT_KEY = Setting(
    "CONTACT_KEY",
    "Seals the e-mail addresses that accounts tells, for who writes to them: 32 bytes in URL-safe Base64. Several, "
    "separated by commas, are one that is being replaced: the first seals, each opens.",
    local="bG9jYWwtY29udGFjdC1rZXktMzItYnl0ZXMtbG9uZyE=",
    secret=True,
)


class Settings:
    """Typed, lazy access. A missing setting is an error when it is needed, not when the process starts:
    a Function App that runs one service needs that service's settings alone."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, setting: Setting) -> str:
        """The setting's value or default. Raises SettingError where neither exists."""
        value = self._environment.get(setting.name, setting.default)
        if value is None:
            raise SettingError(f"the app setting {setting.name} is missing. {setting.meaning}")
        return value

    def seconds(self, setting: Setting) -> float:
        """The setting as a positive number of seconds. Raises SettingError for anything else."""
        value = self._number(setting)
        if value <= 0:
            raise SettingError(f"the app setting {setting.name} must be a positive number of seconds, not {value:g}")
        return value

    def ratio(self, setting: Setting) -> float:
        """The setting as a number from 0 to 1. Raises SettingError for anything else."""
        value = self._number(setting)
        if not 0 <= value <= 1:
            raise SettingError(f"the app setting {setting.name} must be from 0 to 1, not {value:g}")
        return value

    def count(self, setting: Setting, least: int = 1) -> int:
        """The setting as a whole number of at least `least`. Raises SettingError for anything else."""
        value = self._number(setting)
        if not value.is_integer() or value < least:
            raise SettingError(f"the app setting {setting.name} must be a whole number from {least} on, not {value:g}")
        return int(value)

    def connection(self, setting: Setting) -> Connection:
        """How a resource is reached. Raises SettingError where neither a connection string nor an address is set."""
        if connection_string := self._environment.get(setting.name):
            return Connection(string=connection_string)
        if address := self._environment.get(setting.for_identity):
            return Connection(address=address, client_id=self._environment.get(f"{setting.name}__clientId", ""))
        raise SettingError(f"set {setting.name}, or {setting.for_identity} to use the app's identity")

    def services(self, known: Sequence[str]) -> tuple[str, ...]:
        """Which of the `known` services to register, in that order. Raises SettingError for any other name."""
        named = set(_names(self.text(SERVICES)))
        if "*" in named:
            return tuple(known)
        if unknown := named - set(known):
            names = ", ".join(sorted(unknown))
            raise SettingError(f"SERVICES names {names}; the services are {', '.join(known)}, or * for all")
        if not named:
            raise SettingError("SERVICES is empty; name at least one service, or * for all")
        return tuple(service for service in known if service in named)

    def _number(self, setting: Setting) -> float:
        text = self.text(setting)
        try:
            return float(text)
        except ValueError:
            raise SettingError(f"the app setting {setting.name} must be a number, not {text!r}") from None


def connection_parts(text: str) -> dict[str, str]:
    """Names and values of a connection string, `Name=value;Name=value`; what has another form is left out."""
    return dict(part.split("=", 1) for part in text.split(";") if "=" in part)


def _names(text: str) -> Iterator[str]:
    return (name for part in text.split(",") if (name := part.strip()))


@cache
def settings() -> Settings:
    """The process's settings, read from its environment."""
    return Settings(os.environ)
