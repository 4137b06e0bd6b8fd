"""What each policy did to one request, as the portal's trace shows it: asked for by `Ocp-Apim-Trace: true`.

Source: "Debug your APIs using request tracing", the shape of a trace. Secrets are left out: what bears the name of one,
tokens and keys wherever they stand, and the values of secret named values.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localazure.apim.context import Body, Context, Headers, Jwt, Response, Url
from localazure.apim.expressions.values import text

if TYPE_CHECKING:
    from localazure.apim.policies.base import Step

HEADER = "Ocp-Apim-Trace"
LOCATION = "Ocp-Apim-Trace-Location"
MAX_KEPT = 100
"""Traces in memory; the oldest go first."""
MAX_ENTRIES = 1000
"""Policies in one trace: a retry may run many."""
MAX_SHOWN = 1000
"""Characters of a value that are shown."""
HIDDEN = "(hidden)"
_SECRET_NAME = re.compile(r"authorization|cookie|key|secret|token|passw|signature|credential|jwt|assertion", re.I)
_TOKEN = re.compile(r"\beyJ[\w-]{5,}\.[\w-]*(\.[\w-]*)?|\b(?:bearer|basic)\s+[^\s\"',]+", re.I | re.A)
_PARAMETER = re.compile(r"(?<=[?&])([^=&?#\s]{1,60})=[^&#\s\"]+")
_SECRET_PARAMETER = re.compile(r"key|sig|code|token|secret|passw|assertion", re.I)


@dataclass(frozen=True)
class Redaction:
    """What is not shown: `secrets` wherever they stand, and values by the names of headers in `names`."""

    secrets: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, secrets: Iterable[str], names: Iterable[str]) -> Redaction:
        """A secret of less than four characters would hide half of every text."""
        kept = sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True)
        return cls(tuple(kept), frozenset(name.lower() for name in names))

    def value(self, name: str, value: Any) -> str:
        """A value as it may be shown under its name."""
        if isinstance(value, Jwt) or name.lower() in self.names or _SECRET_NAME.search(name):
            return HIDDEN
        if isinstance(value, Response):
            return f"response {value.status}, {len(value.body)} bytes"
        try:
            return self.text(text(value))
        except Exception as exc:  # a value that cannot be shown must not stop the request
            return f"({type(value).__name__} that cannot be shown: {type(exc).__name__})"

    def text(self, value: str) -> str:
        shown = value[: MAX_SHOWN * 4]
        for secret in self.secrets:
            shown = shown.replace(secret, HIDDEN)
        shown = _TOKEN.sub(HIDDEN, _PARAMETER.sub(_parameter, shown))
        if len(value) > MAX_SHOWN * 4:  # what the cut has left of a secret is at the end
            shown = shown[: max(0, len(shown) - max(map(len, self.secrets), default=0))]
        return shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}…"


def _parameter(match: re.Match[str]) -> str:
    return f"{match[1]}={HIDDEN}" if _SECRET_PARAMETER.search(match[1]) else match[0]


@dataclass
class Trace:
    """The entries of one request, in the order in which their policies began."""

    id: str
    redaction: Redaction
    began: float = field(default_factory=time.perf_counter)
    stamp: float = field(default_factory=time.time)
    entries: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)

    async def run(self, step: Step, context: Context) -> None:
        """Run one policy, and note how long it took, what it changed and how it ended."""
        entry = self._enter(step)
        before, began = self._seen(context), time.perf_counter()
        try:
            waiting = step.run(context)
            if waiting is not None:
                await waiting
        except BaseException as exc:
            entry["ended"] = self.redaction.text(f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__)
            raise
        finally:
            entry["durationMs"] = round((time.perf_counter() - began) * 1000, 3)
            entry["changes"] = _changes(before, self._seen(context))

    def _enter(self, step: Step) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "source": step.policy,
            "section": step.section,
            "elapsedMs": round((time.perf_counter() - self.began) * 1000, 3),
            "scope": step.scope,
            "path": step.path,
            "policyId": step.policy_id,
        }
        if len(self.entries) < MAX_ENTRIES:
            self.entries.append(entry)
        return entry

    def finish(self, context: Context, response: Response) -> None:
        """Note what came in, where it went, and what was answered."""
        request = context.request
        self.summary = {
            "method": request.method,
            "url": self.redaction.text(_address(request.original_url)),
            "api": context.api.id if context.api else None,
            "operation": context.operation.id if context.operation else None,
            "product": context.product.id if context.product else None,
            "subscription": context.subscription.id if context.subscription else None,
            "status": response.status,
            "error": self.redaction.text(f"{context.error.source}: {context.error.message}") if context.error else None,
            "durationMs": round((time.perf_counter() - self.began) * 1000, 3),
        }

    def document(self) -> dict[str, Any]:
        """The trace as JSON."""
        sections = ("inbound", "backend", "outbound", "on-error")
        entries = {name: [entry for entry in self.entries if entry["section"] == name] for name in sections}
        return {"traceId": self.id, "timestamp": self.stamp, **self.summary, "traceEntries": entries}

    def _seen(self, context: Context) -> dict[str, str]:
        """Everything that a policy may change, by a name for each."""
        request, response, show = context.request, context.response, self.redaction
        seen = {
            "request.method": request.method,
            "request.url": show.text(_address(request.url)),
            "request.body": _body(request.body),
            "backend": show.text(context.backend or context.backend_url),
        }
        self._fields(seen, "request.header", request.headers)
        if response is not None:
            seen |= {"response.status": f"{response.status} {response.reason}"}
            seen |= {"response.body": f"{len(response.body)} bytes {_digest(response.body)}"}
            self._fields(seen, "response.header", response.headers)
        self._fields(seen, "promised.header", context.sent_with_answer)
        for name, value in context.variables.items():
            seen[f"variable.{name}"] = show.value(name, value)
        return seen

    def _fields(self, seen: dict[str, str], kind: str, headers: Headers) -> None:
        for name, _ in headers:
            seen[f"{kind}.{name.lower()}"] = self.redaction.value(name, headers.get(name))


def _changes(before: dict[str, str], after: dict[str, str]) -> list[dict[str, str | None]]:
    names = [*before, *(name for name in after if name not in before)]
    return [
        {"what": name, "from": before.get(name), "to": after.get(name)}
        for name in names
        if before.get(name) != after.get(name)
    ]


def _address(url: Url) -> str:
    return f"{url.scheme}://{url.host}:{url.port}{url.path}{'?' + url.raw_query if url.raw_query else ''}"


def _body(body: Body | None) -> str:
    if body is None:
        return "none"
    return "not read yet" if body.pending else f"{len(body.content)} bytes {_digest(body.content)}"


def _digest(content: bytes) -> str:
    """A mark by which two bodies of one length are told apart; it says nothing of what they hold."""
    return f"#{hash(content) & 0xFFFFFF:06x}" if content else ""


class Traces:
    """The last traces by id."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, Trace] = OrderedDict()

    def keep(self, trace: Trace) -> None:
        self._held[trace.id] = trace
        while len(self._held) > MAX_KEPT:
            self._held.popitem(last=False)

    def find(self, trace_id: str) -> Trace | None:
        return self._held.get(trace_id)

    def summaries(self) -> list[dict[str, Any]]:
        """The newest first."""
        return [{"traceId": trace.id, **trace.summary} for trace in reversed(self._held.values())]

    def clear(self) -> None:
        self._held.clear()
