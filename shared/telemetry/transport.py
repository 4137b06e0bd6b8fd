"""Sending envelopes: packed, with what has to be tried again kept in memory, and what is given up counted.

The exporter's own transport drops what meets a network error, sends unpacked, and counts nothing.
"""

from __future__ import annotations

import gzip
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from shared.telemetry.envelopes import Envelope

if TYPE_CHECKING:
    import requests

SECONDS = 10.0
"""For one answer of the endpoint."""
KEPT_BATCHES = 10
"""Batches of five hundred that wait to be sent again: about 5 MB."""
_PACKED = 1
"""The quickest level: what is paid for is counted unpacked, and a higher one takes the app's time."""
FIRST_PAUSE, MAX_PAUSE = 5.0, 120.0
_AGAIN = frozenset({401, 403, 408, 429, 439, 500, 502, 503, 504})
_SCOPE = "https://monitor.azure.com//.default"


class Transport:
    """Used by one thread at a time. `token` gives an access token for a scope; `None`: the key suffices."""

    def __init__(
        self, endpoint: str, token: Callable[[str], str] | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds = SECONDS
        self._url = f"{endpoint.rstrip('/')}/v2.1/track"
        self._token, self._now = token, now
        self._session: requests.Session | None = None
        self._again: deque[Sequence[Envelope]] = deque()
        self._pause, self._until = FIRST_PAUSE, 0.0
        self.dropped = 0
        self.sent = 0
        """Bytes, packed."""

    def send(self, envelopes: Sequence[Envelope]) -> None:
        """Send them, and what waits; or keep them for later. Raises nothing."""
        if envelopes:
            self._keep(envelopes)
        while self._again and self._now() >= self._until:
            batch = self._again.popleft()
            if not self._post(batch):
                self._again.appendleft(batch)
                return

    def _keep(self, envelopes: Sequence[Envelope]) -> None:
        self._again.append(envelopes)
        while len(self._again) > KEPT_BATCHES:
            self.dropped += len(self._again.popleft())

    def _post(self, envelopes: Sequence[Envelope]) -> bool:
        """Whether the batch is done with: taken, or refused for good."""
        import requests

        if self._session is None:
            self._session = requests.Session()
        body = gzip.compress(msgspec.json.encode(envelopes), _PACKED)
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        try:
            if self._token is not None:
                headers["Authorization"] = f"Bearer {self._token(_SCOPE)}"
            answer = self._session.post(self._url, body, headers=headers, timeout=self.seconds, allow_redirects=False)
        except Exception:  # whatever the network or the identity does, telemetry disturbs nobody
            self._wait(0)
            return False
        if answer.status_code in _AGAIN:
            self._wait(_seconds(answer.headers.get("Retry-After")))
            return False
        self._pause = FIRST_PAUSE
        self.sent += len(body)
        if answer.status_code == 206:
            self._sort(envelopes, answer)
        elif answer.status_code != 200:
            self.dropped += len(envelopes)
        return True

    def _sort(self, envelopes: Sequence[Envelope], answer: Any) -> None:
        """Of a batch that was taken in part: what is refused for now is sent again, the rest is given up."""
        try:
            errors = [(int(error["index"]), int(error["statusCode"])) for error in answer.json()["errors"]]
            again = [envelopes[place] for place, status in errors if status in _AGAIN]
        except (ValueError, LookupError, TypeError):
            return
        self.dropped += len(errors) - len(again)
        if again:
            self._keep(again)
            self._wait(0)

    def _wait(self, seconds: float) -> None:
        self._until = self._now() + max(seconds, self._pause)
        self._pause = min(MAX_PAUSE, self._pause * 2)


def _seconds(text: str | None) -> float:
    return min(float(text), MAX_PAUSE) if text is not None and text.isdecimal() else 0.0
