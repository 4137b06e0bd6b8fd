"""The roles of each service's identity, put to use: with all of them it does its work, and without any one of them
exactly that role's work is refused, by the local parts as by Azure.

Storage, Key Vault and Application Insights have no part here that asks for roles: of those the table alone is
checked (`tests/unit/test_role_assignments.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from azure.communication.email import EmailClient
from azure.core.exceptions import HttpResponseError
from azure.cosmos import CosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError
from azure.servicebus import ServiceBusClient, ServiceBusMessage, TransportType
from azure.servicebus.exceptions import ServiceBusAuthenticationError, ServiceBusAuthorizationError

from localazure import cosmos, email, servicebus
from localazure.cosmos.wire import CosmosServer
from localazure.email.wire import EmailServer
from localazure.part import Config
from localazure.servicebus.wire import ServiceBusServer
from localazure.testing import serving
from tests.identities import ROLES, Role, Static, Tenant, tenant

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request is being made to host 'localhost'")
"""The official clients do not look at the certificate of localhost, whatever they are told."""

INFRA = Path(__file__).parents[2] / "infra"
WORDS = {name: word for word, name in ROLES.items()}
Row = tuple[str, str, str]
"""Identity, scope, role."""
Refused = (CosmosHttpResponseError, ServiceBusAuthorizationError, ServiceBusAuthenticationError)


def _rows(resource: str) -> list[Row]:
    given = json.loads((INFRA / "identities.json").read_text())["roleAssignments"]
    return [(each["identity"], each["scope"], each["role"]) for each in given if each["resource"] == resource]


DATA, MESSAGES, MAIL = _rows("cosmos"), _rows("servicebus"), _rows("email")


def twin(row: Row) -> str:
    """The name of an identity that has all roles of the row's but this one."""
    return f"{row[0]} without {row[1]} {WORDS[row[2]]}"


def _roles(rows: list[Row]) -> list[Role]:
    found = [(name, scope, WORDS[role]) for name, scope, role in rows]
    for missing in rows:
        others = [row for row in rows if row[0] == missing[0] and row != missing]
        found += [(twin(missing), scope, WORDS[role]) for _, scope, role in others]
        role = "sender" if missing in MESSAGES else "mailer" if missing in MAIL else "reader"
        found.append((twin(missing), "/nowhere", role))
    return found


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tenant, CosmosServer]]:
    folder = tmp_path_factory.mktemp("cosmos")
    with tenant(folder, "cosmos", _roles(DATA)) as entra:
        options = {**entra.options, "tls_port": "0", "containers": str(INFRA / "cosmos.json")}
        with serving(cosmos.PART, Config(state=folder, options=options)) as server:
            assert isinstance(server, CosmosServer)
            yield entra, server


@pytest.fixture(scope="module")
def namespace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tenant, ServiceBusServer]]:
    folder = tmp_path_factory.mktemp("servicebus")
    with tenant(folder, "servicebus", _roles(MESSAGES)) as entra:
        options = {**entra.options, "entities": str(INFRA / "servicebus.json")}
        with serving(servicebus.PART, Config(state=folder, options=options)) as server:
            assert isinstance(server, ServiceBusServer)
            yield entra, server


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tenant, EmailServer]]:
    folder = tmp_path_factory.mktemp("email")
    others = [(name, "/nowhere", "mailer") for name in sorted({row[0] for row in DATA} - {row[0] for row in MAIL})]
    with tenant(folder, "email", [*_roles(MAIL), *others]) as entra:
        options = {**entra.options, "tls_port": "0"}
        with serving(email.PART, Config(state=folder, options=options)) as server:
            assert isinstance(server, EmailServer)
            yield entra, server


def works(act: Callable[[], None]) -> bool:
    try:
        act()
    except Refused as exc:
        if isinstance(exc, CosmosHttpResponseError):
            assert exc.status_code == 403, exc
        return False
    return True


def writes(client: CosmosClient, database: str) -> Callable[[], None]:
    """Write an item and read it, in each container of the database."""
    declared = json.loads((INFRA / "cosmos.json").read_text())["databases"]
    (containers,) = [each["containers"] for each in declared if each["id"] == database]

    def act() -> None:
        for container in containers:
            proxy = client.get_database_client(database).get_container_client(container["id"])
            key = container["partitionKey"].strip("/")
            proxy.upsert_item({"id": "known", key: "known"})
            proxy.read_item("known", "known")

    return act


