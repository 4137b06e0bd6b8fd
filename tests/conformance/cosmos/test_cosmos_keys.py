"""A key of one database: everything there, nothing elsewhere."""

from __future__ import annotations

import base64
import json

import pytest
from azure.cosmos import CosmosClient, PartitionKey
from azure.cosmos.aio import CosmosClient as AsyncCosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError

from localazure import cosmos
from localazure.cosmos import EMULATOR_KEY
from localazure.part import Config
from localazure.testing import serving

KEY = base64.b64encode(b"the key of one database").decode()


async def test_a_database_key_opens_that_database_alone() -> None:
    options = {"database_keys": json.dumps({"mine": KEY})}
    with serving(cosmos.PART, Config(options=options)) as server:
        master = CosmosClient(server.url, EMULATOR_KEY)
        for name in ("mine", "theirs"):
            master.create_database(name).create_container("things", PartitionKey("/id"))
        own = CosmosClient(server.url, KEY)
        own.get_database_client("mine").get_container_client("things").create_item({"id": "a"})
        with pytest.raises(CosmosHttpResponseError) as refused:
            own.get_database_client("theirs").get_container_client("things").read_item("a", "a")
        assert refused.value.status_code == 403
        assert "good for the database mine alone" in str(refused.value)
        async with AsyncCosmosClient(server.url, KEY) as asynchronous:
            things = asynchronous.get_database_client("mine").get_container_client("things")
            assert (await things.read_item("a", "a"))["id"] == "a"
            with pytest.raises(CosmosHttpResponseError) as refused:
                await asynchronous.get_database_client("theirs").get_container_client("things").create_item({"id": "b"})
            assert refused.value.status_code == 403
        with pytest.raises(CosmosHttpResponseError) as refused:
            CosmosClient(server.url, base64.b64encode(b"no key at all").decode())
        assert refused.value.status_code == 401
