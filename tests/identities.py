"""Identities for the parts that enforce roles: a local Entra that knows some, and tokens of theirs, good or bent."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.core.credentials import AccessToken

from localazure.entra import PART, TENANT
from localazure.identities import header, load
from localazure.part import Config
from localazure.testing import serving

SECRET = "the secret of one run"
CLIENT = {
    "name": "app",
    "client_id": "7b0a1c55-1f5e-4a43-9c1d-0f2f6a1b9e01",
    "oid": "7b0a1c55-1f5e-4a43-9c1d-0f2f6a1b9e02",
    "secret": "app",
    "grants": ["client_credentials"],
}
ROLES = {
    "contributor": "Cosmos DB Built-in Data Contributor",
    "reader": "Cosmos DB Built-in Data Reader",
    "sender": "Azure Service Bus Data Sender",
    "receiver": "Azure Service Bus Data Receiver",
    "owner": "Azure Service Bus Data Owner",
    "mailer": "Communication and Email Service Owner",
}

Role = tuple[str, str, str]
"""Identity, scope, and a word of `ROLES`."""


class Static:
    """A credential with a token that somebody else got, for clients that wait and for those that do not."""

    def __init__(self, token: str) -> None:
        self._token = AccessToken(token, int(time.time()) + 3600)

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return self._token


class AsyncStatic(Static):
    async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:  # type: ignore[override]
        return self._token

    async def close(self) -> None: ...

    async def __aenter__(self) -> AsyncStatic:
        return self

    async def __aexit__(self, *_: object) -> None: ...


@dataclass(frozen=True)
class Tenant:
    """A running Entra, and the file of identities that it and the other parts read."""

    url: str
    file: Path

    @property
    def options(self) -> dict[str, str]:
        """Of a part that takes its tokens."""
        document = f"{self.url}/{TENANT}/v2.0/.well-known/openid-configuration"
        return {"entra": document, "identities": str(self.file)}

    def principal(self, name: str) -> str:
        found = load(str(self.file)).named(name)
        assert found is not None
        return found.principal_id

    def environment(self, name: str) -> dict[str, str]:
        """What an app with the identity finds it by."""
        found = load(str(self.file)).named(name)
        assert found is not None
        return {"IDENTITY_ENDPOINT": f"{self.url}/msi/token", "IDENTITY_HEADER": header(SECRET, found)}

    def token(self, name: str, audience: str, **order: Any) -> str:
        """A token of the identity; `order` bends it, as `POST /_local/tokens` takes it."""
        claims = {"aud": audience, "oid": self.principal(name), **order.pop("claims", {})}
        body = json.dumps({"client": "app", "act_as_client": True, "claims": claims, **order}).encode()
        with urllib.request.urlopen(f"{self.url}/_local/tokens", body, timeout=10) as answer:
            return str(json.load(answer)["access_token"])


@contextmanager
def tenant(folder: Path, resource: str, roles: Sequence[Role]) -> Iterator[Tenant]:
    """An Entra with an identity for each name in `roles`, whose roles are at scopes of the resource."""
    names = [*dict.fromkeys(name for name, _, _ in roles), "nobody"]
    file, accounts = folder / "identities.json", folder / "entra.json"
    file.write_text(
        json.dumps({
            "identities": [
                {"name": name, "clientId": f"client-{name}", "principalId": f"principal-{name}"} for name in names
            ],
            "roleAssignments": [
                {"identity": name, "resource": resource, "scope": scope, "role": ROLES[role]}
                for name, scope, role in roles
            ],
        })
    )  # fmt: skip
    accounts.write_text(json.dumps({"domain": "test.local", "scopes": {}, "accounts": [], "clients": [CLIENT]}))
    options = {"identities": str(file), "accounts": str(accounts), "identity_secret": SECRET}
    with serving(PART, Config(options=options)) as server:
        yield Tenant(server.url, file)
