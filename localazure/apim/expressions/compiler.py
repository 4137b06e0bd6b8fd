"""From text to function: literals, `@(expression)` and `@{ statements }`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from localazure.apim.context import Context
from localazure.apim.errors import ExpressionError
from localazure.apim.expressions import blocks, casting, creation, members
from localazure.apim.expressions.checker import Checker, Function
from localazure.apim.expressions.failures import CAUGHT, STEPS, thrown
from localazure.apim.expressions.statements import parse_block, parse_expression
from localazure.apim.expressions.types import implicit, same

_READS = re.compile(r"\bRequest\s*\??\.\s*Body\b")
LOADED = (casting, creation, members)
"""The rules and members that these modules enter when they are imported."""


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
            return self.function({"context": context, STEPS: 0})
        except ExpressionError:
            raise
        except CAUGHT as exc:
            raise thrown(exc) from exc


@dataclass(frozen=True)
class Literal(Expression):
    """A text that is no expression: its value is always the same."""

    value: Any = None

    def __call__(self, context: Context) -> Any:
        return self.value


def compile_text(source: str, wanted: str) -> Expression:
    """Compile an attribute or text of a policy. What is neither `@(…)` nor `@{…}` is a literal.

    `wanted` is the type the policy needs: string, int, double, bool, or object for any; a literal is then a string.
    Raises ExpressionError.
    """
    stripped = source.strip()
    try:
        if stripped.startswith("@(") and stripped.endswith(")"):
            typed = Checker().expression(parse_expression(stripped[2:-1]))
        elif stripped.startswith("@{") and stripped.endswith("}"):
            typed = blocks.whole(Checker(), parse_block(stripped[2:-1]))
        elif stripped.startswith("@"):
            raise ExpressionError("an expression is @(…) or @{…}, and nothing may follow it")
        else:
            value = _literal(source if wanted in {"string", "object"} else stripped, wanted)
            return Literal(source, wanted, lambda _: value, value=value)
    except RecursionError:
        raise ExpressionError("the expression is nested too deep") from None
    if typed.type == "void":
        raise ExpressionError("this gives no value")
    convert = implicit(typed.type, wanted)
    if convert is None and typed.type not in {"object", "never"}:
        raise ExpressionError(f"this gives {typed.type}, but {wanted} is needed")
    run = typed.run if convert in {None, same} else _converted(typed.run, convert)
    return Expression(source, typed.type, run, _READS.search(stripped) is not None)


def _converted(run: Function, convert: Any) -> Function:
    return lambda variables: convert(run(variables))


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
