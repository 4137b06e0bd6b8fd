"""The authorization header: an HMAC over what is asked for, made with the account's master key.

Source: "Access control on Azure Cosmos DB resources" (REST reference).
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import unquote

from localazure.cosmos import rids
from localazure.cosmos.errors import Forbidden, Unauthorized

_TYPE = re.compile(r"(?:^|&)type=([^&]*)")
MASTER, ENTRA = "master", "aad"
_ESCAPES = (("%3D", "="), ("%26", "&"), ("%2B", "+"), ("%2F", "/"))
"""All that most clients escape: what has no others needs no parsing."""
LIFETIME = 15 * 60.0
"""Seconds for which a signature is good, before and after its date. Source: the same page."""


def credentials(authorization: str) -> tuple[str, str]:
    """What an authorization header has, `MASTER` or `ENTRA`, and the signature or token. Raises Unauthorized."""
    plain = _unescaped(authorization)
    named = _TYPE.search(plain)
    kind = "" if named is None else named[1]
    if kind not in (MASTER, ENTRA):
        raise Unauthorized("the authorization header is missing, or neither a master-key signature nor an Entra token")
    return kind, plain.partition("&sig=")[2]


class Signatures:
    """Checks signatures made with the account's master key, which is base64.

    `now` is the clients' time, in seconds since the Unix epoch.
    """

    def __init__(self, key: str, now: Callable[[], float]) -> None:
        self._key = base64.b64decode(key)
        self._now = now

    def check(self, given: str, method: str, path: str, date: str) -> None:
        """`path` is still percent-encoded. Raises Unauthorized, and Forbidden for a signature that is too old."""
        self._check_signature(method, path, date, given)
        self._check_date(date)

    def _check_signature(self, method: str, path: str, date: str, given: str) -> None:
        for resource, link in signed_resources(path):
            if _signs(self._key, f"{method.lower()}\n{resource}\n{link}\n{date.lower()}\n\n", given):
                return
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
    if len(parts) % 2 == 0 and parts[-2] == "operations":
        # an operation on a container is signed as the container itself; a database may be called so, too
        parts = parts[:-2]
    kind, link = (parts[-1], parts[:-1]) if len(parts) % 2 else (parts[-2], parts)
    yield kind.lower(), unquote("/".join(link))
    if len(parts) > 1 and rids.parse(unquote(parts[1])) is not None:
        yield kind.lower(), unquote(link[-1]).lower()
