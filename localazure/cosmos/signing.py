"""The authorization header: an HMAC over what is asked for, made with the account's master key.

Source: "Access control on Azure Cosmos DB resources" (REST reference).
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import unquote

from localazure.cosmos import rids
from localazure.cosmos.errors import Forbidden, Unauthorized

_TYPE = re.compile(r"(?:^|&)type=([^&]*)")
_ESCAPES = (("%3D", "="), ("%26", "&"), ("%2B", "+"), ("%2F", "/"))
"""All that most clients escape: what has no others needs no parsing."""
LIFETIME = 15 * 60.0
"""Seconds for which a signature is good, before and after its date. Source: the same page."""


class Signatures:
    """Checks requests against the account's master key, and against keys that are good for one database each.

    All keys are base64. The second kind stands for what a role assignment on a database does on Azure. `now` is the
    clients' time, in seconds since the Unix epoch.
    """

    def __init__(self, key: str, database_keys: Mapping[str, str] | None, now: Callable[[], float]) -> None:
        self._key = base64.b64decode(key)
        self._databases = {name: base64.b64decode(value) for name, value in (database_keys or {}).items()}
        self._now = now

    def check(self, authorization: str, method: str, path: str, date: str) -> str | None:
        """The database whose key it is, or `None` for the master key. `path` is still percent-encoded.

        Raises Unauthorized, and Forbidden for a signature that is too old.
        """
        plain = _unescaped(authorization)
        named = _TYPE.search(plain)
        kind = "" if named is None else named[1]
        if kind == "aad":
            raise Unauthorized("Microsoft Entra tokens are not supported by the local server; use the account's key")
        if kind != "master":
            raise Unauthorized("the authorization header is missing or is no master-key signature")
        given = plain.partition("&sig=")[2]
        owner = self._signer(method, path, date, given)
        self._check_date(date)
        return owner

    def _signer(self, method: str, path: str, date: str, given: str) -> str | None:
        for resource, link in signed_resources(path):
            text = f"{method.lower()}\n{resource}\n{link}\n{date.lower()}\n\n"
            if _signs(self._key, text, given):
                return None
            for name, key in self._databases.items():
                if _signs(key, text, given):
                    return name
        raise Unauthorized("the MAC signature found in the HTTP request is not the same as the computed signature")

    def _check_date(self, date: str) -> None:
        signed = _moment(date)
        if abs(self._now() - signed) > LIFETIME:
            raise Forbidden(
                "The authorization token is not valid at the current time. Please create another token and retry: it "
                f"is good for {LIFETIME / 60:g} minutes around its date, {date}"
            )


@lru_cache(maxsize=64)
def _moment(date: str) -> float:
    """Seconds since the Unix epoch; clients ask many times a second. Raises Unauthorized."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError) as exc:
        raise Unauthorized("x-ms-date is missing or is not a date of HTTP") from exc


def _unescaped(authorization: str) -> str:
    for escape, character in _ESCAPES:
        authorization = authorization.replace(escape, character)
    return unquote(authorization)


def _signs(key: bytes, text: str, given: str) -> bool:
    expected = base64.b64encode(hmac.digest(key, text.encode(errors="surrogateescape"), "sha256"))
    return hmac.compare_digest(given.encode(errors="surrogateescape"), expected)


def signed_resources(path: str) -> Iterator[tuple[str, str]]:
    """The resource type and link that are signed: of a feed, its parent's link.

    A path of resource ids is signed by the last of them alone, in lower case.
    """
    parts = [part for part in path.strip("/").split("/") if part]
    if not parts:
        yield "", ""
        return
    if parts[-2:-1] == ["operations"]:
        # an operation on a container is signed as the container itself
        parts = parts[:-2]
    kind, link = (parts[-1], parts[:-1]) if len(parts) % 2 else (parts[-2], parts)
    yield kind.lower(), unquote("/".join(link))
    if len(parts) > 1 and rids.parse(unquote(parts[1])) is not None:
        yield kind.lower(), unquote(link[-1]).lower()
