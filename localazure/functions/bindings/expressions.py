"""Binding expressions: `{id}`, `{Query.page}`, `{headers.x-tenant}` in a binding's options, from what triggered a call.

The values are, from the weakest to the strongest: the trigger's metadata, the members of a JSON body, the query, the
route. Letter case makes no difference. Source: "Azure Functions binding expression patterns"; azure-webjobs-sdk,
`HttpTriggerAttributeBindingProvider` and `Utility.ApplyBindingData`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from azure.functions.meta import Datum

from localazure.functions.settings import resolve
from localazure.newtonsoft import read

_EXPRESSION = re.compile(r"\{([^{}]+)\}")


class BindingError(Exception):
    """A binding cannot be read or written as it is declared."""


class BindingData:
    """What one call's expressions stand for."""

    def __init__(self, function: str, data: Datum, metadata: Mapping[str, Datum]) -> None:
        self._function, self._data, self._metadata = function, data, metadata

    def text(self, template: Any) -> str:
        """A template with its `%SETTINGS%` and expressions replaced. Raises BindingError for one that nothing gives."""
        return self.replaced(str(template or ""), lambda _, value: value)

    def replaced(self, template: str, use: Callable[[str, str], str]) -> str:
        """The template with `use(name, value)` in the place of each expression."""
        return _EXPRESSION.sub(lambda match: use(match[1], self.value(match[1])), resolve(template))

    def value(self, name: str) -> str:
        found: Any = self._values
        for part in _parts(name, found):
            found = found.get(part.lower()) if isinstance(found, dict) else None
        found = self._system(name) if found is None else found
        if found is None or isinstance(found, dict):
            raise BindingError(f"nothing that triggered the function gives a value for the expression {{{name}}}")
        return _text(found)

    def _system(self, name: str) -> str | None:
        now = datetime.now(UTC)
        match name.lower():
            case "rand-guid" | "sys.randguid":
                return str(uuid.uuid4())
            case "datetime":
                return f"{now:%Y-%m-%dT%H-%M-%SZ}"
            case "sys.utcnow":
                return f"{now:%Y-%m-%dT%H:%M:%S.%fZ}"
            case "sys.methodname":
                return self._function
            case _:
                return None

    @cached_property
    def _values(self) -> dict[str, Any]:
        if self._data.type == "http":
            return _of_request(self._data.value)
        values: dict[str, Any] = {name.lower(): datum.python_value for name, datum in self._metadata.items()}
        return values | _members(self._data.value)


def _parts(name: str, values: Mapping[str, Any]) -> list[str]:
    return [name] if name.lower() in values else name.split(".", 1)


def _of_request(request: Mapping[str, Any]) -> dict[str, Any]:
    texts = {
        part: {name.lower(): datum.value for name, datum in request[part].items()}
        for part in ("headers", "query", "params")
    }
    query = {name: value for name, value in texts["query"].items() if name != "code"}
    return {
        **_members(request["body"].value),
        "headers": texts["headers"],
        "query": texts["query"],
        **query,
        **texts["params"],
    }


def _members(body: Any) -> dict[str, Any]:
    """The members of a JSON object that are single values; no body has to be JSON."""
    try:
        document = read(body.decode() if isinstance(body, bytes) else str(body))
    except ValueError:
        return {}
    if not isinstance(document, dict):
        return {}
    return {name.lower(): value for name, value in document.items() if not isinstance(value, list | dict | None)}


def _text(value: Any) -> str:
    return str(value)  # .NET says True and False, as Python does
