"""Input and output bindings: what the host reads before a call, and writes after it, through the services' own clients.

A call whose binding cannot be read or written has failed, as on Azure: HTTP answers 500, a message is given again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from azure.functions.meta import Datum

from localazure.functions.annotations import RETURN
from localazure.functions.bindings.expressions import BindingData
from localazure.functions.engine import Result
from localazure.functions.indexing import Binding, Function

if TYPE_CHECKING:
    from localazure.functions.bindings.cosmos import Documents
    from localazure.functions.bindings.service_bus import Senders


class Bindings:
    """All data bindings of a host. A service's client is imported and made when a call first needs it."""

    def __init__(self) -> None:
        self._documents: Documents | None = None
        self._senders: Senders | None = None

    async def read(self, function: Function, data: Datum, metadata: Mapping[str, Datum]) -> Mapping[str, Datum | None]:
        """What the input bindings give, by their names."""
        wanted = [binding for binding in function.inputs if binding.type == "cosmosDB"]
        if not wanted:
            return {}
        given = BindingData(function.name, data, metadata)
        found = await asyncio.gather(*(self._cosmos().read(binding, given) for binding in wanted))
        return {binding.name: value for binding, value in zip(wanted, found, strict=True)}

    async def write(self, function: Function, data: Datum, metadata: Mapping[str, Datum], result: Result) -> None:
        """Write what the function set and returned; nothing is written of an output that it left alone."""
        values = {**result.outputs, RETURN: result.value}
        given = BindingData(function.name, data, metadata)
        writes = [
            self._write(binding, value, given)
            for binding in function.data_bindings
            if binding.out and (value := values.get(binding.name)) is not None and value.value is not None
        ]
        await asyncio.gather(*writes)

    async def close(self) -> None:
        for clients in (self._documents, self._senders):
            if clients is not None:
                await clients.close()

    async def _write(self, binding: Binding, value: Datum, given: BindingData) -> None:
        if binding.type == "serviceBus":
            await self._service_bus().send(binding, value, given)
        else:
            await self._cosmos().write(binding, value, given)

    def _cosmos(self) -> Documents:
        if self._documents is None:
            from localazure.functions.bindings.cosmos import Documents  # azure.cosmos takes a third of a second

            self._documents = Documents()
        return self._documents

    def _service_bus(self) -> Senders:
        if self._senders is None:
            from localazure.functions.bindings.service_bus import Senders

            self._senders = Senders()
        return self._senders
