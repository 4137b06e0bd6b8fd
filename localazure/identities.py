"""Identities and their role assignments, as the parts that enforce them read them: a JSON file that the app writes.

    {"identities": [{"name", "clientId", "principalId"}],
     "roleAssignments": [{"identity", "resource", "scope", "role"}]}

`resource` is the name of a part, or of what has no part here; `scope` a path within it, `/` for all of it.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import msgspec

SECRET = "LOCALAZURE_IDENTITY_SECRET"  # noqa: S105 - a name
"""Environment of Entra: what the headers of all identities are derived from."""


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A managed identity; tokens name the principal as `oid`."""

    name: str
    client_id: str
    principal_id: str


class Assignment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A role that an identity has at a scope of a resource, and at everything below it."""

    identity: str
    resource: str
    scope: str
    role: str

    def covers(self, path: str) -> bool:
        """Whether it is at `path`, such as `/dbs/orders/colls/answers`, or above it."""
        scope = self.scope.rstrip("/")
        return path == scope or path.startswith(f"{scope}/")


class Identities(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The whole file."""

    identities: tuple[Identity, ...] = ()
    role_assignments: tuple[Assignment, ...] = ()

    def assignments(self, resource: str) -> dict[str, tuple[Assignment, ...]]:
        """By principal id, the roles at the scopes of one resource."""
        return {
            each.principal_id: tuple(
                given for given in self.role_assignments if (given.identity, given.resource) == (each.name, resource)
            )
            for each in self.identities
        }

    def named(self, name: str) -> Identity | None:
        return next((each for each in self.identities if each.name == name), None)


def load(path: str) -> Identities:
    """Read the file; no path: nobody. Raises ValueError for one that is missing, malformed or names nobody."""
    if not path:
        return Identities()
    try:
        found = msgspec.json.decode(Path(path).read_bytes(), type=Identities)
    except (OSError, msgspec.MsgspecError) as exc:
        raise ValueError(f"the file of identities {path} cannot be read: {exc}") from exc
    names = {each.name for each in found.identities}
    for given in found.role_assignments:
        if given.identity not in names:
            raise ValueError(f"the file of identities {path} gives a role to {given.identity}, which is not in it")
        if not given.scope.startswith("/"):
            raise ValueError(
                f"the file of identities {path} has the scope {given.scope!r}, which does not begin with /"
            )
    return found


def check_roles(found: Identities, resource: str, known: frozenset[str]) -> None:
    """Raises ValueError for a role of the resource that is not one of those that its part enforces."""
    for given in found.role_assignments:
        if given.resource == resource and given.role not in known:
            raise ValueError(
                f"the role {given.role!r} is not supported by {resource}; it has {', '.join(sorted(known))}"
            )


def header(secret: str, identity: Identity) -> str:
    """What an app shows to be given this identity's tokens, and no other's."""
    return hmac.digest(secret.encode(), identity.client_id.encode(), hashlib.sha256).hex()
