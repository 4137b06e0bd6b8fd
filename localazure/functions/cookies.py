"""Set-Cookie as it leaves Azure: taken apart by the Python worker, put together again by ASP.NET Core.

Domain and path are always there, empty or not; attributes are in lower case and in an order of their own; a value is
percent-encoded; the day of the week of `expires` is worked out anew.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http.cookies import Morsel
from urllib.parse import quote

_SAME_SITE = frozenset({"lax", "strict", "none"})


def written(cookie: Morsel[str]) -> str:
    """Raises ValueError for an attribute that cannot be read, which makes the whole answer a 500."""
    text = f"{cookie.key}={quote(cookie.value, safe='-._~')}"
    if cookie["expires"]:
        text += f"; expires={format_datetime(_time(cookie['expires']), usegmt=True)}"
    if cookie["max-age"]:
        text += f"; max-age={_age(cookie['max-age'])}"
    text += f"; domain={cookie['domain']}; path={cookie['path']}"
    if cookie["secure"]:
        text += "; secure"
    if cookie["samesite"].lower() in _SAME_SITE:
        text += f"; samesite={cookie['samesite'].lower()}"
    return text + ("; httponly" if cookie["httponly"] else "")


def _age(text: str) -> int:
    age = float(text)
    if not 0 <= age < float("inf"):
        raise ValueError(f"a cookie cannot have the age {text!r}")
    return int(age)


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = parsedate_to_datetime(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
