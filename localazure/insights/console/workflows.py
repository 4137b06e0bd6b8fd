"""Durable instances, through the HTTP API that the Durable extension has at every functions host."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from localazure.insights.console.errors import BadRequest, Conflict, Missing, Unavailable

API = "/runtime/webhooks/durabletask"
STATES = ("Pending", "Running", "Suspended", "Completed", "Failed", "Terminated", "Canceled", "ContinuedAsNew")
PAGE = 100
MAX_COUNTED = 1_000
"""Instances that are counted by status."""
MAX_EVENT = 64 * 1024
MAX_NAME = 100
"""Characters of an instance's id, of an event's name, of a reason: the extension's own limit of an id."""
_PATIENCE = aiohttp.ClientTimeout(total=10)
_KEY = "durabletask_extension"


class Workflows:
    """`hosts`: the name and address of each functions host. `state`: where they keep their keys, if they have any."""

    def __init__(self, hosts: Mapping[str, str], state: Path | None) -> None:
        self._hosts, self._state = dict(hosts), state
        self._session: aiohttp.ClientSession | None = None

    async def instances(self, status: str, prefix: str, since: str) -> dict[str, Any]:
        """`{counts, instances, hosts, partial}`: those made since a moment (ISO 8601), whose ids begin with `prefix`.

        Counted are those of any status, shown those of one (empty: of any).
        """
        if status and status not in STATES:
            raise BadRequest(f"a status is one of {', '.join(STATES)}")
        counts = dict.fromkeys(STATES, 0)
        found: list[dict[str, Any]] = []
        reached: list[str] = []
        wanted = {"top": str(MAX_COUNTED), "showInput": "false", "createdTimeFrom": since}
        if prefix:
            wanted["instanceIdPrefix"] = _short(prefix, "beginning of an id")
        for host in self._hosts:
            answer = await self._ask("GET", host, "/instances", wanted)
            if answer is None:
                continue  # an app without orchestrators
            reached.append(host)
            for each in answer:
                counts[each["runtimeStatus"]] = counts.get(each["runtimeStatus"], 0) + 1
                if status in ("", each["runtimeStatus"]):
                    found.append(_row(host, each))
        found.sort(key=lambda row: row["created"], reverse=True)
        return {"counts": counts, "instances": found[:PAGE], "hosts": reached, "partial": len(found) > PAGE}

    async def instance(self, host: str, identifier: str) -> dict[str, Any]:
        """One instance with its input, its output and its history. Raises Missing."""
        query = {"showHistory": "true", "showHistoryOutput": "true", "showInput": "true"}
        found = await self._ask("GET", host, _path(identifier), query)
        if found is None:
            raise Missing(f"{host} has no instance {identifier}")
        return {
            **_row(host, found),
            "input": found["input"],
            "output": found["output"],
            "custom": found["customStatus"],
            "history": found.get("historyEvents", []),
        }

    async def terminate(self, host: str, identifier: str, reason: str) -> None:
        """Ask it to end. Raises Missing, and Conflict for one that has ended."""
        await self._act(host, f"{_path(identifier)}/terminate", {"reason": _short(reason, "reason")}, None)

    async def raise_event(self, host: str, identifier: str, name: str, data: Any) -> None:
        """Send it an event. Raises Missing, and Conflict for one that has ended."""
        if not name:
            raise BadRequest("an event has a name")
        body = json.dumps(data)
        if len(body) > MAX_EVENT:
            raise BadRequest(f"an event has {MAX_EVENT} characters of JSON at most")
        event = quote(_short(name, "event's name"), safe="")
        await self._act(host, f"{_path(identifier)}/raiseEvent/{event}", {}, body)

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _act(self, host: str, path: str, query: Mapping[str, str], body: str | None) -> None:
        if await self._ask("POST", host, path, query, body) is None:
            raise Missing(f"{host} has no such instance")

    async def _ask(self, method: str, host: str, path: str, query: Mapping[str, str], body: str | None = None) -> Any:
        """The answer as JSON; `None` for 404, `{}` for one without a body. Raises Unavailable, Conflict, Missing."""
        if host not in self._hosts:
            raise Missing(f"there is no functions host {host[:MAX_NAME]}; there are {', '.join(self._hosts)}")
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_PATIENCE)
        headers = {} if body is None else {"Content-Type": "application/json"}
        url = URL(f"{self._hosts[host]}{API}{path}", encoded=True)
        given = {**query, **self._code(host)}
        try:
            async with self._session.request(method, url.update_query(given), data=body, headers=headers) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise Unavailable(f"{host} does not answer: {type(exc).__name__}") from exc
        if answer.status == 404:
            return None
        if answer.status in (409, 410, 412):
            raise Conflict("the instance has ended")
        if answer.status not in (200, 202):
            raise Unavailable(f"{host} answered {answer.status}")
        return json.loads(text) if text else {}

    def _code(self, host: str) -> Mapping[str, str]:
        """The extension's key, where the host asks for keys: it stands in the host's own file."""
        for folder in () if self._state is None else (self._state / host, self._state):
            file = folder / "functions" / "secrets" / "host.json"
            try:
                keys = json.loads(file.read_text(encoding="utf-8-sig"))["systemKeys"]
            except (OSError, ValueError, LookupError):
                continue
            return next(({"code": str(key["value"])} for key in keys if key["name"] == _KEY), {})
        return {}


def _row(host: str, found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "host": host,
        "id": found["instanceId"],
        "name": found["name"],
        "status": found["runtimeStatus"],
        "created": found["createdTime"],
        "updated": found["lastUpdatedTime"],
    }


def _path(identifier: str) -> str:
    return f"/instances/{quote(_short(identifier, 'instance'), safe='')}"


def _short(text: str, what: str) -> str:
    if len(text) > MAX_NAME:
        raise BadRequest(f"the {what} has {MAX_NAME} characters at most")
    return text
