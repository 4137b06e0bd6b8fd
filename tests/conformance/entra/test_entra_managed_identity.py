"""The endpoint of managed identities, with the official credential on the other side."""

from __future__ import annotations

from collections.abc import Iterator

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ManagedIdentityCredential
from azure.identity.aio import DefaultAzureCredential
from azure.identity.aio import ManagedIdentityCredential as AsyncManagedIdentityCredential

from localazure.entra import TENANT
from tests.identities import Tenant, tenant

SCOPE = "https://cosmos.azure.com/.default"


@pytest.fixture
def entra(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenant]:
    """Entra, where this process is an app with the identity `orders`."""
    with tenant(tmp_path_factory.mktemp("entra"), "cosmos", [("orders", "/", "reader")]) as made:
        for name, value in made.environment("orders").items():
            monkeypatch.setenv(name, value)
        yield made


def claims(entra: Tenant, token: str) -> dict[str, object]:
    key = jwt.PyJWKClient(f"{entra.url}/{TENANT}/discovery/v2.0/keys").get_signing_key_from_jwt(token)
    return dict(jwt.decode(token, key.key, algorithms=["RS256"], audience="https://cosmos.azure.com"))


async def test_an_app_is_given_tokens_of_its_identity(entra: Tenant) -> None:
    own = claims(entra, ManagedIdentityCredential(client_id="client-orders").get_token(SCOPE).token)
    assert (own["oid"], own["azp"], own["idtyp"]) == ("principal-orders", "client-orders", "app")
    async with AsyncManagedIdentityCredential() as only, DefaultAzureCredential() as found:
        assert claims(entra, (await only.get_token(SCOPE)).token)["oid"] == "principal-orders"
        assert claims(entra, (await found.get_token(SCOPE)).token)["oid"] == "principal-orders"


async def test_another_apps_identity_is_not_to_be_had(entra: Tenant) -> None:
    async with AsyncManagedIdentityCredential(client_id="client-nobody") as other:
        with pytest.raises(ClientAuthenticationError, match="No User Assigned or Delegated Managed Identity"):
            await other.get_token(SCOPE)


async def test_the_secret_of_the_host_is_needed(entra: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "guessed")
    async with AsyncManagedIdentityCredential() as guessed:
        with pytest.raises(ClientAuthenticationError, match="X-IDENTITY-HEADER"):
            await guessed.get_token(SCOPE)


async def test_what_is_not_a_service_of_azure_has_no_tokens(entra: Tenant) -> None:
    async with AsyncManagedIdentityCredential() as own:
        with pytest.raises(ClientAuthenticationError, match="AADSTS500011"):
            await own.get_token("https://localhost/.default")
