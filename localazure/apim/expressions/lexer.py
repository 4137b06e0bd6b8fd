"""Tokens of C#. Source: C# language specification, chapter "Lexical structure"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from localazure.apim.errors import ExpressionError

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*|/\*.*?\*/)
  | (?P<number>\d+\.\d+|\d+)
  | (?P<verbatim>@"(?:[^"]|"")*")
  | (?P<string>"(?:[^"\\\n]|\\.)*")
  | (?P<char>'(?:[^'\\\n]|\\.)')
  | (?P<interpolated>\$@?")
  | (?P<name>[A-Za-z_]\w*)
  | (?P<symbol>=>|\?\?|\?\.|\?\[|==|!=|<=|>=|&&|\|\||[-+*/%!<>=?:;,.(){}\[\]])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", '"': '"', "'": "'", "\\": "\\"}


@dataclass(frozen=True)
class Token:
    """`kind` is number, string, char, name, symbol or end."""

    at: int
    kind: str
    text: str
    value: Any = None


def tokens(text: str) -> list[Token]:
    """Raises ExpressionError for a character or literal that is no token."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(f"unexpected {text[at]!r}", at)
        kind, token = str(match.lastgroup), match.group()
        if kind == "interpolated":
            raise ExpressionError("interpolated strings are not supported; join strings with +", at)
        if kind != "space":
            found.append(_token(at, kind, token))
        at = match.end()
    return [*found, Token(at, "end", "")]


def _token(at: int, kind: str, text: str) -> Token:
    match kind:
        case "number":
            return Token(at, kind, text, float(text) if "." in text else int(text))
        case "verbatim":
            return Token(at, "string", text, text[2:-1].replace('""', '"'))
        case "string" | "char":
            return Token(at, kind, text, re.sub(r"\\(.)", lambda escape: _escaped(escape[1], at), text[1:-1]))
    return Token(at, kind, text)


def _escaped(character: str, at: int) -> str:
    if character not in _ESCAPES:
        raise ExpressionError(f"the escape \\{character} is not supported", at)
    return _ESCAPES[character]
