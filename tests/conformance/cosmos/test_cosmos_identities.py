"""Entra's tokens over TLS: an identity may do what its roles say, at their scopes, and makes nothing."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos import CosmosClient, PartitionKey
from azure.cosmos.aio import CosmosClient as AsyncCosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError
from azure.identity.aio import ManagedIdentityCredential

from localazure import cosmos
from localazure.connections import _SWEEP
from localazure.cosmos import EMULATOR_KEY
from localazure.cosmos.wire import CosmosServer
from localazure.part import Config
from localazure.testing import serving
from tests.identities import Static, Tenant, tenant

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request is being made to host 'localhost'")
"""The official clients do not look at the certificate of localhost, whatever they are told."""

AUDIENCE = "https://cosmos.azure.com"
ROLES = [("orders", "/dbs/mine", "contributor"), ("auditor", "/", "reader")]


@pytest.fixture(scope="module")
def entra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    with tenant(tmp_path_factory.mktemp("entra"), "cosmos", ROLES) as made:
        yield made


@pytest.fixture(scope="module")
def account(entra: Tenant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CosmosServer]:
    config = Config(state=tmp_path_factory.mktemp("cosmos"), options={**entra.options, "tls_port": "0"})
    with serving(cosmos.PART, config) as server:
        assert isinstance(server, CosmosServer)
        with CosmosClient(server.url, EMULATOR_KEY) as master:
            for name in ("mine", "theirs"):
                things = master.create_database(name).create_container("things", PartitionKey("/id"))
                things.create_item({"id": "known"})
        yield server


def client(account: CosmosServer, token: str) -> CosmosClient:
    return CosmosClient(account.tls_url, Static(token))


def things(client: CosmosClient, database: str = "mine") -> Any:
    return client.get_database_client(database).get_container_client("things")


def refusal(call: Any, *arguments: Any, **options: Any) -> CosmosHttpResponseError:
    with pytest.raises(CosmosHttpResponseError) as refused:
        answer = call(*arguments, **options)
        list(answer)
    return refused.value


def test_an_identity_works_with_the_items_of_its_own_database(entra: Tenant, account: CosmosServer) -> None:
    own = things(client(account, entra.token("orders", AUDIENCE)))
    own.upsert_item({"id": "a", "n": 1})
    own.patch_item("a", "a", [{"op": "incr", "path": "/n", "value": 1}])
    assert own.read_item("a", "a")["n"] == 2
    assert [item["id"] for item in own.query_items("SELECT * FROM c WHERE c.n = 2", partition_key="a")] == ["a"]
    assert {item["id"] for item in own.query_items_change_feed(start_time="Beginning")} == {"a", "known"}
    own.execute_item_batch([("delete", ("a",), {})], "a")


@pytest.mark.parametrize("name", ["read_item", "create_item", "read"])
def test_another_services_database_is_refused(entra: Tenant, account: CosmosServer, name: str) -> None:
    theirs = things(client(account, entra.token("orders", AUDIENCE)), "theirs")
    arguments: dict[str, tuple[Any, ...]] = {"read_item": ("known", "known"), "create_item": ({"id": "b"},), "read": ()}
    error = refusal(getattr(theirs, name), *arguments[name])
    assert error.status_code == 403
    assert error.sub_status in (5301, 5302)
    assert "principal [principal-orders] does not have required RBAC permissions" in str(error)


def test_a_reader_reads_every_database_and_writes_none(entra: Tenant, account: CosmosServer) -> None:
    reader = client(account, entra.token("auditor", AUDIENCE))
    for database in ("mine", "theirs"):
        assert things(reader, database).read_item("known", "known")["id"] == "known"
        error = refusal(things(reader, database).delete_item, "known", "known")
        assert (error.status_code, error.sub_status) == (403, 5302)
        assert "containers/items/delete]" in str(error)
    assert {database["id"] for database in reader.list_databases()} == {"mine", "theirs"}


def test_an_identity_without_a_role_does_not_get_as_far_as_the_account(entra: Tenant, account: CosmosServer) -> None:
    error = refusal(client, account, entra.token("nobody", AUDIENCE))
    assert (error.status_code, error.sub_status) == (403, 5301)
    assert "readMetadata] on resource [/]" in str(error)


def test_no_role_makes_databases_or_containers_or_sees_their_throughput(entra: Tenant, account: CosmosServer) -> None:
    own = client(account, entra.token("orders", AUDIENCE))
    database = own.get_database_client("mine")
    refused = [
        refusal(own.create_database, "new"),
        refusal(own.delete_database, "mine"),
        refusal(database.create_container, "leases", PartitionKey("/id")),
        refusal(database.replace_container, "things", PartitionKey("/id"), default_ttl=1),
        refusal(database.delete_container, "things"),
        refusal(database.get_container_client("things").get_throughput),
    ]
    assert [(error.status_code, error.sub_status) for error in refused] == [(403, 5300)] * len(refused)
    assert "cannot be authorized by AAD token in data plane" in str(refused[0])


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ({"lifetime": -60}, "TokenExpired"),
        ({"key": "other"}, "TokenSignatureInvalid"),
        ({"algorithm": "none"}, "JwtInvalid"),
        ({"algorithm": "HS256"}, "JwtInvalid"),
        ({"claims": {"aud": "https://servicebus.azure.net"}}, "TokenAudienceNotAllowed"),
        ({"claims": {"iss": "https://elsewhere.example"}}, "TokenIssuerNotAllowed"),
    ],
    ids=["expired", "forged", "unsigned", "signed-with-the-public-key", "of-another-audience", "of-another-issuer"],
)
def test_a_token_that_is_not_valid_is_refused(
    entra: Tenant, account: CosmosServer, order: dict[str, Any], why: str
) -> None:
    error = refusal(client, account, entra.token("orders", AUDIENCE, **order))
    assert error.status_code == 401
    assert why in str(error)


async def test_the_asynchronous_client_takes_the_apps_identity(
    entra: Tenant, account: CosmosServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in entra.environment("orders").items():
        monkeypatch.setenv(name, value)
    async with (
        ManagedIdentityCredential(client_id="client-orders") as credential,
        AsyncCosmosClient(account.tls_url, credential) as own,
    ):
        assert (await things(own).read_item("known", "known"))["id"] == "known"  # type: ignore[arg-type]
        with pytest.raises(CosmosHttpResponseError) as refused:
            await things(own, "theirs").read_item("known", "known")  # type: ignore[arg-type]
        assert refused.value.status_code == 403


async def test_a_client_that_does_not_answer_a_tls_farewell_harms_nobody(
    account: CosmosServer, caplog: pytest.LogCaptureFixture
) -> None:
    context = ssl.create_default_context(cafile=account.certificate)
    with (
        socket.create_connection(("localhost", account.tls_port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as silent,
    ):
        silent.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert silent.recv(100).startswith(b"HTTP/1.1 401")
        await asyncio.sleep(2.5 * _SWEEP)  # the server looks at its connections meanwhile
    assert not [record for record in caplog.records if record.name == "asyncio"]


def test_a_server_that_knows_no_issuer_takes_no_token(entra: Tenant, tmp_path: Path) -> None:
    with serving(cosmos.PART, Config(state=tmp_path, options={"tls_port": "0"})) as server:
        assert isinstance(server, CosmosServer)
        error = refusal(client, server, entra.token("orders", AUDIENCE))
        assert error.status_code == 401
        assert "the option entra of cosmos names no issuer" in str(error)


def test_a_role_that_is_not_enforced_here_is_refused_at_the_start(tmp_path: Path) -> None:
    with (
        tenant(tmp_path, "cosmos", [("orders", "/", "owner")]) as made,
        pytest.raises(ValueError, match="is not supported by cosmos"),
        serving(cosmos.PART, Config(options=made.options)),
    ):
        pass
