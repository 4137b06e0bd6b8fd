"""What the lists of the HTTP API are asked for: filters, the size of a page, and where the next page begins."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from aiohttp import web

from localazure.durable.model import Status
from localazure.durable.store import Filter, Place

CONTINUATION = "x-ms-continuation-token"
_STATUSES = {"Running", "Pending", "Failed", "Completed", "Terminated", "Suspended", "Canceled", "ContinuedAsNew"}


def flag(request: web.Request, name: str, default: bool = False) -> bool:
    text = request.query.get(name)
    return default if text is None else text.lower() == "true"


def moment(request: web.Request, name: str, default: str) -> str:
    """A moment of the query as the hub writes moments. Raises ValueError."""
    text = request.query.get(name)
    if not text:
        return default
    try:
        parsed = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise ValueError(f"{name} must be an RFC 3339 moment, not '{text}'") from None
    return written(parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC))


def written(moment: datetime) -> str:
    """As `Core.now` writes moments, so that they compare as strings."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def instances(request: web.Request) -> Filter:
    """Which instances a list or a purge is about. Raises ValueError."""
    named = [name for name in request.query.get("runtimeStatus", "").split(",") if name]
    if unknown := set(named) - _STATUSES:
        raise ValueError(f"unknown runtimeStatus {', '.join(sorted(unknown))}")
    return Filter(
        cast("Sequence[Status]", named),
        moment(request, "createdTimeFrom", ""),
        moment(request, "createdTimeTo", "~"),
        request.query.get("instanceIdPrefix", ""),
    )


def page_size(request: web.Request, most: int) -> int:
    """`top`, up to `most`. Raises ValueError."""
    wanted = int(request.query.get("top", str(most)))
    if wanted < 1:
        raise ValueError("top must be at least 1")
    return min(wanted, most)


def place(request: web.Request) -> Place | None:
    """Where the page begins: after what the page before ended with. Raises ValueError."""
    token = request.headers.get(CONTINUATION)
    if not token:
        return None
    try:
        moment, identifier = json.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError, TypeError):
        raise ValueError(f"{CONTINUATION} is not a token that was given out") from None
    return Place(str(moment), str(identifier))


def following(last: Place) -> dict[str, str]:
    """The header that leads to the page after `last`."""
    return {CONTINUATION: base64.urlsafe_b64encode(json.dumps(list(last)).encode()).decode()}
