"""The identities of the services and what each may do: one table, which the local parts enforce and the docs show.

Client and principal ids are this machine's, derived from the service's name: on Azure the deployment gives them. Scopes
are the resource's own: `/dbs/orders`, `/topics/orders/subscriptions/payments`; `/` is all of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from scripts.infrastructure import azure
from shared.declaration import Service

FILE = "infra/identities.json"
SECURITY = "docs/security.md"
_NAMESPACE = uuid.UUID("6f0c9a52-1d8e-4c7b-9e37-2b5d8f41a6c0")
_SCOPES = {
    "database": ("cosmos", "/dbs/{name}"),
    "topic": ("servicebus", "/topics/{name}"),
    "subscription": ("servicebus", "/topics/{topic}/subscriptions/{name}"),
    "secret": ("keyvault", "/secrets/{name}"),
    "email": ("email", "/"),
    "storage": ("storage", "/"),
    "insights": ("insights", "/"),
}
"""What a right is for → the resource, and the scope within it."""


def document(services: Sequence[Service]) -> dict[str, Any]:
    """Identities, and role assignments of theirs."""
    rights = azure.document(list(services))["services"]
    return {
        "identities": [_identity(service.name) for service in services],
        "roleAssignments": [_assignment(service["name"], right) for service in rights for right in service["rights"]],
    }


def table(services: Sequence[Service]) -> str:
    """The role assignments, for the page that shows them."""
    rows = [("identity", "resource", "scope", "role"), ("---",) * 4]
    for given in document(services)["roleAssignments"]:
        rows.append((given["identity"], given["resource"], f"`{given['scope']}`", given["role"]))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _identity(name: str) -> dict[str, str]:
    ids = {kind: str(uuid.uuid5(_NAMESPACE, f"{name} {kind}")) for kind in ("clientId", "principalId")}
    return {"name": name, **ids}


def _assignment(identity: str, right: dict[str, Any]) -> dict[str, str]:
    resource, scope = _SCOPES[right["resource"]]
    return {"identity": identity, "resource": resource, "scope": scope.format(**right), "role": right["role"]}
