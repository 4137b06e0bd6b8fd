"""`make backing`: the parts around the host of Core Tools, at the addresses that it prints."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest
from azure.cosmos import CosmosClient
from azure.servicebus import ServiceBusClient

from localazure.cosmos import PART as COSMOS
from localazure.part import Config
from localazure.testing import serving
from scripts.backing import SAMPLE
from scripts.containers import make
from scripts.infrastructure import ROOT
from tests.e2e.conftest import PATIENCE
from tests.splitting import app_containers

ADDRESSES = {"COSMOS_CONNECTION", "SERVICEBUS_CONNECTION", "AUTH_ISSUER", "STRIPE_API_BASE"}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backing")


@pytest.fixture(scope="module")
def printed(state: Path) -> Iterator[dict[str, str]]:
    """The settings that it names while it serves."""
    words = [sys.executable, "-m", "scripts.backing", "--gateway", "--state", str(state), "--port", "all=0"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        words += ["--host", str(free.getsockname()[1])]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    overdue = threading.Timer(PATIENCE, process.kill)
    overdue.start()
    try:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith("Serving"):
            lines.append(process.stdout.readline())
            assert lines[-1], "".join(lines)
        overdue.cancel()
        text = "".join(lines)
        yield dict(json.loads("{" + text.partition('under "Values":\n')[2].partition("\n\n")[0] + "}"))
    finally:
        overdue.cancel()
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def refused(url: str) -> int:
    """The status with which a request is refused."""
    with pytest.raises(HTTPError) as told:
        urllib.request.urlopen(url)
    with told.value as answer:
        return answer.code


def test_it_names_the_address_of_every_part(printed: dict[str, str]) -> None:
    assert printed.keys() >= ADDRESSES
    assert printed.keys() <= json.loads(SAMPLE.read_text())["Values"].keys()


def test_the_apps_containers_are_at_the_connection_of_cosmos(printed: dict[str, str]) -> None:
    with CosmosClient.from_connection_string(printed["COSMOS_CONNECTION"]) as client:
        assert {database["id"] for database in client.list_databases()} == {name for name, _ in app_containers()}


def test_the_apps_subscriptions_are_at_the_connection_of_service_bus(printed: dict[str, str]) -> None:
    with (
        ServiceBusClient.from_connection_string(printed["SERVICEBUS_CONNECTION"]) as client,
        client.get_subscription_receiver("orders", "payments") as receiver,
    ):
        assert receiver.peek_messages() == []


def test_the_issuer_and_the_provider_answer(printed: dict[str, str]) -> None:
    with urllib.request.urlopen(f"{printed['AUTH_ISSUER']}/.well-known/openid-configuration") as answer:
        assert json.load(answer)["issuer"] == printed["AUTH_ISSUER"]
    assert refused(f"{printed['STRIPE_API_BASE']}/v1/payment_intents") == 401


def test_the_gateway_stands_before_a_host_that_is_not_there_yet(printed: dict[str, str], state: Path) -> None:
    gateway = json.loads((state / "addresses.json").read_text())["apim"]
    assert refused(f"{gateway}/v1/products") in (502, 503)


def test_containers_are_made_where_there_are_none_and_stay_where_there_are(tmp_path: Path) -> None:
    with serving(COSMOS, Config(state=tmp_path)) as server:
        local = json.loads(SAMPLE.read_text())["Values"]["COSMOS_CONNECTION"]
        connection = local.replace("http://localhost:8081", server.url)
        names = {f"{database}/{container}" for database, container in app_containers()}
        assert set(make(connection)) == names == set(make(connection))
        with CosmosClient.from_connection_string(connection) as client:
            read = client.get_database_client("orders").get_container_client("orders").read()
            assert read["partitionKey"]["paths"] == ["/order_id"]
            assert read["defaultTtl"] == -1
