"""Who may do what: the account's key everything, an identity what its roles of the data plane allow.

Such a role reads and writes items at its scope; it cannot make, change or drop databases and containers, nor see their
throughput, which is the commonest first failure of a deployment. Sources: "Use data plane role-based access control
with Azure Cosmos DB for NoSQL"; "Data plane roles and actions"; sentences and sub-statuses as users report them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from localazure.cosmos import requests
from localazure.cosmos.errors import Forbidden, Unauthorized, Unavailable
from localazure.cosmos.service import Service
from localazure.cosmos.signing import ENTRA, Signatures, credentials
from localazure.identities import Assignment, Identities, check_roles
from localazure.verifier import InvalidToken, KeysUnavailable, Verifier

RESOURCE = "cosmos"
AUDIENCES = ("https://cosmos.azure.com", "https://cosmos.azure.com/")
_NOT_IN_DATA_PLANE, _METADATA, _DATA = 5300, 5301, 5302
_CONTAINER_STEPS = 4
"""Steps of a path that reach no deeper than a container: `dbs/{database}/colls/{container}`."""
_LEARN = "Learn more: https://aka.ms/cosmos-native-rbac."
_ACCOUNT = "Microsoft.DocumentDB/databaseAccounts"
_CONTAINERS = f"{_ACCOUNT}/sqlDatabases/containers"
READ_METADATA = f"{_ACCOUNT}/readMetadata"
_READER = frozenset(
    {READ_METADATA, f"{_CONTAINERS}/executeQuery", f"{_CONTAINERS}/readChangeFeed", f"{_CONTAINERS}/items/read"}
)
_ROLES = {
    "Cosmos DB Built-in Data Reader": _READER,
    "Cosmos DB Built-in Data Contributor": _READER
    | {f"{_CONTAINERS}/items/{verb}" for verb in ("create", "replace", "upsert", "delete")}
    | {f"{_CONTAINERS}/items/*"},
}
"""Role → its data actions."""
_ITEMS = {
    "create": ("items/create", 0),
    "patch": ("items/replace", 1),
    "read": ("items/read", 2),
    "read-all": ("executeQuery", 3),
    "feed": ("readChangeFeed", 3),
    "delete": ("items/delete", 4),
    "delete-partition": ("items/delete", 4),
    "replace": ("items/replace", 5),
    "query": ("executeQuery", 15),
    "upsert": ("items/upsert", 20),
    "batch": ("items/*", 40),
}
"""What a request does → the data action below the container, and the service's number for it."""


@dataclass(frozen=True)
class Entra:
    """Where tokens are from. `document` is the issuer's OpenID Connect discovery document."""

    verifier: Verifier
    document: str


class Access:
    """Lets a request pass, or says why not."""

    def __init__(self, service: Service, signatures: Signatures, entra: Entra | None, identities: Identities) -> None:
        """Raises ValueError for a role that is not known here."""
        check_roles(identities, RESOURCE, frozenset(_ROLES))
        self._service, self._signatures, self._entra = service, signatures, entra
        self._assignments: Mapping[str, tuple[Assignment, ...]] = identities.assignments(RESOURCE)

    async def check(self, request: web.Request) -> None:
        """Raises Unauthorized for a caller who is not known, Forbidden for what is not theirs, Unavailable where
        Entra does not tell its keys.
        """
        kind, given = credentials(request.headers.get("authorization", ""))
        if kind == ENTRA:
            self._check_roles(request, await self._principal(given))
        else:
            date = request.headers.get("x-ms-date", "")
            self._signatures.check(given, request.method, request.rel_url.raw_path, date)

    async def _principal(self, token: str) -> str:
        if self._entra is None:
            raise Unauthorized("Microsoft Entra tokens are not taken: the option entra of cosmos names no issuer")
        try:
            claims = await self._entra.verifier.identity(token, self._entra.document, AUDIENCES)
        except KeysUnavailable as exc:
            raise Unavailable("The service is currently unavailable: the issuer of the token cannot be asked") from exc
        except InvalidToken as exc:
            raise Unauthorized(f"The Microsoft Entra token is not valid ({exc.reason}): {exc}") from exc
        return str(claims.get("oid", ""))

    def _check_roles(self, request: web.Request, principal: str) -> None:
        steps = [step for step in request.rel_url.raw_path.split("/") if step]
        changes = request.method != "GET" and not (request.method == "POST" and requests.is_query(request))
        if steps and (steps[0].lower() == "offers" or (len(steps) <= _CONTAINER_STEPS and changes)):
            raise Forbidden(
                "Request blocked by Auth localhost : The given request "
                f"[{request.method} {request.path}] cannot be authorized by AAD token in data plane. {_LEARN}",
                _NOT_IN_DATA_PLANE,
            )
        held = self._assignments.get(principal, ())
        if not steps and held:
            return  # every client reads the account first, whatever it may read there
        database, container = self._service.names(request)
        path = "/" + "/".join([*(("dbs", database) if database else ()), *(("colls", container) if container else ())])
        operation = requests.operation(request)
        if operation == "metadata":
            if not _allows(held, path, READ_METADATA):
                raise Forbidden(
                    f"Request blocked by Auth localhost : {_blocked(principal, READ_METADATA)} on resource "
                    f"[{path.strip('/') or '/'}]. {_LEARN}",
                    _METADATA,
                )
            return
        name, number = _ITEMS[operation]
        action = f"{_CONTAINERS}/{name}"
        if not _allows(held, path, action):
            raise Forbidden(
                f"{_blocked(principal, action)} with OperationType [{number}] and ResourceType [2] on resource "
                f"[{path.strip('/')}]. {_LEARN}",
                _DATA,
            )


def _allows(held: tuple[Assignment, ...], path: str, action: str) -> bool:
    return any(given.covers(path) and action in _ROLES[given.role] for given in held)


def _blocked(principal: str, action: str) -> str:
    return (
        f"Request is blocked because principal [{principal}] does not have required RBAC permissions to perform "
        f"action [{action}]"
    )
