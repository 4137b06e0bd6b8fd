"""The administration API: queues, topics, subscriptions and rules over HTTP, for `ServiceBusAdministrationClient`.

Source: "Service Bus REST API" (Atom); `management/_generated/operations` of azure-servicebus 7.15.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from aiohttp import web

from localazure.servicebus import atom, xml
from localazure.servicebus.authorization import MANAGE, Grant
from localazure.servicebus.descriptions import Description
from localazure.servicebus.engine import Broker
from localazure.servicebus.errors import BrokerError, EntityExists, EntityNotFound, NotAllowed, Unauthorized
from localazure.servicebus.filters import DEFAULT, CorrelationFilter, Rule
from localazure.servicebus.names import check_name
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
    "AccessedAt", "AuthorizationRules", "CorrelationFilterCount", "CountDetails", "CreatedAt", "DefaultRuleDescription",
    "EntityAvailabilityStatus", "MessageCount", "MessageCountDetails", "SizeInBytes", "SqlFilterCount",
    "SubscriptionCount", "UpdatedAt",
)  # fmt: skip
_SUPPLEMENTS = {
    "forward_to": "ServiceBusSupplementaryAuthorization",
    "forward_dead_letters_to": "ServiceBusDlqSupplementaryAuthorization",
}
"""The tokens for the entities that an entity forwards to."""
_PAGE = 100


class Administration:
    """Answers requests."""

    def __init__(self, broker: Broker, tokens: Tokens) -> None:
        self._broker, self._tokens = broker, tokens
        self._entities = broker.entities

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            # a client that was given a signature, and not the key, calls it a bearer token
            grant = self._tokens.check(request.headers.get("Authorization", "").removeprefix("Bearer "))
            status, document = _Answer(self._broker, self._tokens, request, grant).of(body)
        except BrokerError as exc:
            status = 400 if exc.status >= 500 else exc.status
            document = atom.error(status, f"{exc} SubCode={status}00.")
        except ValueError as exc:
            status, document = 400, atom.error(400, f"{exc} SubCode=40000.")
        return web.Response(status=status, body=xml.text(document), content_type="application/atom+xml")


class _Answer:
    """The answer to one request."""

    def __init__(self, broker: Broker, tokens: Tokens, request: web.Request, grant: Grant) -> None:
        self._broker, self._tokens, self._request, self._grant = broker, tokens, request, grant
        self._entities = broker.entities
        self._address = f"{request.scheme}://{request.host}"

    def of(self, body: bytes) -> tuple[int, ET.Element]:
        """Names may hold slashes, so an address is read from its end."""
        request = self._request
        parts = [unquote(part) for part in request.raw_path.partition("?")[0].strip("/").split("/")]
        shape = ["", "", "", "", *(part.lower() for part in parts)]
        self._demand("" if parts[0].startswith("$") else "/".join(parts))
        if request.method == "GET" and shape[4:] == ["$namespaceinfo"]:
            return 200, self._namespace()
        if request.method == "GET" and shape[4] == "$resources" and len(parts) == 2 and shape[5] in _LISTS:
            return 200, self._list(request, self._entities.descriptions(_LISTS[shape[5]]))
        if shape[-4] == "subscriptions" and shape[-2] == "rules" and len(parts) > 4:
            described = self._of_kind(_subscription(parts[:-2]), "subscription")
            return self._rule(request, described, parts[-1], body)
        if shape[-3] == "subscriptions" and shape[-1] == "rules" and len(parts) > 3 and request.method == "GET":
            described = self._of_kind(_subscription(parts[:-1]), "subscription")
            return 200, self._page(request, "rules", [self._rule_entry(described, rule) for rule in described.rules])
        if shape[-2] == "subscriptions" and len(parts) > 2:
            return self._entity(request, _subscription(parts), body)
        if shape[-1] == "subscriptions" and len(parts) > 1 and request.method == "GET":
            topic = self._of_kind("/".join(parts[:-1]), "topic")
            return 200, self._list(request, self._entities.descriptions("subscription", topic.path))
        return self._entity(request, "/".join(parts), body)

    def _demand(self, path: str) -> None:
        """Raises Unauthorized. An entity's own key manages the entity; the rest takes the namespace's."""
        everywhere = self._grant.entities is None
        if not everywhere and (not path or not self._grant.allows(path, MANAGE, self._broker.now())):
            raise Unauthorized(f"Unauthorized access. '{MANAGE}' claim(s) are required to perform this operation.")

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
        check_name(kind, name)
        description = atom.parse(body, _TITLES[kind])
        keys = atom.authorization(description, self._broker.now())
        made = replace(options(kind, path, atom.properties(description, _SAID_BY_THE_SERVICE)), authorization=keys)
        self._check_forwarding(request, made)
        rules: tuple[Rule, ...] = ()
        if kind == "subscription":
            first = description.find(f"{{{xml.CONNECT}}}DefaultRuleDescription")
            now = self._broker.now()
            named = DEFAULT if first is None else first.findtext(f"{{{xml.CONNECT}}}Name") or DEFAULT
            rules = (Rule(DEFAULT, created=now) if first is None else atom.rule(named, first, now),)
        return self._entities.create(kind, path, made, rules)

    def _update(self, request: web.Request, path: str, body: bytes) -> Description:
        before = self._entities.describe(path)
        description = atom.parse(body, _TITLES[before.kind])
        new = changed(before.kind, path, before.options, atom.properties(description, _SAID_BY_THE_SERVICE))
        new = replace(new, authorization=atom.authorization(description, self._broker.now()))
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
            raise EntityNotFound(f"The messaging entity '{path}' could not be found: it is not a {kind}.")
        return found

    def _rule(self, request: web.Request, owner: Description, name: str, body: bytes) -> tuple[int, ET.Element]:
        known = {rule.name.lower(): rule for rule in owner.rules}
        found = known.get(name.lower())
        if request.method == "PUT" and not request.headers.get("If-Match"):
            if found is not None:
                raise EntityExists(f"The rule '{name}' of '{owner.path}' already exists.")
            check_name("rule", name)
        elif found is None:
            raise EntityNotFound(f"The messaging entity '{owner.path}/Rules/{name}' could not be found.")
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
        content = atom.described(_TITLES[described.kind], said | sizes, counts, described.options.authorization)
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
        dead_count = len(dead.messages)
        counts = _counts(depth["active"] + depth["deferred"], dead_count, depth["scheduled"])
        sizes: dict[str, Value] = {"MessageCount": len(queue.messages) + dead_count}
        return counts, sizes | ({"SizeInBytes": queue.size() + dead.size()} if described.kind == "queue" else {})


_CONSTANT: Mapping[Kind, Mapping[str, Value]] = {
    "queue": {
        "IsAnonymousAccessible": False,
        "EntityAvailabilityStatus": "Available", "MaxMessageSizeInKilobytes": 256,
    },
    "topic": {
        "IsAnonymousAccessible": False,
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
    return f"{'/'.join(parts[:-2])}/Subscriptions/{parts[-1]}"
