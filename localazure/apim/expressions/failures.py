"""What expressions throw: .NET's exceptions by name, and the limits that no expression gets around."""

from __future__ import annotations

from typing import Any, NoReturn

from localazure.apim.errors import ExpressionError

MAX_STEPS = 100_000
"""Rounds of loops, calls of functions and of lambdas in one evaluation: about a tenth of a second. Azure lets an
expression hold a thread of its own; here one thread serves every caller."""
MAX_ELEMENTS = 16 * 1024 * 1024
"""Characters, bytes or elements that one value may have: eight times the largest body."""

_KINDS: dict[type[BaseException], str] = {
    ZeroDivisionError: "DivideByZeroException",
    OverflowError: "OverflowException",
    KeyError: "KeyNotFoundException",
    IndexError: "ArgumentOutOfRangeException",
    RecursionError: "InsufficientExecutionStackException",
    MemoryError: "OutOfMemoryException",
}
_MESSAGES: dict[type[BaseException], str] = {ZeroDivisionError: "Attempted to divide by zero."}
CAUGHT = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError, MemoryError)
"""What Python raises where .NET would throw."""
_BASES = {
    "ArgumentNullException": "ArgumentException",
    "ArgumentOutOfRangeException": "ArgumentException",
    "DivideByZeroException": "ArithmeticException",
    "OverflowException": "ArithmeticException",
    "JsonReaderException": "JsonException",
}


class Thrown(ExpressionError):
    """An exception of .NET: its type's name and its message."""

    def __init__(self, kind: str, message: str, at: int = 0) -> None:
        super().__init__(message, at)
        self.kind = kind


class LimitExceeded(ExpressionError):
    """A limit of this gateway; no `catch` of an expression catches it."""


def throw(kind: str, message: str) -> NoReturn:
    raise Thrown(kind, message)


def thrown(error: BaseException) -> Thrown:
    """The error as .NET's exception."""
    if isinstance(error, Thrown):
        return error
    kind = next((name for type_, name in _KINDS.items() if isinstance(error, type_)), "Exception")
    return Thrown(kind, _MESSAGES.get(type(error)) or str(error) or kind, getattr(error, "offset", 0))


def catches(type_: str, kind: str) -> bool:
    """Whether `catch (type)` takes an exception of that kind."""
    while kind != type_ and kind in _BASES:
        kind = _BASES[kind]
    return type_ in {"Exception", "SystemException", kind}


def null_reference(at: int = 0) -> Thrown:
    return Thrown("NullReferenceException", "Object reference not set to an instance of an object", at)


def not_null(value: Any, at: int = 0) -> Any:
    if value is None:
        raise null_reference(at)
    return value


def bounded(size: int) -> int:
    """A size that may be allocated. Raises LimitExceeded."""
    if size > MAX_ELEMENTS:
        raise LimitExceeded(f"an expression may make no value of more than {MAX_ELEMENTS} elements")
    return size


STEPS = "#steps"
"""The name under which an evaluation counts its steps among its variables."""


def count(variables: dict[str, Any]) -> None:
    """One more step. Raises LimitExceeded after too many."""
    taken = variables[STEPS] = variables[STEPS] + 1
    if taken > MAX_STEPS:
        raise LimitExceeded(f"the expression took more than {MAX_STEPS} steps")
