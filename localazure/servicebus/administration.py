"""The administration API: queues, topics, subscriptions and rules over HTTPS, for `ServiceBusAdministrationClient`.

Source: "Service Bus REST API" (Atom); `management/_generated/operations` of azure-servicebus 7.15.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from aiohttp import web

from localazure.servicebus import atom
from localazure.servicebus.descriptions import Description
from localazure.servicebus.engine import Broker
from localazure.servicebus.errors import BrokerError, EntityExists, EntityNotFound, NotAllowed, Unauthorized
from localazure.servicebus.filters import DEFAULT, CorrelationFilter, Rule
from localazure.servicebus.options import Kind, Options, Value, changed, options, told
from localazure.servicebus.tokens import Tokens
from localazure.servicebus.topology import DEAD_LETTERS

_TITLES: Mapping[Kind, str] = {
    "queue": "QueueDescription",
    "topic": "TopicDescription",
    "subscription": "SubscriptionDescription",
}
_LISTS: Mapping[str, Kind] = {"queues": "queue", "topics": "topic"}
_SAID_BY_THE_SERVICE = (
    "AccessedAt", "CorrelationFilterCount", "CountDetails", "CreatedAt", "DefaultRuleDescription",
    "EntityAvailabilityStatus", "MessageCount", "MessageCountDetails", "SizeInBytes", "SqlFilterCount",
    "SubscriptionCount", "UpdatedAt",
)  # fmt: skip
_SUPPLEMENTS = {
    "forward_to": "ServiceBusSupplementaryAuthorization",
    "forward_dead_letters_to": "ServiceBusDlqSupplementaryAuthorization",
}
"""The tokens for the entities that an entity forwards to."""
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/~-]*[A-Za-z0-9_])?")
_LONGEST = {"queue": 260, "topic": 260, "subscription": 50, "rule": 50}
_PAGE = 100


class Administration:
    """Answers requests. `address` is where the API is, without a slash at its end."""

    def __init__(self, broker: Broker, tokens: Tokens, address: str) -> None:
        self._broker, self._tokens, self._address = broker, tokens, address
        self._entities = broker.entities

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            # a client that was given a signature, and not the key, calls it a bearer token
            self._tokens.check(request.headers.get("Authorization", "").removeprefix("Bearer "))
            status, document = self._route(request, body)
        except BrokerError as exc:
            status = 400 if exc.status >= 500 else exc.status
            document = atom.error(status, f"{exc} SubCode={status}00.")
        except ValueError as exc:
            status, document = 400, atom.error(400, f"{exc} SubCode=40000.")
        return web.Response(status=status, body=atom.text(document), content_type="application/atom+xml")

    def _route(self, request: web.Request, body: bytes) -> tuple[int, ET.Element]:
        parts = [unquote(part) for part in request.raw_path.partition("?")[0].strip("/").split("/")]
        shape = [part.lower() for part in parts]
        if request.method == "GET" and shape == ["$namespaceinfo"]:
            return 200, self._namespace()
        if request.method == "GET" and shape[0] == "$resources" and len(shape) == 2 and shape[1] in _LISTS:
            return 200, self._list(request, self._entities.descriptions(_LISTS[shape[1]]))
        if len(parts) > 1 and shape[1] != "subscriptions":
            raise EntityNotFound(f"there is nothing at {request.path}")
        if len(parts) == 2 and request.method == "GET":
            topic = self._of_kind(parts[0], "topic")
            return 200, self._list(request, self._entities.descriptions("subscription", topic.path))
        if len(parts) in (1, 3):
            return self._entity(request, parts[0] if len(parts) == 1 else _subscription(parts), body)
        if len(parts) in (4, 5) and shape[3] == "rules":
            described = self._of_kind(_subscription(parts), "subscription")
            if len(parts) == 5:
                return self._rule(request, described, parts[4], body)
            if request.method == "GET":
                entries = [self._rule_entry(described, rule) for rule in described.rules]
                return 200, self._page(request, "rules", entries)
        raise NotAllowed(f"{request.method} {request.path} is not supported by the local server")

    def _entity(self, request: web.Request, path: str, body: bytes) -> tuple[int, ET.Element]:
        if request.method == "GET":
            try:
                return 200, self._entry(self._entities.describe(path))
            except EntityNotFound:
                # the service says that there is nothing with a list in which there is nothing
                return 200, atom.feed(f"{self._address}/{path}", "Publicly Listed Services", [], self._broker.started)
        if request.method == "DELETE":
            last = self._entry(self._entities.describe(path))
            self._entities.delete(path)
            return 200, last
        if request.method == "PUT" and request.headers.get("If-Match"):
            return 200, self._entry(self._update(request, path, body))
        if request.method == "PUT":
            return 201, self._entry(self._create(request, path, body))
        raise NotAllowed(f"{request.method} is not supported by the local server")

    def _create(self, request: web.Request, path: str, body: bytes) -> Description:
        kind = self._kind(path, body)
        name = path.rpartition("/Subscriptions/")[2]
        _check_name(kind, name)
        description = atom.parse(body, _TITLES[kind])
        made = options(kind, path, atom.properties(description, _SAID_BY_THE_SERVICE))
        self._check_forwarding(request, made)
        rules: tuple[Rule, ...] = ()
        if kind == "subscription":
            first = description.find(f"{{{atom.CONNECT}}}DefaultRuleDescription")
            now = self._broker.now()
            named = DEFAULT if first is None else first.findtext(f"{{{atom.CONNECT}}}Name") or DEFAULT
            rules = (Rule(DEFAULT, created=now) if first is None else atom.rule(named, first, now),)
        return self._entities.create(kind, path, made, rules)

    def _update(self, request: web.Request, path: str, body: bytes) -> Description:
        before = self._entities.describe(path)
        description = atom.parse(body, _TITLES[before.kind])
        new = changed(before.kind, path, before.options, atom.properties(description, _SAID_BY_THE_SERVICE))
        self._check_forwarding(request, new)
        return self._entities.update(before.path, new)

    def _kind(self, path: str, body: bytes) -> Kind:
        if "/Subscriptions/" in path:
            return "subscription"
        return "topic" if b"TopicDescription" in body else "queue"

    def _check_forwarding(self, request: web.Request, given: Options) -> None:
        for field, header in _SUPPLEMENTS.items():
            if getattr(given, field):
                if header not in request.headers:
                    raise Unauthorized(f"forwarding needs a token for its destination in {header}")
                self._tokens.check(request.headers[header])

    def _of_kind(self, path: str, kind: Kind) -> Description:
        found = self._entities.describe(path)
        if found.kind != kind:
            raise EntityNotFound(f"The messaging entity '{path}' is no {kind}.")
        return found

    def _rule(self, request: web.Request, owner: Description, name: str, body: bytes) -> tuple[int, ET.Element]:
        known = {rule.name.lower(): rule for rule in owner.rules}
        found = known.get(name.lower())
        if request.method == "PUT" and not request.headers.get("If-Match"):
            if found is not None:
                raise EntityExists(f"The rule '{name}' of '{owner.path}' already exists.")
            _check_name("rule", name)
        elif found is None:
            raise EntityNotFound(f"The rule '{name}' of '{owner.path}' could not be found.")
        if request.method == "GET" and found is not None:
            return 200, self._rule_entry(owner, found)
        if request.method == "DELETE" and found is not None:
            del known[name.lower()]
            self._entities.set_rules(owner.path, known.values())
            return 200, self._rule_entry(owner, found)
        if request.method != "PUT":
            raise NotAllowed(f"{request.method} is not supported by the local server")
        made = atom.rule(name, atom.parse(body, "RuleDescription"), self._broker.now())
        if found is not None:
            made = replace(made, name=found.name, created=found.created)
        self._entities.set_rules(owner.path, {**known, name.lower(): made}.values())
        return 201 if found is None else 200, self._rule_entry(owner, made)

    def _rule_entry(self, owner: Description, rule: Rule) -> ET.Element:
        address = f"{self._address}/{owner.path}/Rules/{rule.name}"
        return atom.entry(address, rule.name, atom.described_rule(rule, owner.created), owner.updated)

    def _namespace(self) -> ET.Element:
        started, name = atom.moment(self._broker.started), self._broker.name
        said = {
            "CreatedTime": started, "MessagingSKU": "Standard", "ModifiedTime": started, "Name": name,
            "NamespaceType": "Messaging",
        }  # fmt: skip
        info = atom.described("NamespaceInfo", said)
        return atom.entry(f"{self._address}/$namespaceinfo", name, info, self._broker.started)

    def _list(self, request: web.Request, found: Iterable[Description]) -> ET.Element:
        return self._page(request, request.path, [self._entry(described) for described in found])

    def _page(self, request: web.Request, title: str, entries: list[ET.Element]) -> ET.Element:
        skip, top = int(request.query.get("$skip", 0)), int(request.query.get("$top", _PAGE))
        version = request.query.get("api-version", "")
        here = f"{self._address}{request.path}"
        more = f"{here}?$skip={skip + top}&$top={top}&api-version={version}" if skip + top < len(entries) else ""
        return atom.feed(here, title, entries[skip : skip + top], self._broker.now(), more)

    def _entry(self, described: Description) -> ET.Element:
        said = {**told(described.kind, described.options), **_CONSTANT[described.kind]}
        for name in ("ForwardTo", "ForwardDeadLetteredMessagesTo"):
            if name in said:
                said[name] = f"{self._address}/{said[name]}"
        said |= {
            "CreatedAt": atom.moment(described.created),
            "UpdatedAt": atom.moment(described.updated),
            "AccessedAt": atom.moment(self._entities.accessed(described)),
        }
        counts, sizes = self._counted(described)
        content = atom.described(_TITLES[described.kind], said | sizes, counts)
        return atom.entry(f"{self._address}/{described.path}", described.name, content, described.updated)

    def _counted(self, described: Description) -> tuple[dict[str, int], dict[str, Value]]:
        """The counts of messages, and what else is counted. Deferred messages count as active ones."""
        queues, path = self._entities.queues, described.path.lower()
        if described.kind == "topic":
            under = self._entities.descriptions("subscription", described.path)
            rules = [rule for subscription in under for rule in subscription.rules]
            correlated = sum(isinstance(rule.filter, CorrelationFilter) for rule in rules)
            waiting = self._entities.targets[path].waiting
            parts = [queues[one.path.lower()] for one in under] + [waiting]
            counted: dict[str, Value] = {
                "SizeInBytes": sum(part.size() for part in parts), "SubscriptionCount": len(under),
                "SqlFilterCount": len(rules) - correlated, "CorrelationFilterCount": correlated,
            }  # fmt: skip
            return _counts(0, 0, waiting.depth()["scheduled"]), counted
        queue, dead = queues[path], queues[f"{path}{DEAD_LETTERS}".lower()]
        depth = queue.depth()
        buried = len(dead.messages)
        counts = _counts(depth["active"] + depth["deferred"], buried, depth["scheduled"])
        sizes: dict[str, Value] = {"MessageCount": len(queue.messages) + buried}
        return counts, sizes | ({"SizeInBytes": queue.size() + dead.size()} if described.kind == "queue" else {})


_CONSTANT: Mapping[Kind, Mapping[str, Value]] = {
    "queue": {
        "IsAnonymousAccessible": False, "EnablePartitioning": False, "EnableExpress": False,
        "EntityAvailabilityStatus": "Available", "MaxMessageSizeInKilobytes": 256,
    },
    "topic": {
        "IsAnonymousAccessible": False, "EnablePartitioning": False, "EnableExpress": False,
        "EnableSubscriptionPartitioning": False, "FilteringMessagesBeforePublishing": False,
        "EntityAvailabilityStatus": "Available", "MaxMessageSizeInKilobytes": 256,
    },
    "subscription": {"EntityAvailabilityStatus": "Available"},
}  # fmt: skip


def _counts(active: int, dead: int, scheduled: int) -> dict[str, int]:
    return {
        "ActiveMessageCount": active, "DeadLetterMessageCount": dead, "ScheduledMessageCount": scheduled,
        "TransferMessageCount": 0, "TransferDeadLetterMessageCount": 0,
    }  # fmt: skip


def _subscription(parts: list[str]) -> str:
    return f"{parts[0]}/Subscriptions/{parts[2]}"


def _check_name(kind: str, name: str) -> None:
    if not _NAME.fullmatch(name.removeprefix("$") if kind == "rule" else name) or len(name) > _LONGEST[kind]:
        raise NotAllowed(
            f"'{name}' is no name for a {kind}: up to {_LONGEST[kind]} letters, digits, periods, hyphens, underscores"
        )
