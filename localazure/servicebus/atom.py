"""The administration API's documents: Atom entries and feeds around descriptions in XML.

Source: "Service Bus REST API"; `management/_generated/models` and `management/_utils.py` of azure-servicebus 7.15.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

from localazure.servicebus.amqp.types import Int32
from localazure.servicebus.authorization import AuthorizationRule, new_key
from localazure.servicebus.errors import NotAllowed
from localazure.servicebus.filters import CorrelationFilter, FalseFilter, Filter, Rule, SqlAction, SqlFilter, TrueFilter
from localazure.servicebus.options import Value
from localazure.servicebus.sql import SYSTEM
from localazure.servicebus.values import DateTime, Duration
from localazure.servicebus.xml import CONNECT, COUNTS, SCHEMA_PREFIX, TYPE

ATOM = "http://www.w3.org/2005/Atom"
_READERS: Mapping[str, Callable[[str], Any]] = {
    "string": str, "int": Int32, "long": int, "double": float, "boolean": lambda text: text.lower() == "true",
    "dateTime": DateTime, "duration": Duration,
}  # fmt: skip
_KINDS = {bool: "boolean", Int32: "int", int: "long", float: "double", DateTime: "dateTime", Duration: "duration"}


def parse(body: bytes, title: str) -> ET.Element:
    """The description in a request's entry. Raises NotAllowed for anything else."""
    if b"<!DOCTYPE" in body:
        raise NotAllowed("a document type has no place in a description")
    try:
        entry = ET.fromstring(body)  # noqa: S314 - without a document type there is nothing to expand
    except ET.ParseError as exc:
        raise NotAllowed(f"the request is no XML: {exc}") from exc
    found = entry.find(f"{{{ATOM}}}content/{{{CONNECT}}}{title}")
    if found is None:
        raise NotAllowed(f"the request has no {title}")
    return found


def properties(description: ET.Element, ignored: Iterable[str]) -> dict[str, str | None]:
    """What a description says, but for what only the service says."""
    skipped = set(ignored)
    found = {_name(element): "".join(element.itertext()).strip() or None for element in description}
    return {name: text for name, text in found.items() if name not in skipped}


def rule(name: str, description: ET.Element, now: float) -> Rule:
    """Raises NotAllowed, ValueError."""
    given, action = description.find(f"{{{CONNECT}}}Filter"), description.find(f"{{{CONNECT}}}Action")
    made = Rule(name, TrueFilter() if given is None else _filter(given), _action(action), now)
    made.check()
    return made


def _filter(given: ET.Element) -> Filter:
    kind = _kind(given)
    if kind == "CorrelationFilter":
        system = {name: text for name in SYSTEM if (text := given.findtext(f"{{{CONNECT}}}{name}"))}
        return CorrelationFilter(system, _values(given, "Properties"))
    expression = given.findtext(f"{{{CONNECT}}}SqlExpression") or ""
    if kind == "SqlFilter":
        return SqlFilter(expression, _values(given, "Parameters"))
    if kind == "TrueFilter":
        return TrueFilter()
    if kind == "FalseFilter":
        return FalseFilter()
    raise NotAllowed(f"the filter type '{kind}' does not exist")


def _action(given: ET.Element | None) -> SqlAction | None:
    kind = "EmptyRuleAction" if given is None else _kind(given)
    if given is None or kind == "EmptyRuleAction":
        return None
    if kind != "SqlRuleAction":
        raise NotAllowed(f"the action type '{kind}' does not exist")
    return SqlAction(given.findtext(f"{{{CONNECT}}}SqlExpression") or "", _values(given, "Parameters"))


