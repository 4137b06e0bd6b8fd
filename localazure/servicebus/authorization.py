"""Who may do what: rights, the keys that carry them, and the grant that a token is good for.

Source: "Service Bus access control with Shared Access Signatures".
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SEND, LISTEN, MANAGE = RIGHTS = ("Send", "Listen", "Manage")


@dataclass(frozen=True)
class AuthorizationRule:
    """A named pair of keys of a queue or topic, each good for the same rights. Times are as they are told in XML."""

    name: str
    rights: tuple[str, ...]
    primary: str = field(repr=False)
    secondary: str = field(repr=False)
    created: str = ""
    modified: str = ""

    def check(self) -> None:
        """Raises ValueError."""
        if not self.name or not self.rights or not set(self.rights) <= set(RIGHTS):
            raise ValueError(f"the authorization rule '{self.name}' needs a name and rights among {', '.join(RIGHTS)}")
        if MANAGE in self.rights and len(set(self.rights)) < len(RIGHTS):
            raise ValueError(
                f"the authorization rule '{self.name}': Manage includes Send and Listen, which are missing"
            )


def new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def to_json(rules: Iterable[AuthorizationRule]) -> list[dict[str, Any]]:
    return [dict(vars(rule)) for rule in rules]


def from_json(told: Iterable[Mapping[str, Any]]) -> tuple[AuthorizationRule, ...]:
    return tuple(AuthorizationRule(**{**rule, "rights": tuple(rule["rights"])}) for rule in told)


@dataclass(frozen=True)
class Grant:
    """What a token allows until it expires: in some entities (by their root), or everywhere for `None`."""

    rights: frozenset[str]
    expires: float
    entities: frozenset[str] | None = None

    def allows(self, path: str, right: str | None, now: float) -> bool:
        """Whether it gives a right (`None`: any at all) to what is at a path; an empty path is any place."""
        if self.expires < now or (path and self.entities is not None and root(path) not in self.entities):
            return False
        return right is None or right in self.rights


def root(path: str) -> str:
    """The queue or topic that a path leads into, in lower case: of a subscription, a dead-letter queue, a node."""
    return path.lower().partition("/$")[0].partition("/subscriptions/")[0]
