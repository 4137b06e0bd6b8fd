"""The recorded apps, run by this project's host as they were by Microsoft's."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from azure.durable_functions.models.utils import http_utils

from localazure.functions import PART
from localazure.part import HOST, Config, Server
from localazure.testing import serving
from tests.conformance.functions.process import restored

from .comparing import DURABLE_KEY, RECORDINGS


class _Host:
    """The host, and the session of the Durable client, which that never closes."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        return self._server.url

    async def stop(self) -> None:
        await http_utils._close_session()
        await self._server.stop()


async def _start(config: Config) -> Server:
    return _Host(await PART.start(config))


MASTER_KEY = "masterkey"
FUNCTION_KEY = "functionkey"


@contextmanager
def hosting(name: str, directory: Path, *, keys: bool = True) -> Iterator[tuple[str, int]]:
    """The address of a host that runs the recorded app `name`, copied to `directory`, with its keys."""
    app = directory / "app"
    shutil.copytree(RECORDINGS / "apps" / name, app)
    (app / "settings.json").rename(app / "local.settings.json")
    _hurry(app / "host.json")
    options = {"app": str(app)}
    if keys:
        options["secrets"] = str(_secrets(directory / "secrets"))
    config = Config(state=directory / "state", options=options)
    with restored():
        os.environ.pop("WEBSITE_HOSTNAME", None)
        with serving(replace(PART, start=_start), config) as server:
            yield HOST, server.port


def _hurry(file: Path) -> None:
    """What takes longer than `functionTimeout` does so after one second as after five."""
    document = json.loads(file.read_text(encoding="utf-8"))
    if "functionTimeout" in document:
        file.write_text(json.dumps({**document, "functionTimeout": "00:00:01"}), encoding="utf-8")


def _secrets(directory: Path) -> Path:
    directory.mkdir()
    document = {
        "masterKey": _key("master", MASTER_KEY),
        "functionKeys": [_key("default", FUNCTION_KEY)],
        "systemKeys": [_key("durabletask_extension", DURABLE_KEY)],
    }
    (directory / "host.json").write_text(json.dumps(document), encoding="utf-8")
    return directory


def _key(name: str, value: str) -> dict[str, object]:
    return {"name": name, "value": value, "encrypted": False}
