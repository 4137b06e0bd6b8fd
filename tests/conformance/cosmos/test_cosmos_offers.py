"""Throughput: what a database or container was made with, read and changed by the client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos import CosmosClient, PartitionKey, ThroughputProperties

from localazure.cosmos import EMULATOR_KEY, PART
from localazure.cosmos.wire import CosmosServer
from localazure.part import Config
from localazure.testing import serving
from tests.conformance.cosmos.raw import wire


@pytest.fixture
def client(address: str) -> Iterator[CosmosClient]:
    with CosmosClient(address, EMULATOR_KEY) as made:
        yield made


def test_a_fixed_throughput_is_read_and_replaced(client: CosmosClient) -> None:
    database = client.create_database("d", offer_throughput=1000)
    container: Any = database.create_container("c", PartitionKey("/k"), offer_throughput=400)
    assert (database.get_throughput().offer_throughput, container.get_throughput().offer_throughput) == (1000, 400)
    container.replace_throughput(700)
    assert container.get_throughput().offer_throughput == 700
    assert database.get_throughput().offer_throughput == 1000


def test_autoscale_is_read_and_replaced(client: CosmosClient) -> None:
    scaling = ThroughputProperties(auto_scale_max_throughput=4000)
    database = client.create_database("d")
    container: Any = database.create_container("c", PartitionKey("/k"), offer_throughput=scaling)
    assert container.get_throughput().auto_scale_max_throughput == 4000
    container.replace_throughput(ThroughputProperties(auto_scale_max_throughput=7000))
    assert container.get_throughput().auto_scale_max_throughput == 7000


async def test_what_was_made_without_has_no_offer(server: CosmosServer) -> None:
    async with wire(server.url) as wired:
        reply = await wired.query("/offers", "SELECT * FROM root r WHERE r.offerResourceId = 'AAAAAYAAAAE='")
        assert (reply.status, reply.json["Offers"]) == (200, [])


async def test_an_offer_has_the_form_of_the_services(server: CosmosServer) -> None:
    async with wire(server.url) as wired:
        definition = {"id": "c", "partitionKey": {"paths": ["/k"], "kind": "Hash", "version": 2}}
        made = await wired.call("POST", "/dbs/shop/colls", definition, {"x-ms-offer-throughput": "700"})
        container = made.json
        text = f"select * from root r where r.offerResourceId = '{container['_rid']}'"
        (found,) = (await wired.query("/offers", text)).json["Offers"]
        assert (
            found.items()
            >= {
                "id": "AQAA",
                "_rid": "AQAA",
                "_self": "offers/AQAA/",
                "offerVersion": "V2",
                "offerResourceId": container["_rid"],
                "resource": container["_self"],
            }.items()
        )
        assert found["content"]["offerThroughput"] == 700
        read = await wired.call("GET", "/offers/AQAA", signed=("offers", "aqaa"))
        assert (read.status, read.json["content"]) == (200, found["content"])
        assert (await wired.call("GET", "/offers")).json["Offers"][0]["id"] == "AQAA"
        assert (await wired.call("GET", "/offers/AgAA", signed=("offers", "agaa"))).status == 404
        await wired.call("DELETE", "/dbs/shop/colls/c")
        assert (await wired.call("GET", "/offers")).json["Offers"] == []


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ms-offer-throughput": "399"},
        {"x-ms-offer-throughput": "450"},
        {"x-ms-offer-throughput": "x"},
        {"x-ms-cosmos-offer-autopilot-settings": '{"maxThroughput": 999}'},
        {"x-ms-cosmos-offer-autopilot-settings": "{}"},
        {"x-ms-cosmos-offer-autopilot-settings": "x"},
        {"x-ms-cosmos-offer-autopilot-settings": '{"maxThroughput": 4000}', "x-ms-offer-throughput": "400"},
    ],
)
async def test_a_throughput_that_cannot_be_is_refused(server: CosmosServer, headers: dict[str, str]) -> None:
    async with wire(server.url) as wired:
        definition = {"id": "c", "partitionKey": {"paths": ["/k"], "kind": "Hash"}}
        assert (await wired.call("POST", "/dbs/shop/colls", definition, headers)).status == 400
        assert (await wired.call("POST", "/dbs", {"id": "other"}, headers)).status == 400
        assert (await wired.call("GET", "/dbs/other")).status == 404


@pytest.mark.parametrize("document", [[], {}, {"content": 1}, {"content": {"offerThroughput": 1}}, {"content": {}}])
async def test_an_offer_that_cannot_be_is_refused(server: CosmosServer, document: Any) -> None:
    async with wire(server.url) as wired:
        await wired.call("POST", "/dbs", {"id": "other"}, {"x-ms-offer-throughput": "400"})
        reply = await wired.call("PUT", "/offers/AQAA", document, signed=("offers", "aqaa"))
        assert reply.status == 400


async def test_an_offer_changes_its_kind_by_order(server: CosmosServer) -> None:
    async with wire(server.url) as wired:
        await wired.call("POST", "/dbs", {"id": "other"}, {"x-ms-offer-throughput": "2500"})
        offer = (await wired.call("GET", "/offers/AQAA", signed=("offers", "aqaa"))).json
        order = {"x-ms-cosmos-migrate-offer-to-autopilot": "true"}
        scaling = await wired.call("PUT", "/offers/AQAA", offer, order, signed=("offers", "aqaa"))
        assert scaling.json["content"]["offerAutopilotSettings"] == {"maxThroughput": 3000}
        order = {"x-ms-cosmos-migrate-offer-to-manual-throughput": "true"}
        fixed = await wired.call("PUT", "/offers/AQAA", scaling.json, order, signed=("offers", "aqaa"))
        assert fixed.json["content"]["offerThroughput"] == 400
        assert "offerAutopilotSettings" not in fixed.json["content"]


def test_an_offer_survives_a_restart(tmp_path: Path) -> None:
    config = Config(state=tmp_path / "state")
    with serving(PART, config) as server, CosmosClient(server.url, EMULATOR_KEY) as client:
        client.create_database("d", offer_throughput=1000).replace_throughput(1100)
    with serving(PART, config) as server, CosmosClient(server.url, EMULATOR_KEY) as client:
        assert client.get_database_client("d").get_throughput().offer_throughput == 1100
