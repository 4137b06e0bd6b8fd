"""What an answer says: headers that every one has, items, pages, errors."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from aiohttp import web

from localazure.cosmos.changes import Result
from localazure.cosmos.errors import BadRequest, CosmosError
from localazure.cosmos.items import Item
from localazure.cosmos.model import Container
from localazure.cosmos.physical import PhysicalRange

VERSION = "2020-07-15"


def headers(
    container: Container | None,
    charge: float,
    etag: str | None = None,
    ranges: Sequence[PhysicalRange] | None = None,
    more: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """What every answer carries. `ranges` are the physical ranges that it is about, without them all."""
    found = {
        "x-ms-activity-id": _activity(),
        "x-ms-request-charge": f"{charge:g}",
        "x-ms-version": VERSION,
        "x-ms-schemaversion": "1.18",
        **(more or {}),
    }
    if container is not None:
        ranges = container.ranges if ranges is None else ranges
        found["x-ms-session-token"] = ",".join([f"{each.number}:-1#{each.lsn}" for each in ranges])
        found["lsn"] = str(max([each.lsn for each in ranges], default=0))
        found["x-ms-alt-content-path"] = container.path
        found["x-ms-content-path"] = container.rid
        if len(ranges) == 1:
            found["x-ms-documentdb-partitionkeyrangeid"] = ranges[0].id
    if etag is not None:
        found["etag"] = etag
    return found


def _activity() -> str:
    """A random UUID; it tells requests apart and protects nothing."""
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def item_response(container: Container, result: Result, key: str) -> web.Response:
    """One item of the partition, as it now is."""
    item = result.item
    return web.Response(
        status=result.status,
        text=None if item is None else item.text,
        content_type="application/json",
        headers=item_headers(container, result.charge, key, item),
    )


def item_headers(container: Container, charge: float, key: str, item: Item | None) -> dict[str, str]:
    return headers(container, charge, None if item is None else item.etag, (container.range_of(key),))


def list_response(
    rid: str, name: str, texts: list[str], found: Mapping[str, str], more: Mapping[str, str] | None = None
) -> web.Response:
    """A page of a feed: `texts` are the JSON of its entries, `rid` says whose they are, `found` are its headers."""
    text = f'{{"_rid":"{rid}","{name}":[{",".join(texts)}],"_count":{len(texts)}}}'
    every = {**found, "x-ms-item-count": str(len(texts)), **(more or {})}
    return web.Response(text=text, content_type="application/json", headers=every)


def error_response(
    error: CosmosError,
    container: Container | None = None,
    ranges: Sequence[PhysicalRange] | None = None,
    charge: float = 1.0,
) -> web.Response:
    """An error as the client wants it, about these physical ranges of the container."""
    more = {"x-ms-substatus": str(error.substatus)} if error.substatus else {}
    additional = {"additionalErrorInfo": error.additional} if isinstance(error, BadRequest) and error.additional else {}
    return web.json_response(
        {"code": error.code, "message": error.explanation, **additional},
        status=error.status,
        headers=headers(container, charge, None, ranges, more),
    )
