"""What the app is told, and EasyPost's signature of it."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Mapping

import msgspec

from localazure import webhooks
from localazure.clock import Clock
from localazure.easypost import representation
from localazure.easypost.faults import Faults
from localazure.easypost.model import Event, Tracker
from localazure.easypost.store import Store


def signature(body: bytes, secret: str) -> str:
    """The `X-Hmac-Signature` header, as `easypost.util.validate_webhook` computes it."""
    key = unicodedata.normalize("NFKD", secret).encode()
    return f"hmac-sha256-hex={hmac.new(key, body, hashlib.sha256).hexdigest()}"


class Webhooks(webhooks.Webhooks):
    """Every event that no fault keeps silent about."""

    def __init__(self, store: Store, faults: Faults, clock: Clock, url: str, secret: str) -> None:
        super().__init__(store, clock, url, self)
        self._store = store
        self._faults = faults
        self._secret = secret

    def on_event(self, event: Event, tracker: Tracker) -> None:
        """Called inside the transaction that makes the event."""
        if self._faults.take("webhook", tracker.tracking_code) is None:
            self.add(event.id)

    def letter(self, event: str) -> tuple[bytes, Mapping[str, str]]:
        body = msgspec.json.encode(representation.event(self._store.event(event)))
        return body, {"X-Hmac-Signature": signature(body, self._secret), "User-Agent": "EasyPost/v2"}
