"""Which pages of a browser may read which answers (the CORS protocol of https://fetch.spec.whatwg.org).

The keys and the discovery document are for anyone. Tokens are for the pages of public clients, known by the origins of
their redirect URIs; a page from elsewhere is refused with the number Entra uses.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from localazure.entra.errors import InvalidRequest

HEADERS = "accept, authorization, cache-control, client-request-id, content-type, x-requested-with"
MAX_AGE = "600"  # seconds a browser may remember the answer to a preflight


@dataclass(frozen=True)
class CrossOrigin:
    """`anyone` and `clients` are paths as they are routed; `is_known`: whether an origin is a public client's."""

    anyone: Collection[str]
    clients: Collection[str]
    is_known: Callable[[str], bool]

    async def reveal(self, request: web.Request, answer: web.StreamResponse) -> None:
        """Says who may read the answer, be it a success or a refusal. Runs before any answer is sent."""
        path, origin = _path(request), request.headers.get("Origin")
        if path in self.anyone:
            answer.headers["Access-Control-Allow-Origin"] = "*"
        elif path in self.clients:
            answer.headers["Vary"] = "Origin"
            if origin is not None and self.is_known(origin):
                answer.headers["Access-Control-Allow-Origin"] = origin

    def guard(self) -> Middleware:
        """Refuses what a stranger's page asks for, before it is done."""

        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            origin = request.headers.get("Origin")
            if _path(request) in self.clients and origin is not None and not self.is_known(origin):
                raise InvalidRequest(
                    9002326,
                    "Cross-origin token redemption is permitted only to pages at the redirect URIs of public clients. "
                    f"Request origin: '{origin}'.",
                )
            return await handler(request)

        return middleware


def preflight(methods: str) -> Handler:
    """The answer to OPTIONS for an address that takes these methods."""

    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Methods": methods,
                "Access-Control-Allow-Headers": HEADERS,
                "Access-Control-Max-Age": MAX_AGE,
            },
        )

    return handler


def _path(request: web.Request) -> str | None:
    resource = request.match_info.route.resource
    return None if resource is None else resource.canonical
