"""Who may send: requests are signed with the resource's access key.

Source: "HMAC header-based authentication", Azure Communication Services: the signature is of method, path with query,
date, host and the body's hash.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

from localazure.email.errors import Unauthenticated

SKEW = 300.0
"""Seconds that a signature's date may lie before or behind now."""
_FORM = re.compile(r"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=(?P<signature>[^&\s]+)")


def check(method: str, target: str, headers: Mapping[str, str], body: bytes, key: str, now: float) -> None:
    """Raises Unauthenticated unless the request, whose path and query are `target`, is signed with `key`."""
    found = _FORM.fullmatch(headers.get("Authorization", ""))
    if found is None:
        raise Unauthenticated("Send an Authorization header of the scheme HMAC-SHA256 or Bearer.")
    date, digest = headers.get("x-ms-date", ""), headers.get("x-ms-content-sha256", "")
    try:
        if abs(parsedate_to_datetime(date).timestamp() - now) > SKEW:
            raise Unauthenticated("The date of the signature is too far from now.")
        given = base64.b64decode(found["signature"], validate=True)
    except (ValueError, TypeError, binascii.Error) as exc:
        raise Unauthenticated("The date or the signature cannot be read.") from exc
    if not hmac.compare_digest(digest.encode(), base64.b64encode(hashlib.sha256(body).digest())):
        raise Unauthenticated("The hash of the body is another.")
    text = f"{method}\n{unquote(target)}\n{date};{headers.get('Host', '')};{digest}"
    wanted = hmac.digest(base64.b64decode(key), text.encode("utf-8", "replace"), "sha256")
    if not hmac.compare_digest(given, wanted):
        raise Unauthenticated("The signature is not that of the access key.")
