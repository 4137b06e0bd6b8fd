"""Asking the backend over HTTP, behind a circuit breaker. Source: "Backends in API Management", circuit breaker."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO

import aiohttp
from yarl import URL

from localazure.apim.context import MAX_THROUGH, Context, Headers, Response
from localazure.apim.errors import Failure, GatewayError
from localazure.apim.model import Backend, BreakerRule
from localazure.clock import Clock

HOP_BY_HOP = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade host "
    "content-length expect".split()
)
"""Fields that concern one connection alone. Source: RFC 9110, section 7.6.1."""

WHOLE = 65_536
"""Bytes that are sent in one go; the client sends more of them piece by piece, and lets others have their turn."""


@dataclass
class Breaker:
    """Counts failures; open from the moment a rule trips until its time is over."""

    rule: BreakerRule
    _failures: deque[float] = field(default_factory=deque)
    _open_until: float = 0.0

    def remaining(self, now: float) -> float:
        """Seconds that it stays open, 0 where it is closed."""
        return max(0.0, self._open_until - now)

    def failed(self, now: float, trip: float | None = None) -> None:
        """Note a failure; `trip` is the backend's own Retry-After, in seconds."""
        self._failures.append(now)
        while self._failures and self._failures[0] <= now - self.rule.interval:
            self._failures.popleft()
        if len(self._failures) >= self.rule.count:
            self._failures.clear()
            accepted = trip if trip is not None and self.rule.accept_retry_after else self.rule.trip
            self._open_until = now + accepted

    def counts(self, status: int) -> bool:
        return any(low <= status <= high for low, high in self.rule.statuses)


@lru_cache(maxsize=100)
def _timeout(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=seconds)


class Backends:
    """One connection pool, one breaker for each rule."""

    def __init__(self, backends: dict[str, Backend], session: aiohttp.ClientSession, clock: Clock) -> None:
        self._session, self._clock = session, clock
        self.breakers = {name: Breaker(backend.rules[0]) for name, backend in backends.items() if backend.rules}

    def close_breakers(self) -> None:
        """All closed, nothing counted."""
        self.breakers = {name: Breaker(breaker.rule) for name, breaker in self.breakers.items()}

    def keep_breakers(self, other: Backends) -> None:
        """Take over the breakers of backends whose rule is the same."""
        kept = {name: held for name, held in other.breakers.items() if name in self.breakers}
        self.breakers |= {name: held for name, held in kept.items() if held.rule == self.breakers[name].rule}

    async def send(self, context: Context, timeout: float, follow: bool = False) -> Response:
        """The backend's answer. Raises GatewayError where there is none, or where it is not asked."""
        breaker = self.breakers.get(context.backend)
        now = self._clock.time()
        if breaker is not None and (wait := breaker.remaining(now)):
            message = f"The backend {context.backend} has failed too often and is left alone for a while."
            failure = Failure("forward-request", "BackendCircuitBreakerOpen", message)
            raise GatewayError(503, failure, {"Retry-After": str(max(1, round(wait)))})
        try:
            answer = await self._ask(context, timeout, follow)
        except TimeoutError as exc:
            self._note(breaker, "Timeout")
            raise context.fail(500, "forward-request", "Timeout", "The backend did not answer in time.") from exc
        except (aiohttp.ClientError, OSError, ValueError) as exc:  # ValueError: an invalid address or header
            self._note(breaker, "BackendConnectionFailure")
            raise context.fail(
                500, "forward-request", "BackendConnectionFailure", "The backend cannot be reached."
            ) from exc
        if breaker is not None and breaker.counts(answer.status):
            after = answer.headers.get("Retry-After")
            breaker.failed(self._clock.time(), float(after) if after.isdecimal() else None)
        return answer

    def _note(self, breaker: Breaker | None, reason: str) -> None:
        if breaker is not None and reason in breaker.rule.reasons:
            breaker.failed(self._clock.time())

    async def _ask(self, context: Context, timeout: float, follow: bool) -> Response:
        request = context.request
        if not context.backend_url:
            raise context.fail(500, "forward-request", "BackendNotFound", "No backend is set for this request.")
        query = f"?{request.url.raw_query}" if request.url.raw_query else ""
        url = URL(f"{context.backend_url.rstrip('/')}{request.url.path}{query}", encoded=True)
        headers = [(name, value) for name, value in request.headers if name.lower() not in HOP_BY_HOP]
        content: bytes | BytesIO | None = None
        if request.body is not None:
            await request.body.load(MAX_THROUGH)
            content = request.body.content
            if len(content) > WHOLE:
                content = BytesIO(content)
        async with self._session.request(
            request.method,
            url,
            headers=headers,
            data=content,
            allow_redirects=follow,
            timeout=_timeout(timeout),
        ) as answer:
            found = Headers()
            for name, value in answer.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    found.add(name, value)
            return Response(answer.status, found, await answer.read(), answer.reason or "")
