"""A place among a query's tokens, and what is said when another token was expected."""

from __future__ import annotations

from localazure.cosmos.errors import QueryError
from localazure.cosmos.sql.lexer import Token, tokens

TOO_COMPLEX = (
    "The query is too complex to be processed. To resolve this issue, please consider breaking the query into "
    "multiple smaller queries, simplifying the complex expression, and/or using Computed Properties."
)


class Cursor:
    """Reads tokens from first to last."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._at = 0

    @property
    def token(self) -> Token:
        return self._tokens[self._at]

    @property
    def following(self) -> Token:
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def next(self) -> Token:
        found = self._tokens[self._at]
        if found.kind != "end":
            self._at += 1
        return found

    def last(self) -> Token:
        """The token that was read last."""
        return self._tokens[max(self._at - 1, 0)]

    def accept(self, *kinds: str) -> Token | None:
        """The token, if it is one of these, and then it is read."""
        return self.next() if self.token.kind in kinds else None

    def expect(self, *kinds: str) -> Token:
        """Raises QueryError for any other token."""
        if self.token.kind not in kinds:
            raise self.unexpected()
        return self.next()

    def unexpected(self, token: Token | None = None) -> QueryError:
        token = token or self.token
        if token.kind == "end":
            return QueryError("Syntax error, unexpected end-of-file.", "SC1002", *token.place)
        return QueryError(f"Syntax error, incorrect syntax near '{token.text}'.", "SC1001", *token.place)

    def too_complex(self) -> QueryError:
        return QueryError(TOO_COMPLEX, "SC1030", *self.token.place)
