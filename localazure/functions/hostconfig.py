"""host.json as .NET's configuration has it: names in any letter case, every value a text that is converted when read.

A number or a yes may thus be written as text; what cannot be converted is refused in .NET's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localazure.functions import timespan

_ROOT = "AzureFunctionsJobHost"


class Section:
    """One object of host.json; an empty one where there is none."""

    def __init__(self, document: Any, path: str = _ROOT) -> None:
        self._path = path
        members = document if isinstance(document, dict) else {}
        self._members = {name.lower(): (name, value) for name, value in members.items()}

    def section(self, name: str) -> Section:
        return Section(self._value(name), f"{self._path}:{name}")

    def text(self, name: str, default: str) -> str:
        value = self._value(name)
        return default if value is None or isinstance(value, dict | list) else _text(value)

    def texts(self, name: str) -> list[str]:
        """An array's values; none where there is none."""
        value = self._value(name)
        return [_text(item) for item in value] if isinstance(value, list) else []

    def pairs(self) -> Mapping[str, str]:
        """The members that are no sections, by the names they are written with."""
        return {name: _text(value) for name, value in self._members.values() if not isinstance(value, dict | list)}

    def whole(self, name: str, default: int, *, least: int) -> int:
        """Raises ValueError, also below `least`."""
        text = self.text(name, "")
        try:
            value = int(text) if text else default
        except ValueError:
            raise self._refusal(name, text, "Int32") from None
        if value < least:
            raise ValueError(
                f"The value supplied must be greater than or equal to {least}. (Parameter '{name}') Actual value was "
                f"{value}."
            )
        return value

    def flag(self, name: str, default: bool) -> bool:
        """Raises ValueError."""
        text = self.text(name, "").strip().lower()
        if text not in ("", "true", "false"):
            raise self._refusal(name, self.text(name, ""), "Boolean")
        return text == "true" if text else default

    def span(self, name: str, default: float) -> float:
        """A time span in seconds. Raises ValueError."""
        text = self.text(name, "")
        try:
            return timespan.seconds(text) if text else default
        except ValueError:
            raise self._refusal(name, text, "TimeSpan") from None

    def _value(self, name: str) -> Any:
        return self._members.get(name.lower(), (name, None))[1]

    def _refusal(self, name: str, text: str, kind: str) -> ValueError:
        place = f"{self._path}:{name[0].upper()}{name[1:]}"
        return ValueError(
            f"Failed to convert configuration value at '{place}' to type 'System.{kind}'. {text} is not a valid value "
            f"for {kind}."
        )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value)
    return "" if value is None else str(value)