def passes(client: ServiceBusClient, row: Row) -> Callable[[], None]:
    """Do what the role is for at its scope: send to the topic, or look into the subscription."""
    _, scope, role = row
    _, _, topic, *rest = scope.split("/")

    def act() -> None:
        if WORDS[role] == "sender":
            with client.get_topic_sender(topic) as sender:
                sender.send_messages(ServiceBusMessage("hello"))
            return
        with client.get_subscription_receiver(topic, rest[1]) as receiver:
            receiver.peek_messages()

    return act


def bus(entra: Tenant, server: ServiceBusServer, name: str) -> ServiceBusClient:
    options: dict[str, Any] = {
        "custom_endpoint_address": f"sb://localhost:{server.port}",
        "transport_type": TransportType.Amqp,
        "connection_verify": str(server.certificate),
        "retry_total": 0,
    }
    return ServiceBusClient("localhost", Static(entra.token(name, "https://servicebus.azure.net")), **options)


@pytest.mark.parametrize("row", DATA, ids="-".join)
def test_a_service_writes_its_database_by_that_role_alone(account: tuple[Tenant, CosmosServer], row: Row) -> None:
    entra, server = account
    for name, able in ((row[0], True), (twin(row), False)):
        token = Static(entra.token(name, "https://cosmos.azure.com"))
        with CosmosClient(server.tls_url, token) as client:
            assert works(writes(client, row[1].removeprefix("/dbs/"))) is able, name


@pytest.mark.parametrize("row", DATA, ids="-".join)
def test_a_service_reaches_no_other_services_database(account: tuple[Tenant, CosmosServer], row: Row) -> None:
    entra, server = account
    own = {scope for name, scope, _ in DATA if name == row[0]}
    with CosmosClient(server.tls_url, Static(entra.token(row[0], "https://cosmos.azure.com"))) as client:
        for scope in {other[1] for other in DATA} - own:
            assert not works(writes(client, scope.removeprefix("/dbs/"))), scope


def able(entra: Tenant, server: ServiceBusServer, name: str, rows: list[Row]) -> set[Row]:
    """The rows whose work the identity can do. All at once: the client takes its time over a refusal."""

    def tried(row: Row) -> bool:
        with bus(entra, server, name) as client:
            return works(passes(client, row))

    with ThreadPoolExecutor(len(rows)) as threads:
        return {row for row, works_ in zip(rows, threads.map(tried, rows), strict=True) if works_}


@pytest.mark.parametrize("row", MESSAGES, ids="-".join)
def test_without_one_role_on_messages_that_roles_work_alone_is_refused(
    namespace: tuple[Tenant, ServiceBusServer], row: Row
) -> None:
    own = [other for other in MESSAGES if other[0] == row[0]]
    assert able(*namespace, twin(row), own) == set(own) - {row}


@pytest.mark.parametrize("name", sorted({name for name, _, _ in MESSAGES}))
def test_a_service_passes_no_messages_but_by_its_roles(namespace: tuple[Tenant, ServiceBusServer], name: str) -> None:
    # operations may do what others may: a row of theirs is its own work, too
    own = {row[1:] for row in MESSAGES if row[0] == name}
    assert able(*namespace, name, MESSAGES) == {row for row in MESSAGES if row[1:] in own}


def test_e_mail_is_sent_by_that_role_alone(post: tuple[Tenant, EmailServer]) -> None:
    entra, server = post
    message = {
        "senderAddress": "shop@durable-commerce.local",
        "recipients": {"to": [{"address": "ada@example.com"}]},
        "content": {"subject": "Hello", "plainText": "Hello, Ada"},
    }

    def sends(name: str) -> bool:
        token = Static(entra.token(name, "https://communication.azure.com/"))
        with EmailClient(server.tls_url, token, connection_verify=str(server.certificate), retry_total=0) as client:
            try:
                client.begin_send(message, polling=False)
            except HttpResponseError as exc:
                assert exc.status_code == 403, exc
                return False
        return True

    names = {row[0] for row in DATA} | {twin(row) for row in MAIL}
    assert {name for name in names if sends(name)} == {row[0] for row in MAIL} == {"notifications"}
