"""Shared access signatures: what a client shows in the place of a password.

The signature and the expiry are checked; which resource a token names is not, because each client names it otherwise.
Source: "Service Bus access control with Shared Access Signatures".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable
from urllib.parse import parse_qs, quote_plus

from localazure.clock import Clock
from localazure.servicebus.authorization import RIGHTS, AuthorizationRule, Grant
from localazure.servicebus.errors import Unauthorized

Rules = Callable[[str], Iterable[tuple[str, AuthorizationRule]]]
"""The authorization rules of a name: the entity, and the rule."""


class Tokens:
    """Checks and makes shared access signatures. The one key is the namespace's, `rules` are those of entities."""

    def __init__(self, key_name: str, key: str, clock: Clock, rules: Rules = lambda name: ()) -> None:
        self._key_name, self._key, self._clock, self._rules = key_name, key, clock, rules

    def check(self, token: str) -> Grant:
        """Raises Unauthorized, saying what is wrong."""
        kind, _, rest = token.partition(" ")
        fields = {name: values[0] for name, values in parse_qs(rest).items()}
        if kind != "SharedAccessSignature" or not {"sr", "sig", "se", "skn"} <= fields.keys():
            raise Unauthorized("the token is not a shared access signature; Entra tokens are taken over AMQP alone")
        resource = next(part[3:] for part in rest.split("&") if part.startswith("sr="))

        def signed_with(key: str) -> bool:
            return hmac.compare_digest(_signature(key, resource, fields["se"]), fields["sig"].encode())

        own = fields["skn"] == self._key_name
        rules = [] if own else list(self._rules(fields["skn"]))
        if not own and not rules:
            raise Unauthorized(f"there is no shared access key named {fields['skn']}")
        fitting = [(path, rule) for path, rule in rules if signed_with(rule.primary) or signed_with(rule.secondary)]
        if not fitting and not (own and signed_with(self._key)):
            raise Unauthorized("the signature of the token is not made with the key")
        if not fields["se"].isdecimal() or float(fields["se"]) < self._clock.time():
            raise Unauthorized("the token has expired")
        if own:
            return Grant(frozenset(RIGHTS), float(fields["se"]))
        rights = frozenset(right for _, rule in fitting for right in rule.rights)
        return Grant(rights, float(fields["se"]), frozenset(path.lower() for path, _ in fitting))

    def make(self, resource: str, seconds: float, name: str | None = None, key: str | None = None) -> str:
        """A token for `resource`, an address such as sb://localhost, that is good for so long."""
        quoted, expiry = quote_plus(resource), str(int(self._clock.time() + seconds))
        signature = quote_plus(_signature(key or self._key, quoted, expiry))
        return f"SharedAccessSignature sr={quoted}&sig={signature}&se={expiry}&skn={name or self._key_name}"


def _signature(key: str, resource: str, expiry: str) -> bytes:
    return base64.b64encode(hmac.new(key.encode(), f"{resource}\n{expiry}".encode(), hashlib.sha256).digest())
