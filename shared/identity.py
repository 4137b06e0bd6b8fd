"""The app's own identity on Azure, as the SDKs' clients take it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.identity.aio import DefaultAzureCredential


def own_credential(client_id: str) -> DefaultAzureCredential:
    """The identity that a Function App has. `client_id` chooses among several; empty: the system's.

    A user-assigned identity is not found without it.
    """
    from azure.identity.aio import DefaultAzureCredential

    return DefaultAzureCredential(managed_identity_client_id=client_id) if client_id else DefaultAzureCredential()
