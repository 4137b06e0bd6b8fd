"""Statements as functions. Each gives `None` to go on, or the signal that ends what is around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localazure.apim.errors import ExpressionError
from localazure.apim.expressions import nodes
from localazure.apim.expressions.binding import function
from localazure.apim.expressions.casting import is_instance, zero
from localazure.apim.expressions.checker import Checker, Function, Locals, Typed, is_constant
from localazure.apim.expressions.failures import CAUGHT as CATCHABLE
from localazure.apim.expressions.failures import LimitExceeded, catches, count, not_null, thrown
from localazure.apim.expressions.operators import CAUGHT, combined, common
from localazure.apim.expressions.types import element_of, implicit, parts, same


class Returned:
    """The signal of `return`."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


BREAK, CONTINUE = object(), object()
Step = Callable[[Locals], Any]
_MISSING = object()


def body(checker: Checker, block: nodes.Block, wanted: str) -> tuple[Function, str]:
    """The body of a function: what gives its value, and the type. `wanted` is its declared type, or empty."""
    results: list[str] = []
    checker.results = results
    steps = _block(checker, block)
    type_ = wanted or (_result(results, block.at) if results else "void")
    if wanted and wanted != "void":
        for result in results:
            if implicit(result, wanted) is None and result != "never":
                raise ExpressionError(f"{wanted} is needed here, but this is {result}; a cast may help", block.at)

    def run(variables: Locals) -> Any:
        signal = steps(variables)
        if isinstance(signal, Returned):
            return signal.value
        if type_ == "void":
            return None
        raise ExpressionError("not every path returns a value")

    return run, type_


def _result(results: list[str], at: int) -> str:
    type_ = results[0]
    for result in results[1:]:
        type_ = common(type_, result) or "object"
    return type_


def whole(checker: Checker, block: nodes.Block) -> Typed:
    """The statements of `@{ … }`."""
    run, type_ = body(checker, block, "")
    if type_ == "void":
        raise ExpressionError("a block must return a value")
    return Typed(type_, run)


def _block(checker: Checker, block: nodes.Block) -> Step:
    """Local functions exist from the beginning of their block on: they may be called before they are written."""
    for statement in block.statements:
        if isinstance(statement, nodes.Function):
            _signature(checker, statement)
    made = [(isinstance(item, nodes.Function), _statement(checker, item)) for item in block.statements]
    steps = [step for is_function, step in made if is_function] + [
        step for is_function, step in made if not is_function
    ]
    if len(steps) == 1:
        return steps[0]

    def run(variables: Locals) -> Any:
        for step in steps:
            signal = step(variables)
            if signal is not None:
                return signal
        return None

    return run


def _statement(checker: Checker, statement: nodes.Statement) -> Step:
    return _STATEMENTS[type(statement)](checker, statement)


def _inner(checker: Checker, statement: nodes.Block) -> Step:
    return _block(checker.inner(), statement)


def _declare(checker: Checker, statement: nodes.Declare) -> Step:
    steps = [_variable(checker, statement, name, value) for name, value in statement.variables]
    if len(steps) == 1:
        return steps[0]

    def run(variables: Locals) -> None:
        for step in steps:
            step(variables)

    return run


def _variable(checker: Checker, statement: nodes.Declare, name: str, value: nodes.Node | None) -> Step:
    type_ = statement.type
    if value is None:
        if type_ == "var":
            raise ExpressionError(f"{name!r} needs a value or a type", statement.at)
        checker.declare(name, type_, statement.at)
        first = zero(type_)
        return lambda variables: variables.__setitem__(name, first)
    if isinstance(value, nodes.Lambda):
        return _delegate(checker, statement, name, value)
    typed = checker.expression(value)
    if type_ == "var":
        if typed.type in {"null", "void", "never"}:
            raise ExpressionError(f"{name!r} needs a type: its value is {typed.type}", statement.at)
        checker.declare(name, typed.type, statement.at)
        run = typed.run
    else:
        checker.declare(name, type_, statement.at)
        run = typed.run if is_constant(value, type_) else checker.converted(typed, type_, statement.at)

    def declare(variables: Locals) -> None:
        variables[name] = run(variables)

    return declare


