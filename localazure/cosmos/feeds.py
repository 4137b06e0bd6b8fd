"""The change feed over the REST API: of one physical range at a time, the last versions or all of them.

Sources: "Change feed in Azure Cosmos DB", "List Documents" in the REST reference; the source of azure-cosmos 4.17.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime

from aiohttp import web

from localazure.cosmos import requests
from localazure.cosmos.answers import headers, list_response
from localazure.cosmos.charges import feed
from localazure.cosmos.errors import BadRequest
from localazure.cosmos.items import Item, Version
from localazure.cosmos.model import Container, FeedRange
from localazure.cosmos.physical import PhysicalRange
from localazure.cosmos.service import Service

_MAX_WAIT = 60.0
_LATEST, _ALL = "incremental feed", "full-fidelity feed"


class Feeds:
    """Answers to reads of a change feed."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._account = service.account

    async def answer(self, request: web.Request, container: Container) -> web.StreamResponse:
        mode = request.headers.get("A-IM", "")
        if mode.lower() not in (_LATEST, _ALL):
            raise BadRequest(f"the change feed mode '{mode}' is not supported by the local server")
        every = mode.lower() == _ALL
        if every and not container.retention:
            raise BadRequest(f"{mode} needs a container with a change feed policy (retentionDuration, in minutes)")
        place, part, after = self._place(request, container, every)
        texts, lsn = self._read(request, container, place, part, after, every)
        wait = requests.number(request, "x-localazure-wait-ms", 0)
        if not texts and wait:
            await self._account.changed(container, min(wait / 1000, _MAX_WAIT))
            place, part, _ = self._place(request, container, every)  # it may have been split meanwhile
            texts, lsn = self._read(request, container, place, part, after, every)
        charge = feed(sum(map(len, texts)))
        self._service.charge(container, "feed", charge)
        found = headers(container, charge, f'"{lsn}"', (place,))
        found["x-localazure-waited"] = "true"
        if not texts:
            return web.Response(status=304, headers={**found, "x-ms-item-count": "0"})
        return list_response(container.rid, "Documents", texts, found)

    def _place(self, request: web.Request, container: Container, every: bool) -> tuple[PhysicalRange, FeedRange, int]:
        """Which physical range is read, which part of it, and after which LSN. Raises BadRequest, Gone."""
        part = requests.part(request, container)
        ranges = container.ranges_of(part)
        if len(ranges) != 1:
            raise BadRequest(
                f"a change feed is read from one physical range at a time, by {requests.RANGE}: this part of the "
                f"container lies in {len(ranges)}"
            )
        return ranges[0], part, self._start(request, ranges[0], every)

    def _read(
        self, request: web.Request, container: Container, place: PhysicalRange, part: FeedRange, after: int, every: bool
    ) -> tuple[list[str], int]:
        size = requests.wanted(request).size
        if every:
            versions, lsn = self._account.versions(container, place, part, after, size)
            return [_version(version) for version in versions], lsn
        items, lsn = self._account.changes(container, place, part, after, size)
        return _numbered(items), lsn

    def _start(self, request: web.Request, place: PhysicalRange, every: bool) -> int:
        given = request.headers.get("If-None-Match")
        if given == "*":
            return place.lsn
        if given is not None:
            try:
                return int(given.strip('"'))
            except ValueError as exc:
                raise BadRequest("If-None-Match is no place in this change feed") from exc
        if every:
            raise BadRequest("a feed of all versions begins now, or goes on where it was: it has no beginning")
        since = request.headers.get("If-Modified-Since")
        if since is None:
            return 0
        try:
            moment = parsedate_to_datetime(since)
        except ValueError as exc:
            raise BadRequest("If-Modified-Since is not a date") from exc
        return self._account.lsn_at(place, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())


def _numbered(items: Sequence[Item]) -> list[str]:
    """The items' texts, each with the number of its change."""
    return [f'{item.text[:-1]},"_lsn":{item.lsn}}}' for item in items]


def _version(version: Version) -> str:
    about = {"operationType": version.kind, "lsn": version.lsn, "crts": version.ts}
    if version.kind == "delete":
        about["timeToLiveExpired"] = version.expired
    previous = f',"previous":{version.previous}' if version.previous else ""
    return f'{{"current":{version.text or "{}"}{previous},"metadata":{json.dumps(about)}}}'
