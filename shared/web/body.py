"""Reading a request body: its size first, then its media type, then every field of it."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, TypeVar

import azure.functions as func
import msgspec

from shared.errors import InvalidRequest, PayloadTooLarge, Unprocessable, UnsupportedMediaType
from shared.patterns import ORDER_ID, whole
from shared.web.operation import PathParameter, Upload

MAX_BODY = 262_144
"""Bytes. An order of 1,000 lines takes about 60 KB."""

SKU = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,38}[A-Za-z0-9._-])?")
"""Cosmos DB takes no id that ends with a blank."""
ORDER = PathParameter("order_id", "The order's id.", ORDER_ID, "ord_7x3kq5n2w4m6r5t3y2u7i4o6p5")
PRODUCT = PathParameter("sku", "Stock keeping unit.", SKU, "85123A")
Sku = Annotated[str, msgspec.Meta(pattern=whole(SKU.pattern), description="Stock keeping unit")]
Quantity = Annotated[int, msgspec.Meta(ge=1, le=100_000, description="Pieces")]
Why = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=500, pattern=r"[^\x00-\x20\x7f]", description="Why you do it; it is kept."),
]

T = TypeVar("T", bound=msgspec.Struct)


class Because(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why somebody with special rights does what they do."""

    why: Why


class Uploaded(msgspec.Struct, frozen=True):
    """A body that is a file."""

    media_type: str
    content: bytes


def read_body(request: func.HttpRequest, shape: type[T]) -> T:
    """The body as `shape`. Raises PayloadTooLarge, UnsupportedMediaType or InvalidRequest, which says where."""
    _, content = _read(request, ("application/json",), MAX_BODY)
    try:
        return msgspec.json.decode(content, type=shape)
    except msgspec.ValidationError as exc:
        raise InvalidRequest(without_values(exc)) from exc
    except (msgspec.DecodeError, RecursionError, UnicodeError) as exc:
        raise InvalidRequest("the body is not valid JSON", code="malformed-json") from exc


def read_upload(request: func.HttpRequest, upload: Upload) -> Uploaded:
    """The body as it is. Raises PayloadTooLarge, UnsupportedMediaType; InvalidRequest for none at all."""
    media_type, content = _read(request, upload.media_types, upload.max_bytes)
    if not content:
        # the host gives nothing of a body that comes in chunks
        raise InvalidRequest("the body is empty; send the file, and its size as Content-Length")
    return Uploaded(media_type, content)


def _read(request: func.HttpRequest, media_types: tuple[str, ...], max_bytes: int) -> tuple[str, bytes]:
    """The media type and the content: of the size first. Raises PayloadTooLarge, UnsupportedMediaType."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise PayloadTooLarge(f"the body may have at most {max_bytes} bytes")
    content = request.get_body()
    if len(content) > max_bytes:
        raise PayloadTooLarge(f"the body may have at most {max_bytes} bytes")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in media_types:
        raise UnsupportedMediaType(f"send the body as Content-Type: {' or '.join(media_types)}")
    return media_type, content


def without_values(error: msgspec.ValidationError) -> str:
    """What is wrong and where, without what was sent: a card number in the wrong place must not come back.

    The name of an unknown field is told where it is a name.
    """
    reason = str(error)
    named = re.search(r"unknown field `([A-Za-z_]{1,40})`(?= - at `\$|$)", reason)
    field = f"unknown field `{named[1]}`" if named else "an unknown field"
    reason = re.sub(r"unknown field `.*`(?= - at `\$|$)", field, reason, flags=re.DOTALL)
    return re.sub(r"Invalid enum value .*?(?= - at `\$|$)", "Not one of the values allowed", reason, flags=re.DOTALL)


def fingerprint(body: msgspec.Struct) -> str:
    """The same text for the same request, however it was spaced or its keys ordered."""
    return hashlib.sha256(msgspec.json.encode(body, order="deterministic")).hexdigest()


def same_request(known: str, asked: str, what: str) -> None:
    """Fingerprints of two requests under one Idempotency-Key. Raises Unprocessable, naming what it would have made."""
    if known != asked:
        raise Unprocessable(
            f"this Idempotency-Key was used for another request; use a new key for a new {what}",
            code="idempotency-key-reused",
        )