def _delegate(checker: Checker, statement: nodes.Declare, name: str, value: nodes.Lambda) -> Step:
    kind, inner = parts(statement.type)
    if kind not in {"Func", "Action", "Predicate"}:
        raise ExpressionError("a lambda needs a variable of a type such as Func<string, bool>", value.at)
    taken = list(inner) if kind != "Func" else list(inner[:-1])
    checker.declare(name, statement.type, statement.at)
    make, result = function(checker, value, taken)
    wanted = {"Func": inner[-1] if inner else "void", "Predicate": "bool"}.get(kind)
    if wanted is not None and implicit(result, wanted) is None:
        raise ExpressionError(f"the lambda gives {result}, but {wanted} is needed", value.at)
    return lambda variables: variables.__setitem__(name, make(variables))


def _do(checker: Checker, statement: nodes.Do) -> Step:
    run = checker.expression(statement.value).run

    def do(variables: Locals) -> None:
        run(variables)

    return do


def _if(checker: Checker, statement: nodes.If) -> Step:
    condition = checker.of(statement.condition, "bool").run
    yes, no = _inner(checker, statement.yes), _inner(checker, statement.no)
    return lambda variables: yes(variables) if condition(variables) else no(variables)


def _for_each(checker: Checker, statement: nodes.ForEach) -> Step:
    items = checker.expression(statement.items)
    found = element_of(items.type)
    if found is None:
        raise ExpressionError(f"{items.type} cannot be enumerated", statement.at)
    element, enumerate_ = found
    inner, name = checker.inner(), statement.name
    type_ = element if statement.type == "var" else statement.type
    inner.declare(name, type_, statement.at)
    convert = implicit(element, type_)
    step, at = _block(inner, statement.body), statement.at

    def run(variables: Locals) -> Any:
        for item in list(enumerate_(not_null(items.run(variables), at))):
            count(variables)
            if convert is None and item is not None and not is_instance(item, type_):
                raise ExpressionError(f"an element is not a {type_}", at)
            variables[name] = item if convert in {None, same} else convert(item)
            signal = step(variables)
            if signal is not None:
                if signal is BREAK:
                    break
                if signal is not CONTINUE:
                    return signal
        return None

    return run


def _loop(checker: Checker, statement: nodes.Loop) -> Step:
    inner = checker.inner()
    start = [_statement(inner, item) for item in statement.start]
    condition = inner.of(statement.condition, "bool").run if statement.condition else lambda _: True
    step = _inner(inner, statement.body)
    after = [inner.expression(item).run for item in statement.step]
    first = statement.first

    def run(variables: Locals) -> Any:
        for item in start:
            item(variables)
        begun = first
        while begun or condition(variables):
            begun = False
            count(variables)
            signal = step(variables)
            if signal is not None:
                if signal is BREAK:
                    break
                if signal is not CONTINUE:
                    return signal
            for item in after:
                item(variables)
        return None

    return run


def _switch(checker: Checker, statement: nodes.Switch) -> Step:
    subject = checker.expression(statement.subject)
    name = "#switch" + str(statement.at)
    held = Typed(subject.type, lambda variables: variables[name])
    sections: list[tuple[list[Function], Step]] = []
    last: Step | None = None
    for labels, block in statement.sections:
        inner = checker.inner()
        tests = []
        step_default = False
        for value, guard in labels:
            if value is None:
                step_default = True
                continue
            tests.append(_case(inner, held, value, guard))
        step = _block(inner, block)
        sections.append((tests, step))
        last = step if step_default else last

    def run(variables: Locals) -> Any:
        variables[name] = subject.run(variables)
        chosen = next((step for tests, step in sections if any(test(variables) for test in tests)), last)
        signal = None if chosen is None else chosen(variables)
        return None if signal is BREAK else signal

    return run


