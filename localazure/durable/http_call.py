"""Durable HTTP: what `call_http` asks for, done as the extension's built-in activity does it.

A 202 is an answer like any other: azure-functions-durable 1.7 never asks the extension to poll (it does not send
`asynchronousPatternEnabled`), so an orchestrator that wants to poll does so with a timer.
Source: `TaskHttpActivityShim`, `DurableHttpResponse` and `HttpHeadersConverter` of the Durable extension.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy

TIMEOUT = 100.0
"""Seconds: what .NET's HttpClient allows a request unless told otherwise."""
_OF_CONTENT = frozenset({"allow", "expires", "last-modified"})


async def perform(payload: str) -> str:
    """Make the request that is the one element of `payload`; the answer as JSON of status, headers and content.

    Raises aiohttp.ClientError, TimeoutError, and ValueError for multipart content.
    """
    request: dict[str, Any] = json.loads(payload)[0]
    content = request.get("content")
    headers = _headers(request.get("headers") or {}, content is not None)
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session,
        session.request(
            request.get("method") or "GET",
            request["uri"],
            headers=headers,
            data=None if content is None else content.encode(),
            skip_auto_headers=("User-Agent", "Content-Type"),
        ) as answer,
    ):
        document = {
            "statusCode": answer.status,
            "headers": _shown(answer.headers),
            "content": await answer.text(errors="replace"),
        }
    return json.dumps(document)


def _headers(given: dict[str, str | list[str]], has_content: bool) -> CIMultiDict[str]:
    headers = CIMultiDict[str]()
    content_type = "text/plain"
    for name, value in given.items():
        values = [value] if isinstance(value, str) else value
        if name.lower() != "content-type":
            headers.extend((name, item) for item in values)
        elif any("multipart" in item for item in values):
            raise ValueError("Multipart content is not supported with CallHttpAsync.")
        else:
            content_type = values[-1]
    if has_content:
        headers["Content-Type"] = content_type
    return headers


def _shown(headers: CIMultiDictProxy[str]) -> dict[str, str | list[str]]:
    """The headers but for those that .NET counts to the content."""
    names: Iterable[str] = dict.fromkeys(
        name for name in headers if name.lower() not in _OF_CONTENT and not name.lower().startswith("content-")
    )
    return {name: values[0] if len(values := headers.getall(name)) == 1 else values for name in names}
