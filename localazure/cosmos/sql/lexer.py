"""A query's text as tokens, with their places, as Microsoft's parser cuts it.

A word is a keyword in any case; `true`, `null` and their like only as they are written here. A sign belongs to a number
that follows it at once where an operand cannot end, so `-1` is one token and `c.a-1` are five.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from localazure.cosmos.errors import QueryError
from localazure.cosmos.sql.values import UNDEFINED

MAX_TEXT = 524_288
"""Characters. Source: `maxSqlQueryInputLength` of the service's account document."""

KEYWORDS = frozenset(
    (
        "AND ARRAY AS ASC BETWEEN BY CASE CAST CONVERT CROSS DESC DISTINCT ELSE END ESCAPE EXISTS FOR FROM GROUP "
        "HAVING IN INNER INSERT INTO IS JOIN LEFT LIKE LIMIT NOT OFFSET ON OR ORDER OUTER OVER RIGHT SELECT SET THEN "
        "TOP UPDATE VALUE WHEN WHERE WITH"
    ).split()
)
CONSTANTS: dict[str, Any] = {
    "true": True,
    "false": False,
    "null": None,
    "undefined": UNDEFINED,
    "NaN": math.nan,
    "Infinity": math.inf,
}
_EXACT = frozenset({*CONSTANTS, "udf"})
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ENDS_OPERAND = frozenset({"name", "number", "string", "parameter", ")", "]", "}", *CONSTANTS})

_NUMBER = r"(?: 0[xX][0-9A-Fa-f]+ | (?: \d+\.?\d* | \.\d+ ) (?: [eE][+-]?\d+ )? ) (?![\w.])"
_STRING = r"""(?: "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' )"""
LITERAL = rf"(?: {_STRING} | (?<![\w.@])-?{_NUMBER} )"
"""A string, or a number with the sign before it, where a token begins; a verbose pattern."""
_TOKEN = re.compile(
    rf"""
      (?P<skip> (?: [ \t\r\n\f\v]+ | --[^\n]* )+ )
    | (?P<word> [^\W\d]\w* )
    | (?P<number> {_NUMBER} )
    | (?P<misnumber> \.?\d[\w.]* )
    | (?P<parameter> @[^\W\d]\w* )
    | (?P<string> {_STRING} )
    | (?P<misstring> ["'].* )
    | (?P<symbol> \?\? | \|\| | >>> | >> | << | <= | >= | <> | != | [-+*/%&|^~=<>?:.,()\[\]{{}}] )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_MISESCAPE = re.compile(r"\\(?:u(?![0-9A-Fa-f]{4}))")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is `name`, `number`, `string`, `parameter`, `end`, or the keyword or symbol itself."""

    kind: str
    text: str
    start: int
    end: int
    value: Any = None

    @property
    def place(self) -> tuple[int, int]:
        return self.start, self.end


def tokens(text: str) -> list[Token]:
    """The tokens, and one for the end. Raises QueryError."""
    if len(text) > MAX_TEXT:
        raise QueryError(
            f"The SQL query text exceeded the maximum limit of {MAX_TEXT} characters.", "SC3020", 0, len(text)
        )
    found: list[Token] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise QueryError(f"Syntax error, invalid token '{text[place]}'.", "SC1010", place, place + 1)
        place = match.end()
        if match.lastgroup != "skip":
            found.append(_token(match, found))
    found.append(Token("end", "", len(text), len(text)))
    return _signed(found)


def _token(match: re.Match[str], before: list[Token]) -> Token:
    kind, text, (start, end) = match.lastgroup or "", match[0], match.span()
    if kind == "word":
        kind = text if text in _EXACT else text.upper() if text.upper() in KEYWORDS else "name"
        return Token(kind, text, start, end, CONSTANTS.get(text))
    if kind == "symbol":
        return Token(text, text, start, end)
    if kind == "string":
        return Token(kind, text, start, end, _unquoted(text, start, end))
    if kind == "number":
        return Token(kind, text, start, end, _number(text, start, end))
    if kind == "parameter":
        return Token(kind, text, start, end)
    if kind == "misnumber":
        raise _no_number(text, start, end)
    raise _no_string(text.rstrip(), start)


def _signed(found: list[Token]) -> list[Token]:
    """Signs joined with the numbers that they belong to."""
    joined: list[Token] = []
    for token in found:
        sign = joined[-1] if joined else None
        if (
            sign is not None
            and sign.kind == "-"
            and sign.end == token.start
            and token.kind in ("number", "Infinity")
            and (len(joined) < 2 or joined[-2].kind not in _ENDS_OPERAND)
        ):
            value = -int(token.text) if token.text == str(2**63) else -token.value
            joined[-1] = Token("number", f"-{token.text}", sign.start, token.end, value)
        else:
            joined.append(token)
    return joined


def _number(text: str, start: int, end: int) -> int | float:
    value: int | float
    if text[:2] in ("0x", "0X"):
        value = int(text, 16)
        if value >= 2**64:
            raise _no_number(text, start, end)
        return value
    if text.isdigit() and len(text) < 20:
        value = int(text)
        if value < 2**63:
            return value
    value = float(text)
    if math.isinf(value):
        raise _no_number(text, start, end)
    return value


def literal(text: str) -> Any:
    """The value of a literal. Raises QueryError."""
    return _unquoted(text, 0, len(text)) if text[0] in "'\"" else tokens(text)[0].value


def _unquoted(text: str, start: int, end: int) -> str:
    inner = text[1:-1]
    if "\\" not in inner:
        return inner
    if _MISESCAPE.search(inner.replace("\\\\", "")):
        raise _no_string(text, start)
    value = _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else _ESCAPES.get(match[2], match[2]), inner)
    if _SURROGATES.search(value):
        # pairs become the character they stand for, halves the character for what cannot be shown
        value = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value


def _no_number(text: str, start: int, end: int) -> QueryError:
    return QueryError(f"Syntax error, invalid numeric value token '{text}'.", "SC1011", start, end)


def _no_string(text: str, start: int) -> QueryError:
    message = f"Syntax error, invalid string literal token '{text}'."
    return QueryError(message, "SC1012", start, start + len(text))
