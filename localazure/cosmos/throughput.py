"""Offers over the REST API."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from localazure.cosmos import offers, requests, rids, strict_json
from localazure.cosmos.answers import headers, list_response
from localazure.cosmos.errors import BadRequest, NotFound
from localazure.cosmos.offers import Offer
from localazure.cosmos.service import Routes, Service
from localazure.cosmos.sql.expressions import Bindings
from localazure.cosmos.sql.query import parse

_FIXED = "x-ms-offer-throughput"
_SCALING = "x-ms-cosmos-offer-autopilot-settings"
_TO_MANUAL = "x-ms-cosmos-migrate-offer-to-manual-throughput"
_TO_SCALING = "x-ms-cosmos-migrate-offer-to-autopilot"


def asked(request: web.Request) -> dict[str, Any] | None:
    """The content of the offer that a new database or container is to have; `None` for none. Raises BadRequest."""
    units, settings = request.headers.get(_FIXED), request.headers.get(_SCALING)
    if units is not None and settings is not None:
        raise BadRequest("an offer has a throughput or autopilot settings, not both")
    if units is not None:
        return offers.fixed(requests.number(request, _FIXED, 0))
    if settings is None:
        return None
    document = strict_json.parse(settings.encode(errors="surrogateescape"), _SCALING)
    return offers.scaling(document.get("maxThroughput") if isinstance(document, dict) else document)


class Throughput:
    """Handlers of offers."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._account = service.account

    def routes(self) -> Routes:
        return [
            ("GET", "/offers", self._list),
            ("POST", "/offers", self._query),
            ("GET", "/offers/{id:[^/]+}", self._read),
            ("PUT", "/offers/{id:[^/]+}", self._replace),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        return self._answered([self._described(offer) for offer in self._account.offers.values()])

    async def _query(self, request: web.Request) -> web.Response:
        if not requests.is_query(request):
            raise BadRequest("an offer is made with its database or container")
        text, parameters = requests.question(await requests.body(request))
        found = [self._described(offer) for offer in self._account.offers.values()]
        return self._answered(parse(text).run(found, Bindings(parameters, self._service.clock.time())))

    async def _read(self, request: web.Request) -> web.Response:
        return self._one(self._offer(request))

    async def _replace(self, request: web.Request) -> web.Response:
        old = self._offer(request)
        document = await requests.body(request)
        to_manual, to_scaling = requests.says(request, _TO_MANUAL), requests.says(request, _TO_SCALING)
        content = offers.replaced(old, document, to_manual, to_scaling)
        return self._one(self._account.replace_offer(old, content))

    def _offer(self, request: web.Request) -> Offer:
        name = request.match_info["id"]
        rid = rids.parse(name)
        for offer in self._account.offers.values():
            if rid is not None and rid.kind == "offers" and offer.number == rid.number:
                return offer
        raise NotFound(f"there is no offer '{name}'")

    def _described(self, offer: Offer) -> dict[str, Any]:
        return offer.described(int(self._service.clock.time()))

    def _one(self, offer: Offer) -> web.Response:
        document = self._described(offer)
        found = headers(None, 1.0, document["_etag"], more={"x-ms-offer-replace-pending": "false"})
        return web.json_response(document, headers=found)

    def _answered(self, found: list[Any]) -> web.Response:
        return list_response("", "Offers", [json.dumps(value) for value in found], headers(None, 1.0))
