"""The provider on a port of its own, and a client that speaks to its token endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from localazure.clock import SystemClock
from localazure.entra import PART, TENANT
from localazure.part import Config
from localazure.testing import serving

AUDIENCE = "api://durable-commerce"
ACCOUNTS = Path(__file__).parents[3] / "infra" / "entra.json"
"""The app's own."""
KNOWN = {"accounts": str(ACCOUNTS)}


@dataclass
class Provider:
    """What a client knows of the provider: its address, and what discovery says."""

    base: str

    def discovery(self) -> dict[str, Any]:
        answer = requests.get(f"{self.base}/{TENANT}/v2.0/.well-known/openid-configuration", timeout=10)
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        return document

    def ask(self, **parameters: str) -> requests.Response:
        return requests.post(f"{self.base}/{TENANT}/oauth2/v2.0/token", data=parameters, timeout=10)

    def password(self, name: str = "shopper", **parameters: str) -> requests.Response:
        asked = {
            "grant_type": "password",
            "client_id": "scripts",
            "username": name,
            "password": f"local-{name}",
            "scope": f"{AUDIENCE}/.default",
        }
        return self.ask(**(asked | parameters))

    def mint(self, **order: Any) -> str:
        answer = requests.post(f"{self.base}/_local/tokens", json=order, timeout=10)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def verify(self, token: str) -> dict[str, Any]:
        """The claims, checked as an API checks them: keys, issuer and audience as discovery names them."""
        document = self.discovery()
        key = jwt.PyJWKClient(document["jwks_uri"], timeout=10).get_signing_key_from_jwt(token)
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=["RS256"], audience=AUDIENCE, issuer=document["issuer"]
        )
        return claims


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving(PART, Config(options=KNOWN, clock=SystemClock())) as server:
        yield Provider(server.url)
