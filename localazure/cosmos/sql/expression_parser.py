"""Scalar expressions: an operator-precedence parser with a stack of its own.

Generated queries have thousands of terms and hundreds of parentheses; only what nests in the tree (arguments, arrays,
objects, subqueries) recurses, and that no deeper than `DEEPEST`.

The ranks are those of Microsoft's parser. NOT binds tighter than any comparison. BETWEEN cannot stand beside AND and OR
without parentheses, and nothing but AND, OR, `?` and `??` can follow IN and LIKE.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeVar, cast

from localazure.cosmos.errors import QueryError
from localazure.cosmos.sql.cursor import Cursor
from localazure.cosmos.sql.lexer import CONSTANTS, Token
from localazure.cosmos.sql.operator_stack import (
    AND,
    BETWEEN,
    BINARY,
    COALESCE,
    COMPARISON,
    DEEPEST,
    TERNARY,
    TEST,
    UNARY,
    WHOLE,
    Operand,
    OperatorStack,
    Waiting,
)
from localazure.cosmos.sql.syntax import (
    Array,
    Call,
    Constant,
    Expression,
    In,
    Like,
    Member,
    Name,
    Object,
    Pair,
    Parameter,
    Query,
    Step,
    Subquery,
)

T = TypeVar("T")

_LEVELS_OF_SUBQUERY = 4
"""Running a subquery takes as many calls as that many levels of other expressions."""
_PREFIXES = frozenset({"NOT", "-", "+", "~"})
_TESTS = frozenset({"NOT", "IN", "LIKE", "BETWEEN"})
_QUERY_CALLS = frozenset({"ALL", "FIRST", "LAST"})
_NAMES = frozenset({"name", "LEFT", "RIGHT"})


class ExpressionParser(Cursor):
    """Reads expressions; what stands in a subquery's parentheses is read by `query`."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._level = 0
        self._deepest = 0

    @abstractmethod
    def query(self) -> Query: ...

    def expression(self) -> Expression:
        """Raises QueryError."""
        return self._operand().node

    def _operand(self) -> Operand:
        stack = OperatorStack(self)
        while True:
            self._read_operand(stack)
            if not self._read_operator(stack):
                stack.reduce(TERNARY)
                if stack.waiting:
                    raise self.unexpected()
                found = stack.operands.pop()
                self._deepest = max(self._deepest, found.depth)
                return found

    def _read_operand(self, stack: OperatorStack) -> None:
        while True:
            if self.token.kind in _PREFIXES:
                stack.push(Waiting(self.next().kind, UNARY))
            elif self.token.kind == "(" and self.following.kind != "SELECT":
                self.next()
                stack.push(Waiting("(", 0))
            else:
                break
        stack.operands.append(self._primary())

    def _read_operator(self, stack: OperatorStack) -> bool:
        """Read what follows an operand, up to where another one is needed; whether one is."""
        while True:
            kind = self.token.kind
            if kind in (".", "[") and stack.operands[-1].rank == WHOLE:
                stack.operands.append(self._member(stack.operands.pop()))
            elif kind == ")" and self._close(stack):
                continue
            elif kind in _TESTS:
                if self._read_test(stack):
                    return True
            elif kind == "ESCAPE":
                self._read_escape(stack)
            else:
                return self._read_binary(stack, kind)

    def _close(self, stack: OperatorStack) -> bool:
        """Close the parenthesis that is open in this expression, if there is one."""
        if not any(waiting.kind == "(" for waiting in reversed(stack.waiting)):
            return False
        stack.reduce(TERNARY)
        if stack.top != "(":
            raise self.unexpected()
        stack.waiting.pop()
        self.next()
        stack.operands.append(replace(stack.operands.pop(), rank=WHOLE))
        return True

    def _read_binary(self, stack: OperatorStack, kind: str) -> bool:
        rank = BINARY.get(kind, {"??": COALESCE, "?": TERNARY, ":": 0}.get(kind, -1))
        if rank < 0:
            return False
        stack.reduce(rank + 1)
        if kind == "AND" and stack.top == "BETWEEN" and stack.operands[-1].rank > TEST:
            low = stack.operands.pop()
            between = stack.waiting.pop()
            stack.push(Waiting("high", BETWEEN, (*between.operands, low), between.negated))
        elif kind == ":":
            stack.reduce(TERNARY)
            if stack.top != "?":
                return False
            condition = stack.waiting.pop().operands
            stack.push(Waiting(":", TERNARY, (*condition, stack.operands.pop())))
        elif stack.operands[-1].rank < rank or (rank <= AND and stack.top in ("BETWEEN", "high")):
            raise self.unexpected()
        elif rank in (COALESCE, TERNARY):
            stack.push(Waiting(kind, rank, (stack.operands.pop(),)))
        else:
            stack.binary(kind, rank)
        self.next()
        return True

    def _read_test(self, stack: OperatorStack) -> bool:
        """IN, LIKE or BETWEEN, with or without NOT; whether an operand has to follow."""
        stack.reduce(COMPARISON)
        if stack.top in ("LIKE", "BETWEEN", "high") or stack.operands[-1].rank <= TEST:
            raise self.unexpected()
        negated = self.accept("NOT") is not None
        if self.token.kind == "BETWEEN" and stack.top in ("AND", "OR"):
            raise self.unexpected()
        kind = self.expect("IN", "LIKE", "BETWEEN").kind
        wanted = stack.operands.pop()
        if kind == "IN":
            choices = self._listed("(", ")", self._operand)
            if not choices:
                raise self.unexpected(self.last())
            node = In(wanted.node, _nodes(choices), negated, place=(wanted.node.place[0], self.last().end))
            stack.add(node, TEST, _depth([wanted, *choices]))
            return False
        stack.push(Waiting(kind, TEST if kind == "LIKE" else BETWEEN, (wanted,), negated))
        return True

    def _read_escape(self, stack: OperatorStack) -> None:
        stack.reduce(COMPARISON)
        if stack.top != "LIKE":
            raise self.unexpected()
        self.next()
        escape = self.expect("string")
        stack.reduce(TEST)
        like = stack.operands.pop()
        assert isinstance(like.node, Like), "what LIKE made"
        node = replace(like.node, escape=escape.value, escape_place=escape.place)
        stack.operands.append(replace(like, node=node))

    def _primary(self) -> Operand:
        token = self.token
        if token.kind in CONSTANTS or token.kind in ("number", "string"):
            self.next()
            return Operand(Constant(token.value, place=token.place), WHOLE)
        if token.kind == "parameter":
            self.next()
            return Operand(Parameter(token.text, place=token.place), WHOLE)
        if token.kind in ("EXISTS", "ARRAY", "("):
            return self._subquery()
        if token.kind == "[":
            items = self._listed("[", "]", self._operand)
            return self._whole(Array(_nodes(items), place=self._since(token)), items)
        if token.kind == "{":
            return self._object()
        if token.kind in _NAMES and self.following.kind == "(":
            return self._call()
        if token.kind == "udf":
            return self._user_call()
        name = self.expect("name")
        return Operand(Name(name.text, place=name.place), WHOLE)

    def _member(self, of: Operand) -> Operand:
        """All the steps that follow, in one node."""
        begin = of.node.place[0]
        steps = tuple(self.steps(begin))
        node, before = (of.node.of, of.node.steps) if isinstance(of.node, Member) else (of.node, ())
        return Operand(Member(node, (*before, *steps), place=(begin, self.last().end)), WHOLE, of.depth)

    def steps(self, begin: int, computed: bool = True) -> list[Step]:
        """The steps of a path that begins there. Raises QueryError for a step that is an expression.

        It is named as unsupported where the language has computed steps.
        """
        found = []
        while opening := self.accept(".", "["):
            token = self.token
            if opening.kind == ".":
                found.append(Step(self.expect("name").text, True, token.place))
                continue
            if token.kind in ("number", "string") and (self.following.kind == "]" or not computed):
                self.next()
                key: str | int | float = token.value
            elif not computed:
                raise self.unexpected()
            else:
                self.expression()
                end = self.expect("]").end
                message = "The specified query includes 'member indexer' which is currently not supported."
                raise QueryError(message, "SC2990", begin, end)
            found.append(Step(key, False, (token.start, self.expect("]").end)))
        return found

    def _object(self) -> Operand:
        opening = self.token
        found: list[Operand] = []

        def pair() -> Pair:
            name = self.expect("string", "name")
            self.expect(":")
            found.append(self._operand())
            return Pair(name.text if name.kind == "name" else name.value, found[-1].node, name.place)

        pairs = self._listed("{", "}", pair)
        return self._whole(Object(tuple(pairs), place=self._since(opening)), found)

    def _call(self) -> Operand:
        name = self.next()
        if name.text.upper() in _QUERY_CALLS and self._tokens[self._at + 1].kind == "SELECT":
            return self._in_parentheses(name.text.upper(), name)
        arguments = self._listed("(", ")", self._operand)
        node = Call(name.text.upper(), _nodes(arguments), name=name.text, place=self._since(name))
        return self._whole(node, arguments)

    def _user_call(self) -> Operand:
        opening = self.next()
        self.expect(".")
        name = self.expect("name")
        arguments = self._listed("(", ")", self._operand)
        node = Call(name.text, _nodes(arguments), True, name.text, place=self._since(opening))
        return self._whole(node, arguments)

    def _subquery(self) -> Operand:
        if self.token.kind == "(":
            return self._in_parentheses("SCALAR", self.token)
        name = self.next()
        return self._in_parentheses(name.kind, name)

    def _in_parentheses(self, kind: str, opening: Token) -> Operand:
        self.expect("(")
        begin = self.token.start
        query, depth = self.subquery()
        end = self.last().end
        self.expect(")")
        place = (begin, end) if kind == "SCALAR" else self._since(opening)
        known = cast(Literal["SCALAR", "EXISTS", "ARRAY", "ALL", "FIRST", "LAST"], kind)
        return Operand(Subquery(known, query, place=place), WHOLE, depth)

    def subquery(self) -> tuple[Query, int]:
        """A query inside another one, and the levels that it takes."""
        outer, self._deepest = self._deepest, 0
        query = self.nested(self.query, _LEVELS_OF_SUBQUERY)
        depth = self._deepest + _LEVELS_OF_SUBQUERY
        if depth > DEEPEST:
            raise self.too_complex()
        self._deepest = max(outer, depth)
        return query, depth

    def _listed(self, opening: str, closing: str, one: Callable[[], T]) -> list[T]:
        """What stands between brackets, with commas between; it may be nothing."""
        self.expect(opening)
        if self.accept(closing):
            return []
        found = [self.nested(one, 1)]
        while self.accept(","):
            found.append(self.nested(one, 1))
        self.expect(closing)
        return found

    def nested(self, read: Callable[[], T], levels: int) -> T:
        """Raises QueryError for what is nested too deep."""
        self._level += levels
        if self._level > DEEPEST:
            raise self.too_complex()
        found = read()
        self._level -= levels
        return found

    def _whole(self, node: Expression, parts: list[Operand]) -> Operand:
        depth = _depth(parts)
        if depth > DEEPEST:
            raise self.too_complex()
        return Operand(node, WHOLE, depth)

    def _since(self, opening: Token) -> tuple[int, int]:
        return opening.start, self.last().end


def _nodes(operands: list[Operand]) -> tuple[Expression, ...]:
    return tuple(operand.node for operand in operands)


def _depth(operands: list[Operand]) -> int:
    return max((operand.depth for operand in operands), default=0) + 1
