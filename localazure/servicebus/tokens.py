"""Shared access signatures: what a client shows in the place of a password.

Source: "Service Bus access control with Shared Access Signatures".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import parse_qs, quote_plus

from localazure.clock import Clock
from localazure.servicebus.errors import Unauthorized


class Tokens:
    """Checks and makes shared access signatures with one key."""

    def __init__(self, key_name: str, key: str, clock: Clock) -> None:
        self._key_name, self._key, self._clock = key_name, key.encode(), clock

    def check(self, token: str) -> None:
        """Raises Unauthorized, saying what is wrong."""
        kind, _, rest = token.partition(" ")
        fields = {name: values[0] for name, values in parse_qs(rest).items()}
        if kind != "SharedAccessSignature" or not {"sr", "sig", "se", "skn"} <= fields.keys():
            raise Unauthorized("the token is no shared access signature; Entra tokens are not supported")
        if fields["skn"] != self._key_name:
            raise Unauthorized(f"there is no shared access key named {fields['skn']}")
        resource = next(part[3:] for part in rest.split("&") if part.startswith("sr="))
        if not hmac.compare_digest(self._signature(resource, fields["se"]), fields["sig"].encode()):
            raise Unauthorized("the signature of the token is not made with the key")
        if not fields["se"].isdecimal() or float(fields["se"]) < self._clock.time():
            raise Unauthorized("the token has expired")

    def make(self, resource: str, seconds: float) -> str:
        """A token for `resource`, an address such as sb://localhost, that is good for so long."""
        quoted, expiry = quote_plus(resource), str(int(self._clock.time() + seconds))
        signature = quote_plus(self._signature(quoted, expiry))
        return f"SharedAccessSignature sr={quoted}&sig={signature}&se={expiry}&skn={self._key_name}"

    def _signature(self, resource: str, expiry: str) -> bytes:
        return base64.b64encode(hmac.new(self._key, f"{resource}\n{expiry}".encode(), hashlib.sha256).digest())
