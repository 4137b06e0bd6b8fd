"""Recursive descent over the tokens of an expression.

Precedence follows the C# language specification, section "Operator precedence and associativity".
"""

from __future__ import annotations

from localazure.apim.errors import ExpressionError
from localazure.apim.expressions import nodes
from localazure.apim.expressions.cursor import Cursor
from localazure.apim.expressions.lexer import Token
from localazure.apim.expressions.types import ALIASES, BUILT_IN, is_known, parts

_LEVELS = (
    ("??",),
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<", ">", "<=", ">=", "is", "as"),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
)
_PRECEDENCE = {operator: level for level, operators in enumerate(_LEVELS) for operator in operators}
_ASSIGNMENTS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", "??="}
REFUSED = {"goto", "lock", "await", "yield", "async", "typeof", "ref", "unsafe", "fixed", "stackalloc", "delegate"}
"""Words of C# that have no meaning here."""
DEEPEST = 50
MAX_CHAIN = 500
"""Operators of one level in a row."""


class Expressions(Cursor):
    """The expressions; statements are what a subclass knows."""

    def block(self) -> nodes.Block:
        raise NotImplementedError

    def expression(self) -> nodes.Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self.error(f"nested deeper than {DEEPEST} levels")
        try:
            if found := self._lambda():
                return found
            at = self.here.at
            if self.accept_word("throw"):
                return nodes.Raise(at, self.expression())
            return self._assignment(self._conditional())
        finally:
            self._depth -= 1

    def _assignment(self, target: nodes.Node) -> nodes.Node:
        if not (self.here.kind == "symbol" and self.here.text in _ASSIGNMENTS):
            return target
        if not isinstance(target, nodes.Name | nodes.Index | nodes.Member):
            raise ExpressionError("only a variable, a property or an index can be assigned to", self.here.at)
        token = self.take()
        return nodes.Assign(token.at, target, token.text[:-1], self.expression())

    def _conditional(self) -> nodes.Node:
        condition = self._binary(0)
        if not self.sees("?"):
            return condition
        at = self.take().at
        yes = self.expression()
        self.expect(":")
        return nodes.Conditional(at, condition, yes, self.expression())

    # lambdas

    def _lambda(self) -> nodes.Lambda | None:
        at = self.here.at
        if self.here.kind == "name" and self.ahead(1).text == "=>":
            parameters: tuple[tuple[str, str], ...] = (("", self.take().text),)
        elif self.sees("(") and (found := self.attempt(self._parameters)) is not None:
            parameters = found
        else:
            return None
        self.expect("=>")
        return nodes.Lambda(at, parameters, self.block() if self.sees("{") else self.expression())

    def _parameters(self) -> tuple[tuple[str, str], ...] | None:
        self.expect("(")
        found: list[tuple[str, str]] = []
        while not self.accept(")"):
            typed = self.ahead(1).text not in {",", ")"}
            found.append((self.type() if typed else "", self.expect_name()))
            if not self.sees(")"):
                self.expect(",")
        return tuple(found) if self.sees("=>") else None

    # operators

    def _operator(self) -> str:
        if self.sees(">") and self.ahead(1).text == ">" and self.ahead(1).at == self.here.at + 1:
            return ">>"
        return self.here.text if self.here.kind in {"symbol", "name"} else ""

    def _binary(self, lowest: int) -> nodes.Node:
        left = self._unary()
        for _ in range(MAX_CHAIN):
            operator = self._operator()
            level = _PRECEDENCE.get(operator, -1)
            if level < lowest:
                return left
            at = self.take().at
            if operator == ">>":
                self.take()
            if operator in {"is", "as"}:
                left = self._type_test(operator, left, at)
                continue
            if operator == "??" and self.sees_word("throw"):
                return nodes.Binary(at, operator, left, self.expression())
            # ?? is right-associative, the others are left-associative
            left = nodes.Binary(at, operator, left, self._binary(level if operator == "??" else level + 1))
        raise self.error(f"more than {MAX_CHAIN} operators in a row")

    def _type_test(self, operator: str, left: nodes.Node, at: int) -> nodes.Node:
        if operator == "as":
            return nodes.As(at, left, self.type(nullable=False))
        negated = self.accept_word("not")
        if self.accept_word("null"):
            return nodes.Is(at, left, "null", "", negated)
        type_ = self.type(nullable=False)
        named = self.here.kind == "name" and self.here.text not in {"is", "as", "when"}
        return nodes.Is(at, left, type_, self.take().text if named else "", negated)

    def _unary(self) -> nodes.Node:
        signs: list[tuple[Token, str]] = []
        while True:
            if self.sees("!", "-", "+", "~", "++", "--"):
                signs.append((self.take(), ""))
            elif self.sees("(") and (type_ := self.attempt(self._cast)):
                signs.append((self.here, type_))
            else:
                break
            if len(signs) > DEEPEST:
                raise self.error(f"nested deeper than {DEEPEST} levels")
        found = self._postfix(self._primary())
        for token, type_ in reversed(signs):
            if type_:
                found = nodes.Cast(token.at, type_, found)
            elif token.text in {"++", "--"}:
                found = nodes.Increment(token.at, found, 1 if token.text == "++" else -1, True)
            else:
                found = nodes.Unary(token.at, token.text, found)
        return found

    def _cast(self) -> str | None:
        self.expect("(")
        type_ = self.type()
        self.expect(")")
        name = parts(type_.removesuffix("?"))[0]
        if self.here.kind == "symbol":
            # (type)(…), (type)!…, and (int)-1, but not (name) - 1
            known = is_known(name) or name == "[]"
            if not (self.sees("(", "!", "~") and known) and not (self.sees("-") and name in BUILT_IN):
                return None
        if self.here.kind == "end" or self.sees_word("is", "as"):
            return None
        return type_

    # primary expressions

    def _primary(self) -> nodes.Node:
        token = self.take()
        match token.kind:
            case "int" | "long" | "double" | "decimal" | "string" | "char":
                return nodes.Literal(token.at, token.kind, token.value)
            case "interpolated":
                return self._interpolated(token)
            case "name":
                return self._word(token)
        if token.text == "(":
            inner = self.expression()
            self.expect(")")
            return inner
        self._next -= 1
        raise self.error("expected an expression")

    def _interpolated(self, token: Token) -> nodes.Node:
        found: list[str | tuple[nodes.Node, int, str]] = []
        for part in token.value:
            if isinstance(part, str):
                found.append(part)
                continue
            at, text, form = part
            inner = type(self)(" " * at + text)
            inner._depth = self._depth
            node, width = inner.expression(), 0
            if inner.accept(","):
                sign = -1 if inner.accept("-") else 1
                if inner.here.kind != "int":
                    raise ExpressionError("expected a width", at)
                width = sign * int(inner.take().value)
            inner.expect_end()
            found.append((node, width, form))
        return nodes.Interpolated(token.at, tuple(found))

    def _word(self, token: Token) -> nodes.Node:
        at = token.at
        match token.text:
            case "true" | "false":
                return nodes.Literal(at, "bool", token.text == "true")
            case "null":
                return nodes.Literal(at, "null", None)
            case "new":
                return self._new(at)
            case "default":
                if not self.accept("("):
                    return nodes.Default(at, "")
                type_ = self.type()
                self.expect(")")
                return nodes.Default(at, type_)
            case "nameof":
                self.expect("(")
                name = self.expect_name()
                while self.accept("."):
                    name = self.expect_name()
                self.expect(")")
                return nodes.Literal(at, "string", name)
        if token.text in REFUSED:
            raise ExpressionError(f"{token.text!r} is not supported in expressions", at)
        if token.text in BUILT_IN:
            return nodes.TypeName(at, ALIASES.get(token.text, token.text))
        if self.sees("("):
            return nodes.Call(at, None, token.text, (), self.arguments())
        return nodes.Name(at, token.text)

    def _new(self, at: int) -> nodes.Node:
        if self.accept("["):
            self.expect("]")
            self.expect("{")
            return nodes.NewArray(at, "", None, self._list("}"))
        if self.accept("{"):
            return nodes.Anonymous(at, self._fields())
        type_ = self.type()
        if self.accept("["):
            size = self.expression()
            self.expect("]")
            items = self._list("}") if self.accept("{") else ()
            return nodes.NewArray(at, type_, size, items)
        if type_.endswith("[]") and self.accept("{"):
            return nodes.NewArray(at, type_[:-2], None, self._list("}"))
        arguments = self.arguments() if self.sees("(") else ()
        if not self.sees("{"):
            return nodes.New(at, type_, arguments)
        return nodes.New(at, type_, arguments, self._items())

    def _fields(self) -> tuple[tuple[str, nodes.Node], ...]:
        found: list[tuple[str, nodes.Node]] = []
        while not self.accept("}"):
            name = ""
            if self.here.kind == "name" and self.ahead(1).text == "=":
                name = self.take().text
                self.take()
            value = self.expression()
            if not name and isinstance(value, nodes.Name | nodes.Member):
                name = value.name
            if not name:
                raise self.error("a member of an anonymous type needs a name")
            found.append((name, value))
            if not self.sees("}"):
                self.expect(",")
        return tuple(found)

    def _items(self) -> tuple[nodes.Item, ...]:
        self.expect("{")
        found: list[nodes.Item] = []
        while not self.accept("}"):
            found.append(self._item())
            if not self.sees("}"):
                self.expect(",")
        return tuple(found)

    def _item(self) -> nodes.Item:
        at = self.here.at
        if self.accept("["):
            key = self.expression()
            self.expect("]")
            self.expect("=")
            return nodes.Item(at, "", (key,), self.expression())
        if self.accept("{"):
            *keys, value = self._list("}")
            return nodes.Item(at, "", tuple(keys), value)
        if self.here.kind == "name" and self.ahead(1).text == "=":
            name = self.take().text
            self.take()
            return nodes.Item(at, name, (), self.expression())
        return nodes.Item(at, "", (), self.expression())

    def _list(self, end: str) -> tuple[nodes.Node, ...]:
        found: list[nodes.Node] = []
        while not self.accept(end):
            found.append(self.expression())
            if not self.sees(end):
                self.expect(",")
        return tuple(found)

    # what follows a primary expression

    def _postfix(self, node: nodes.Node) -> nodes.Node:
        safe = False
        for _ in range(MAX_CHAIN):
            at = self.here.at
            if self.sees(".", "?."):
                safe |= self.here.text == "?."
                node = self._member(node, at, self.take().text == "?.")
            elif self.sees("[", "?["):
                safe |= self.here.text == "?["
                open_ = self.take().text
                node = nodes.Index(at, node, self.expression(), open_ == "?[")
                self.expect("]")
            elif self.sees("!") and self.ahead(1).text in {".", ")", "["}:
                self.take()  # what only silences a warning
            elif self.sees("++", "--"):
                node = nodes.Increment(at, node, 1 if self.take().text == "++" else -1, False)
            else:
                return nodes.Chain(at, node) if safe else node
        raise self.error(f"more than {MAX_CHAIN} members in a row")

    def _member(self, target: nodes.Node, at: int, safe: bool) -> nodes.Node:
        name = self.expect_name()
        types = self.attempt(self.type_arguments) if self.sees("<") else None
        if not self.sees("("):
            return nodes.Member(at, target, name, safe)
        return nodes.Call(at, target, name, types or (), self.arguments(), safe)

    def arguments(self) -> tuple[tuple[str, nodes.Node], ...]:
        """`(arguments)` of a call."""
        self.expect("(")
        found: list[tuple[str, nodes.Node]] = []
        while not self.accept(")"):
            label = ""
            if self.here.kind == "name" and self.ahead(1).text == ":":
                label = self.take().text
                self.take()
            found.append((label, self._out() if self.sees_word("out") else self.expression()))
            if not self.sees(")"):
                self.expect(",")
        return tuple(found)

    def _out(self) -> nodes.Out:
        at = self.take().at
        if self.ahead(1).text in {",", ")"}:
            return nodes.Out(at, "", self.expect_name())
        type_ = self.type()
        return nodes.Out(at, type_, self.expect_name())
