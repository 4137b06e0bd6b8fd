"""A function's answer as the host writes it."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web
from azure.functions.meta import Datum
from multidict import CIMultiDict

from localazure.functions import cookies
from localazure.functions.reasons import reason

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_GOOD_NAMES = frozenset(
    {"content-type", "Content-Type", "traceparent", "ETag", "Location", "Retry-After", "Cache-Control"}
)
"""Names that need no look, since most answers have them."""
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_WITHOUT_BODY = frozenset({204, 205, 304})


class InvalidAnswer(ValueError):
    """An answer that the server refuses to write, as Kestrel does."""


def empty(status: int, **headers: str) -> web.Response:
    """An answer of the host itself, which has no body."""
    return web.Response(
        status=status, reason=reason(status), headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def closing(status: int) -> web.Response:
    """An answer of the server itself, after which it closes the connection."""
    answer = empty(status)
    answer.force_close()
    return answer


def response(datum: Datum | None) -> web.Response:
    """What the worker returned, as an answer. Raises InvalidAnswer."""
    if datum is None:
        return empty(204)
    if datum.type == "string":
        return web.Response(text=datum.value, content_type="text/plain")
    answer: dict[str, Any] = datum.value
    status = _status(answer["status_code"].value)
    body = answer["body"].value
    headers = _headers({name: value.value for name, value in answer["headers"].items()}, body)
    try:
        for cookie in answer["cookies"] or []:
            for morsel in cookie.values():
                headers.add("Set-Cookie", _checked("Set-Cookie", cookies.written(morsel)))
    except (TypeError, ValueError) as exc:
        raise InvalidAnswer(f"a cookie cannot be written: {exc}") from exc
    return web.Response(
        status=status, reason=reason(status), headers=headers, body=None if status in _WITHOUT_BODY else body
    )


def _status(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1000:
        raise InvalidAnswer(f"{text!r} is no status of HTTP")
    return int(text)


def _headers(given: dict[str, str], body: bytes) -> CIMultiDict[str]:
    """Names that are the same but for their letters count once: the first of them, of the content type the last."""
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in given.items():
        _checked(name, value)
        lower = name.lower()
        if lower == "content-length" and value.strip() != str(len(body)):
            raise InvalidAnswer(f"Response Content-Length mismatch: {value} is told, the body has {len(body)} bytes")
        if lower == "content-type":
            headers[name] = value
        elif lower not in _FRAMING and name not in headers:
            headers.add(name, value)
    return headers


def _checked(name: str, value: str) -> str:
    if name not in _GOOD_NAMES and _NAME.fullmatch(name) is None:
        raise InvalidAnswer(f"Invalid control character or space in the header name {name!r}")
    if not (value.isascii() and value.isprintable()) and _VALUE.fullmatch(value) is None:
        raise InvalidAnswer(f"Invalid non-ASCII or control character in the header {name}: {value!r}")
    return value