def _values(parent: ET.Element, title: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in parent.findall(f"{{{CONNECT}}}{title}/*"):
        value = pair.find(f"{{{CONNECT}}}Value")
        key, text = pair.findtext(f"{{{CONNECT}}}Key") or "", "" if value is None else value.text or ""
        kind = "string" if value is None else _kind(value)
        if kind not in _READERS:
            raise NotAllowed(f"{key}: values of the type {kind} are not supported in rules by the local server")
        found[key] = _READERS[kind](text)
    return found


def _kind(element: ET.Element) -> str:
    return element.get(TYPE, "").rpartition(":")[2]


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def described(
    title: str,
    told: Mapping[str, Value],
    counts: Mapping[str, int] | None = None,
    rules: Iterable[AuthorizationRule] = (),
) -> ET.Element:
    """A description; `counts` are what its CountDetails say, `rules` its authorization rules."""
    out = ET.Element(f"{{{CONNECT}}}{title}")
    if rules:
        _authorization(out, rules)
    for name, value in told.items():
        _leaf(out, name, value)
    if counts is not None:
        details = ET.SubElement(out, f"{{{CONNECT}}}CountDetails")
        for name, count in counts.items():
            ET.SubElement(details, f"{{{COUNTS}}}{name}").text = str(count)
    return out


def authorization(description: ET.Element, now: float) -> tuple[AuthorizationRule, ...]:
    """The authorization rules of a description; one without keys gets them. Raises ValueError."""
    found = []
    for element in description.findall(f"{{{CONNECT}}}AuthorizationRules/{{{CONNECT}}}AuthorizationRule"):
        told = {_name(child): (child.text or "").strip() for child in element}
        rights = tuple(r.text or "" for r in element.findall(f"{{{CONNECT}}}Rights/{{{CONNECT}}}AccessRights"))
        made = AuthorizationRule(
            told.get("KeyName", ""),
            rights,
            told.get("PrimaryKey") or new_key(),
            told.get("SecondaryKey") or new_key(),
            told.get("CreatedTime") or moment(now),
            told.get("ModifiedTime") or moment(now),
        )
        made.check()
        found.append(made)
    if len({rule.name for rule in found}) < len(found):
        raise ValueError("two authorization rules of one name")
    return tuple(found)


def _authorization(parent: ET.Element, rules: Iterable[AuthorizationRule]) -> None:
    out = ET.SubElement(parent, f"{{{CONNECT}}}AuthorizationRules")
    for rule in rules:
        one = ET.SubElement(out, f"{{{CONNECT}}}AuthorizationRule", {TYPE: "SharedAccessAuthorizationRule"})
        _leaf(one, "ClaimType", "SharedAccessKey")
        _leaf(one, "ClaimValue", "None")
        rights = ET.SubElement(one, f"{{{CONNECT}}}Rights")
        for right in rule.rights:
            _leaf(rights, "AccessRights", right)
        _leaf(one, "CreatedTime", rule.created)
        _leaf(one, "ModifiedTime", rule.modified)
        _leaf(one, "KeyName", rule.name)
        _leaf(one, "PrimaryKey", rule.primary)
        _leaf(one, "SecondaryKey", rule.secondary)


def described_rule(told: Rule, created: float) -> ET.Element:
    out = ET.Element(f"{{{CONNECT}}}RuleDescription")
    if isinstance(told.filter, CorrelationFilter):
        made = ET.SubElement(out, f"{{{CONNECT}}}Filter", {TYPE: "CorrelationFilter"})
        for name, value in told.filter.system.items():
            _leaf(made, name, value)
        _pairs(made, "Properties", told.filter.properties)
    else:
        made = ET.SubElement(out, f"{{{CONNECT}}}Filter", {TYPE: type(told.filter).__name__})
        _expression(made, told.filter.expression, told.filter.parameters)
    kind = "EmptyRuleAction" if told.action is None else "SqlRuleAction"
    action = ET.SubElement(out, f"{{{CONNECT}}}Action", {TYPE: kind})
    if told.action is not None:
        _expression(action, told.action.expression, told.action.parameters)
    _leaf(out, "CreatedAt", moment(told.created or created))
    _leaf(out, "Name", told.name)
    return out


def _expression(parent: ET.Element, expression: str, parameters: Mapping[str, Any]) -> None:
    _leaf(parent, "SqlExpression", expression)
    _leaf(parent, "CompatibilityLevel", 20)
    _pairs(parent, "Parameters", parameters)


def _pairs(parent: ET.Element, title: str, values: Mapping[str, Any]) -> None:
    pairs = ET.SubElement(parent, f"{{{CONNECT}}}{title}")
    for key, value in values.items():
        pair = ET.SubElement(pairs, f"{{{CONNECT}}}KeyValueOfstringanyType")
        _leaf(pair, "Key", key)
        kind = _KINDS.get(type(value), "string")
        _leaf(pair, "Value", value.text if isinstance(value, DateTime | Duration) else value)
        pair[-1].set(TYPE, f"{SCHEMA_PREFIX}:{kind}")


def _leaf(parent: ET.Element, name: str, value: Value | float) -> None:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    ET.SubElement(parent, f"{{{CONNECT}}}{name}").text = text


def entry(address: str, title: str, content: ET.Element, updated: float) -> ET.Element:
    out = _document("entry", address, title, updated)
    ET.SubElement(out, f"{{{ATOM}}}content", {"type": "application/xml"}).append(content)
    return out


def feed(address: str, title: str, entries: Iterable[ET.Element], updated: float, following: str = "") -> ET.Element:
    """`following` is the address of the next page, if there is one."""
    out = _document("feed", address, title, updated)
    if following:
        ET.SubElement(out, f"{{{ATOM}}}link", {"rel": "next", "href": following})
    out.extend(entries)
    return out


def _document(kind: str, address: str, title: str, updated: float) -> ET.Element:
    out = ET.Element(f"{{{ATOM}}}{kind}")
    ET.SubElement(out, f"{{{ATOM}}}id").text = address
    ET.SubElement(out, f"{{{ATOM}}}title", {"type": "text"}).text = title
    ET.SubElement(out, f"{{{ATOM}}}updated").text = moment(updated)
    ET.SubElement(out, f"{{{ATOM}}}link", {"rel": "self", "href": address})
    return out


def error(status: int, detail: str) -> ET.Element:
    out = ET.Element("Error")
    ET.SubElement(out, "Code").text = str(status)
    ET.SubElement(out, "Detail").text = detail
    return out


def moment(seconds: float) -> str:
    """Seconds since the epoch → ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
