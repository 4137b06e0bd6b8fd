"""Rules over `$management`, and the administration's XML: the bytes that the .NET and JavaScript clients go by."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from localazure.servicebus.wire import ServiceBusServer

from . import amqp, raw
from .amqp import NULL, Described, strings
from .raw import Raw

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
RULES = "com.microsoft:enumerate-rules"
ALL = strings({"top": amqp.int32(100), "skip": amqp.int32(0)})
EIGHT = ("correlation-id", "message-id", "to", "reply-to", "label", "session-id", "reply-to-session-id", "content-type")


@pytest.fixture
async def client(server: ServiceBusServer) -> AsyncIterator[Raw]:
    async with raw.connected(server) as made:
        yield made


async def rules(client: Raw) -> int:
    return await client.requester("news/Subscriptions/all/$management")


def sql(expression: str, action: str | None = None) -> bytes:
    told = strings({"expression": amqp.string(expression)})
    return strings({"sql-filter": told, "sql-rule-action": _action(action)})


def correlation(values: dict[str, str], properties: dict[str, bytes], action: str | None = None) -> bytes:
    told = {name: amqp.string(values[name]) if name in values else NULL for name in EIGHT}
    told["properties"] = strings(properties)
    return strings({"correlation-filter": strings(told), "sql-rule-action": _action(action)})


def _action(expression: str | None) -> bytes:
    return NULL if expression is None else strings({"expression": amqp.string(expression)})


async def add(client: Raw, handle: int, name: str, description: bytes) -> tuple[int, Any]:
    body = strings({"rule-name": amqp.string(name), "rule-description": description})
    return await client.request(handle, "com.microsoft:add-rule", body)


async def remove(client: Raw, handle: int, name: str) -> int:
    return (await client.request(handle, "com.microsoft:remove-rule", strings({"rule-name": amqp.string(name)})))[0]


async def test_rules_are_told_in_described_lists(client: Raw, server: ServiceBusServer) -> None:
    handle = await rules(client)
    properties = {"int": amqp.int32(5), "long": amqp.int64(5), "real": amqp.double(0.5), "flag": amqp.TRUE,
                  "moment": amqp.timestamp(1000),
                  "span": amqp.named("com.microsoft:timespan", amqp.int64(10_000_000))}  # fmt: skip
    for name, description in {
        "sql": sql("a = 1", "SET x = 1"), "true": sql("1=1"), "false": sql("1=0"),
        "correlation": correlation({"label": "l", "content-type": "c"}, properties),
    }.items():  # fmt: skip
        assert (await add(client, handle, name, description))[0] == 200
    status, body = await client.request(handle, RULES, ALL)
    told = {entry["rule-description"].value[2]: entry["rule-description"] for entry in body["rules"]}
    assert (status, list(told)) == (200, ["$Default", "sql", "true", "false", "correlation"])
    assert {rule.code for rule in told.values()} == {0x13700000004}
    created = {rule.value[3] for rule in told.values()}
    assert all(abs(moment / 1000 - server.broker.now()) < 60 for moment in created)
    assert told["sql"].value[:2] == [
        Described(0x1370000006, ["a = 1", 20]),
        Described(0x13700000006, ["SET x = 1", 20]),
    ]
    assert told["true"].value[:2] == [Described(0x1370000007, []), Described(0x13700000005, [])]
    assert told["$Default"].value[0] == Described(0x1370000007, [])
    assert told["false"].value[0] == Described(0x1370000008, [])
    found = told["correlation"].value[0]
    assert (found.code, found.value[:8]) == (0x1370000009, [None, None, None, None, "l", None, None, "c"])
    assert found.value[8] == {"int": 5, "long": 5, "real": 0.5, "flag": True, "moment": 1000,
                              "span": Described("com.microsoft:timespan", 10_000_000)}  # fmt: skip
    # in the types in which they came
    answer = client.heard[-1].payload
    for name, value in properties.items():
        assert amqp.string(name) + value in answer, name


async def test_rules_are_paged_and_none_are_nothing(client: Raw) -> None:
    handle = await rules(client)
    assert (await add(client, handle, "second", sql("1=1")))[0] == 200
    page = strings({"top": amqp.int32(1), "skip": amqp.int32(1)})
    _, body = await client.request(handle, RULES, page)
    assert [entry["rule-description"].value[2] for entry in body["rules"]] == ["second"]
    assert [await remove(client, handle, name) for name in ("second", "$default")] == [200, 200]
    assert (await client.request(handle, RULES, ALL))[0] == 204


async def test_rules_that_cannot_be_are_refused_with_the_conditions_that_clients_know(client: Raw) -> None:
    handle = await rules(client)

    def condition() -> str:
        return str(amqp.sections(client.heard[-1].payload)[0x74]["errorCondition"])

    assert (await add(client, handle, "$Default", sql("1=1")))[0] == 409
    assert condition() == "com.microsoft:entity-already-exists"
    assert (await add(client, handle, "bad", sql("size >")))[0] == 400
    assert (await add(client, handle, "b\x00d", sql("1=1")))[0] == 400
    assert (await add(client, handle, "empty", strings({})))[0] == 400
    assert await remove(client, handle, "missing") == 404
    assert condition() == "amqp:not-found"
    queue = await client.requester("plain/$management")
    assert (await client.request(queue, RULES, ALL))[0] == 400


async def test_what_rules_compare_has_the_type_it_was_made_with(client: Raw, server: ServiceBusServer) -> None:
    handle = await rules(client)
    assert await remove(client, handle, "$Default") == 200
    properties = {"moment": amqp.timestamp(1000), "span": amqp.named("com.microsoft:timespan", amqp.int64(5))}
    assert (await add(client, handle, "typed", correlation({}, properties)))[0] == 200
    await client.sender("news")
    for told in (properties, {**properties, "moment": amqp.int64(1000)}, {**properties, "span": amqp.int64(5)}):
        section = amqp.described(0x74, strings(told))
        client.transfer(client.last_handle, raw.text_message("x", application=section))
        assert (await client.expect(raw.DISPOSITION)).fields[4].code == 0x24
    assert server.broker.queue("news/Subscriptions/all").depth()["active"] == 1


RULE = """<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml">
<RuleDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
 xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><Filter i:type="CorrelationFilter"><Properties>{}</Properties>
