"""Entra's tokens over TLS: an identity sends and receives where it has the role for it, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.identity.aio import ManagedIdentityCredential
from azure.servicebus import ServiceBusClient, ServiceBusMessage, TransportType
from azure.servicebus.aio import ServiceBusClient as AsyncServiceBusClient
from azure.servicebus.exceptions import ServiceBusAuthenticationError, ServiceBusAuthorizationError, ServiceBusError

from localazure import servicebus
from localazure.clock import SystemClock
from localazure.part import Config
from localazure.servicebus.bearer import Bearers, read
from localazure.servicebus.errors import Unauthorized
from localazure.servicebus.wire import ServiceBusServer
from localazure.testing import serving
from localazure.verifier import Verifier
from tests.identities import Static, Tenant, tenant

from .conftest import ENTITIES

AUDIENCE = "https://servicebus.azure.net"
ROLES = [
    ("publisher", "/topics/news", "sender"),
    ("hearer", "/topics/news/subscriptions/all", "receiver"),
    ("operator", "/", "owner"),
]


@pytest.fixture(scope="module")
def entra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    with tenant(tmp_path_factory.mktemp("entra"), "servicebus", ROLES) as made:
        yield made


@pytest.fixture(scope="module")
def namespace(entra: Tenant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceBusServer]:
    state = tmp_path_factory.mktemp("namespace")
    entities = state / "entities.json"
    entities.write_text(json.dumps(ENTITIES))
    with serving(servicebus.PART, Config(state=state, options={**entra.options, "entities": str(entities)})) as server:
        assert isinstance(server, ServiceBusServer)
        yield server


def options(namespace: ServiceBusServer) -> dict[str, Any]:
    return {
        "custom_endpoint_address": f"sb://localhost:{namespace.port}",
        "transport_type": TransportType.Amqp,
        "connection_verify": str(namespace.certificate),
        "retry_total": 0,
    }


def client(namespace: ServiceBusServer, token: str) -> ServiceBusClient:
    return ServiceBusClient("localhost", Static(token), **options(namespace))


def send(own: ServiceBusClient, entity: str) -> None:
    with own.get_topic_sender(entity) as sender:
        sender.send_messages(ServiceBusMessage("hello"))


def receive(own: ServiceBusClient, subscription: str) -> list[str]:
    with own.get_subscription_receiver("news", subscription) as receiver:
        messages = receiver.receive_messages(10, max_wait_time=2)
        for message in messages:
            receiver.complete_message(message)
        return [str(message) for message in messages]


def test_each_identity_does_what_its_role_says(entra: Tenant, namespace: ServiceBusServer) -> None:
    with client(namespace, entra.token("publisher", AUDIENCE)) as publisher:
        send(publisher, "news")
    with client(namespace, entra.token("hearer", f"{AUDIENCE}/")) as hearer:
        assert receive(hearer, "all") == ["hello"]
        with hearer.get_subscription_receiver("news", "all", sub_queue="deadletter") as dead:
            assert dead.peek_messages() == []


@pytest.mark.parametrize(
    ("name", "what", "claim"),
    [
        ("publisher", lambda own: receive(own, "all"), "Listen"),
        ("publisher", lambda own: send(own, "plain"), "Send"),
        ("hearer", lambda own: receive(own, "labelled"), "Listen"),
        ("hearer", lambda own: send(own, "news"), "Send"),
        ("nobody", lambda own: receive(own, "all"), "Listen"),
    ],
    ids=["sender-receives", "sender-sends-elsewhere", "receiver-hears-another", "receiver-sends", "nobody"],
)
def test_what_no_role_allows_is_refused(
    entra: Tenant, namespace: ServiceBusServer, name: str, what: Any, claim: str
) -> None:
    with (
        client(namespace, entra.token(name, AUDIENCE)) as own,
        pytest.raises((ServiceBusAuthorizationError, ServiceBusAuthenticationError)) as refused,
    ):
        what(own)
    assert f"'{claim}' claim(s) are required" in str(refused.value)


def test_an_owner_does_everything_everywhere(entra: Tenant, namespace: ServiceBusServer) -> None:
    with client(namespace, entra.token("operator", AUDIENCE)) as operator:
        send(operator, "plain")
        send(operator, "news")
        assert receive(operator, "all") == ["hello"]


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ({"lifetime": -60}, "TokenExpired"),
        ({"key": "other"}, "TokenSignatureInvalid"),
        ({"algorithm": "HS256"}, "JwtInvalid"),
        ({"claims": {"aud": "https://cosmos.azure.com"}}, "TokenAudienceNotAllowed"),
    ],
    ids=["expired", "forged", "signed-with-the-public-key", "of-another-audience"],
)
async def test_a_token_that_is_not_valid_is_refused(
    entra: Tenant, namespace: ServiceBusServer, order: dict[str, Any], why: str
) -> None:
    token = entra.token("publisher", AUDIENCE, **order)
    with client(namespace, token) as own, pytest.raises(ServiceBusError):
        send(own, "news")
    async with aiohttp.ClientSession() as session:
        # the official client keeps the reason to itself
        bearers = Bearers(Verifier(session, SystemClock()), entra.options["entra"], read(str(entra.file)))
        with pytest.raises(Unauthorized, match=why):
            await bearers.check(token)


async def test_the_asynchronous_client_takes_the_apps_identity(
    entra: Tenant, namespace: ServiceBusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in entra.environment("hearer").items():
        monkeypatch.setenv(name, value)
    async with (
        ManagedIdentityCredential(client_id="client-hearer") as credential,
        AsyncServiceBusClient("localhost", credential, **options(namespace)) as own,
        own.get_subscription_receiver("news", "all") as receiver,
    ):
        assert await receiver.peek_messages() == []


def test_a_role_that_is_not_enforced_here_is_refused_at_the_start(tmp_path: Path) -> None:
    with (
        tenant(tmp_path, "servicebus", [("hearer", "/", "reader")]) as made,
        pytest.raises(ValueError, match="is not supported by servicebus"),
        serving(servicebus.PART, Config(options=made.options)),
    ):
        pass
