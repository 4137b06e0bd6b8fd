"""The app's own identity on Azure, as the SDKs' clients take it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.identity.aio import DefaultAzureCredential


def own_credential(client_id: str) -> DefaultAzureCredential:
    """The identity that a Function App has. `client_id` chooses among several; empty: the system's.

    A user-assigned identity is not found without it.
    """
    from azure.identity.aio import DefaultAzureCredential

    return DefaultAzureCredential(managed_identity_client_id=client_id) if client_id else DefaultAzureCredential()


def service_bus_options(namespace: str) -> dict[str, Any]:
    """What the client is told besides a namespace: where it is, if that names a port, and whom this process trusts.

    The client knows one port of its own and brings its own authorities; `SSL_CERT_FILE` counts for everything else.
    """
    from azure.servicebus import TransportType

    options: dict[str, Any] = {}
    if ":" in namespace:
        options = {"custom_endpoint_address": f"sb://{namespace}", "transport_type": TransportType.Amqp}
    if trusted := ssl.get_default_verify_paths().cafile:
        options["connection_verify"] = trusted
    return options