</Filter></RuleDescription></content></entry>"""
PAIR = """<KeyValueOfstringanyType><Key>{0}</Key><Value i:type="d6p1:{0}" xmlns:d6p1="http://www.w3.org/2001/XMLSchema">\
{1}</Value></KeyValueOfstringanyType>"""
VALUES = {"int": "5", "long": "5", "double": "0.5", "boolean": "true", "string": "a &amp; b",
          "dateTime": "2026-01-02T03:04:05.1234567Z", "duration": "P1DT2H"}  # fmt: skip


class Administrator:
    def __init__(self, server: ServiceBusServer, session: aiohttp.ClientSession) -> None:
        self._address, self._session = f"http://localhost:{server.port}", session
        self._headers = {"Authorization": server.tokens.make(self._address, 600)}

    async def ask(self, method: str, path: str, body: str = "", status: int = 200, update: bool = False) -> str:
        headers = {**self._headers, **({"If-Match": "*"} if update else {})}
        async with self._session.request(method, f"{self._address}/{path}", data=body, headers=headers) as answer:
            said = await answer.text()
            assert answer.status == status, said
            return said


@pytest.fixture
async def admin(server: ServiceBusServer) -> AsyncIterator[Administrator]:
    async with aiohttp.ClientSession() as session:
        yield Administrator(server, session)


def entry(title: str, content: str = "") -> str:
    return (
        '<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml">'
        f'<{title} xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect">{content}</{title}>'
        "</content></entry>"
    )


async def test_xml_has_no_prefixes_but_for_two(admin: Administrator) -> None:
    said = await admin.ask("GET", "plain")
    assert '<entry xmlns="http://www.w3.org/2005/Atom">' in said
    assert '<QueueDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"' in said
    counts = "http://schemas.microsoft.com/netservices/2011/06/servicebus"
    assert f'<CountDetails xmlns:d2p1="{counts}"><d2p1:ActiveMessageCount>0</d2p1:ActiveMessageCount>' in said
    assert set(re.findall(r"</(\w+):", said)) == {"d2p1"}


@pytest.mark.parametrize("restart", [False, True])
async def test_values_of_rules_are_given_back_in_their_types(
    admin: Administrator, server: ServiceBusServer, restart: bool
) -> None:
    pairs = "".join(PAIR.format(kind, text) for kind, text in VALUES.items())
    path = "news/Subscriptions/all/Rules/typed"
    said = await admin.ask("PUT", path, RULE.format(pairs), 201)
    if restart:
        described = server.broker.entities.describe("news/Subscriptions/all")
        server.broker.store.describe(described)
        server.broker.store.flush()
        [again] = [d for d in server.broker.store.descriptions() if d.path == described.path]
        server.broker.entities.set_rules(described.path, again.rules)
        said = await admin.ask("GET", path)
    for kind, text in VALUES.items():
        assert PAIR.format(kind, text) in said, kind
    assert set(re.findall(r"</(\w+):", said)) == set()


async def test_names_may_hold_slashes(admin: Administrator) -> None:
    await admin.ask("PUT", "site/page", entry("QueueDescription"), 201)
    await admin.ask("PUT", "site/news", entry("TopicDescription"), 201)
    await admin.ask("PUT", "site/news/Subscriptions/s", entry("SubscriptionDescription"), 201)
    await admin.ask("PUT", "site/news/Subscriptions/s/Rules/r", RULE.format(PAIR.format("int", "1")), 201)
    assert '<title type="text">site/page</title>' in await admin.ask("GET", "site/page")
    assert '<title type="text">s</title>' in await admin.ask("GET", "site/news/Subscriptions")
    listed = await admin.ask("GET", "site/news/Subscriptions/s/Rules")
    assert re.findall("<Name>(.*?)</Name>", listed) == ["$Default", "r"]
    await admin.ask("DELETE", "site/news/Subscriptions/s/Rules/r")
    await admin.ask("DELETE", "site/page")
    await admin.ask("DELETE", "site/page", status=404)


KEYS = """<AuthorizationRules><AuthorizationRule i:type="SharedAccessAuthorizationRule"
 xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><ClaimType>SharedAccessKey</ClaimType><ClaimValue>None</ClaimValue>
