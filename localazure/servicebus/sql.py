"""The SQL-like language of subscription rules: predicates for filters, statements for actions.

Unknown values (`None`) follow the documented tables; what has no meaning, such as comparing a text with a number, is
an evaluation error, because the service binds operators as C# does.
Source: "Subscription rule SQL filter syntax", "Subscription rule SQL action syntax".
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lark import Lark, Token, Tree
from lark.exceptions import LarkError

from localazure.servicebus import operators

SYSTEM = ("ContentType", "CorrelationId", "Label", "MessageId", "ReplyTo", "ReplyToSessionId", "SessionId", "To")
"""The system properties that rules may name."""
_ELSEWHERE = frozenset(
    """DeadLetterSource DeliveryCount EnqueuedSequenceNumber EnqueuedTimeUtc ExpiresAtUtc ForcePersistence LockToken
    LockedUntilUtc PartitionKey ScheduledEnqueueTimeUtc SequenceNumber Size State TimeToLive ViaPartitionKey
    """.lower().split()
)

Properties = Mapping[str, Any]
"""By their scope and their name in lower case: `sys.label`, `user.size`."""
Expression = Callable[[Properties], Any]
Parameters = Mapping[str, Any]

_GRAMMAR = r"""
predicate: disjunction
?disjunction: conjunction | disjunction _OR conjunction -> either
?conjunction: negation | conjunction _AND negation -> both
?negation: test | NOT negation -> opposite
?test: sum
     | sum (EQUAL | COMPARATOR) sum -> compare
     | sum [NOT] _IN "(" sum ("," sum)* ")" -> within
     | sum [NOT] _LIKE sum [_ESCAPE sum] -> like
     | sum _IS [NOT] _NULL -> is_null
     | _EXISTS "(" property ")" -> exists
?sum: product | sum (PLUS | MINUS) product -> arithmetic
?product: unary | product (TIMES | DIVIDE | MODULO) unary -> arithmetic
?unary: atom | (PLUS | MINUS) unary -> signed
?atom: NUMBER -> number
     | STRING -> string
     | _TRUE -> true
     | _FALSE -> false
     | _NULL -> null
     | PARAMETER -> parameter
     | _NEWID "(" ")" -> newid
     | _PROPERTY "(" sum ")" -> named
     | property
     | "(" disjunction ")" -> group
property: [SCOPE "."] (NAME | DELIMITED | QUOTED)

statements: statement (";"* statement)* ";"*
?statement: _SET property EQUAL sum -> set
          | _REMOVE property -> remove

_AND.3: /and\b/i
_OR.3: /or\b/i
NOT.3: /not\b/i
_IN.3: /in\b/i
_LIKE.3: /like\b/i
_ESCAPE.3: /escape\b/i
_IS.3: /is\b/i
_NULL.3: /null\b/i
_TRUE.3: /true\b/i
_FALSE.3: /false\b/i
_EXISTS.3: /exists\b/i
_SET.3: /set\b/i
_REMOVE.3: /remove\b/i
_NEWID.3: /newid(?=\s*\()/i
_PROPERTY.3: /(property|p)(?=\s*\()/i
SCOPE.3: /(sys|user)(?=\s*\.)/i
EQUAL: "="
COMPARATOR: "<=" | ">=" | "<>" | "!=" | "<" | ">"
PLUS: "+"
MINUS: "-"
TIMES: "*"
DIVIDE: "/"
MODULO: "%"
NAME: /[^\W\d_]\w*/
DELIMITED: /\[([^\]]|\]\])+\]/
QUOTED: /"([^"]|"")+"/
PARAMETER: /@[^\W\d]\w*/
NUMBER: /\d+(\.\d+)?([eE][+-]?\d+)?/
STRING: /'([^']|'')*'/
%ignore /\s+/
"""

_PARSER = Lark(_GRAMMAR, parser="lalr", start=["predicate", "statements"], maybe_placeholders=True)
_PREDICATES = frozenset("compare within like is_null exists opposite both either".split())


class Change(NamedTuple):
    """What one statement of an action does: sets a property, or removes it if `value` is `None`."""

    property: str
    value: Expression | None


def key(name: str, scope: str = "user") -> str:
    """Under what a property is found. Raises ValueError for a system property that rules cannot name here."""
    if scope != "sys":
        return f"user.{name.lower()}"
    if name.lower() in _ELSEWHERE:
        raise ValueError(f"the system property sys.{name} is not supported in rules by the local server")
    if name.lower() not in {known.lower() for known in SYSTEM}:
        raise ValueError(f"there is no system property sys.{name}")
    return f"sys.{name.lower()}"


def predicate(text: str, parameters: Parameters) -> Expression:
    """A filter's condition. Raises ValueError for what cannot be read, and for parameters that are not given."""
    tree = _parse(text, "predicate")
    return _Compiler(text, parameters).predicate(tree.children[0])


