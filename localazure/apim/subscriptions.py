"""Who has a key: read once from a JSON file. Keys are no artifacts: on Azure they are made there and never leave."""

from __future__ import annotations

from pathlib import Path

import msgspec

from localazure.apim.errors import ArtifactError
from localazure.apim.model import Subscription

SEEDED = Path(__file__).with_name("subscriptions.json")


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    name: str
    product: str
    primary_key: str
    secondary_key: str
    state: str = "active"
    developer: str = ""


def load(file: Path) -> list[Subscription]:
    """Raises ArtifactError for a file that is missing or malformed."""
    try:
        entries = msgspec.json.decode(file.read_bytes(), type=list[_Entry])
    except OSError as exc:
        raise ArtifactError(f"the subscriptions file {file} cannot be read: {exc.strerror}") from exc
    except msgspec.MsgspecError as exc:
        raise ArtifactError(f"the subscriptions file {file} is malformed: {exc}") from exc
    return [Subscription(**msgspec.structs.asdict(entry)) for entry in entries]
