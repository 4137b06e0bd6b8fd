"""What a function's annotations say, read as Microsoft's worker reads them: which converter makes each argument, and
which takes what the function gives.

An annotation that the worker refuses leaves an app on Azure without any function, so it is refused here as well.
Source: `Registry.add_indexed_function` of azure-functions-runtime 1.3.
"""

from __future__ import annotations

import collections.abc
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localazure.functions.converters import GENERIC, converter, implicit_output
from localazure.functions.errors import InvalidFunction, Unsupported

RETURN = "$return"
_NOT_GENERIC = (typing.Union, tuple, typing.ClassVar, collections.abc.Callable)
_ALIASES = (typing._GenericAlias, typing._SpecialGenericAlias)  # type: ignore[attr-defined]  # what the worker asks


class Bound(typing.Protocol):
    """What is needed of a binding here."""

    @property
    def type(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def out(self) -> bool: ...


@dataclass(frozen=True)
class Signature:
    """The converter of each parameter, by name, and that of the return value (`None`: the function may return none)."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    returns: str | None
    wants_context: bool


def signature_of(name: str, call: Callable[..., Any], bindings: collections.abc.Sequence[Bound]) -> Signature:
    """Raises InvalidFunction for what the worker refuses, Unsupported for what it takes and this host lacks."""
    try:
        hints = typing.get_type_hints(call)
    except Exception as exc:
        raise InvalidFunction(name, f"its annotations cannot be read: {exc}") from exc
    parameters = set(inspect.signature(call).parameters)
    bound = {binding.name: binding for binding in bindings if binding.name != RETURN}
    wants_context = "context" in parameters - set(bound)
    if wants_context:
        parameters.remove("context")
        _check_context(name, hints)
    _check_names(name, parameters, set(bound), hints)
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    for parameter, binding in bound.items():
        (outputs if binding.out else inputs)[parameter] = _converter_of(name, binding, hints)
    return Signature(inputs, outputs, _returns(name, bindings, hints), wants_context)


def _check_context(name: str, hints: Mapping[str, Any]) -> None:
    annotation = hints.get("context")
    if "context" in hints and not (isinstance(annotation, type) and annotation.__name__ == "Context"):
        raise InvalidFunction(name, f"'context' must be annotated as azure.functions.Context, not {annotation!r}")


def _check_names(name: str, parameters: set[str], bound: set[str], hints: Mapping[str, Any]) -> None:
    if unbound := parameters - bound:
        for parameter in unbound:
            if _has_base(hints.get(parameter), "GrpcClientType"):
                raise Unsupported(name, f"settling a message by '{parameter}' (azurefunctions-extensions-bindings-*)")
        raise InvalidFunction(name, f"parameters without a binding: {', '.join(sorted(unbound))}")
    if missing := bound - parameters:
        raise InvalidFunction(name, f"bindings without a parameter: {', '.join(sorted(missing))}")


def _converter_of(name: str, binding: Bound, hints: Mapping[str, Any]) -> str:
    if binding.name not in hints:
        return binding.type
    annotation = hints[binding.name]
    out = _is_out(annotation)
    given = _out_type(name, binding.name, annotation) if out else annotation
    if not isinstance(given, type) and not _is_generic(given):
        raise InvalidFunction(name, f"the annotation of '{binding.name}' is not a type: {annotation!r}")
    if binding.out and not out:
        raise InvalidFunction(name, f"'{binding.name}' is an output: its annotation must be azure.functions.Out[…]")
    if out and not binding.out:
        raise InvalidFunction(name, f"'{binding.name}' is an input, and annotated as azure.functions.Out")
    for inner in (given, *typing.get_args(given)):
        if _has_base(inner, "SdkType"):
            raise Unsupported(name, f"the SDK type {inner.__name__} (azurefunctions-extensions-bindings-*)")
    kind = GENERIC if given in (str, bytes) and not implicit_output(binding.type) else binding.type
    if not _accepts(kind, given, out):
        raise InvalidFunction(
            name, f"'{binding.name}' is annotated as {annotation}, which {binding.type} cannot provide"
        )
    return kind


def _accepts(kind: str, given: Any, out: bool) -> bool:
    found = converter(kind)
    check = found.check_output_type_annotation if out else found.check_input_type_annotation
    try:
        return bool(check(given))
    except TypeError:  # a converter that asks issubclass of what is no class: the worker fails there, too
        return False


def _returns(name: str, bindings: collections.abc.Sequence[Bound], hints: Mapping[str, Any]) -> str | None:
    explicit = [binding.type for binding in bindings if binding.name == RETURN]
    implicit = [binding.type for binding in bindings if binding.name != RETURN and implicit_output(binding.type)]
    if not explicit:
        return implicit[-1] if implicit else None
    if "return" in hints:
        annotation = hints["return"]
        if not isinstance(annotation, type):
            raise InvalidFunction(name, f"its return annotation is not a type: {annotation!r}")
        if not _accepts(explicit[0], annotation, out=True):
            raise InvalidFunction(name, f"it is annotated to return {annotation}, which {explicit[0]} cannot be")
    return explicit[0]


def _is_generic(annotation: Any) -> bool:
    """The worker's own notion: `typing.List[…]` and `Literal[…]` are; `list[…]`, unions and tuples are not."""
    if isinstance(annotation, type):
        return issubclass(annotation, typing.Generic)
    return isinstance(annotation, _ALIASES) and annotation.__origin__ not in _NOT_GENERIC


def _is_out(annotation: Any) -> bool:
    kind = getattr(annotation, "__origin__", None) if _is_generic(annotation) else None
    kind = annotation if kind is None else kind
    return isinstance(kind, type) and kind.__name__ == "Out"


def _out_type(name: str, parameter: str, annotation: Any) -> Any:
    arguments = typing.get_args(annotation)
    if len(arguments) != 1:
        raise InvalidFunction(name, f"the annotation of '{parameter}' must say what it gives: azure.functions.Out[…]")
    return arguments[0]


def _has_base(annotation: Any, base: str) -> bool:
    """By the base's name: the package that has it is the app's, not this host's."""
    return isinstance(annotation, type) and any(parent.__name__ == base for parent in annotation.__mro__)
