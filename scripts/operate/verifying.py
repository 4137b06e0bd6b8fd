"""Verifying the audit log: each day, against the heads that were noted elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import aiohttp

from scripts.operate.api import Access, Api
from scripts.shop import ApiError, addresses

APPLICATION = "00000000-0000-0000-0000-000000000001"
"""The component of Application Insights on one machine."""
QUERY = 'traces | where message == "audit.head" | project customDimensions'
MAX_NAMED = 500
"""Heads that one verification takes; of more the latest."""


def flat(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry's fields beside those of its act."""
    return {**{name: value for name, value in entry.items() if name != "act"}, **entry.get("act", {})}


async def all_verified(api: Api, access: Access, day: str | None, file: Iterable[str] | None) -> list[Any]:
    """What the API says of each day. Raises ApiError."""
    noted = list(_read(file)) if file is not None else await _told_here(access)
    known = {head["day"] for head in (await api.call("GET", "/operations/audit/heads"))["items"]}
    found = []
    for each in sorted(known | {head["day"] for head in noted}) if day is None else [day]:
        own = [head for head in noted if head["day"] == each][-MAX_NAMED:]
        answer = await api.call("POST", "/operations/audit/verifications", {"day": each, "heads": own})
        found.append({"noted": len(own), **answer, "findings": _named(answer["findings"])})
    return found


def _named(findings: list[dict[str, Any]]) -> str:
    return ", ".join(f"{finding['number']} {finding['what']}" for finding in findings)


def _read(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Heads as `audit heads --json` prints them, or as lines of the log. Raises ApiError."""
    text = "".join(lines)
    try:
        items = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
        for item in items:
            yield {"day": item["day"], "number": int(item["number"]), "hash": item["hash"]}
    except (ValueError, LookupError, TypeError) as exc:
        raise ApiError("the heads must be JSON objects with day, number and hash, one a line") from exc


async def _told_here(access: Access) -> list[dict[str, Any]]:
    """The heads that the system on this machine has told Application Insights; none of one elsewhere."""
    if access.url:
        return []
    url = f"{addresses(access.state)['insights']}/v1/apps/{APPLICATION}/query"
    try:
        async with aiohttp.ClientSession() as session, session.post(url, json={"query": QUERY}) as answer:
            rows = (await answer.json())["tables"][0]["rows"] if answer.status == 200 else []
    except (aiohttp.ClientError, LookupError, ValueError) as exc:
        raise ApiError(f"Application Insights does not answer ({type(exc).__name__})") from exc
    return list(_read(f"{said}\n" for (said,) in rows))
