"""Recorded requests sent as they were, byte for byte, and the answers held against those of Microsoft's host.

A request goes over a socket of its own: clients tidy up paths, methods and headers that are part of what was recorded.
What is compared, and what is left out, stands in recordings/README.md.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECORDINGS = Path(__file__).parent / "recordings"
DURABLE = "/runtime/webhooks/durabletask"
DURABLE_KEY = "durablekey"

_FRAMING = frozenset({"server", "date", "transfer-encoding", "content-length", "connection", "keep-alive"})
_STATUS = re.compile(r"HTTP/1\.1 (\d+)")
_HOLE = re.compile(r"\\\{(app|source|host|site|python|secrets|hostid|generated|path)\\\}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
_VARYING = (
    (re.compile(r"\b\d\d?/\d\d?/\d{4} \d\d?:\d\d:\d\d( [AP]M)?( \+\d\d:\d\d)?"), "TIME"),
    (re.compile(r"\b00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\b"), "TRACEPARENT"),
    (re.compile(r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "GUID"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "HEX32"),
    (re.compile(r"([?&])code=[^&\s\"']+"), r"\1code=KEY"),
    (re.compile(r"(?i)\b(127\.0\.0\.1|localhost)(:|%3A)\d{4,5}\b"), r"\1\2{port}"),
)
_ABSENT = "(absent)"
_PATIENCE = 60.0
"""Seconds: the longest recorded answer took twenty."""
_POLL = 0.2
"""Seconds between two looks at an instance, as in the recording."""


@dataclass(frozen=True)
class Answer:
    """What came back. `headers` is None where the status itself cannot be read (below 100)."""

    status: int
    reason: str
    headers: list[tuple[str, str]] | None
    body: Any


@dataclass(frozen=True)
class Difference:
    """Where an answer is not the recorded one: a JSON pointer, what was recorded, what came."""

    pointer: str
    recorded: Any
    given: Any

    def __str__(self) -> str:
        return f"{self.pointer}: recorded {str(self.recorded)[:300]!r}, given {str(self.given)[:300]!r}"


def load(name: str) -> list[dict[str, Any]]:
    """The recordings of a file, in their order."""
    return [json.loads(line) for line in (RECORDINGS / name).read_text(encoding="utf-8").splitlines()]


def compare(recording: dict[str, Any], address: tuple[str, int]) -> list[Difference]:
    """Send a recorded request to the host at `address`; in what its answer differs."""
    unstable, recorded = recording.get("unstable", []), recording["answer"]
    given = send(address, recording["request"])
    found = _compare(recorded["status"], given.status, "/answer/status", unstable)
    if given.headers is None:
        return found
    found += _compare(recorded["reason"], given.reason, "/answer/reason", unstable)
    found += _compare(_headers(recorded["headers"]), _headers(given.headers), "/answer/headers", unstable)
    return found + _compare(_parsed(recorded["body"]), _parsed(given.body), "/answer/body", unstable)


def settle(step: dict[str, Any], address: tuple[str, int]) -> list[Difference]:
    """Wait until the instance of a recorded step has one of its states; in what the one it has then differs."""
    target = f"{DURABLE}/instances/{step['instance']}?code={DURABLE_KEY}"
    request: dict[str, Any] = {
        "method": "GET",
        "target": target,
        "headers": [],
        "body": None,
        "version": "1.1",
        "host": True,
    }
    end, state = time.monotonic() + step["timeout_s"], None
    while time.monotonic() < end:
        document = _parsed(send(address, request).body)
        state = document.get("runtimeStatus") if isinstance(document, dict) else None
        if state in step["states"]:
            break
        time.sleep(_POLL)
    return _compare(step["reached"], state, "/reached", step.get("unstable", []))


def send(address: tuple[str, int], request: dict[str, Any]) -> Answer:
    """Raises OSError and HTTPException where there is no answer."""
    with socket.create_connection(address, timeout=_PATIENCE) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # a body may be refused before it has been read
            connection.sendall(_written(address, request))
        answer = http.client.HTTPResponse(connection, method=request["method"])
        with answer:
            try:
                answer.begin()
            except http.client.BadStatusLine as exc:  # a status below 100 is none to Python's client
                match = _STATUS.search(str(exc))
                return Answer(int(match[1]) if match else 0, "", None, None)
            return Answer(answer.status, answer.reason, _decoded(answer.getheaders()), _body(answer.read()))


def _written(address: tuple[str, int], request: dict[str, Any]) -> bytes:
    body = _bytes(request["body"])
    lines = [f"{request['method']} {request['target']} HTTP/{request['version']}"]
    if request["host"]:
        lines.append(f"Host: {address[0]}:{address[1]}")
    lines += [f"{name}: {value}" for name, value in request["headers"]]
    framed = {name.lower() for name, _ in request["headers"]} & {"content-length", "transfer-encoding"}
    if body is not None and not framed:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + (body or b"")


def _bytes(body: Any) -> bytes | None:
    if body is None or isinstance(body, str):
        return None if body is None else body.encode()
    return base64.b64decode(body["base64"]) if "base64" in body else body["repeat"].encode() * int(body["times"])


def _body(body: bytes) -> Any:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def _decoded(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value.encode("latin-1").decode("utf-8", "replace")) for name, value in headers]


def _headers(headers: Iterable[Iterable[str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in headers:
        if name.lower() not in _FRAMING:
            values.setdefault(name.lower(), []).append(value)
    return values


def _parsed(body: Any) -> Any:
    if isinstance(body, dict):
        return body["repeat"] * body["times"] if "repeat" in body else body
    try:
        return json.loads(body)
    except ValueError:
        return body


def _compare(recorded: Any, given: Any, pointer: str, unstable: Collection[str]) -> list[Difference]:
    if any(pointer == part or pointer.startswith(f"{part}/") for part in unstable):
        return []
    if isinstance(recorded, dict) and isinstance(given, dict):
        return [
            difference
            for name in {**recorded, **given}
            for difference in _compare(
                recorded.get(name, _ABSENT),
                given.get(name, _ABSENT),
                f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}",
                unstable,
            )
        ]
    if isinstance(recorded, list) and isinstance(given, list) and len(recorded) == len(given):
        pairs = enumerate(zip(recorded, given, strict=True))
        return [item for place, pair in pairs for item in _compare(*pair, f"{pointer}/{place}", unstable)]
    if isinstance(recorded, str) and isinstance(given, str):
        same = _same_text(recorded, given)
    else:
        same = type(recorded) is type(given) and recorded == given
    return [] if same else [Difference(pointer, recorded, given)]


def _same_text(recorded: str, given: str) -> bool:
    recorded, given = _normalised(recorded), _normalised(given)
    if recorded == given:
        return True
    pattern = re.escape(recorded)
    return bool(_HOLE.search(pattern)) and re.fullmatch(_HOLE.sub(r"[^\\s\"']*", pattern), given, re.S) is not None


def _normalised(text: str) -> str:
    text = _TIME.sub(lambda match: f"TIME{'.' if match[1] else ''}{match[2] or ''}", text)
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    return text
