"""The carriers' provider: EasyPost's trackers, through the official package.

The package is synchronous, so each call has a thread. A parcel that is followed already has the same tracker again, so
a call whose answer was lost is simply made once more.
Source: EasyPost API reference, "Trackers", "Events", "Webhook authentication".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from blueprints.shipping.declaration import (
    EASYPOST_API_BASE,
    EASYPOST_API_KEY,
    EASYPOST_TIMEOUT_SECONDS,
    EASYPOST_WEBHOOK_SECRET,
)
from blueprints.shipping.domain import RANK, Tracking
from shared.errors import InvalidRequest, PayloadTooLarge, Rejected, Transient
from shared.faultpoints import crash_point
from shared.settings import settings
from shared.telemetry.span import HTTP, dependency
from shared.web.body import MAX_BODY

if TYPE_CHECKING:
    from easypost import EasyPostClient

SIGNATURE = "X-Hmac-Signature"


@dataclass(frozen=True, slots=True)
class News:
    """What a carrier says of a parcel. What it says in words that are not known here is `unknown`: it is no news."""

    tracker_id: str
    tracking: Tracking


class _Tracker(msgspec.Struct):
    """The part of EasyPost's tracker that is read, in answers and in webhooks."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    status: str = "unknown"


class _Result(msgspec.Struct):
    object: str = ""


class _Event(msgspec.Struct):
    result: _Result


class _TrackerEvent(msgspec.Struct):
    result: _Tracker


async def follow(carrier: str, tracking_number: str) -> News:
    """Have the provider follow a parcel. Raises Rejected for one that no carrier of that name can have."""
    return await _ask(
        "follow", lambda client: client.tracker.create(tracking_code=tracking_number, carrier=carrier).to_dict()
    )


async def look(tracker_id: str) -> News:
    """What is known of a parcel that is followed. Raises Rejected for one that is not."""
    return await _ask("look", lambda client: client.tracker.retrieve(tracker_id).to_dict())


def read_webhook(payload: bytes, signature: str) -> News | None:
    """What the provider tells of a parcel, if it is the provider; `None` where it tells something else.

    Raises PayloadTooLarge, and InvalidRequest for a signature that is not its own, and for an event whose shape is not
    the provider's.
    """
    from easypost.util import validate_webhook

    if len(payload) > MAX_BODY:
        raise PayloadTooLarge(f"the body may have at most {MAX_BODY} bytes")
    try:
        validate_webhook(payload, {SIGNATURE: signature}, settings().text(EASYPOST_WEBHOOK_SECRET))
    except Exception as exc:  # whatever a made-up header makes the package raise, it is not the provider's signature
        raise InvalidRequest("the webhook is not signed by the provider", code="invalid-signature") from exc
    try:
        if msgspec.json.decode(payload, type=_Event).result.object != "Tracker":
            return None
        return _news(msgspec.json.decode(payload, type=_TrackerEvent).result)
    except (msgspec.MsgspecError, RecursionError) as exc:
        raise InvalidRequest("the webhook is not an event of the provider", code="malformed-webhook") from exc


def close() -> None:
    """Give the connections back; the next call makes new ones."""
    if _client.cache_info().currsize:
        _client()._requests_session.close()
    _client.cache_clear()


@cache
def _client() -> EasyPostClient:
    import easypost

    return easypost.EasyPostClient(
        settings().text(EASYPOST_API_KEY),
        api_base=settings().text(EASYPOST_API_BASE),
        timeout=int(settings().seconds(EASYPOST_TIMEOUT_SECONDS)) or 1,
    )


async def _ask(name: str, call: Callable[[EasyPostClient], Any]) -> News:
    """Translates errors: what may pass is Transient."""
    from easypost import errors

    address = settings().text(EASYPOST_API_BASE).partition("://")[2]
    crash_point("carrier.before", name)
    try:
        with dependency(HTTP, f"easypost {name}", address.partition("/")[0]):
            found = await asyncio.to_thread(call, _client())
        return _news(msgspec.convert(found, _Tracker))
    except (errors.BadRequestError, errors.InvalidRequestError, errors.NotFoundError) as exc:
        # Its own words may repeat what was sent.
        raise Rejected(f"the carriers' provider refuses ({exc.code})", code="provider-refused") from exc
    except (errors.EasyPostError, msgspec.ValidationError) as exc:
        raise Transient("the carriers' provider does not answer at present") from exc
    finally:
        crash_point("carrier.after", name)


def _news(tracker: _Tracker) -> News:
    known: dict[str, Tracking] = {name: name for name in RANK}
    return News(tracker.id, known.get(tracker.status, "unknown"))
