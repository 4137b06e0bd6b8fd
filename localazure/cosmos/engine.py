"""The account's rules: what may be written, what a reader finds, and in which order changes are told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from localazure.clock import Clock
from localazure.cosmos import charges, definitions, offers, physical, rids
from localazure.cosmos.changes import Changes, Operation, Result, check_id
from localazure.cosmos.errors import BadRequest, Conflict, CosmosError, NotFound
from localazure.cosmos.items import Item, Version
from localazure.cosmos.model import Container, FeedRange
from localazure.cosmos.offers import Offer
from localazure.cosmos.physical import PhysicalRange
from localazure.cosmos.queries import Answer, PageRequest, QueryRequest, query_page, scan_page
from localazure.cosmos.sql.paging import Resume
from localazure.cosmos.store import Database, Store

MAX_OPERATIONS = 100

Change = TypeVar("Change", Item, Version)


class Account:
    """All databases, in the SQLite file at `path` (`None`: in memory). A new container has `ranges` physical ranges."""

    def __init__(self, path: Path | None, clock: Clock, ranges: int = 1) -> None:
        self._store = Store(path)
        self._clock = clock
        self._ranges = ranges
        self.databases: dict[str, Database] = self._store.databases()
        self.offers: dict[str, Offer] = {offer.resource: offer for offer in self._store.offers()}
        """By the resource ids of what they are for."""
        self.ledger = charges.Ledger()
        self._changed: dict[int, asyncio.Event] = {}
        self._closing = False

    def close(self) -> None:
        self._store.close()

    def create_database(self, name: Any, offer: dict[str, Any] | None = None) -> Database:
        """With the content of its offer, if it is to have one. Raises BadRequest, Conflict."""
        check_id(name)
        if name in self.databases:
            raise Conflict(f"the database '{name}' already exists")
        now = int(self._clock.time())
        with self._store.transaction():
            number = self._store.add_database(name, now)
        made = self.databases[name] = Database(number, name, now)
        self._add_offer(rids.database(number), f"dbs/{rids.database(number)}/", offer)
        return made

    def drop_database(self, name: str) -> None:
        dropped = self.database(name)
        with self._store.transaction():
            self._store.drop_database(name)
        del self.databases[name]
        for resource in (rids.database(dropped.number), *(each.rid for each in dropped.containers.values())):
            self._drop_offer(resource)

    def database(self, name: str) -> Database:
        """Raises NotFound."""
        if name not in self.databases:
            raise NotFound(f"there is no database '{name}'")
        return self.databases[name]

    def create_container(self, database: str, spec: Any, offer: dict[str, Any] | None = None) -> Container:
        """With the content of its offer, if it is to have one. Raises BadRequest, Conflict, NotFound."""
        parent = self.database(database)
        spec = definitions.checked(spec)
        if spec["id"] in parent.containers:
            raise Conflict(f"the container '{spec['id']}' already exists")
        made = Container(0, database, spec, parent=parent.number, ts=int(self._clock.time()))
        least = 1 if offer is None else offers.ranges(offer)
        made.ranges = physical.fresh(max(least, self._ranges), made.hash_version)
        with self._store.transaction():
            made.number = self._store.add_container(made)
        parent.containers[made.id] = made
        self._add_offer(made.rid, made.link, offer)
        return made

    def replace_container(self, database: str, name: str, spec: Any) -> Container:
        """Change TTL or indexing. Raises BadRequest for another partition key, Forbidden for other unique keys."""
        old = self.container(database, name)
        new = definitions.replaced(old, spec, int(self._clock.time()))
        with self._store.transaction():
            self._store.change_container(new)
        self.databases[database].containers[name] = new
        return new

    def drop_container(self, database: str, name: str) -> None:
        dropped = self.container(database, name)
        with self._store.transaction():
            self._store.drop_container(dropped.number)
        del self.databases[database].containers[name]
        self._drop_offer(dropped.rid)

    def _add_offer(self, resource: str, link: str, content: dict[str, Any] | None) -> None:
        if content is not None:
            with self._store.transaction():
                number = self._store.add_offer(resource, link, content)
            self.offers[resource] = Offer(number, resource, link, content)

    def _drop_offer(self, resource: str) -> None:
        if self.offers.pop(resource, None) is not None:
            with self._store.transaction():
                self._store.drop_offer(resource)

    def replace_offer(self, old: Offer, content: dict[str, Any]) -> Offer:
        """Change the throughput; a container is split until it has ranges enough for it."""
        new = Offer(old.number, old.resource, old.link, content)
        with self._store.transaction():
            self._store.change_offer(old.number, content)
        self.offers[old.resource] = new
        for database in self.databases.values():
            for container in database.containers.values():
                if container.rid == old.resource:
                    self.split_to(container, offers.ranges(content))
        return new

    def container(self, database: str, name: str) -> Container:
        """Raises NotFound."""
        found = self.database(database).containers.get(name)
        if found is None:
            raise NotFound(f"there is no container '{name}' in '{database}'", substatus=1003)
        return found

    def split(self, container: Container, number: int) -> None:
        """Replace a physical range by two halves. Raises NotFound."""
        old = next((each for each in container.ranges if each.number == number), None)
        if old is None:
            raise NotFound(f"there is no physical range {number} in '{container.id}'")
        last = max(max(each.number, *each.parents, 0) for each in container.ranges)
        halves = old.halves((last + 1, last + 2))
        with self._store.transaction():
            self._store.split_range(container, old, halves)
        container.replace_range(old, halves)
        self._tell(container)

    def split_to(self, container: Container, count: int) -> None:
        """Split the widest ranges until there are as many."""
        while len(container.ranges) < count:
            widest = max(container.ranges, key=lambda each: each.high - each.low)
            self.split(container, widest.number)

    def read(self, container: Container, key: str, item_id: str) -> Result:
        """Raises NotFound."""
        item = container.get(key, item_id, self._clock.time())
        if item is None:
            raise NotFound(f"there is no item '{item_id}' in partition {key}")
        return Result(200, item, charges.point_read(len(item.text)))

    def item_id(self, container: Container, number: int) -> str:
        """The id of the item with this number. Raises NotFound."""
        item = container.numbered(number, self._clock.time())
        if item is None:
            raise NotFound(f"there is no item with this resource id in '{container.id}'")
        return item.id

    def write(self, container: Container, key: str | None, operation: Operation) -> Result:
        """Carry out one operation. Raises CosmosError; nothing is left behind then."""
        changes = Changes(container, self._clock.time())
        result = changes.carry_out(key, operation)
        self._commit(container, changes)
        return result

    def batch(self, container: Container, key: str, operations: Sequence[Operation]) -> tuple[bool, list[Result]]:
        """All operations or none; on failure the failing one's status, and 424 for the others.

        Raises BadRequest for a wrong number of operations.
        """
        check_size(operations)
        changes = Changes(container, self._clock.time())
        results: list[Result] = []
        for operation in operations:
            try:
                results.append(changes.carry_out(key, operation))
            except CosmosError as exc:
                failed = [Result(424, None, 0.0)] * len(operations)
                failed[len(results)] = Result(exc.status, None, charges.FAILED_WRITE, exc.substatus)
                return False, failed
        self._commit(container, changes)
        return True, results

    def delete_partition(self, container: Container, key: str) -> float:
        """Delete all items of a partition; the charge, which is that of deleting each."""
        changes = Changes(container, self._clock.time())
        charge = sum(changes.drop(item) for item in container.items.get(key, {}).values())
        self._commit(container, changes)
        return max(charges.FAILED_WRITE, charge)

    def query(
        self,
        container: Container,
        part: FeedRange,
        text: str,
        parameters: Mapping[str, Any],
        wanted: PageRequest,
        resume: Resume | None = None,
    ) -> Answer:
        """One page of the query. Raises BadRequest."""
        return query_page(container, part, QueryRequest(text, parameters, self._clock.time(), resume), wanted)

    def read_all(self, container: Container, part: FeedRange, wanted: PageRequest) -> Answer:
        """One page of all items, in the order of creation. Raises BadRequest for a foreign continuation."""
        return scan_page(container, part, self._clock.time(), wanted)

    def changes(
        self, container: Container, each: PhysicalRange, part: FeedRange, after: int, most: int
    ) -> tuple[list[Item], int]:
        """At most `most` items of the part that changed in the range after the LSN, and the LSN to go on from.

        What changed in one transaction has one LSN and comes in one page, however many that makes.
        """
        return _page(container.after(each, after, self._clock.time(), part), most, max(after, each.lsn))

    def versions(
        self, container: Container, each: PhysicalRange, part: FeedRange, after: int, most: int
    ) -> tuple[list[Version], int]:
        """As `changes`, but every version, and what was deleted."""
        within = (version for version in each.versions_after(after) if container.holds(version.key, part))
        return _page(within, most, max(after, each.lsn))

    def lsn_at(self, each: PhysicalRange, moment: float) -> int:
        """The LSN of the range's last change before the moment."""
        earlier = [item.lsn for item in each.feed if item.ts < moment]
        return max(earlier, default=0)

    async def changed(self, container: Container, seconds: float) -> bool:
        """Wait for a change; False if none came in time, or nobody is to wait any more."""
        if self._closing:
            return False
        signal = self._changed.setdefault(container.number, asyncio.Event())
        try:
            await asyncio.wait_for(signal.wait(), seconds)
        except TimeoutError:
            return False
        return not self._closing

    def wake(self) -> None:
        """Nobody waits for a change any more, nor will: the server is about to stop."""
        self._closing = True
        for signal in self._changed.values():
            signal.set()

    def purge(self) -> None:
        """Remove what has expired."""
        now = self._clock.time()
        for database in self.databases.values():
            for container in database.containers.values():
                every = (item for each in container.ranges for item in each.by_rid.values())
                gone = [item for item in every if not container.alive(item, now)]
                changes = Changes(container, now)
                for item in gone:
                    changes.drop(item, expired=True)
                self._commit(container, changes)
                if container.retention:
                    self._forget_versions(container, now - container.retention)

    def _forget_versions(self, container: Container, before: float) -> None:
        with self._store.transaction():
            self._store.drop_versions(container.number, before)
        for each in container.ranges:
            each.versions = [version for version in each.versions if version.ts >= before]

    def _commit(self, container: Container, changes: Changes) -> None:
        if not changes.puts and not changes.drops:
            return
        present = [(key, item_id) for key, item_id in changes.drops if item_id in container.items.get(key, {})]
        with self._store.transaction():
            self._store.write(container.number, changes.sequence, changes.lsns, changes.puts.values(), present)
            if changes.versions:
                self._store.add_versions(container.number, changes.versions)
        container.sequence = changes.sequence
        for key, item_id in present:
            container.drop(key, item_id)
        for item in sorted(changes.puts.values(), key=lambda item: item.lsn):
            container.put(item)
        for each in container.ranges:
            each.lsn = changes.lsns.get(each.number, each.lsn)
        container.load_versions(changes.versions)
        self._tell(container)

    def _tell(self, container: Container) -> None:
        """Wake who waits for a change."""
        signal = self._changed.pop(container.number, None)
        if signal is not None:
            signal.set()


def check_size(operations: Sequence[object]) -> None:
    """Raises BadRequest for a batch of too few or too many operations."""
    if not operations:
        raise BadRequest("Batch request has no operations.")
    if len(operations) > MAX_OPERATIONS:
        raise BadRequest(
            f"Batch request has more operations than what is supported. {len(operations)}, not {MAX_OPERATIONS}"
        )


def _page(changes: Iterable[Change], most: int, last: int) -> tuple[list[Change], int]:
    """The first `most` changes and those of the last one's transaction, and the LSN to go on from; else `last`."""
    found: list[Change] = []
    for change in changes:
        if len(found) >= most and change.lsn != found[-1].lsn:
            return found, found[-1].lsn
        found.append(change)
    return found, last
