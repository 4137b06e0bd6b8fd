"""The leases of a change feed, as the change feed processor of the .NET SDK has them: one document a physical range.

Who owns a lease reads its range, and writes into it how far. Each write names the ETag it knows, so of two hosts that
want a lease one gets it; a lease that was not renewed for a while is anybody's.
Sources: `DocumentServiceLeaseCore`, `DocumentServiceLeaseManagerCosmos`, `DocumentServiceLeaseStoreCosmos`,
`EqualPartitionsBalancingStrategy` and `PartitionSynchronizerCore` of azure-cosmos-dotnet-v3.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from localazure.clock import Clock, utc
from localazure.functions.cosmos_account import Account, FeedError, partition, physical_ranges, queried, rid
from localazure.presence import Presence

Lease = dict[str, Any]
LOCK = 30.0
"""Seconds that the first host may take to write the leases."""
_CONFLICTS = 5


class LeaseLost(Exception):
    """Another host owns the lease, or it is there no more."""


@dataclass(frozen=True)
class Intervals:
    """The trigger's, in seconds, with the extension's defaults."""

    acquire: float = 13.0
    renew: float = 17.0
    expiration: float = 60.0


class Leases:
    """The leases of one function's feed, for one host: documents in a container of `account`."""

    def __init__(
        self,
        account: Account,
        database: str,
        container: str,
        prefix: str,
        clock: Clock,
        presence: Presence,
        expiration: float,
        *,
        make: bool,
    ) -> None:
        self._account, self._database, self._container = account, database, container
        self._link = f"{database}/colls/{container}"
        self._prefix, self._make = prefix, make
        self._stem = ""
        self._clock, self._presence, self._expiration = clock, presence, expiration

    @property
    def owner(self) -> str:
        """What this host is called in the leases."""
        return self._presence.run

    async def prepare(self, monitored: Account, container: str) -> bool:
        """See to it that there are leases for the ranges of the monitored container, by its link.

        False where another host is writing them at the moment. Raises FeedError.
        """
        found = await rid(monitored, container)
        self._stem = f"{self._prefix}{monitored.host}_{_database_of(found)}_{found}"
        if await self._read(f"{self._stem}.info") is not None:
            return True
        lock: Lease = {"id": f"{self._stem}.lock", "ttl": int(LOCK)}
        if await self._create(lock) is None and not await self._lock_again(lock):
            return False
        try:
            ranges = await physical_ranges(monitored, container)
            known = {lease["LeaseToken"] for lease in await self.all()}
            for each in ranges:
                if each["id"] not in known:
                    await self.create(each, await self._place_of_old(container, str(each["id"])))
            await self._create({"id": f"{self._stem}.info"})
        finally:
            await self._drop(lock["id"])
        return True

    async def all(self) -> list[Lease]:
        """Raises FeedError."""
        query = "SELECT * FROM c WHERE STARTSWITH(c.id, @stem)"
        return await queried(self._account, self._link, query, {"@stem": f"{self._stem}.."})

    async def create(self, physical: Mapping[str, Any], token: str | None) -> Lease | None:
        """A lease for a physical range that nobody owns yet; `None` where there is one. Raises FeedError."""
        span = {"min": physical["minInclusive"], "max": physical["maxExclusive"]}
        return await self._create(
            {
                "id": f"{self._stem}..{physical['id']}",
                "version": 0,
                "LeaseToken": str(physical["id"]),
                "FeedRange": {"Range": span},
                "Owner": None,
                "ContinuationToken": token,
                "properties": {},
                "timestamp": None,
                "Mode": "Incremental Feed",
            }
        )

    def expired(self, lease: Lease) -> bool:
        """Whether its owner has not renewed it in time."""
        if not lease["Owner"]:
            return True
        text = lease.get("timestamp")
        renewed = datetime.fromisoformat(text).timestamp() if text else float(lease["_ts"])
        return renewed + self._expiration < self._clock.time() or self._presence.gone(lease["Owner"])

    async def acquire(self, lease: Lease) -> Lease:
        """Own it. Raises LeaseLost where another host was faster, FeedError."""
        before = lease["Owner"]
        return await self._update(lease, before, lambda found: {**found, "Owner": self.owner})

    async def renew(self, lease: Lease) -> Lease:
        """Raises LeaseLost, FeedError."""
        return await self._update(lease, self.owner, lambda found: found)

    async def checkpoint(self, lease: Lease, token: str) -> Lease:
        """Write how far the range has been read. Raises LeaseLost, FeedError."""
        return await self._update(lease, self.owner, lambda found: {**found, "ContinuationToken": token})

    async def release(self, lease: Lease) -> None:
        """Raises LeaseLost, FeedError."""
        await self._update(lease, self.owner, lambda found: {**found, "Owner": None})

    async def split(self, lease: Lease, monitored: Account, container: str) -> list[Lease]:
        """Leases for the ranges that have replaced this one's, which has none any more. Raises FeedError."""
        span = lease["FeedRange"]["Range"]
        made = []
        for each in await physical_ranges(monitored, container):
            if each["minInclusive"] < span["max"] and span["min"] < each["maxExclusive"]:
                made.append(await self.create(each, lease["ContinuationToken"]))
        await self._drop(lease["id"])
        return [child for child in made if child is not None]

    async def _update(self, lease: Lease, owner: str | None, change: Callable[[Lease], Lease]) -> Lease:
        for _ in range(_CONFLICTS):
            if lease["Owner"] != owner:
                raise LeaseLost(f"the lease {lease['id']} was taken by {lease['Owner']}")
            path = f"{self._link}/docs/{lease['id']}"
            headers = {"If-Match": lease["_etag"], **partition(lease["id"])}
            wanted = {**change(lease), "timestamp": _written(utc(self._clock))}
            status, _, document = await self._account.call("PUT", "docs", path, path, headers, wanted)
            if status == 200:
                return dict(document)
            if status not in (404, 412):
                raise FeedError(f"the lease {lease['id']} cannot be written: {status} {document}")
            found = None if status == 404 else await self._read(lease["id"])
            if found is None:
                raise LeaseLost(f"the lease {lease['id']} is there no more")
            lease = found
        raise LeaseLost(f"the lease {lease['id']} is written by others all the time")

    async def _lock_again(self, lock: Mapping[str, Any]) -> bool:
        """Take the lock of a host that died with it: a container without a time to live keeps it for ever."""
        found = await self._read(lock["id"])
        limit = 1.0 if self._presence.fast else LOCK
        if found is not None and found["_ts"] + limit > self._clock.time():
            return False
        if found is not None:
            await self._drop(lock["id"])
        return await self._create(lock) is not None

    async def _place_of_old(self, container: str, name: str) -> str | None:
        """How far a lease in the form of version 0.1 says that the range has been read."""
        found = await self._read(f"{self._prefix}{container.replace('/', '_')}..{name}")
        return None if found is None else found["ContinuationToken"]

    async def _read(self, identifier: str) -> Lease | None:
        path = f"{self._link}/docs/{identifier}"
        status, _, document = await self._account.call("GET", "docs", path, path, partition(identifier))
        if status == 200:
            return dict(document)
        if status != 404:
            raise FeedError(f"the lease container: {status} {document}")
        return None

    async def _create(self, document: Mapping[str, Any]) -> Lease | None:
        """`None` where there is one of that id. Raises FeedError."""
        path, headers = f"{self._link}/docs", partition(document["id"])
        status, _, found = await self._account.call("POST", "docs", self._link, path, headers, document)
        if status == 404 and self._make:
            body = {"id": self._container, "partitionKey": {"paths": ["/id"], "kind": "Hash"}}
            await self._account.call("POST", "colls", self._database, f"{self._database}/colls", {}, body)
            status, _, found = await self._account.call("POST", "docs", self._link, path, headers, document)
        if status not in (201, 409):
            raise FeedError(f"{document['id']} cannot be written: {status} {found}")
        return dict(found) if status == 201 else None

    async def _drop(self, identifier: str) -> None:
        path = f"{self._link}/docs/{identifier}"
        await self._account.call("DELETE", "docs", path, path, partition(identifier))


def to_take(leases: Sequence[Lease], me: str, expired: Callable[[Lease], bool]) -> list[Lease]:
    """What a host takes so that each has its share: what is free, else one lease of who has the most."""
    free = [lease for lease in leases if expired(lease)]
    owners = Counter(lease["Owner"] for lease in leases if not expired(lease))
    owners.setdefault(me, 0)
    share = max(1, -(-len(leases) // len(owners)))
    missing = share - owners[me]
    if not leases or missing <= 0:
        return []
    if free:
        return free[:missing]
    richest = max(reversed(owners), key=lambda owner: owners[owner])
    if owners[richest] <= share - (1 if missing > 1 else 0):
        return []
    return [next(lease for lease in leases if lease["Owner"] == richest)]


def _database_of(container: str) -> str:
    """The resource id of a container begins with its database's."""
    number = base64.b64decode(container.replace("-", "/"))[:4]
    return base64.b64encode(number).decode().replace("/", "-")


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
