"""What the HTTP API reads from a query: names in any letter case, values that mean nothing left out.

Source: `HttpRequestMessageExtensions` and the `TryGet…QueryParameterValue` methods of the Durable extension.
"""

from __future__ import annotations

import base64
import binascii
import math
from datetime import UTC, datetime
from typing import cast, get_args
from urllib.parse import unquote_plus

from localazure.durable.core import written
from localazure.durable.model import FINISHED, Status
from localazure.durable.store import Filter

CONTINUATION = "x-ms-continuation-token"
STATUSES: frozenset[str] = frozenset({*get_args(Status), "Canceled"})
_FORMS = ("%m/%d/%Y", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%Y/%m/%d", "%Y/%m/%d %H:%M:%S")
"""What a moment may look like beside RFC 3339."""


class Query:
    """The query of a request."""

    def __init__(self, raw: str) -> None:
        self._values: dict[str, list[str]] = {}
        for part in raw.split("&") if raw else ():
            name, equals, value = part.partition("=")
            if not equals:
                name, value = "", name
            self._values.setdefault(_decoded(name).lower(), []).append(_decoded(value))

    def text(self, name: str) -> str | None:
        """The value; of several, all of them with commas between."""
        values = self._values.get(name.lower())
        return None if values is None else ",".join(values)

    def flag(self, name: str, default: bool = False) -> bool:
        """`true` or `false`; anything else is the default."""
        return {"true": True, "false": False}.get((self.text(name) or "").strip().lower(), default)

    def number(self, name: str) -> int | None:
        """An integer; anything else is none."""
        text = (self.text(name) or "").strip()
        return int(text) if text.lstrip("+-").isdecimal() and len(text) < 11 and text.isascii() else None

    def seconds(self, name: str) -> float | None:
        """A number of seconds; anything else is none."""
        try:
            value = float(self.text(name) or "")
        except ValueError:
            return None
        return value if math.isfinite(value) else None

    def moment(self, name: str) -> str | None:
        """A moment as the hub writes them, UTC unless it says otherwise; anything else is none."""
        text = (self.text(name) or "").strip()
        parsed = _moment(text)
        return None if parsed is None else written(parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC))

    def statuses(self) -> list[str]:
        """The statuses named, in their exact spelling; other words are left out."""
        named = (self.text("runtimeStatus") or "").split(",")
        return [name.strip() for name in named if name.strip() in STATUSES]

    def instances(self) -> Filter:
        """Which instances a list is about."""
        return Filter(
            cast("list[Status]", self.statuses()),
            self.moment("createdTimeFrom") or "",
            self.moment("createdTimeTo") or "~",
            self.text("instanceIdPrefix") or "",
        )

    def page_size(self, usual: int, most: int) -> int:
        """`top`, up to `most`; the `usual` size where it is not given. Raises ValueError."""
        wanted = self.number("top")
        if wanted is not None and wanted < 0:
            raise ValueError("top must not be negative")
        return usual if wanted is None else min(wanted, most)


def finished_only(statuses: list[str]) -> list[str]:
    """The statuses named that are final: all that a purge heeds."""
    return [name for name in statuses if name in FINISHED or name == "Canceled"]


def begins(token: str | None) -> str:
    """The id with which a page begins. Raises ValueError."""
    if not token:
        return ""
    try:
        return base64.b64decode(token.split(" ")[0], validate=True).decode()
    except (binascii.Error, ValueError):
        raise ValueError(f"{CONTINUATION} is not a token that was given out") from None


def following(identifier: str) -> dict[str, str]:
    """The header that leads to the page which begins with an id."""
    return {CONTINUATION: base64.b64encode(identifier.encode()).decode() + " "}


def _decoded(text: str) -> str:
    return unquote_plus(text.strip())


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for form in _FORMS:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return None
