"""Leases of a change feed among several hosts, by the rules of the change feed processor; the clock is turned."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient

from localazure.clock import ManualClock
from localazure.cosmos import EMULATOR_KEY, PART
from localazure.functions.connecting import Connection
from localazure.functions.cosmos_account import Account
from localazure.functions.cosmos_leases import LOCK, Lease, LeaseLost, Leases, to_take
from localazure.part import Config
from localazure.presence import Presence

THINGS = "dbs/shop/colls/things"
EXPIRATION = 60.0


class Feed:
    """The container that is followed, and hosts that follow it."""

    def __init__(self, account: Account, url: str, clock: ManualClock) -> None:
        self.account, self.url, self.clock = account, url, clock

    def host(self, *, make: bool = True) -> Leases:
        presence = Presence(None)
        return Leases(self.account, "dbs/shop", "leases", "", self.clock, presence, EXPIRATION, make=make)

    async def ready(self) -> Leases:
        host = self.host()
        assert await host.prepare(self.account, THINGS)
        return host

    async def split(self) -> None:
        order = {"database": "shop", "container": "things"}
        async with aiohttp.ClientSession() as session, session.post(f"{self.url}/_local/splits", json=order) as answer:
            assert answer.status == 200


@pytest.fixture
async def feed(tmp_path: Path) -> AsyncIterator[Feed]:
    clock = ManualClock()
    server = await PART.start(Config(state=tmp_path, clock=clock))
    connection = f"AccountEndpoint={server.url}/;AccountKey={EMULATOR_KEY};"
    async with CosmosClient.from_connection_string(connection) as client:
        await (await client.create_database("shop")).create_container("things", PartitionKey("/id"))
    async with aiohttp.ClientSession() as session:
        yield Feed(Account(Connection(connection), session), server.url, clock)
    await server.stop()


async def only(host: Leases) -> Lease:
    (lease,) = await host.all()
    return lease


async def test_of_two_hosts_that_want_a_lease_one_gets_it(feed: Feed) -> None:
    one, two = await feed.ready(), await feed.ready()
    seen = await only(two)
    assert (await one.acquire(await only(one)))["Owner"] == one.owner
    with pytest.raises(LeaseLost, match=f"was taken by {one.owner}"):
        await two.acquire(seen)


async def test_a_lease_that_was_stolen_is_neither_renewed_nor_written(feed: Feed) -> None:
    one, two = await feed.ready(), await feed.ready()
    held = await one.acquire(await only(one))
    await two.acquire(await only(two))
    with pytest.raises(LeaseLost):
        await one.checkpoint(held, '"7"')
    with pytest.raises(LeaseLost):
        await one.renew(held)
    with pytest.raises(LeaseLost):
        await one.release(held)
    assert (await only(two))["ContinuationToken"] is None


async def test_a_renewal_and_a_checkpoint_do_not_lose_each_others_word(feed: Feed) -> None:
    one = await feed.ready()
    held = await one.acquire(await only(one))
    await one.checkpoint(held, '"7"')
    assert (await one.renew(held))["ContinuationToken"] == '"7"'


async def test_a_lease_of_a_dead_host_is_free_when_it_has_expired_and_no_sooner(feed: Feed) -> None:
    one, two = await feed.ready(), await feed.ready()
    await one.acquire(await only(one))
    await feed.clock.advance(EXPIRATION)
    assert to_take(await two.all(), two.owner, two.expired) == []
    await feed.clock.advance(0.1)
    assert [lease["LeaseToken"] for lease in to_take(await two.all(), two.owner, two.expired)] == ["0"]


async def test_a_lease_that_was_given_back_is_free_at_once(feed: Feed) -> None:
    one, two = await feed.ready(), await feed.ready()
    await one.release(await one.acquire(await only(one)))
    assert len(to_take(await two.all(), two.owner, two.expired)) == 1


async def test_ranges_are_shared_among_the_hosts_and_a_split_hands_its_place_on(feed: Feed) -> None:
    one = await feed.ready()
    held = await one.checkpoint(await one.acquire(await only(one)), '"7"')
    await feed.split()
    children = await one.split(held, feed.account, THINGS)
    assert {(child["Owner"], child["ContinuationToken"]) for child in children} == {(None, '"7"')}
    assert {lease["id"] for lease in await one.all()} == {child["id"] for child in children}
    for lease in to_take(await one.all(), one.owner, one.expired):
        await one.acquire(lease)
    two = await feed.ready()
    (stolen,) = to_take(await two.all(), two.owner, two.expired)
    await two.acquire(stolen)
    assert sorted(lease["Owner"] for lease in await one.all()) == sorted([one.owner, two.owner])
    assert to_take(await two.all(), two.owner, two.expired) == []
    assert to_take(await one.all(), one.owner, one.expired) == []


async def test_the_lock_of_a_host_that_died_while_it_wrote_the_leases_holds_half_a_minute(feed: Feed) -> None:
    await feed.ready()
    host = feed.host()
    stem = (await only(await feed.ready()))["id"].removesuffix("..0")
    await host._drop(f"{stem}.info")
    await host._create({"id": f"{stem}.lock", "ttl": int(LOCK)})
    assert not await host.prepare(feed.account, THINGS)
    await feed.clock.advance(LOCK + 1)
    assert await host.prepare(feed.account, THINGS)


@pytest.mark.parametrize(
    ("owners", "takes"),
    [
        ("", ""),
        ("- -", "0 1"),
        ("a a", "0"),
        ("a a a", "0"),
        ("a b", ""),
        ("a a b b", "2"),
        ("me a a", ""),
        ("me -", "1"),
        ("me - a", "1"),
        ("me a a a a", "1"),
    ],
)
def test_a_host_takes_what_is_free_else_one_lease_of_who_has_the_most(owners: str, takes: str) -> None:
    leases: list[dict[str, Any]] = [
        {"LeaseToken": str(place), "Owner": owner if owner != "-" else None}
        for place, owner in enumerate(owners.split())
    ]
    taken = to_take(leases, "me", lambda lease: not lease["Owner"])
    assert " ".join(lease["LeaseToken"] for lease in taken) == takes
