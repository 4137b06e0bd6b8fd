"""Make the services' databases and containers in a Cosmos DB that has none, as Microsoft's emulator when it starts.

    python -m scripts.containers

`localazure.cosmos` reads infra/cosmos.json itself, and on Azure the template makes them. What is there stays as it is.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from azure.cosmos import CosmosClient, PartitionKey

from scripts.backing import SETTINGS
from scripts.infrastructure import ROOT

DECLARED = ROOT / "infra" / "cosmos.json"
CONNECTION = "COSMOS_CONNECTION"


def make(connection: str) -> list[str]:
    """The containers that are there now, as `database/container`."""
    made = []
    with CosmosClient.from_connection_string(connection) as client:
        for declared in json.loads(DECLARED.read_text(encoding="utf-8"))["databases"]:
            database = client.create_database_if_not_exists(declared["id"])
            for container in declared["containers"]:
                database.create_container_if_not_exists(
                    container["id"],
                    PartitionKey(container["partitionKey"]),
                    indexing_policy=container["indexingPolicy"],
                    default_ttl=container.get("defaultTtl"),
                )
                made.append(f"{declared['id']}/{container['id']}")
    return made


def connection(file: Path = SETTINGS) -> str:
    """By the environment, or the settings file."""
    values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["Values"]
    return os.environ.get(CONNECTION) or str(values[CONNECTION])


if __name__ == "__main__":
    print(*make(connection()), sep="\n")
    sys.exit(0)
