"""From text to function: literals, `@(expression)` and `@{ statements }`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localazure.apim.context import Context
from localazure.apim.errors import ExpressionError
from localazure.apim.expressions import nodes
from localazure.apim.expressions.checker import Checker, Function, Locals, Typed, assignable, element_of, not_null
from localazure.apim.expressions.parser import parse_block, parse_expression


@dataclass(frozen=True)
class Expression:
    """A compiled expression. `reads_body`: it looks at the request's body, which must be loaded before."""

    text: str
    type: str
    function: Function
    reads_body: bool = False

    def __call__(self, context: Context) -> Any:
        """Its value. Raises ExpressionError where .NET would throw."""
        try:
            return self.function({"context": context})
        except ExpressionError:
            raise
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as exc:
            raise ExpressionError(f"{type(exc).__name__}: {exc}") from exc


class _Returned(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


def compile_text(source: str, wanted: str) -> Expression:
    """Compile an attribute or text of a policy. What is neither `@(…)` nor `@{…}` is a literal.

    `wanted` is the type the policy needs: string, int, double, bool, or object for any; a literal is then a string.
    Raises ExpressionError.
    """
    stripped = source.strip()
    if stripped.startswith("@(") and stripped.endswith(")"):
        typed = Checker().expression(parse_expression(stripped[2:-1]))
    elif stripped.startswith("@{") and stripped.endswith("}"):
        typed = _Block().block(parse_block(stripped[2:-1]))
    elif stripped.startswith("@"):
        raise ExpressionError("an expression is @(…) or @{…}, and nothing may follow it")
    else:
        value = _literal(source if wanted in {"string", "object"} else stripped, wanted)
        return Expression(source, wanted, lambda _: value)
    if wanted != "object" and not assignable(typed.type, wanted) and typed.type != "object":
        raise ExpressionError(f"this gives {typed.type}, but {wanted} is needed")
    return Expression(source, typed.type, typed.run, "Request.Body" in stripped)


def _literal(source: str, wanted: str) -> Any:
    match wanted:
        case "string" | "object":
            return source
        case "bool":
            if source.lower() not in {"true", "false"}:
                raise ExpressionError(f"{source!r} is neither true nor false")
            return source.lower() == "true"
    try:
        return int(source) if wanted == "int" else float(source)
    except ValueError:
        raise ExpressionError(f"{source!r} is not a number") from None


class _Block:
    """Statements within a scope, which grows with each declaration."""

    def __init__(self, scope: dict[str, str] | None = None) -> None:
        self._checker = Checker(scope)
        self._scope = self._checker.scope

    def block(self, statements: tuple[nodes.Statement, ...]) -> Typed:
        results: list[str] = []
        steps = self._statements(statements, results)
        if not results:
            raise ExpressionError("a block must return a value")
        type_ = results[0] if all(result == results[0] for result in results) else "object"
        kinds = {result for result in results if result != "null"}
        if len(kinds) == 1:
            type_ = kinds.pop()

        def run(variables: Locals) -> Any:
            try:
                steps(variables)
            except _Returned as returned:
                return returned.value
            raise ExpressionError("not every path returns a value")

        return Typed(type_, run)

    def _statements(self, statements: tuple[nodes.Statement, ...], results: list[str]) -> Callable[[Locals], None]:
        steps = [self._statement(statement, results) for statement in statements]

        def run(variables: Locals) -> None:
            for step in steps:
                step(variables)

        return run

    def _statement(self, statement: nodes.Statement, results: list[str]) -> Callable[[Locals], Any]:
        match statement:
            case nodes.Declare():
                return self._declare(statement)
            case nodes.Assign(target=nodes.Name(name=name)):
                value = self._checker.expression(statement.value)
                self._checker.check(value.type, self._checker.variable(statement.at, name), statement.at)
                return lambda variables: variables.__setitem__(name, value.run(variables))
            case nodes.Assign(target=nodes.Index() as target):
                return self._assign_index(target, self._checker.expression(statement.value))
            case nodes.Do():
                return self._checker.expression(statement.value).run
            case nodes.If():
                return self._if(statement, results)
            case nodes.ForEach():
                return self._for_each(statement, results)
            case nodes.Return():
                value = self._checker.expression(statement.value)
                results.append(value.type)

                def give(variables: Locals) -> None:
                    raise _Returned(value.run(variables))

                return give
        raise AssertionError(statement)

    def _declare(self, statement: nodes.Declare) -> Callable[[Locals], None]:
        value, name = self._checker.expression(statement.value), statement.name
        if name in self._scope:
            raise ExpressionError(f"{name!r} is already declared", statement.at)
        if statement.type == "var":
            if value.type in {"null", "void"}:
                raise ExpressionError(f"{name!r} needs a type: its value is {value.type}", statement.at)
            self._scope[name] = value.type
        else:
            self._checker.check(value.type, statement.type, statement.at)
            self._scope[name] = statement.type
        return lambda variables: variables.__setitem__(name, value.run(variables))

    def _assign_index(self, target: nodes.Index, value: Typed) -> Callable[[Locals], None]:
        held, index = self._checker.expression(target.target), self._checker.expression(target.index)
        if held.type not in {"JObject", "JToken", "JArray"}:
            raise ExpressionError(f"an element of {held.type} cannot be assigned to", target.at)
        self._checker.check(value.type, "JToken", target.at)

        def run(variables: Locals) -> None:
            container = not_null(held.run(variables), target.at)
            if not isinstance(container, dict | list):
                raise ExpressionError("only a JSON object or array has elements to set", target.at)
            container[index.run(variables)] = value.run(variables)

        return run

    def _if(self, statement: nodes.If, results: list[str]) -> Callable[[Locals], None]:
        condition = self._checker.of(statement.condition, "bool")
        yes = self._inner().branch(statement.yes, results)
        no = self._inner().branch(statement.no, results)

        def run(variables: Locals) -> None:
            (yes if condition.run(variables) else no)(variables)

        return run

    def branch(self, statements: tuple[nodes.Statement, ...], results: list[str]) -> Callable[[Locals], None]:
        """The statements of an inner block."""
        return self._statements(statements, results)

    def _for_each(self, statement: nodes.ForEach, results: list[str]) -> Callable[[Locals], None]:
        items = self._checker.expression(statement.items)
        element = element_of(items.type)
        if element is None:
            raise ExpressionError(f"{items.type} cannot be enumerated", statement.at)
        body = self._inner(**{statement.name: element}).branch(statement.body, results)

        def run(variables: Locals) -> None:
            for item in list(not_null(items.run(variables), statement.at)):
                variables[statement.name] = item
                body(variables)

        return run

    def _inner(self, **more: str) -> _Block:
        return _Block({**self._scope, **more})
