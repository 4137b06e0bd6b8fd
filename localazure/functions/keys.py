"""Host keys, as Azure's host keeps them in files: `host.json` and one file for each function that has keys of its own.

Without these files nobody is asked for a key, as with Core Tools. Keys that a file leaves out are made and written
into it, as the host does.
Source: `SecretManager`, `FileSystemSecretsRepository` and `AuthenticationLevelHandler` of the Functions host.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

from localazure.functions.errors import InvalidApp

DURABLE_KEY = "durabletask_extension"
_HOST_FILE = "host.json"


class Level(IntEnum):
    """What a key may do."""

    ANONYMOUS = 0
    FUNCTION = 2
    SYSTEM = 3
    ADMIN = 4


@dataclass(frozen=True)
class Grant:
    """What a caller showed: the level of its key, and the key's name."""

    level: Level = Level.ANONYMOUS
    name: str = ""


NOBODY = Grant()
_MASTER_GRANT = Grant(Level.ADMIN, "master")


@dataclass
class Keys:
    """The keys of one host. `asked` is whether a caller needs any."""

    asked: bool
    master: str
    host: dict[str, str] = field(default_factory=dict)
    system: dict[str, str] = field(default_factory=dict)
    functions: dict[str, dict[str, str]] = field(default_factory=dict)
    """Function name in lower case → its own keys."""
    _known: dict[str, Grant] = field(default_factory=dict)

    def grant(self, key: str, function: str = "") -> Grant:
        """What `key` may do, for a function by its name.

        A key that was right once is from then on taken in any letter case, since Azure's host remembers it so.
        """
        if not key:
            return NOBODY
        remembered = f"{key}{function}".lower()
        if (known := self._known.get(remembered)) is not None:
            return known
        found = self._matching(key, function)
        if found is not NOBODY:
            self._known[remembered] = found
        return found

    def _matching(self, key: str, function: str) -> Grant:
        """Every key is compared, each in a time that its content does not change."""
        found = NOBODY
        candidates: list[tuple[str, Grant]] = [
            *((value, Grant(Level.FUNCTION, name)) for name, value in self.functions.get(function.lower(), {}).items()),
            *((value, Grant(Level.FUNCTION, name)) for name, value in self.host.items()),
            *((value, Grant(Level.SYSTEM, name)) for name, value in self.system.items()),
            (self.master, _MASTER_GRANT),
        ]
        given = key.encode("utf-8", "surrogatepass")
        for value, grant in candidates:
            if secrets.compare_digest(value.encode(), given):
                found = grant
        return found


def load(directory: Path | None, functions: Iterable[str]) -> Keys:
    """The keys in `directory`; what is missing there is made. Raises InvalidApp for a file that cannot be read."""
    if directory is None or not (directory / _HOST_FILE).exists():
        return Keys(asked=False, master=_made(), host={"default": _made()}, system={DURABLE_KEY: _made()})
    file = directory / _HOST_FILE
    document = _document(file)
    whole: dict[str, Any] = {"masterKey": _entry("master", _made()), "functionKeys": [], "systemKeys": [], **document}
    system = _pairs(whole["systemKeys"], file)
    if DURABLE_KEY not in system:
        whole["systemKeys"] = [*whole["systemKeys"], _entry(DURABLE_KEY, _made())]
        system = _pairs(whole["systemKeys"], file)
    (master,) = _pairs([whole["masterKey"]], file).values()
    host = _pairs(whole["functionKeys"], file)
    if whole != document:
        _write(file, whole)
    own = {name.lower(): _of_function(directory / f"{name.lower()}.json") for name in functions}
    return Keys(asked=True, master=master, host=host, system=system, functions=own)


def _of_function(file: Path) -> dict[str, str]:
    if not file.exists():
        made = _entry("default", _made())
        _write(file, {"keys": [made]})
        return {"default": str(made["value"])}
    return _pairs(_document(file).get("keys", []), file)


def _document(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as exc:
        raise InvalidApp(f"the keys in {file} cannot be read: {exc}") from exc
    if not isinstance(document, dict):
        raise InvalidApp(f"{file} must hold a JSON object")
    return document


def _pairs(entries: Any, file: Path) -> dict[str, str]:
    if not isinstance(entries, list):
        raise InvalidApp(f"{file}: keys must be a list")
    return {str(entry.get("name")): _value(entry, file) for entry in entries if _is_entry(entry, file)}


def _is_entry(entry: Any, file: Path) -> bool:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("value"), str) or not entry["value"]:
        raise InvalidApp(f"{file}: a key is an object with a name and a value")
    return True


def _value(entry: Mapping[str, Any], file: Path) -> str:
    if entry.get("encrypted"):
        raise InvalidApp(f"{file}: the key '{entry.get('name')}' is encrypted, which only Azure can read")
    return str(entry["value"])


def _entry(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "value": value, "encrypted": False}


def _made() -> str:
    return secrets.token_urlsafe(40)


def _write(file: Path, document: Mapping[str, Any]) -> None:
    """Where its owner alone can read it."""
    file.touch(mode=0o600)
    file.write_text(json.dumps(document, indent=2), encoding="utf-8")
