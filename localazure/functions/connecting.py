"""Connections of triggers and bindings: a connection string, or an address and the app's identity.

Source: "Guidance for developing Azure Functions", connections: common properties for identity-based connections.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential
from azure.servicebus import TransportType
from azure.servicebus.aio import ServiceBusClient

from localazure.functions.errors import SettingMissing

COSMOS, SERVICE_BUS = "accountEndpoint", "fullyQualifiedNamespace"


@dataclass(frozen=True)
class Connection:
    """`text` is a connection string, empty for an identity; then `address` is where it goes."""

    text: str = ""
    address: str = ""
    managed: bool = False
    client_id: str | None = None

    @property
    def parts(self) -> dict[str, str]:
        """Names and values of the connection string."""
        return dict(part.split("=", 1) for part in self.text.split(";") if "=" in part)

    def credential(self) -> AsyncTokenCredential:
        """What its tokens are got with, which somebody has to close."""
        return ManagedIdentityCredential(client_id=self.client_id) if self.managed else DefaultAzureCredential()

    def service_bus(self, credential: AsyncTokenCredential | None, **options: Any) -> ServiceBusClient:
        """A client; with a `credential` it goes over TLS, to the port of the address if that has one."""
        if credential is None:
            return ServiceBusClient.from_connection_string(self.text, **options)
        if ":" in self.address:
            options |= {"custom_endpoint_address": f"sb://{self.address}", "transport_type": TransportType.Amqp}
        if trusted := ssl.get_default_verify_paths().cafile:
            options["connection_verify"] = trusted
        return ServiceBusClient(self.address, credential, **options)


def connection(name: str, part: str = "") -> Connection:
    """The connection that the settings hold under a name; `part` is what an identity-based one calls its address.

    Without a `part` it need only be there. Raises SettingMissing.
    """
    if found := os.environ.get(name):
        return Connection(found)
    own = _of(name, os.environ)
    for known in (part,) if part else (COSMOS, SERVICE_BUS):
        if address := own.get(known.lower()):
            managed = own.get("credential", "").lower() == "managedidentity"
            return Connection("", address, managed, own.get("clientid") or None)
    if own:
        raise SettingMissing(f"the connection {name} uses an identity, and {name}__{part or COSMOS} is not set")
    raise SettingMissing(
        f"the connection {name} is not set; put a connection string of that name into the settings, or "
        f"{name}__{part or COSMOS} for the app's identity"
    )


def _of(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """What the settings `NAME__*` hold, by the rest of their names in lower case."""
    begin = f"{name}__".lower()
    return {key[len(begin) :].lower(): value for key, value in environment.items() if key.lower().startswith(begin)}
