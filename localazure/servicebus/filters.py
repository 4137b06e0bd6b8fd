"""Subscription rules: correlation filters, and SQL-like filters by a grammar.

Source: "Topic filters and actions", "Subscription rule SQL filter syntax".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import LarkError

Properties = Mapping[str, Any]
"""System properties as `sys.Name`, and the application's own by their name."""
Filter = Callable[[Properties], bool]

_SYSTEM = {
    "ContentType", "CorrelationId", "Label", "MessageId", "ReplyTo", "ReplyToSessionId", "SessionId", "To",
}  # fmt: skip

_GRAMMAR = r"""
?start: or_
?or_: and_ | or_ "OR"i and_ -> or_
?and_: not_ | and_ "AND"i not_ -> and_
?not_: test | "NOT"i not_ -> not_
?test: sum
     | sum COMPARATOR sum -> compare
     | sum [NOT] "IN"i "(" sum ("," sum)* ")" -> in_
     | sum [NOT] "LIKE"i sum ["ESCAPE"i sum] -> like
     | sum "IS"i [NOT] "NULL"i -> is_null
     | "EXISTS"i "(" property ")" -> exists
?sum: product | sum (PLUS | MINUS) product -> arithmetic
?product: unary | product (TIMES | DIVIDE | MODULO) unary -> arithmetic
?unary: atom | MINUS unary -> negative
?atom: NUMBER -> number
     | STRING -> string
     | "TRUE"i -> true
     | "FALSE"i -> false
     | property
     | "(" or_ ")"
property: NAME ["." NAME] | QUOTED

NOT.3: /not\b/i
COMPARATOR: "<=" | ">=" | "<>" | "!=" | "=" | "<" | ">"
PLUS: "+"
MINUS: "-"
TIMES: "*"
DIVIDE: "/"
MODULO: "%"
NAME: /[A-Za-z_][A-Za-z0-9_$#]*/
QUOTED: /\[[^\]]+\]/
NUMBER: /\d+(\.\d+)?([eE][+-]?\d+)?/
STRING: /'([^']|'')*'/
%ignore /\s+/
"""

_PARSER = Lark(_GRAMMAR, parser="lalr", maybe_placeholders=True)


def correlation_filter(wanted: Mapping[str, Any]) -> Filter:
    """Every named property must be equal. Raises ValueError for a system property that does not exist."""
    expected: dict[str, Any] = dict(wanted.get("Properties", {}))
    for name, value in wanted.items():
        if name == "Properties":
            continue
        if name not in _SYSTEM:
            raise ValueError(f"a correlation filter has no property {name}")
        expected[f"sys.{name}"] = value
    return lambda properties: all(properties.get(name) == value for name, value in expected.items())


def sql_filter(text: str) -> Filter:
    """Raises ValueError for an expression that cannot be read."""
    expression = _compiled(text)
    return lambda properties: expression(properties) is True


Expression = Callable[[Properties], Any]


@lru_cache(maxsize=256)
def _compiled(text: str) -> Expression:
    try:
        return _compile(_PARSER.parse(text))
    except LarkError as exc:
        raise ValueError(f"the SQL filter {text!r} cannot be read: {str(exc).splitlines()[0]}") from exc


def _compile(tree: Any) -> Expression:
    children = [_compile(child) for child in tree.children if isinstance(child, Tree)]
    tokens = [str(child) for child in tree.children if isinstance(child, Token)]
    match tree.data:
        case "number":
            number = float(tokens[0]) if "." in tokens[0] or "e" in tokens[0].lower() else int(tokens[0])
            return lambda p: number
        case "string":
            return lambda p: tokens[0][1:-1].replace("''", "'")
        case "true":
            return lambda p: True
        case "false":
            return lambda p: False
        case "property":
            name = _name(tokens)
            return lambda p: p.get(name)
        case "exists":
            name = _name([str(token) for token in tree.children[0].children if token is not None])
            return lambda p: name in p
        case "or_":
            return lambda p: _either(children[0](p), children[1](p))
        case "and_":
            return lambda p: _both(children[0](p), children[1](p))
        case "not_":
            return lambda p: None if (value := children[0](p)) is None else not value
        case "is_null":
            return lambda p: (children[0](p) is None) is not bool(tokens)
        case "compare":
            return lambda p: _compare(tokens[0], children[0](p), children[1](p))
        case "in_":
            return lambda p: _in(children[0](p), [child(p) for child in children[1:]], bool(tokens))
        case "like":
            return lambda p: _like([child(p) for child in children], bool(tokens))
        case "negative":
            return lambda p: -value if isinstance(value := children[0](p), int | float) else None
        case _:
            return lambda p: _calculate(tokens[0], children[0](p), children[1](p))


def _name(tokens: list[str]) -> str:
    if len(tokens) == 2:
        return f"sys.{tokens[1]}" if tokens[0].lower() == "sys" else tokens[1]
    return tokens[0].strip("[]")


def _both(left: Any, right: Any) -> Any:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _either(left: Any, right: Any) -> Any:
    if left is True or right is True:
        return True
    return None if left is None or right is None else False


def _compare(operator: str, left: Any, right: Any) -> Any:
    if left is None or right is None:
        return None
    try:
        return {
            "=": lambda: left == right,
            "<>": lambda: left != right,
            "!=": lambda: left != right,
            "<": lambda: left < right,
            "<=": lambda: left <= right,
            ">": lambda: left > right,
            ">=": lambda: left >= right,
        }[operator]()
    except TypeError:
        return None


def _in(value: Any, choices: list[Any], negative: bool) -> Any:
    return None if value is None else (value in choices) is not negative


def _like(values: list[Any], negative: bool) -> Any:
    text, pattern, *rest = values
    if not isinstance(text, str) or not isinstance(pattern, str):
        return None
    escape = rest[0] if rest else ""
    out, characters = "", iter(pattern)
    for character in characters:
        if escape and character == escape:
            out += re.escape(next(characters, ""))
        else:
            out += {"%": ".*", "_": "."}.get(character, re.escape(character))
    return (re.fullmatch(out, text, re.DOTALL) is not None) is not negative


def _calculate(operator: str, left: Any, right: Any) -> Any:
    try:
        return {"+": lambda: left + right, "-": lambda: left - right, "*": lambda: left * right,
                "/": lambda: left / right, "%": lambda: left % right}[operator]()  # fmt: skip
    except (TypeError, ZeroDivisionError):
        return None
