"""Tokens one after the other, and the names of types among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from localazure.apim.errors import ExpressionError
from localazure.apim.expressions.lexer import Token, tokens
from localazure.apim.expressions.types import ALIASES, is_known

T = TypeVar("T")


class Cursor:
    """Where the parser stands in its tokens."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._next = 0
        self._depth = 0

    @property
    def here(self) -> Token:
        return self._tokens[self._next]

    def ahead(self, count: int) -> Token:
        return self._tokens[min(self._next + count, len(self._tokens) - 1)]

    def take(self) -> Token:
        token = self.here
        self._next += 1
        return token

    def sees(self, *symbols: str) -> bool:
        return self.here.kind == "symbol" and self.here.text in symbols

    def sees_word(self, *words: str) -> bool:
        return self.here.kind == "name" and self.here.text in words

    def accept(self, symbol: str) -> bool:
        if self.sees(symbol):
            self._next += 1
            return True
        return False

    def accept_word(self, word: str) -> bool:
        if self.sees_word(word):
            self._next += 1
            return True
        return False

    def expect(self, symbol: str) -> Token:
        if not self.sees(symbol):
            raise self.error(f"expected {symbol!r}")
        return self.take()

    def expect_name(self) -> str:
        if self.here.kind != "name":
            raise self.error("expected a name")
        return self.take().text

    def expect_end(self) -> None:
        if self.here.kind != "end":
            raise self.error("expected the end of the expression")

    def error(self, message: str) -> ExpressionError:
        found = "the end" if self.here.kind == "end" else repr(self.here.text)
        return ExpressionError(f"{message}, found {found}", self.here.at)

    def attempt(self, parse: Callable[[], T | None]) -> T | None:
        """What `parse` gives, or `None`, and then no token is taken."""
        start = self._next
        try:
            found = parse()
        except ExpressionError:
            found = None
        if found is None:
            self._next = start
        return found

    # types

    def type(self, nullable: bool = True) -> str:
        """A type without its namespace, aliases resolved: `System.Int32` is `int`."""
        name = self.expect_name()
        while self.sees(".") and self.ahead(1).kind == "name" and not is_known(name):
            self.take()
            name = self.expect_name()
        name = ALIASES.get(name, name)
        if self.sees("<"):
            self.take()
            inner = [self.type()]
            while self.accept(","):
                inner.append(self.type())
            self.expect(">")
            name += f"<{','.join(inner)}>"
        while True:
            if self.sees("[") and self.ahead(1).text == "]":
                self._next += 2
                name += "[]"
            elif nullable and self.sees("?") and not name.endswith("?"):
                self.take()
                name += "?"
            else:
                return name

    def type_arguments(self) -> tuple[str, ...] | None:
        """`<types>` before the bracket of a call."""
        if not self.accept("<"):
            return None
        found = [self.type()]
        while self.accept(","):
            found.append(self.type())
        return tuple(found) if self.accept(">") and self.sees("(") else None
