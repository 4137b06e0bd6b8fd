"""Which redirect URIs and browser origins belong to a registered one.

They are compared character by character, save that the port of `http://localhost` is ignored: "Redirect URI (reply URL)
best practices and limitations", section "Localhost exceptions"
(https://learn.microsoft.com/entra/identity-platform/reply-url), after RFC 8252, section 7.3.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

LOCALHOST = re.compile(r"http://localhost(?::[0-9]{1,5})?(?=[/?]|\Z)")


def matches(registered: str, asked: str) -> bool:
    """Whether an answer may be sent to `asked`."""
    return registered == asked or (_local(registered) is not None and _local(registered) == _local(asked))


def admits(registered: str, browser_origin: str) -> bool:
    """Whether pages of this origin (the header `Origin`) are of the application that registered the address."""
    own = origin(registered)
    return own == browser_origin or (own is not None and _local(own) is not None and _local(browser_origin) == "")


def origin(uri: str) -> str | None:
    """`scheme://host:port`; None for a private scheme such as `com.example.app:/done`, which no page is served from."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else None


def fault(uri: str) -> str | None:
    """Why the address cannot be registered, or None (RFC 6749, section 3.1.2: absolute, without a fragment)."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "is malformed"
    if not parts.scheme or not (parts.netloc or parts.path):
        return "is not absolute"
    if "#" in uri:
        return "has a fragment"
    if "*" in uri or re.search(r"[\s;,'\"]", uri) or "@" in parts.netloc:
        return "has a character that is not taken here"
    return None


def _local(uri: str) -> str | None:
    """What comes after `http://localhost:<port>`; None for an address elsewhere."""
    start = LOCALHOST.match(uri)
    return None if start is None else uri[start.end() :]
