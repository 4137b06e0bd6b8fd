"""Bodies of requests, as what they should be."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from localazure.easypost.errors import Invalid, Unreadable, Unsupported
from localazure.json_text import read

T = TypeVar("T")


def read_body(body: bytes, kind: type[T]) -> T:
    """The body. Raises Unreadable, Invalid, which names what is wrong, or Unsupported for what is not here."""
    try:
        value = read(body)
    except ValueError as exc:
        raise Unreadable(f"The request could not be read: {exc}") from exc
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as exc:
        if "unknown field" in str(exc):
            raise Unsupported(str(exc)) from exc
        raise Invalid(f"The request could not be understood: {exc}") from exc
