"""The app's settings: one list, which `local.settings.sample.json` follows; a test compares them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from shared import recovery

SERVICES = ("catalog", "carts", "orders", "inventory", "payments")


class SettingError(RuntimeError):
    """A setting is missing or cannot be read; the message names it and says what it should be."""


@dataclass(frozen=True)
class Setting:
    """One app setting: its name, what it means, and what it is where nobody sets it (`None`: required)."""

    name: str
    meaning: str
    default: str | None = None
    secret: bool = False
    services: tuple[str, ...] = SERVICES


LISTED = (
    Setting("SERVICES", "Which services this Function App registers: `*`, or names separated by commas.", "*"),
    Setting(
        "COSMOS_CONNECTION",
        "Cosmos DB connection string. On Azure use COSMOS_CONNECTION__accountEndpoint and the app's identity instead.",
        secret=True,
    ),
    Setting(
        "SERVICEBUS_CONNECTION",
        "Service Bus connection string. On Azure use SERVICEBUS_CONNECTION__fullyQualifiedNamespace and the app's "
        "identity instead.",
        secret=True,
    ),
    Setting("AUTH_ISSUER", "Issuer of the access tokens; its OpenID Connect discovery document names the keys."),
    Setting("AUTH_AUDIENCE", "Audience an access token must carry.", "api://durable-commerce"),
    Setting(
        "ORDER_DEADLINE_SECONDS",
        "How long a placed order waits for stock and payment before it is cancelled as timed_out.",
        str(recovery.ORDER_DEADLINE_SECONDS),
        services=("orders",),
    ),
    Setting(
        "RECONCILE_SCHEDULE",
        "When each service looks for what has been waiting too long (NCRONTAB).",
        "0 * * * * *",
        services=("orders", "inventory", "payments"),
    ),
    Setting(
        "RECONCILE_AFTER_SECONDS",
        "How long something must have been waiting for that.",
        str(recovery.RECONCILE_AFTER_SECONDS),
        services=("orders", "inventory", "payments"),
    ),
    Setting(
        "PRODUCT_CACHE_SECONDS",
        "How long orders trusts a price it has read from its own product copy.",
        "5",
        services=("orders",),
    ),
    Setting("STRIPE_API_KEY", "Secret key of the payment provider.", secret=True, services=("payments",)),
    Setting(
        "STRIPE_API_BASE",
        "Base address of the payment provider's API.",
        "https://api.stripe.com",
        services=("payments",),
    ),
    Setting(
        "STRIPE_WEBHOOK_SECRET",
        "Signing secret of the provider's webhook endpoint.",
        secret=True,
        services=("payments",),
    ),
    Setting(
        "STRIPE_TIMEOUT_SECONDS",
        "How long to wait for one answer of the payment provider.",
        "10",
        services=("payments",),
    ),
    Setting(
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "Where traces, logs and metrics go; empty: nowhere but the host's own log.",
        "",
        secret=True,
    ),
    Setting("TELEMETRY_SAMPLING", "Share of traces that are exported, 0 to 1.", "1"),
)

_BY_NAME = {setting.name: setting for setting in LISTED}


class Settings:
    """Typed, lazy access. A missing setting is an error when it is needed, not when the process starts:
    a Function App that runs one service needs that service's settings alone."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str) -> str:
        """The setting's value or default. Raises SettingError where neither exists."""
        setting = _BY_NAME[name]
        value = self._environment.get(name, setting.default)
        if value is None:
            raise SettingError(f"the app setting {name} is missing. {setting.meaning}")
        return value

    def seconds(self, name: str) -> float:
        """The setting as a positive number of seconds. Raises SettingError for anything else."""
        value = self._number(name)
        if value <= 0:
            raise SettingError(f"the app setting {name} must be a positive number of seconds, not {value:g}")
        return value

    def ratio(self, name: str) -> float:
        """The setting as a number from 0 to 1. Raises SettingError for anything else."""
        value = self._number(name)
        if not 0 <= value <= 1:
            raise SettingError(f"the app setting {name} must be from 0 to 1, not {value:g}")
        return value

    def optional(self, name: str) -> str | None:
        """A setting outside the list, such as the parts of an identity-based connection."""
        return self._environment.get(name) or None

    def _number(self, name: str) -> float:
        text = self.text(name)
        try:
            return float(text)
        except ValueError:
            raise SettingError(f"the app setting {name} must be a number, not {text!r}") from None

    @property
    def services(self) -> tuple[str, ...]:
        """The services to register, in the order of `SERVICES`. Raises SettingError for a name that is none."""
        named = set(_names(self.text("SERVICES")))
        if "*" in named:
            return SERVICES
        if unknown := named - set(SERVICES):
            known = ", ".join(SERVICES)
            raise SettingError(f"SERVICES names {', '.join(sorted(unknown))}; the services are {known}, or * for all")
        if not named:
            raise SettingError("SERVICES is empty; name at least one service, or * for all")
        return tuple(service for service in SERVICES if service in named)


def _names(text: str) -> Iterator[str]:
    return (name for part in text.split(",") if (name := part.strip()))


@cache
def settings() -> Settings:
    """The process's settings, read from its environment."""
    return Settings(os.environ)
