"""Recursive descent over the tokens of an expression or of a statement block.

Precedence follows the C# language specification, section "Operator precedence and associativity".
"""

from __future__ import annotations

from localazure.apim.errors import ExpressionError
from localazure.apim.expressions import nodes
from localazure.apim.expressions.lexer import Token, tokens

_BINARY = (("??",), ("||",), ("&&",), ("==", "!="), ("<", ">", "<=", ">="), ("+", "-"), ("*", "/", "%"))
_BUILT_IN = {"string", "int", "long", "double", "bool", "object", "char", "decimal", "byte"}
CASTABLE = _BUILT_IN | {"JObject", "JArray", "JToken", "JValue", "Jwt", "IResponse", "Guid", "DateTime"}
_REFUSED = {"while", "for", "do", "switch", "try", "throw", "using", "goto", "lock", "await", "yield", "is", "as"}
DEEPEST = 40


def parse_expression(text: str) -> nodes.Node:
    """The tree of one expression. Raises ExpressionError."""
    parser = _Parser(text)
    tree = parser.expression()
    parser.expect_end()
    return tree


def parse_block(text: str) -> tuple[nodes.Statement, ...]:
    """The statements between the braces of `@{ … }`. Raises ExpressionError."""
    parser = _Parser(text)
    found: list[nodes.Statement] = []
    while parser.here.kind != "end":
        found += parser.statement()
    return tuple(found)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._next = 0
        self._depth = 0

    # tokens

    @property
    def here(self) -> Token:
        return self._tokens[self._next]

    def _ahead(self, count: int) -> Token:
        return self._tokens[min(self._next + count, len(self._tokens) - 1)]

    def _take(self) -> Token:
        token = self.here
        self._next += 1
        return token

    def _is(self, *symbols: str) -> bool:
        return self.here.kind == "symbol" and self.here.text in symbols

    def _is_word(self, word: str) -> bool:
        return self.here.kind == "name" and self.here.text == word

    def _accept(self, symbol: str) -> bool:
        if self._is(symbol):
            self._next += 1
            return True
        return False

    def _expect(self, symbol: str) -> Token:
        if not self._is(symbol):
            raise self._error(f"expected {symbol!r}")
        return self._take()

    def _expect_name(self) -> str:
        if self.here.kind != "name":
            raise self._error("expected a name")
        return self._take().text

    def expect_end(self) -> None:
        if self.here.kind != "end":
            raise self._error("expected the end of the expression")

    def _error(self, message: str) -> ExpressionError:
        found = "the end" if self.here.kind == "end" else repr(self.here.text)
        return ExpressionError(f"{message}, found {found}", self.here.at)

    # statements

    def statement(self) -> tuple[nodes.Statement, ...]:
        at = self.here.at
        if self._accept(";"):
            return ()
        if self._is("{"):
            return self._block()
        if self.here.kind == "name" and self.here.text in _REFUSED:
            raise ExpressionError(f"{self.here.text!r} is not supported in expressions", at)
        if self._is_word("if"):
            return (self._if(),)
        if self._is_word("foreach"):
            return (self._for_each(),)
        if self._is_word("return"):
            self._take()
            value = self.expression()
            self._expect(";")
            return (nodes.Return(at, value),)
        if declared := self._declaration():
            return (declared,)
        value = self.expression()
        if self._accept("="):
            if not isinstance(value, nodes.Name | nodes.Index):
                raise ExpressionError("only a variable or an index can be assigned to", at)
            assigned = nodes.Assign(at, value, self.expression())
            self._expect(";")
            return (assigned,)
        self._expect(";")
        return (nodes.Do(at, value),)

    def _block(self) -> tuple[nodes.Statement, ...]:
        self._expect("{")
        found: list[nodes.Statement] = []
        while not self._accept("}"):
            if self.here.kind == "end":
                raise self._error("expected '}'")
            found += self.statement()
        return tuple(found)

    def _if(self) -> nodes.If:
        at = self._take().at
        self._expect("(")
        condition = self.expression()
        self._expect(")")
        yes = self.statement()
        no: tuple[nodes.Statement, ...] = ()
        if self._is_word("else"):
            self._take()
            no = self.statement()
        return nodes.If(at, condition, yes, no)

    def _for_each(self) -> nodes.ForEach:
        at = self._take().at
        self._expect("(")
        self._type()
        name = self._expect_name()
        if not self._is_word("in"):
            raise self._error("expected 'in'")
        self._take()
        items = self.expression()
        self._expect(")")
        return nodes.ForEach(at, name, items, self.statement())

    def _declaration(self) -> nodes.Declare | None:
        start, at = self._next, self.here.at
        if self.here.kind != "name":
            return None
        type_ = self._type()
        if self.here.kind != "name" or not (self._ahead(1).kind == "symbol" and self._ahead(1).text == "="):
            self._next = start
            return None
        name = self._take().text
        self._expect("=")
        value = self.expression()
        self._expect(";")
        return nodes.Declare(at, type_, name, value)

    def _type(self) -> str:
        name = self._expect_name()
        while self._is(".") and self._ahead(1).kind == "name":
            self._take()
            name = self._expect_name()
        if self._is("<") and name in {"List", "IEnumerable"}:
            self._take()
            name += f"<{self._type()}>"
            self._expect(">")
        while self._is("[") and self._ahead(1).text == "]":
            self._next += 2
            name += "[]"
        return name

    # expressions

    def expression(self) -> nodes.Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error(f"nested deeper than {DEEPEST} levels")
        try:
            if self.here.kind == "name" and self._ahead(1).text == "=>":
                at, parameter = self.here.at, self._take().text
                self._take()
                return nodes.Lambda(at, parameter, self.expression())
            condition = self._binary(0)
            if not self._is("?"):
                return condition
            at = self._take().at
            yes = self.expression()
            self._expect(":")
            return nodes.Conditional(at, condition, yes, self.expression())
        finally:
            self._depth -= 1

    def _binary(self, level: int) -> nodes.Node:
        if level == len(_BINARY):
            return self._unary()
        left = self._binary(level + 1)
        while self._is(*_BINARY[level]):
            token = self._take()
            # ?? is right-associative, the others are left-associative
            right = self._binary(level if token.text == "??" else level + 1)
            left = nodes.Binary(token.at, token.text, left, right)
        return left

    def _unary(self) -> nodes.Node:
        if self._is("!", "-"):
            token = self._take()
            return nodes.Unary(token.at, token.text, self._unary())
        if self._is("(") and (type_ := self._cast()):
            return nodes.Cast(self.here.at, type_, self._unary())
        return self._postfix(self._primary())

    def _cast(self) -> str | None:
        start = self._next
        self._take()
        if self.here.kind == "name" and self.here.text in CASTABLE:
            type_ = self._type()
            if self._accept(")") and (self.here.kind != "symbol" or self._is("(", "!")) and self.here.kind != "end":
                return type_
        self._next = start
        return None

    def _primary(self) -> nodes.Node:
        token = self._take()
        match token.kind:
            case "number":
                return nodes.Literal(token.at, "double" if isinstance(token.value, float) else "int", token.value)
            case "string" | "char":
                return nodes.Literal(token.at, token.kind, token.value)
            case "name":
                return self._word(token)
        if token.text == "(":
            inner = self.expression()
            self._expect(")")
            return inner
        self._next -= 1
        raise self._error("expected an expression")

    def _word(self, token: Token) -> nodes.Node:
        match token.text:
            case "true" | "false":
                return nodes.Literal(token.at, "bool", token.text == "true")
            case "null":
                return nodes.Literal(token.at, "null", None)
            case "new":
                return self._new(token.at)
        if token.text in _REFUSED or token.text in {"typeof", "default", "out", "ref"}:
            raise ExpressionError(f"{token.text!r} is not supported in expressions", token.at)
        return nodes.Name(token.at, token.text)

    def _new(self, at: int) -> nodes.Node:
        type_ = "" if self._is("[") else self._type()
        if not type_:
            self._expect("[")
            self._expect("]")
        if self._accept("{"):
            items = self._list("}")
            return nodes.NewArray(at, type_.removesuffix("[]"), items)
        self._expect("(")
        return nodes.New(at, type_, self._list(")"))

    def _list(self, end: str) -> tuple[nodes.Node, ...]:
        found: list[nodes.Node] = []
        while not self._accept(end):
            found.append(self.expression())
            if not self._is(end):
                self._expect(",")
        return tuple(found)

    def _postfix(self, node: nodes.Node) -> nodes.Node:
        while True:
            at = self.here.at
            if self._is(".", "?."):
                safe = self._take().text == "?."
                node = self._member(node, at, safe)
            elif self._is("["):
                self._take()
                node = nodes.Index(at, node, self.expression())
                self._expect("]")
            elif self._is("?["):
                raise ExpressionError("?[ is not supported; test for null first", at)
            else:
                return node

    def _member(self, target: nodes.Node, at: int, safe: bool) -> nodes.Node:
        name = self._expect_name()
        types: list[str] = []
        if self._is("<") and self._is_type_list():
            self._take()
            types.append(self._type())
            while self._accept(","):
                types.append(self._type())
            self._expect(">")
        if not self._accept("("):
            return nodes.Member(at, target, name, safe)
        arguments: list[tuple[str, nodes.Node]] = []
        while not self._accept(")"):
            label = ""
            if self.here.kind == "name" and self._ahead(1).text == ":":
                label = self._take().text
                self._take()
            arguments.append((label, self.expression()))
            if not self._is(")"):
                self._expect(",")
        return nodes.Call(at, target, name, tuple(types), tuple(arguments), safe)

    def _is_type_list(self) -> bool:
        count = 1
        while self._ahead(count).kind == "name" or self._ahead(count).text in {",", "[", "]", "."}:
            count += 1
        return self._ahead(count).text == ">" and self._ahead(count + 1).text == "("
