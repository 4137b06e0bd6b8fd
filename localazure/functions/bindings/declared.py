"""What must be said of a data binding, checked when the app is indexed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localazure.functions.errors import InvalidFunction, Unsupported

_OLD = {"collectionName", "connectionStringSetting"}
"""Of extension bundle 3 and before, for which the decorators have names that end in `_v3`."""


def check_declared(function: str, kind: str, name: str, options: Mapping[str, Any]) -> None:
    """Raises InvalidFunction for a binding that says too little or too much, Unsupported for an old one."""
    if kind == "cosmosDB":
        if _OLD & set(options):
            raise Unsupported(function, f"'{name}': Cosmos DB bindings of extension bundle 3 (the decorators …_v3)")
        needed = [option for option in ("connection", "databaseName", "containerName") if not options.get(option)]
        if options.get("id") and options.get("sqlQuery"):
            raise InvalidFunction(function, f"'{name}' has an id and a sqlQuery: it reads one document or many")
    else:
        needed = [] if options.get("connection") else ["connection"]
        if bool(options.get("queueName")) == bool(options.get("topicName")):
            raise InvalidFunction(function, f"'{name}' must name a queue or a topic")
    if needed:
        raise InvalidFunction(function, f"'{name}' must have {', '.join(needed)}")
