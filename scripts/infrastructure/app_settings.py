"""`local.settings.sample.json`: every declared setting with its value on one machine, beside those of the host."""

from __future__ import annotations

from typing import Any

from shared.declaration import Service
from shared.settings import KIT, Setting

OF_THE_HOST = {
    "FUNCTIONS_WORKER_RUNTIME": "python",
    "FUNCTIONS_WORKER_PROCESS_COUNT": "2",
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    # the emulators of Cosmos DB speak HTTP alone; Direct asks them for addresses of a kind that they have not
    "AzureFunctionsJobHost__extensions__cosmosDB__connectionMode": "Gateway",
}
HOST = {"LocalHttpPort": 7071}


def declared(services: list[Service]) -> list[Setting]:
    """Every setting, once. Raises ValueError where two services declare one name and mean different things."""
    found: dict[str, Setting] = {}
    for setting in (*KIT, *(setting for service in services for setting in service.settings)):
        if found.setdefault(setting.name, setting) != setting:
            raise ValueError(f"the setting {setting.name} is declared twice, and differently")
    return list(found.values())


def sample(services: list[Service]) -> dict[str, Any]:
    """The document. Raises ValueError for a setting that has no value on one machine."""
    return {
        "IsEncrypted": False,
        "Values": {**OF_THE_HOST, **{setting.name: _local(setting) for setting in declared(services)}},
        "Host": HOST,
    }


def _local(setting: Setting) -> str:
    value = setting.default if setting.local is None else setting.local
    if value is None:
        raise ValueError(f"the setting {setting.name} has neither a default nor a value on one machine")
    return value
