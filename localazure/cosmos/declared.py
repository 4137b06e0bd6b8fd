"""Databases and containers that a file declares, made where they are missing."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from localazure.cosmos.engine import Account
from localazure.cosmos.errors import Conflict


def declare(account: Account, path: Path) -> None:
    """Raises ValueError for a file that declares nothing of the kind."""
    try:
        declared = json.loads(path.read_text())["databases"]
    except (OSError, ValueError, LookupError, TypeError) as exc:
        raise ValueError(f"{path} does not declare databases and containers: {exc}") from exc
    for database in declared:
        with contextlib.suppress(Conflict):
            account.create_database(database["id"])
        for container in database["containers"]:
            paths = {"paths": [container["partitionKey"]], "kind": "Hash", "version": 2}
            with contextlib.suppress(Conflict):
                account.create_container(database["id"], {**container, "partitionKey": paths})