<Rights><AccessRights>{}</AccessRights></Rights><KeyName>own</KeyName><PrimaryKey>cHJpbWFyeQ==</PrimaryKey>
</AuthorizationRule></AuthorizationRules>"""


async def test_authorization_rules_are_kept_and_missing_keys_are_made(admin: Administrator) -> None:
    said = await admin.ask("PUT", "keyed", entry("QueueDescription", KEYS.format("Listen")), 201)
    assert await admin.ask("GET", "keyed") == said
    assert "<PrimaryKey>cHJpbWFyeQ==</PrimaryKey>" in said
    assert re.search("<SecondaryKey>[^<]{44}</SecondaryKey>", said)
    assert "<Rights><AccessRights>Listen</AccessRights></Rights>" in said
    changed = await admin.ask("PUT", "keyed", entry("QueueDescription"), update=True)
    assert "AuthorizationRule" not in changed
    refused = await admin.ask("PUT", "other", entry("QueueDescription", KEYS.format("Everything")), 400)
    assert "needs a name and rights" in refused


async def test_partitioning_and_express_are_taken_and_partitioning_is_fixed(admin: Administrator) -> None:
    told = "<EnablePartitioning>true</EnablePartitioning><EnableExpress>true</EnableExpress>"
    said = await admin.ask("PUT", "parts", entry("QueueDescription", told), 201)
    assert told.split("><", 1)[0] in said
    refused = await admin.ask("PUT", "parts", entry("QueueDescription"), 400, update=True)
    assert "EnablePartitioning cannot be changed" in refused
    assert "<EnableExpress>true</EnableExpress>" in said


@pytest.mark.parametrize("path", ["missing/Subscriptions/s", "plain/Subscriptions/s/Rules/r", "missing"])
async def test_what_is_not_found_says_so_in_the_services_words(admin: Administrator, path: str) -> None:
    said = await admin.ask("DELETE", path, status=404)
    assert re.search("The messaging entity '.*' could not be found", said)


async def test_a_control_character_does_not_spoil_a_list(admin: Administrator, client: Raw) -> None:
    handle = await rules(client)
    assert (await add(client, handle, "odd", sql("a = '\x01'")))[0] == 200
    said = await admin.ask("GET", "news/Subscriptions/all/Rules")
    assert "\x01" not in said
    assert "<Name>odd</Name>" in said
