"""The statements of `@{ … }`. Source: C# language specification, chapter "Statements"."""

from __future__ import annotations

from localazure.apim.errors import ExpressionError
from localazure.apim.expressions import nodes
from localazure.apim.expressions.parser import DEEPEST, REFUSED, Expressions


def parse_expression(text: str) -> nodes.Node:
    """The tree of one expression. Raises ExpressionError."""
    parser = _Statements(text)
    tree = parser.expression()
    parser.expect_end()
    return tree


def parse_block(text: str) -> nodes.Block:
    """The statements between the braces of `@{ … }`. Raises ExpressionError."""
    parser = _Statements(text)
    found: list[nodes.Statement] = []
    while parser.here.kind != "end":
        found += parser.statement()
    return nodes.Block(0, tuple(found))


class _Statements(Expressions):
    def statement(self) -> tuple[nodes.Statement, ...]:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self.error(f"nested deeper than {DEEPEST} levels")
        try:
            return self._statement()
        finally:
            self._depth -= 1

    def _statement(self) -> tuple[nodes.Statement, ...]:
        at = self.here.at
        if self.accept(";"):
            return ()
        if self.sees("{"):
            return (self.block(),)
        if self.here.kind == "name":
            if self.here.text in REFUSED:
                raise ExpressionError(f"{self.here.text!r} is not supported in expressions", at)
            word = getattr(self, f"_{self.here.text}_statement", None)
            if word is not None:
                self.take()
                return (word(at),)
        self.accept_word("const")
        if head := self.attempt(self._function_head):
            return (self._function(at, *head),)
        if found := self.attempt(self._declaration_head):
            return (self._declaration(at, found[0]),)
        value = self.expression()
        self.expect(";")
        return (nodes.Do(at, value),)

    def block(self) -> nodes.Block:
        at = self.expect("{").at
        found: list[nodes.Statement] = []
        while not self.accept("}"):
            if self.here.kind == "end":
                raise self.error("expected '}'")
            found += self.statement()
        return nodes.Block(at, tuple(found))

    def _body(self) -> nodes.Block:
        if self.sees("{"):
            return self.block()
        return nodes.Block(self.here.at, self.statement())

    def _bracketed(self) -> nodes.Node:
        self.expect("(")
        found = self.expression()
        self.expect(")")
        return found

    # declarations

    def _declaration_head(self) -> tuple[str, str] | None:
        """A type, where a name and `=`, `;`, `,` follow."""
        type_ = self.type()
        if self.here.kind != "name" or self.ahead(1).text not in {"=", ";", ","} or self.here.text in {"is", "as"}:
            return None
        return type_, self.here.text

    def _declaration(self, at: int, type_: str) -> nodes.Declare:
        found: list[tuple[str, nodes.Node | None]] = []
        while True:
            name = self.expect_name()
            found.append((name, self._initial(type_) if self.accept("=") else None))
            if not self.accept(","):
                break
        self.expect(";")
        return nodes.Declare(at, type_, tuple(found))

    def _initial(self, type_: str) -> nodes.Node:
        if self.sees("{") and type_.endswith("[]"):
            at = self.take().at
            return nodes.NewArray(at, type_[:-2], None, self._list("}"))
        return self.expression()

    def _function_head(self) -> tuple[str, str, tuple[tuple[str, str], ...]] | None:
        self.accept_word("static")
        type_, name = self.type(), self.expect_name()
        self.expect("(")
        parameters: list[tuple[str, str]] = []
        while not self.accept(")"):
            parameters.append((self.type(), self.expect_name()))
            if not self.sees(")"):
                self.expect(",")
        return (type_, name, tuple(parameters)) if self.sees("{", "=>") and type_ not in {"new", "return"} else None

    def _function(self, at: int, type_: str, name: str, parameters: tuple[tuple[str, str], ...]) -> nodes.Function:
        if self.sees("{"):
            return nodes.Function(at, type_, name, parameters, self.block())
        self.expect("=>")
        value = self.expression()
        self.expect(";")
        only: nodes.Statement = nodes.Do(at, value) if type_ == "void" else nodes.Return(at, value)
        return nodes.Function(at, type_, name, parameters, nodes.Block(at, (only,)))

    # statements that begin with a word

    def _if_statement(self, at: int) -> nodes.If:
        condition, yes = self._bracketed(), self._body()
        no = self._body() if self.accept_word("else") else nodes.Block(at, ())
        return nodes.If(at, condition, yes, no)

    def _foreach_statement(self, at: int) -> nodes.ForEach:
        self.expect("(")
        type_, name = self.type(), self.expect_name()
        if not self.accept_word("in"):
            raise self.error("expected 'in'")
        items = self.expression()
        self.expect(")")
        return nodes.ForEach(at, type_, name, items, self._body())

    def _for_statement(self, at: int) -> nodes.Loop:
        self.expect("(")
        start = self.statement()
        condition = None if self.sees(";") else self.expression()
        self.expect(";")
        step: list[nodes.Node] = []
        while not self.accept(")"):
            step.append(self.expression())
            if not self.sees(")"):
                self.expect(",")
        return nodes.Loop(at, start, condition, tuple(step), self._body())

    def _while_statement(self, at: int) -> nodes.Loop:
        condition = self._bracketed()
        return nodes.Loop(at, (), condition, (), self._body())

    def _do_statement(self, at: int) -> nodes.Loop:
        body = self._body()
        if not self.accept_word("while"):
            raise self.error("expected 'while'")
        condition = self._bracketed()
        self.expect(";")
        return nodes.Loop(at, (), condition, (), body, first=True)

    def _switch_statement(self, at: int) -> nodes.Switch:
        subject = self._bracketed()
        self.expect("{")
        sections = []
        while not self.accept("}"):
            labels: list[tuple[nodes.Node | None, nodes.Node | None]] = []
            while self.sees_word("case", "default"):
                value = self.expression() if self.take().text == "case" else None
                labels.append((value, self.expression() if self.accept_word("when") else None))
                self.expect(":")
            if not labels:
                raise self.error("expected 'case' or 'default'")
            begin, found = self.here.at, list[nodes.Statement]()
            while not self.sees("}") and not self.sees_word("case", "default"):
                found += self.statement()
            sections.append((tuple(labels), nodes.Block(begin, tuple(found))))
        return nodes.Switch(at, subject, tuple(sections))

    def _break_statement(self, at: int) -> nodes.Jump:
        self.expect(";")
        return nodes.Jump(at, "break")

    def _continue_statement(self, at: int) -> nodes.Jump:
        self.expect(";")
        return nodes.Jump(at, "continue")

    def _return_statement(self, at: int) -> nodes.Return:
        value = None if self.sees(";") else self.expression()
        self.expect(";")
        return nodes.Return(at, value)

    def _throw_statement(self, at: int) -> nodes.Raise:
        value = None if self.sees(";") else self.expression()
        self.expect(";")
        return nodes.Raise(at, value)

    def _using_statement(self, at: int) -> nodes.Block:
        """What is held is of this process and needs no disposal: a block with a declaration."""
        self.expect("(")
        found = self.attempt(self._declaration_head)
        if found is None:
            held: nodes.Statement = nodes.Do(at, self.expression())
        else:
            name = self.expect_name()
            self.expect("=")
            held = nodes.Declare(at, found[0], ((name, self.expression()),))
        self.expect(")")
        return nodes.Block(at, (held, self._body()))

    def _unchecked_statement(self, _: int) -> nodes.Block:
        return self.block()

    def _try_statement(self, at: int) -> nodes.Try:
        body, catches, last = self.block(), list[nodes.Catch](), None
        while self.sees_word("catch"):
            begin = self.take().at
            type_, name = "Exception", ""
            if self.accept("("):
                type_ = self.type()
                name = "" if self.sees(")") else self.expect_name()
                self.expect(")")
            guard = self._bracketed() if self.accept_word("when") else None
            catches.append(nodes.Catch(begin, type_, name, guard, self.block()))
        if self.accept_word("finally"):
            last = self.block()
        if not catches and last is None:
            raise self.error("expected 'catch' or 'finally'")
        return nodes.Try(at, body, tuple(catches), last)
