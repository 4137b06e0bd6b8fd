"""Who may be granted which scope on one machine: `infra/entra.json`, whose accounts and clients stay as they are.

A person is granted the scopes of their roles. An application that acts as itself carries them as application roles.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.declaration import ROLES, Service

FILE = "infra/entra.json"


def document(root: Path, services: Sequence[Service]) -> dict[str, Any]:
    """The directory of the local tenant."""
    present = json.loads((root / FILE).read_text(encoding="utf-8"))
    scopes = {
        role: sorted(scope.name for service in services for scope in service.scopes if role in scope.roles)
        for role in ROLES
    }
    return {**present, "scopes": scopes, "clients": [_client(client, scopes) for client in present["clients"]]}


def _client(client: dict[str, Any], scopes: dict[str, list[str]]) -> dict[str, Any]:
    held = [role for role in client.get("roles", ()) if role in scopes]
    return {**client, "roles": held + sorted({scope for role in held for scope in scopes[role]})} if held else client
