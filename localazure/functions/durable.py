"""Durable functions: the task hub calls the app's orchestrators, activities and entities through this."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from azure.functions.meta import Datum

from localazure.durable.core import FunctionKind
from localazure.durable.failure import FunctionRaised, raised
from localazure.functions import worker
from localazure.functions.engine import Invoker
from localazure.functions.indexing import Function
from localazure.functions.processes import FunctionFailed, WorkerExited

log = logging.getLogger("localazure.functions")

DURABLE_TRIGGERS = frozenset({"orchestrationTrigger", "activityTrigger", "entityTrigger"})
_TRIGGERS: dict[FunctionKind, str] = {
    "orchestrator": "orchestrationTrigger",
    "activity": "activityTrigger",
    "entity": "entityTrigger",
}
_NAMES = {"orchestrationTrigger": "orchestration", "activityTrigger": "activity", "entityTrigger": "entityName"}


class DurableFunctions:
    """The app's durable functions by name, as the task hub wants to call them."""

    def __init__(self, functions: Iterable[Function], invoker: Invoker) -> None:
        self._functions = {(function.trigger.type, _name(function).lower()): function for function in functions}
        self._invoker = invoker
        enabled = [(kind, item) for (kind, _), item in self._functions.items() if not item.disabled]
        self._known: dict[FunctionKind, dict[str, str]] = {
            kind: {_name(item).lower(): _name(item) for of, item in enabled if of == trigger}
            for kind, trigger in _TRIGGERS.items()
        }

    def names(self, kind: FunctionKind) -> Mapping[str, str]:
        """The functions of a kind: the name in lower case → the name that orchestrators and clients call it."""
        return self._known[kind]

    def orchestrators(self) -> list[tuple[str, Any]]:
        """Each orchestrator's name, and what is called for it."""
        of = _TRIGGERS["orchestrator"]
        return [(_name(item), item.call) for (kind, _), item in self._functions.items() if kind == of]

    async def orchestrator(self, name: str, context: str) -> str:
        return await self._call("orchestrationTrigger", name, context)

    async def activity(self, name: str, payload: str) -> str:
        """Raises FunctionRaised for what the function raises."""
        try:
            return await self._call("activityTrigger", name, payload)
        except FunctionFailed as exc:
            raise FunctionRaised(replace(exc.raised, is_async=self._is_async(name))) from exc
        except Exception as exc:
            raise FunctionRaised(raised(exc, outside=worker.__file__, is_async=self._is_async(name))) from exc

    def _is_async(self, name: str) -> bool:
        function = self._functions.get(("activityTrigger", name.lower()))
        return function is not None and function.is_async

    async def entity(self, name: str, batch: str) -> str:
        return await self._call("entityTrigger", name, batch)

    async def _call(self, kind: str, name: str, payload: str) -> str:
        function = self._functions.get((kind, name.lower()))
        if function is None or function.disabled:
            raise LookupError(
                f"the function '{name}' doesn't exist, is disabled, or is not an {kind.removesuffix('Trigger')}"
            )
        while True:
            try:
                datum = await self._invoker.invoke(function, Datum(payload, "json"))
                break
            except WorkerExited as exc:  # no word of the app's: the work item is given to another worker
                log.warning("%s; '%s' is run again", exc, name)
        return "null" if datum is None or datum.value is None else str(datum.value)


def _name(function: Function) -> str:
    """What orchestrators and clients call it: the decorator may give it another name than the function has."""
    given = function.trigger.options.get(_NAMES[function.trigger.type])
    return str(given or function.name)
