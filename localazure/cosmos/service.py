"""What all handlers share: the account, the faults to come, the clock; what a path names, and what each charges."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from localazure.clock import Clock
from localazure.cosmos import rids
from localazure.cosmos.engine import Account
from localazure.cosmos.errors import BadRequest, NotFound
from localazure.cosmos.faults import Faults
from localazure.cosmos.model import Container
from localazure.cosmos.store import Database

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Routes = list[tuple[str, str, Handler]]
"""Method, path and handler."""

DATABASE = "/dbs/{db:[^/]+}"
CONTAINER = f"{DATABASE}/colls/{{coll:[^/]+}}"
"""The path of a container; what a path ends with, `/` or nothing, is added where routes are made."""


@dataclass(frozen=True)
class Service:
    account: Account
    clock: Clock
    faults: Faults = field(default_factory=Faults)
    needs_plans: bool = True
    """Whether queries over all partitions whose results have to be merged are refused without a plan."""

    def database(self, request: web.Request) -> Database:
        """The database that the request's path names, by its id or its resource id. Raises NotFound."""
        name = request.match_info["db"]
        found = self.account.databases.get(name)
        rid = rids.parse(name) if found is None else None
        if rid is not None and rid.kind == "dbs":
            found = next((each for each in self.account.databases.values() if each.number == rid.database), None)
        return self.account.database(name) if found is None else found

    def container(self, request: web.Request) -> Container:
        """The container that the request's path names, by its id or its resource id.

        Raises NotFound, and BadRequest if the client means another one of that id.
        """
        container = self.named(request)
        intended = request.headers.get("x-ms-cosmos-intended-collection-rid")
        if intended and intended != container.rid:
            raise BadRequest(f"the container '{container.id}' is another one than the intended one", 1024)
        return container

    def named(self, request: web.Request) -> Container:
        """As `container`, whichever one the client means. Raises NotFound."""
        database, name = self.database(request), request.match_info["coll"]
        found = database.containers.get(name)
        rid = rids.parse(name) if found is None else None
        if rid is not None and rid.kind == "colls" and rid.database == database.number:
            found = next((each for each in database.containers.values() if each.number == rid.container), None)
        return self.account.container(database.id, name) if found is None else found

    def item_id(self, request: web.Request, container: Container) -> str | None:
        """The id of the item that the path names, `None` for none. Raises NotFound for an unknown resource id.

        Resource ids count in paths that name the container by its own.
        """
        name = request.match_info.get("id")
        if name is None or request.match_info["coll"] == container.id:
            return name
        rid = rids.parse(name)
        if rid is None or (rid.kind, rid.container) != ("docs", container.number):
            raise NotFound(f"there is no item with the resource id '{name}' in '{container.id}'")
        return self.account.item_id(container, rid.number)

    def names(self, request: web.Request) -> tuple[str, str]:
        """The ids of the database and the container that the path names, or `""`, or what it says of unknown ones."""
        info = request.match_info
        names = info.get("db", ""), info.get("coll", "")
        try:
            if "coll" in info:
                container = self.named(request)
                return container.database, container.id
            return (self.database(request).id, "") if "db" in info else names
        except NotFound:
            return names

    def charge(self, container: Container, operation: str, units: float) -> None:
        """Enter a charge in the ledger."""
        self.account.ledger.add(container.database, container.id, operation, units)
