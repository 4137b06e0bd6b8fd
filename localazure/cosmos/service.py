"""What all handlers share: the account, the faults that are to come, the clock; and what each charges."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from localazure.clock import Clock
from localazure.cosmos.engine import Account
from localazure.cosmos.faults import Faults
from localazure.cosmos.model import Container

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Routes = list[tuple[str, str, Handler]]
"""Method, path and handler."""

CONTAINER = "/dbs/{db}/colls/{coll}"
"""The path of a container; what a path ends with, `/` or nothing, is added where routes are made."""


@dataclass(frozen=True)
class Service:
    account: Account
    clock: Clock
    faults: Faults = field(default_factory=Faults)

    def container(self, request: web.Request) -> Container:
        """The container that the request's path names. Raises NotFound."""
        return self.account.container(request.match_info["db"], request.match_info["coll"])

    def charge(self, request: web.Request, operation: str, units: float) -> None:
        """Enter a charge in the ledger, if the request is about a container."""
        info = request.match_info
        if "coll" in info:
            self.account.ledger.add(info["db"], info["coll"], operation, units)
