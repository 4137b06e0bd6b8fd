"""Who may do what: tokens, the rights they give, and when each is asked for."""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import replace
from urllib.parse import quote_plus

import pytest

from localazure.clock import ManualClock
from localazure.servicebus import EMULATOR_KEY, KEY_NAME
from localazure.servicebus.authorization import AuthorizationRule
from localazure.servicebus.wire import ServiceBusServer

from . import amqp, raw

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize(
    "entity, status",
    [
        ("", 202), ("plain", 202), ("PLAIN/$management", 202), ("plain/$DeadLetterQueue", 202), ("news", 202),
        ("plain/$Transfer/$DeadLetterQueue", 202), ("news/Subscriptions/all/$management", 202), ("$cbs", 202),
        ("missing", 404), ("missing/$management", 404), ("news/Subscriptions/missing", 404), ("news/all", 404),
    ],
)  # fmt: skip
async def test_a_token_is_for_what_exists(server: ServiceBusServer, entity: str, status: int) -> None:
    async with raw.connected(server) as client:
        for scheme in ("sb://localhost:1", "amqps://localhost"):
            assert await client.authorize(f"{scheme}/{entity}") == status


async def test_who_has_no_key_is_not_told_what_exists(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        assert (
            await client.authorize("sb://localhost/missing", token="SharedAccessSignature sr=a&sig=b&se=1&skn=c") == 401
        )


@pytest.mark.parametrize(
    ("role", "address"),
    [(amqp.FALSE, "plain"), (amqp.TRUE, "plain"), (amqp.FALSE, "plain/$management"), (amqp.TRUE, "plain/$management")],
)
async def test_no_link_is_attached_without_a_token(server: ServiceBusServer, role: bytes, address: str) -> None:
    async with raw.connected(server, authorized=False) as client:
        await client.attach(role, raw.source(address), raw.target(address))
        assert (await client.expect(raw.DETACH)).fields[2].value[0] == "amqp:unauthorized-access"
        # the same after a token that is not good
        assert await client.authorize(token="SharedAccessSignature sr=a&sig=b&se=1&skn=c") == 401
        await client.attach(role, raw.source(address), raw.target(address))
        assert (await client.expect(raw.DETACH)).fields[2].value[0] == "amqp:unauthorized-access"


KEY = "TGlzdGVuT25seUtleQ=="


async def _client_with(server: ServiceBusServer, client: raw.Raw, *rights: str, entity: str = "plain") -> None:
    rule = AuthorizationRule("own", rights, KEY, KEY)
    options = server.broker.entities.describe(entity).options
    server.broker.entities.update(entity, replace(options, authorization=(rule,)))
    token = server.tokens.make(f"sb://localhost/{entity}", 600, "own", KEY)
    assert await client.authorize(f"sb://localhost/{entity}", token=token) == 202


@pytest.mark.parametrize(
    ("rights", "sends", "receives"),
    [(("Send",), True, False), (("Listen",), False, True), (("Send", "Listen", "Manage"), True, True)],
)
async def test_a_key_of_an_entity_gives_its_rights_there_and_nowhere_else(
    server: ServiceBusServer, rights: tuple[str, ...], sends: bool, receives: bool
) -> None:
    async with raw.connected(server, authorized=False) as client:
        await _client_with(server, client, *rights)

        async def opens(role: bytes, address: str) -> bool:
            found = await client.attach(role, raw.source(address), raw.target(address))
            if found.fields[5] is not None and found.fields[6] is not None:
                return True
            error = (await client.expect(raw.DETACH)).fields[2].value
            assert error[0] == "amqp:unauthorized-access"
            return False

        assert await opens(amqp.FALSE, "plain") is sends
        assert await opens(amqp.TRUE, "plain") is receives
        assert not await opens(amqp.FALSE, "once")
        assert not await opens(amqp.TRUE, "once")
        requests = await client.requester("plain/$management")
        peek = amqp.strings({"from-sequence-number": amqp.int64(1), "message-count": amqp.int32(1)})
        assert (await client.request(requests, "com.microsoft:peek-message", peek))[0] == (204 if receives else 401)
        none = amqp.strings({"messages": amqp.list_()})
        assert (await client.request(requests, "com.microsoft:schedule-message", none))[0] == (200 if sends else 401)


@pytest.mark.parametrize(("rights", "status"), [(("Listen",), 200), (("Send",), 401)])
async def test_rules_are_managed_by_who_listens_to_the_topic(
    server: ServiceBusServer, rights: tuple[str, ...], status: int
) -> None:
    # the clients' rule manager "requires only Listen claims", unlike administration
    everything = amqp.strings(
        {"sql-filter": amqp.strings({"expression": amqp.string("1=1")}), "sql-rule-action": amqp.NULL}
    )
    rule = {"rule-name": amqp.string("own"), "rule-description": everything}
    page = {"top": amqp.int32(10), "skip": amqp.int32(0)}
    async with raw.connected(server, authorized=False) as client:
        await _client_with(server, client, *rights, entity="news")
        handle = await client.requester("news/Subscriptions/all/$management")
        for operation, body in (("add-rule", rule), ("enumerate-rules", page), ("remove-rule", rule)):
            assert (await client.request(handle, f"com.microsoft:{operation}", amqp.strings(body)))[0] == status


@pytest.mark.parametrize(
    ("named", "signed"),
    [
        ("amqp://localhost/plain", "amqps://localhost/"),
        ("sb://localhost:5672/plain", "sb://localhost:5672/plain"),
        ("amqps://localhost/plain/$management", "https://elsewhere/"),
    ],
)
async def test_a_client_names_and_signs_the_resource_in_its_own_way(
    server: ServiceBusServer, named: str, signed: str
) -> None:
    async with raw.connected(server, authorized=False) as client:
        assert await client.authorize(named, token=server.tokens.make(signed, 600)) == 202
        assert await client.authorize(named, token=server.tokens.make(signed, -1)) == 401


async def test_a_token_may_be_ordered_and_escaped_as_javascript_does_it(server: ServiceBusServer) -> None:
    expiry, resource = str(int(server.broker.now()) + 600), quote_plus("sb://localhost/plain").replace("%3A", "%3a")
    resource = resource.replace("%2F", "%2f")
    digest = hmac.digest(EMULATOR_KEY.encode(), f"{resource}\n{expiry}".encode(), "sha256")
    signature = re.sub("%..", lambda found: found[0].lower(), quote_plus(base64.b64encode(digest)))
    token = f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={KEY_NAME}"
    other = f"SharedAccessSignature skn={KEY_NAME}&se={expiry}&sig={signature}&sr={resource}"
    async with raw.connected(server, authorized=False) as client:
        assert [await client.authorize(token=each) for each in (token, other)] == [202, 202]


async def test_a_link_to_what_is_not_there_is_refused_in_the_services_words(server: ServiceBusServer) -> None:
    async with raw.connected(server) as client:
        for role in (amqp.FALSE, amqp.TRUE):
            await client.attach(role, raw.source("missing"), raw.target("missing"))
            error = (await client.expect(raw.DETACH)).fields[2].value
            assert error[0] == "amqp:not-found"
            assert "The messaging entity 'missing' could not be found" in error[1]


async def test_a_tokens_rights_end_with_it(server: ServiceBusServer, clock: ManualClock) -> None:
    async with raw.connected(server) as client:
        await client.sender("plain")
        await clock.advance(601)
        await client.attach(amqp.FALSE, raw.source(""), raw.target("plain"))
        assert (await client.expect(raw.DETACH)).fields[2].value[0] == "amqp:unauthorized-access"