def statements(text: str, parameters: Parameters) -> list[Change]:
    """An action's statements, in their order. Raises ValueError as `predicate` does."""
    compiler, found = _Compiler(text, parameters), []
    for statement in _parse(text, "statements").children:
        target, *value = (child for child in statement.children if isinstance(child, Tree))
        compiled = compiler.expression(value[0]) if statement.data == "set" else None
        found.append(Change(_spelled(target), compiled))
    return found


def _parse(text: str, start: str) -> Any:
    try:
        return _PARSER.parse(text, start=start)
    except LarkError as exc:
        kind = "filter" if start == "predicate" else "action"
        raise ValueError(f"the SQL {kind} {text!r} cannot be read: {str(exc).splitlines()[0]}") from exc


class _Compiler:
    """Turns the tree of one text into functions of a message's properties."""

    def __init__(self, text: str, parameters: Parameters) -> None:
        self._text = text
        self._parameters = {name.lower(): value for name, value in parameters.items()}

    def predicate(self, tree: Any) -> Expression:
        if tree.data == "group":
            return self.predicate(tree.children[0])
        if tree.data not in _PREDICATES:
            raise ValueError(f"the SQL filter {self._text!r} cannot be read: a value stands where a predicate belongs")
        parts = [child for child in tree.children if isinstance(child, Tree)]
        if tree.data in ("both", "either", "opposite"):
            return self._logical(tree.data, [self.predicate(part) for part in parts])
        if tree.data == "exists":
            name = _key(parts[0])
            return lambda p: p.get(name) is not None
        return self._test(tree, [self.expression(part) for part in parts])

    def _logical(self, kind: str, parts: list[Expression]) -> Expression:
        if kind == "opposite":
            return lambda p: operators.opposite(parts[0](p))
        if kind == "both":
            return lambda p: False if (left := parts[0](p)) is False else operators.both(left, parts[1](p))
        return lambda p: True if (left := parts[0](p)) is True else operators.either(left, parts[1](p))

    def _test(self, tree: Any, parts: list[Expression]) -> Expression:
        words = [str(child) for child in tree.children if isinstance(child, Token)]
        if tree.data == "compare":
            return lambda p: operators.compare(words[0], parts[0](p), parts[1](p))
        if tree.data == "within":
            return lambda p: operators.within(parts[0](p), [part(p) for part in parts[1:]], bool(words))
        if tree.data == "like":
            return lambda p: operators.like([part(p) for part in parts], bool(words))
        if tree.children[0].data != "property":
            raise ValueError(f"the SQL filter {self._text!r} cannot be read: IS NULL asks about a property")
        return lambda p: (parts[0](p) is None) is not bool(words)

    def expression(self, tree: Any) -> Expression:
        if tree.data in _PREDICATES:
            raise ValueError(f"the SQL {self._text!r} cannot be read: a predicate stands where a value belongs")
        words = [str(child) for child in tree.children if isinstance(child, Token)]
        parts = [child for child in tree.children if isinstance(child, Tree)]
        if tree.data == "property":
            name = _key(tree)
            return lambda p: p.get(name)
        if parts:
            return self._operation(tree.data, words, [self.expression(part) for part in parts])
        if tree.data == "newid":
            return lambda p: uuid.uuid4()
        constant = self._constant(tree.data, words)
        return lambda p: constant

    def _operation(self, kind: str, words: list[str], parts: list[Expression]) -> Expression:
        if kind == "group":
            return parts[0]
        if kind == "signed":
            return lambda p: operators.signed(words[0], parts[0](p))
        if kind == "named":
            return lambda p: _named(p, parts[0](p))
        return lambda p: operators.calculate(words[0], parts[0](p), parts[1](p))

    def _constant(self, kind: str, words: list[str]) -> Any:
        if kind == "number":
            return int(words[0]) if words[0].isdecimal() else float(words[0])
        if kind == "string":
            return words[0][1:-1].replace("''", "'")
        if kind == "parameter":
            if words[0].lower() not in self._parameters:
                raise ValueError(f"the SQL {self._text!r} names {words[0]}, but no such parameter is given")
            return self._parameters[words[0].lower()]
        return {"true": True, "false": False, "null": None}[kind]


def _key(tree: Any) -> str:
    return key(*_name(tree))


def _spelled(tree: Any) -> str:
    """As `_key`, but in the spelling of the text: an action makes the property under that name."""
    name, scope = _name(tree)
    key(name, scope)
    return f"{scope}.{name}"


def _name(tree: Any) -> tuple[str, str]:
    scope, word = tree.children
    text = str(word)
    if word.type == "DELIMITED":
        text = text[1:-1].replace("]]", "]")
    elif word.type == "QUOTED":
        text = text[1:-1].replace('""', '"')
    return text, "user" if scope is None else str(scope).lower()


def _named(properties: Properties, name: Any) -> Any:
    """`property(name)`: the property whose name is only known when the message is."""
    if name is None:
        return None
    if not isinstance(name, str):
        raise operators.EvaluationError("property() takes a text")
    scope, dot, rest = name.partition(".")
    try:
        return properties.get(key(rest, "sys") if dot and scope.lower() == "sys" else key(name))
    except ValueError as exc:
        raise operators.EvaluationError(str(exc)) from exc
