"""Entra's tokens in the place of a signature: what the roles of the identity allow, at the scopes they are given for.

Source: "Authenticate and authorize an application with Microsoft Entra ID to access Azure Service Bus entities".
"""

from __future__ import annotations

from dataclasses import dataclass

from localazure.identities import Assignment, Identities, check_roles, load
from localazure.servicebus.authorization import LISTEN, RIGHTS, SEND
from localazure.servicebus.errors import BrokerError, Unauthorized
from localazure.verifier import InvalidToken, KeysUnavailable, Verifier

RESOURCE = "servicebus"
AUDIENCES = ("https://servicebus.azure.net", "https://servicebus.azure.net/")
_ROLES = {
    "Azure Service Bus Data Owner": frozenset(RIGHTS),
    "Azure Service Bus Data Receiver": frozenset({LISTEN}),
    "Azure Service Bus Data Sender": frozenset({SEND}),
}
"""Role → its rights."""


class IssuerUnavailable(BrokerError):
    """Nothing can be said of a token, because its issuer does not tell its keys."""

    status = 503


def read(path: str) -> Identities:
    """The file of identities. Raises ValueError for one that cannot be read or has a role that is not known here."""
    found = load(path)
    check_roles(found, RESOURCE, frozenset(_ROLES))
    return found


@dataclass(frozen=True)
class RoleGrant:
    """What an identity may do until its token expires."""

    assignments: tuple[Assignment, ...]
    expires: float

    def allows(self, path: str, right: str | None, now: float) -> bool:
        """Whether a role gives the right (`None`: any at all) to what is at a path; an empty path is any place."""
        if self.expires < now:
            return False
        held = [given for given in self.assignments if right is None or right in _ROLES[given.role]]
        if not path:
            return bool(held)
        entity = path.lower().partition("/$")[0]
        return any(given.covers(f"/{kind}/{entity}") for given in held for kind in ("topics", "queues"))


class Bearers:
    """Checks tokens of one issuer, whose OpenID Connect discovery document is `document`."""

    def __init__(self, verifier: Verifier, document: str, identities: Identities) -> None:
        self._verifier, self._document = verifier, document
        self._assignments = identities.assignments(RESOURCE)

    async def check(self, token: str) -> RoleGrant:
        """Raises Unauthorized, saying what is wrong, and IssuerUnavailable."""
        try:
            claims = await self._verifier.identity(token, self._document, AUDIENCES)
        except KeysUnavailable as exc:
            raise IssuerUnavailable("The issuer of the token cannot be asked for its keys.") from exc
        except InvalidToken as exc:
            raise Unauthorized(f"InvalidToken: the token is not valid ({exc.reason}): {exc}") from exc
        return RoleGrant(self._assignments.get(str(claims.get("oid", "")), ()), float(claims["exp"]))
