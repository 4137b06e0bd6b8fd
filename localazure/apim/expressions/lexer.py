"""Tokens of C#. Source: C# language specification, chapter "Lexical structure"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from localazure.apim.errors import ExpressionError

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*|/\*.*?\*/)
  | (?P<number>0[xX][0-9A-Fa-f_]+[uUlL]*|(?:\d[\d_]*)?\.\d[\d_]*(?:[eE][-+]?\d+)?[fFdDmM]?
      |\d[\d_]*(?:[eE][-+]?\d+)?(?:[uUlL]+|[fFdDmM])?)
  | (?P<verbatim>@"(?:[^"]|"")*")
  | (?P<string>"(?:[^"\\\n]|\\.)*")
  | (?P<char>'(?:[^'\\\n]|\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{1,4}|.))')
  | (?P<interpolated>(?:\$@?|@\$)")
  | (?P<name>@?[A-Za-z_]\w*)
  | (?P<symbol>=>|\?\?=|\?\?|\?\.(?!\d)|\?\[|\+\+|--|\+=|-=|\*=|/=|%=|&=|\|=|\^=|<<=|==|!=|<=|>=|&&|\|\||<<|->
      |[-+*/%!<>=?:;,.(){}\[\]&|^~])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{1,4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPES |= {character: character for character in "\"'\\"}
_SUFFIXES = {"L": "long", "UL": "long", "U": "int", "F": "double", "D": "double", "M": "decimal"}
_CLOSERS = {"(": ")", "{": "}", "[": "]"}
DEEPEST = 40
"""Interpolated strings within interpolated strings."""


@dataclass(frozen=True)
class Token:
    """`kind` is int, long, double, decimal, string, char, interpolated, name, symbol or end. The value of an
    interpolated string is its parts: texts, and (offset, expression, format) for each hole."""

    at: int
    kind: str
    text: str
    value: Any = None


def tokens(text: str, depth: int = 0) -> list[Token]:
    """Raises ExpressionError for a character or literal that is no token."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        kind, end = _next(text, at)
        token = text[at:end]
        if kind == "interpolated":
            parts, end = _parts(text, end, "@" in token, depth)
            found.append(Token(at, kind, text[at:end], parts))
        elif kind != "space":
            found.append(_token(at, kind, token))
        at = end
    return [*found, Token(at, "end", "")]


def closing(text: str, at: int, depth: int = 0) -> int:
    """The offset behind the bracket that closes the one at `at`, strings and comments skipped. Raises
    ExpressionError."""
    opener, open_ = at, [_CLOSERS[text[at]]]
    at += 1
    while open_:
        if at >= len(text):
            raise ExpressionError(f"{text[opener]!r} is not closed", opener)
        kind, end = _next(text, at)
        if kind == "interpolated":
            _, end = _parts(text, end, "@" in text[at:end], depth)
        elif kind == "symbol" and text[at] in "({[":
            open_.append(_CLOSERS[text[at]])
        elif kind == "symbol" and text[at:end].startswith("?["):
            open_.append("]")
        elif kind == "symbol" and text[at] in ")}]" and text[at] != open_.pop():
            raise ExpressionError(f"unexpected {text[at]!r}", at)
        at = end
    return at


def _next(text: str, at: int) -> tuple[str, int]:
    match = _TOKEN.match(text, at)
    if match is None:
        raise ExpressionError(f"unexpected {text[at]!r}", at)
    return str(match.lastgroup), match.end()


def _parts(text: str, at: int, verbatim: bool, depth: int) -> tuple[list[Any], int]:
    """What an interpolated string consists of, and the offset behind it; `at` is behind its opening quote."""
    if depth > DEEPEST:
        raise ExpressionError("interpolated strings are nested too deep", at)
    parts: list[Any] = []
    literal, start = "", at
    while at < len(text):
        here = text[at]
        if text.startswith(("{{", "}}"), at) or (verbatim and text.startswith('""', at)):
            literal, at = literal + here, at + 2
        elif here == "\\" and not verbatim:
            match = _ESCAPE.match(text, at)
            end = match.end() if match else at + 1
            literal, at = literal + _unescaped(text[at:end], at), end
        elif here == '"':
            return [*parts, literal], at + 1
        elif here == "{":
            end = closing(text, at, depth + 1)
            parts += [literal, _hole(text, at + 1, end - 1)]
            literal, at = "", end
        elif here == "}" or (here == "\n" and not verbatim):
            raise ExpressionError(f"unexpected {here!r} in an interpolated string", at)
        else:
            literal, at = literal + here, at + 1
    raise ExpressionError("the interpolated string is not closed", start)


def _hole(text: str, start: int, end: int) -> tuple[int, str, str]:
    """The expression of a hole and its format, which begins at the first colon outside brackets and strings."""
    at = start
    while at < end:
        if text[at] in "([{":
            at = closing(text, at)
        elif text[at] == ":":
            return start, text[start:at], text[at + 1 : end]
        else:
            kind, behind = _next(text, at)
            at = _parts(text, behind, "@" in text[at:behind], 1)[1] if kind == "interpolated" else behind
    return start, text[start:end], ""


def _token(at: int, kind: str, text: str) -> Token:
    match kind:
        case "number":
            return _number(at, text)
        case "verbatim":
            return Token(at, "string", text, text[2:-1].replace('""', '"'))
        case "string" | "char":
            return Token(at, kind, text, _unescaped(text[1:-1], at))
    return Token(at, kind, text.removeprefix("@"))


def _number(at: int, text: str) -> Token:
    digits = text.replace("_", "").upper()
    if digits.startswith("0X"):
        value = int(digits.rstrip("UL"), 16)
        return Token(at, "long" if value >= 1 << 31 or digits.endswith("L") else "int", text, value)
    bare = digits.rstrip("ULFDM")
    kind = _SUFFIXES.get(digits[len(bare) :], "double" if "." in bare or "E" in bare else "int")
    if kind == "decimal":
        from decimal import Decimal

        return Token(at, kind, text, Decimal(bare))
    if kind == "double":
        return Token(at, kind, text, float(bare))
    whole = int(bare)
    if whole >= 1 << 64:
        raise ExpressionError(f"{text} is too large for a whole number", at)
    return Token(at, "long" if whole >= 1 << 31 else kind, text, whole)


def _unescaped(text: str, at: int) -> str:
    return _ESCAPE.sub(lambda escape: _escaped(escape[1], at), text) if "\\" in text else text


def _escaped(escape: str, at: int) -> str:
    if escape[0] in "uUx" and len(escape) > 1:
        number = int(escape[1:], 16)
        if number <= 0x10FFFF:
            return chr(number)
    if escape not in _ESCAPES:
        raise ExpressionError(f"the escape \\{escape} is not supported", at)
    return _ESCAPES[escape]
