"""Entra's tokens in the place of a signature: an identity sends where it has the role at the resource.

Sources: "Authenticate to Azure Communication Services", Microsoft Entra; "Azure built-in roles", Communication and
Email Service Owner, which is the only one that sends.
"""

from __future__ import annotations

from localazure.email.errors import Forbidden, Unauthenticated, Unavailable
from localazure.identities import check_roles, load
from localazure.verifier import InvalidToken, KeysUnavailable, Verifier

RESOURCE = "email"
SCHEME = "Bearer "
AUDIENCES = ("https://communication.azure.com", "https://communication.azure.com/")
_ROLES = frozenset({"Communication and Email Service Owner"})


def able(path: str) -> frozenset[str]:
    """The principals of a file of identities that may send.

    Raises ValueError for one that cannot be read, or has a role that is not known here.
    """
    found = load(path)
    check_roles(found, RESOURCE, _ROLES)
    held = found.assignments(RESOURCE)
    return frozenset(principal for principal, given in held.items() if any(each.covers("") for each in given))


class Senders:
    """Whose tokens are taken. `document` is the issuer's OpenID Connect discovery document; without one nobody's."""

    def __init__(self, verifier: Verifier, document: str, able: frozenset[str]) -> None:
        self._verifier, self._document, self._able = verifier, document, able

    async def check(self, token: str) -> None:
        """Raises Unauthenticated for a token that proves nothing, Forbidden, and Unavailable."""
        if not self._document:
            raise Unauthenticated("Tokens are not taken: the option entra of email names no issuer.")
        try:
            claims = await self._verifier.identity(token, self._document, AUDIENCES)
        except KeysUnavailable as exc:
            raise Unavailable("The issuer of the token cannot be asked for its keys.") from exc
        except InvalidToken as exc:
            raise Unauthenticated(f"The token is not valid ({exc.reason}): {exc}") from exc
        if str(claims.get("oid", "")) not in self._able:
            raise Forbidden("The identity has no role that lets it send.")
