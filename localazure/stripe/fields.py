"""Reads one request's parameters by name and type, and refuses whatever is left over."""

from __future__ import annotations

from collections.abc import Collection
from typing import get_args

from localazure.stripe.errors import InvalidRequest, UnsupportedFeature
from localazure.stripe.form import Parameters, Tree


class Fields:
    """Each read takes its parameter away; `end` refuses the rest. `path` is how a nested object is named in errors.

    `known` are parameters Stripe has for this call and localazure has not: those are refused as unsupported
    rather than as unknown.
    """

    def __init__(self, parameters: Parameters, known: Collection[str] = (), path: str = "") -> None:
        self._left = dict(parameters)
        self._known = known
        self._path = path

    def _named(self, name: str) -> str:
        return f"{self._path}[{name}]" if self._path else name

    def end(self) -> None:
        """Raises InvalidRequest, or UnsupportedFeature, for the first parameter nobody has read."""
        for name in self._left:
            if name in self._known:
                raise UnsupportedFeature(f"the parameter {self._named(name)}", param=self._named(name))
            raise InvalidRequest(
                f"Received unknown parameter: {self._named(name)}", code="parameter_unknown", param=self._named(name)
            )

    def missing(self, name: str) -> InvalidRequest:
        return InvalidRequest(
            f"Missing required param: {self._named(name)}.", code="parameter_missing", param=self._named(name)
        )

    def text(self, name: str, longest: int = 5000) -> str | None:
        value = self._left.pop(name, None)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self._invalid(name, "Invalid string", "parameter_invalid_string")
        if not value:
            raise InvalidRequest(
                f"You passed an empty string for '{self._named(name)}'. We assume empty values are an attempt to "
                f"unset a parameter; however '{self._named(name)}' cannot be unset.",
                code="parameter_invalid_empty",
                param=self._named(name),
            )
        if len(value) > longest:
            raise self._invalid(name, f"Must be at most {longest} characters", "parameter_invalid_string")
        return value

    def integer(self, name: str) -> int | None:
        value = self._left.pop(name, None)
        if value is None:
            return None
        if not isinstance(value, str) or not value.removeprefix("-").isdecimal() or len(value) > 18:
            raise self._invalid(name, f"Invalid integer: {value}", "parameter_invalid_integer")
        return int(value)

    def boolean(self, name: str) -> bool | None:
        value = self._left.pop(name, None)
        if value is None:
            return None
        if value not in ("true", "false"):
            raise self._invalid(name, f"Invalid boolean: {value}", "parameter_invalid_boolean")
        return value == "true"

    def choice(self, name: str, choices: object) -> str | None:
        """One of a `Literal`'s values."""
        value = self.text(name)
        allowed = get_args(choices)
        if value is not None and value not in allowed:
            raise self._invalid(
                name,
                f"Invalid {self._named(name)}: must be one of {', '.join(allowed)}",
                "parameter_invalid_string_enum",
            )
        return value

    def texts(self, name: str) -> tuple[str, ...] | None:
        value = self._left.pop(name, None)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self._invalid(name, "Invalid array", "parameter_invalid_array")
        return tuple(str(item) for item in value)

    def moments(self, name: str) -> dict[str, int]:
        """A filter by time: one moment, as `{"eq": …}`, or any of gt, gte, lt, lte."""
        if not isinstance(self._left.get(name), dict):
            moment = self.integer(name)
            return {} if moment is None else {"eq": moment}
        bounds = self.nested(name)
        assert bounds is not None
        read = {bound: bounds.integer(bound) for bound in ("gt", "gte", "lt", "lte")}
        bounds.end()
        return {bound: moment for bound, moment in read.items() if moment is not None}

    def nested(self, name: str) -> Fields | None:
        value = self._left.pop(name, None)
        if value is None:
            return None
        return Fields(self._branch(name, value), path=self._named(name))

    def metadata(self) -> dict[str, str]:
        """Raises InvalidRequest beyond Stripe's limits: 50 keys of 40 characters, values of 500."""
        value = self._left.pop("metadata", None)
        if value is None or value == "":
            return {}
        metadata: dict[str, str] = {}
        for key, item in self._branch("metadata", value).items():
            if not isinstance(item, str):
                raise self._invalid("metadata", f"Metadata values must be strings, not that of {key}", None)
            if len(key) > 40 or len(item) > 500:
                raise self._invalid("metadata", "Metadata keys have at most 40 characters and values at most 500", None)
            metadata[key] = item
        if len(metadata) > 50:
            raise self._invalid("metadata", "Metadata has at most 50 keys", None)
        return metadata

    def _branch(self, name: str, value: Tree) -> Parameters:
        if isinstance(value, list):  # names that happen to be 0, 1, 2 …
            return {str(index): item for index, item in enumerate(value)}
        if not isinstance(value, dict):
            raise self._invalid(name, "Invalid object", "parameter_invalid_object")
        return value

    def _invalid(self, name: str, message: str, code: str | None) -> InvalidRequest:
        return InvalidRequest(message, code=code, param=self._named(name))
