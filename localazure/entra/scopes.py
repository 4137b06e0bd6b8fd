"""What a `scope` parameter asks for: scopes of the API, `.default`, and OpenID Connect's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from localazure.entra.errors import InvalidRequest, InvalidScope

OPENID_SCOPES = ("openid", "profile", "email", "offline_access")


@dataclass(frozen=True)
class Wanted:
    """A parsed request: scopes of the API by their short names, and which of OpenID Connect's."""

    scopes: tuple[str, ...]
    default: bool
    openid: frozenset[str]

    def granted(self, allowed: Iterable[str]) -> tuple[str, ...]:
        """The part of it that is allowed. Raises InvalidScope where the API was asked for and nothing remains."""
        allowed = tuple(allowed)
        granted = allowed if self.default else tuple(scope for scope in self.scopes if scope in allowed)
        if not granted:
            asked = " ".join(self.scopes) or ".default"
            raise InvalidScope(70011, f"none of the scopes asked for ({asked}) may be granted to this account")
        return granted

    def covers(self, other: Wanted) -> bool:
        """Whether the other asks for nothing beyond this."""
        within = self.default or (not other.default and set(other.scopes) <= set(self.scopes))
        return within and other.openid <= self.openid


def parse(text: str, audience: str, known: Iterable[str]) -> Wanted:
    """Read a space-separated list. Raises InvalidScope for a scope that does not exist, naming it."""
    names = tuple(dict.fromkeys(text.split()))
    if not names:
        raise InvalidRequest(900144, "The request body must contain the following parameter: 'scope'.")
    prefix = f"{audience}/"
    openid = frozenset(names) & set(OPENID_SCOPES)
    ours = [name for name in names if name not in openid]
    for name in ours:
        if not name.startswith(prefix) or name.removeprefix(prefix) not in {".default", *known}:
            raise InvalidScope(
                70011,
                f"The provided value for the input parameter 'scope' is not valid. The scope {name} does not exist; "
                f"this tenant knows {prefix}.default and {prefix}<scope> for {', '.join(known)}.",
            )
    short = tuple(name.removeprefix(prefix) for name in ours)
    default = ".default" in short
    if default and len(short) > 1:
        raise InvalidScope(70011, f"The scope {prefix}.default cannot be combined with scopes of the same resource.")
    if not short:
        raise InvalidScope(
            70011, f"Ask for at least one scope of the API, such as {prefix}.default, beside those of OpenID Connect."
        )
    return Wanted(() if default else short, default, openid)
