"""The authorization header: an HMAC over what is asked for, made with the account's master key.

Source: "Access control on Azure Cosmos DB resources" (REST reference).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qs, unquote

from localazure.cosmos.errors import Forbidden, Unauthorized


class Signatures:
    """Checks requests against the account's master key, and against keys that are good for one database each.

    All keys are base64. The second kind stands for what a role assignment on a database does on Azure.
    """

    def __init__(self, key: str, database_keys: Mapping[str, str] | None = None) -> None:
        self._key = base64.b64decode(key)
        self._databases = {name: base64.b64decode(value) for name, value in (database_keys or {}).items()}

    def check(self, authorization: str, method: str, path: str, date: str) -> None:
        """Raises Unauthorized, or Forbidden for a key of another database. `path` is still percent-encoded."""
        fields = parse_qs(unquote(authorization), keep_blank_values=True, separator="&")
        kind = fields.get("type", [""])[0]
        if kind == "aad":
            raise Unauthorized("Microsoft Entra tokens are not supported by the local server; use the account's key")
        if kind != "master":
            raise Unauthorized("the authorization header is missing or is no master-key signature")
        given = unquote(authorization).partition("&sig=")[2]
        resource, link = signed_resource(path)
        text = f"{method.lower()}\n{resource}\n{link}\n{date.lower()}\n\n"
        if _signs(self._key, text, given):
            return
        for name, key in self._databases.items():
            if _signs(key, text, given):
                if link and link.split("/")[:2] != ["dbs", name]:
                    raise Forbidden(f"this key is good for the database {name} alone, not for {link}")
                return
        raise Unauthorized("the MAC signature found in the HTTP request is not the same as the computed signature")


def _signs(key: bytes, text: str, given: str) -> bool:
    expected = base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()
    return hmac.compare_digest(given.encode(), expected.encode())


def signed_resource(path: str) -> tuple[str, str]:
    """The resource type and link that are signed: of a feed, its parent's link."""
    parts = [part for part in path.strip("/").split("/") if part]
    if not parts:
        return "", ""
    if parts[-2:-1] == ["operations"]:
        # an operation on a container is signed as the container itself
        parts = parts[:-2]
    if len(parts) % 2:
        return parts[-1].lower(), unquote("/".join(parts[:-1]))
    return parts[-2].lower(), unquote("/".join(parts))
