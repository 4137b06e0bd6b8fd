"""Tells the app what happened: signed, at least once, in no particular order, until it answers 2xx."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Collection

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout

from localazure.clock import Clock
from localazure.stripe import representation
from localazure.stripe.model import Event
from localazure.stripe.store import Store

AT_ONCE = 16  # deliveries under way at the same time
PATIENCE = 20.0  # seconds an endpoint may take to answer
LONGEST_DELAY = 60.0  # where Stripe backs off over three days, a laptop wants to see the retry

log = logging.getLogger(__name__)


def delay(attempts: int) -> float:
    """Seconds until the next attempt, after so many that failed."""
    return float(min(LONGEST_DELAY, 2 ** (attempts - 1)))


def signature(body: bytes, secret: str, timestamp: int) -> str:
    """The `Stripe-Signature` header (docs.stripe.com/webhooks#verify-manually)."""
    signed = f"{timestamp}.".encode() + body
    return f"t={timestamp},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


class Webhooks:
    """Deliveries are rows written with the effect that causes them; a delivered one is deleted."""

    def __init__(self, store: Store, clock: Clock, url: str, secret: str, types: Collection[str]) -> None:
        self._store = store
        self._clock = clock
        self._url = url
        self._secret = secret
        self._types = types
        self._changed = asyncio.Event()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._url:
            self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """An attempt that is cut off is made again after the next start."""
        tasks = [*self._under_way.values(), *([self._loop] if self._loop else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def on_event(self, event: Event) -> None:
        """Called inside the transaction that makes the event."""
        if self._url and ("*" in self._types or event.type in self._types):
            self._store.schedule(event.id, self._clock.time())

    def notice(self) -> None:
        """Called after a commit: there may be something to deliver."""
        self._changed.set()

    async def _run(self) -> None:
        async with ClientSession(timeout=ClientTimeout(total=PATIENCE)) as session:
            while True:
                self._changed.clear()
                await self._pause(self._start_due(session))

    def _start_due(self, session: ClientSession) -> float | None:
        """Start what is due; seconds until the next that is not, or `None`."""
        now = self._clock.time()
        for event, attempts, due in self._store.deliveries(AT_ONCE + len(self._under_way)):
            if event in self._under_way:
                continue
            if due > now:
                return due - now
            if len(self._under_way) >= AT_ONCE:
                return None
            self._under_way[event] = asyncio.create_task(self._deliver(session, event, attempts + 1))
        return None

    async def _pause(self, seconds: float | None) -> None:
        if seconds is None:
            await self._changed.wait()
            return
        waits = [asyncio.ensure_future(self._changed.wait()), asyncio.ensure_future(self._clock.sleep(seconds))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _deliver(self, session: ClientSession, identity: str, attempts: int) -> None:
        try:
            problem = await self._post(session, self._store.get(Event, identity))
            if problem is None:
                self._store.delivered(identity)
            else:
                wait = delay(attempts)
                log.warning("webhook %s, attempt %d: %s; again in %g s", identity, attempts, problem, wait)
                self._store.schedule(identity, self._clock.time() + wait, attempts)
        finally:
            del self._under_way[identity]
            self._changed.set()

    async def _post(self, session: ClientSession, event: Event) -> str | None:
        """Why the attempt failed, or `None`."""
        body = msgspec.json.encode(representation.event(event, pending=True))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(body, self._secret, int(self._clock.time())),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        try:
            async with session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
                return None if 200 <= answer.status < 300 else f"{self._url} answered {answer.status}"
        except (ClientError, TimeoutError) as exc:
            return f"{self._url} cannot be reached ({type(exc).__name__})"
