"""Durable HTTP: what `call_http` asks for, done as the extension's built-in activity does it.

A 202 is an answer like any other: azure-functions-durable 1.7 never asks the extension to poll (it does not send
`asynchronousPatternEnabled`), so an orchestrator that wants to poll does so with a timer.
Source: `TaskHttpActivityShim`, `DurableHttpResponse` and `HttpHeadersConverter` of the Durable extension.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

TIMEOUT = 240.0
"""Seconds that the extension's HttpClient allows a request."""
_REDIRECTS = frozenset({300, 301, 302, 303, 307, 308})
_MAX_REDIRECTS = 51
"""The first request, and as many more as .NET's HttpClient makes."""
_AGENT = "Microsoft.Azure.WebJobs.Extensions.DurableTask/3.19.0"
_OF_CONTENT = frozenset({"allow", "expires", "last-modified"})
_LISTS = frozenset({"accept-ranges", "connection", "pragma", "trailer", "transfer-encoding", "upgrade", "vary", "via"})
"""Headers whose values .NET tells apart at their commas."""
_PRODUCT = re.compile(r"\([^)]*\)|[^\s(]+")


class HttpCallFailed(Exception):
    """The call has no answer; `details` is what the extension keeps of the exception."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


async def perform(payload: str) -> str:
    """Make the request that is the one element of `payload`; the answer as JSON of status, headers and content.

    Raises HttpCallFailed where there is no answer, or the request is one that the extension refuses.
    """
    request: dict[str, Any] = json.loads(payload)[0]
    headers = list(_headers(request.get("headers") or {}, request.get("content") is not None))
    try:
        return await asyncio.wait_for(asyncio.to_thread(_send, request, headers), TIMEOUT)
    except TimeoutError:
        raise HttpCallFailed(
            f"The request was canceled due to the configured HttpClient.Timeout of {TIMEOUT:g} seconds elapsing."
        ) from None
    except OSError as exc:
        address = urlsplit(request["uri"])
        port = address.port or {"https": 443}.get(address.scheme, 80)
        raise HttpCallFailed(f"{exc.strerror or exc} ({address.hostname}:{port})") from exc
    except (http.client.HTTPException, ValueError) as exc:
        raise HttpCallFailed(str(exc) or type(exc).__name__) from exc


def _send(request: dict[str, Any], headers: list[tuple[str, str]]) -> str:
    """Ask, and go where the answer points to, as .NET's HttpClient does."""
    method, uri, content = request.get("method") or "GET", request["uri"], request.get("content")
    body = None if content is None else content.encode()
    for _ in range(_MAX_REDIRECTS):
        status, given, text = _ask(method, uri, headers, body)
        target = urljoin(uri, next((value for name, value in given if name.lower() == "location"), ""))
        if status not in _REDIRECTS or target == uri or (uri.startswith("https:") and target.startswith("http:")):
            break
        if (status == 303 and method != "HEAD") or (status < 303 and method == "POST"):
            method, body = "GET", None
        dropped = {"authorization"} | ({"content-type"} if body is None else set())
        uri, headers = target, [(name, value) for name, value in headers if name.lower() not in dropped]
    return json.dumps({"statusCode": status, "headers": _shown(given), "content": text})


def _ask(
    method: str, uri: str, headers: list[tuple[str, str]], body: bytes | None
) -> tuple[int, list[tuple[str, str]], str]:
    address = urlsplit(uri)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError("Only 'http' and 'https' schemes are allowed.")
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.hostname, address.port, timeout=TIMEOUT)
    try:
        target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in [*headers, *([] if body is None else [("Content-Length", str(len(body)))])]:
            connection.putheader(name, value.encode())
        connection.endheaders(body)
        answer = connection.getresponse()
        text = answer.read().decode(answer.headers.get_content_charset() or "utf-8", "replace")
        return answer.status, answer.getheaders(), text
    finally:
        connection.close()


def _headers(given: dict[str, str | list[str]], has_content: bool) -> Iterator[tuple[str, str]]:
    content_type = "text/plain"
    if not any(name.lower() == "user-agent" for name in given):
        yield "User-Agent", _AGENT
    for name, value in given.items():
        values = [value] if isinstance(value, str) else value
        if name.lower() != "content-type":
            yield from ((name, item) for item in values)
        elif any("multipart" in item for item in values):
            raise HttpCallFailed("Multipart content is not supported with CallHttpAsync.")
        else:
            content_type = values[-1]
    if has_content:
        yield "Content-Type", content_type


def _shown(headers: Iterable[tuple[str, str]]) -> dict[str, str | list[str]]:
    """The headers but for those that .NET counts to the content; several values of one are a list."""
    found: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for name, value in headers:
        if name.lower() not in _OF_CONTENT and not name.lower().startswith("content-"):
            found.setdefault(names.setdefault(name.lower(), name), []).extend(_values(name.lower(), value))
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _values(name: str, value: str) -> list[str]:
    if name == "server":
        return _PRODUCT.findall(value)
    return [part.strip() for part in value.split(",")] if name in _LISTS else [value]
