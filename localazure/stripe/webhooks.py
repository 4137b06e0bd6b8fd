"""What the app is told, and Stripe's signature of it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping

import msgspec

from localazure import webhooks
from localazure.clock import Clock
from localazure.stripe import representation
from localazure.stripe.model import Event
from localazure.stripe.store import Store


def signature(body: bytes, secret: str, timestamp: int) -> str:
    """The `Stripe-Signature` header (docs.stripe.com/webhooks#verify-manually)."""
    signed = f"{timestamp}.".encode() + body
    return f"t={timestamp},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


class Webhooks(webhooks.Webhooks):
    """Events of the types that the endpoint wants."""

    def __init__(self, store: Store, clock: Clock, url: str, secret: str, types: Collection[str]) -> None:
        super().__init__(store, clock, url, self)
        self._store = store
        self._secret = secret
        self._types = types

    def on_event(self, event: Event) -> None:
        """Called inside the transaction that makes the event."""
        if "*" in self._types or event.type in self._types:
            self.add(event.id)

    def letter(self, event: str) -> tuple[bytes, Mapping[str, str]]:
        body = msgspec.json.encode(representation.event(self._store.get(Event, event), pending=True))
        return body, {
            "Stripe-Signature": signature(body, self._secret, int(self._clock.time())),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