def _case(checker: Checker, held: Typed, value: nodes.Node, guard: nodes.Node | None) -> Function:
    given = checker.expression(value)
    test = combined(checker, "==", held, given, value.at).run
    if guard is None:
        return test
    also = checker.of(guard, "bool").run
    return lambda variables: test(variables) and also(variables)


def _jump(_: Checker, statement: nodes.Jump) -> Step:
    signal = BREAK if statement.kind == "break" else CONTINUE
    return lambda _: signal


def _return(checker: Checker, statement: nodes.Return) -> Step:
    if checker.results is None:
        raise ExpressionError("'return' stands in no function", statement.at)
    if statement.value is None:
        done = Returned(None)
        return lambda _: done
    value = checker.expression(statement.value)
    checker.results.append(value.type)
    run = value.run
    return lambda variables: Returned(run(variables))


def _raise(checker: Checker, statement: nodes.Raise) -> Step:
    return checker.expression(statement).run


def _try(checker: Checker, statement: nodes.Try) -> Step:
    step = _inner(checker, statement.body)
    handlers = []
    for item in statement.catches:
        inner = checker.inner()
        if item.name:
            inner.declare(item.name, "Exception", item.at)
        guard = inner.of(item.guard, "bool").run if item.guard else None
        handlers.append((item.type, item.name, guard, _block(inner, item.body)))
    last = _inner(checker, statement.last) if statement.last else None

    def run(variables: Locals) -> Any:
        try:
            return step(variables)
        except LimitExceeded:
            raise
        except CATCHABLE as exc:
            error = thrown(exc)
            for type_, name, guard, handler in handlers:
                if not catches(type_, error.kind):
                    continue
                variables[CAUGHT] = error
                if name:
                    variables[name] = error
                if guard is None or guard(variables):
                    return handler(variables)
            raise

    if last is None:
        return run

    def with_last(variables: Locals) -> Any:
        try:
            return run(variables)
        finally:
            last(variables)

    return with_last


def _signature(checker: Checker, statement: nodes.Function) -> None:
    inner = [type_ for type_, _ in statement.parameters]
    kind = f"Action<{','.join(inner)}>" if statement.type == "void" else f"Func<{','.join([*inner, statement.type])}>"
    checker.declare(statement.name, kind if inner or statement.type != "void" else "Action", statement.at)


def _function(checker: Checker, statement: nodes.Function) -> Step:
    inner = Checker(dict(checker.scope))
    for type_, name in statement.parameters:
        inner.declare(name, type_, statement.at)
    run, _ = body(inner, statement.body, statement.type)
    names = tuple(name for _, name in statement.parameters)
    # A call must not change the variables of the call it came from, where the function calls itself.
    own = tuple(dict.fromkeys(inner.declared))
    checker.declared.extend(own)

    def define(variables: Locals) -> None:
        def call(*arguments: Any) -> Any:
            count(variables)
            kept = [variables.get(name, _MISSING) for name in own]
            variables.update(zip(names, arguments, strict=True))
            try:
                return run(variables)
            finally:
                for name, value in zip(own, kept, strict=True):
                    if value is not _MISSING:
                        variables[name] = value

        variables[statement.name] = call

    return define


_STATEMENTS: dict[type, Callable[[Checker, Any], Step]] = {
    nodes.Block: _inner,
    nodes.Declare: _declare,
    nodes.Do: _do,
    nodes.If: _if,
    nodes.ForEach: _for_each,
    nodes.Loop: _loop,
    nodes.Switch: _switch,
    nodes.Jump: _jump,
    nodes.Return: _return,
    nodes.Raise: _raise,
    nodes.Try: _try,
    nodes.Function: _function,
}
