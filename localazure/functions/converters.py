"""The converters between a function's Python values and the data of its bindings.

Most are those of azure-functions, which the worker uses as well; `GENERIC` is the worker's own: it hands text and bytes
through, where a parameter is annotated as `str` or `bytes`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum

from localazure.functions.message_converter import MessageConverter

GENERIC = "generic"
_REGISTRY: Any = func.get_binding_registry()  # type: ignore[no-untyped-call]  # untyped in the package
_QUICKER: dict[str, Any] = {"serviceBusTrigger": MessageConverter}


class Generic:
    """Text and bytes as they are."""

    @classmethod
    def has_trigger_support(cls) -> bool:
        return False

    @classmethod
    def check_input_type_annotation(cls, annotation: type) -> bool:
        return issubclass(annotation, str | bytes)

    @classmethod
    def check_output_type_annotation(cls, annotation: type) -> bool:
        return issubclass(annotation, str | bytes | bytearray)

    @classmethod
    def decode(cls, data: Datum | None, *, trigger_metadata: Mapping[str, Datum]) -> Any:
        if data is None or data.type in (None, "string", "bytes", "json"):
            return None if data is None else data.value
        raise ValueError(f"unexpected type of data received for the 'generic' binding: {data.type!r}")

    @classmethod
    def encode(cls, value: Any, *, expected_type: type | None) -> Datum:
        if isinstance(value, str):
            return Datum(value, "string")
        if isinstance(value, bytes | bytearray):
            return Datum(bytes(value), "bytes")
        if value is None:
            return Datum(None, None)
        if isinstance(value, dict | list):
            return Datum(json.dumps(value), "json")
        if isinstance(value, int | float):
            return Datum(value, "int" if isinstance(value, int) else "double")
        raise NotImplementedError


@cache
def converter(kind: str) -> Any:
    """The converter of a binding type."""
    return _QUICKER.get(kind) or _REGISTRY.get(kind) or Generic


def implicit_output(kind: str) -> bool:
    """Whether a function with such a binding returns a value without saying so: the durable triggers do."""
    return bool(getattr(converter(kind), "has_implicit_output", lambda: False)())


@cache
def _takes_metadata(kind: str) -> bool:
    return bool(converter(kind).has_trigger_support())


def decode(kind: str, data: Datum | None, metadata: Mapping[str, Datum]) -> Any:
    """The argument that `data` is. Raises TypeError where the converter knows no such data."""
    try:
        return converter(kind).decode(data, trigger_metadata=metadata if _takes_metadata(kind) else {})
    except NotImplementedError:
        raise TypeError(f"{kind} cannot be made of data of the type {data and data.type!r}") from None


def encode(kind: str, value: Any) -> Datum | None:
    """The data that `value` is. Raises TypeError for a value that the binding does not take."""
    try:
        datum: Datum | None = converter(kind).encode(value, expected_type=None)
    except NotImplementedError:
        raise TypeError(f"{kind} cannot send a value of the type {type(value).__name__}") from None
    return datum
