"""The gateway's own tokens, asked of the issuer."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass

import aiohttp
import jwt

from localazure.clock import Clock
from localazure.verifier import KEPT, InvalidToken

log = logging.getLogger("localazure.apim")

MARGIN = 300.0
"""Seconds before its end at which the gateway's own token is renewed."""
MAX_RESOURCES = 1000
"""Tokens kept: an expression may make a resource's name out of a request."""


@dataclass(frozen=True)
class Identity:
    """How the gateway proves who it is: what stands in for a managed identity on this machine."""

    token_url: str = ""
    client_id: str = ""
    secret: str = ""


class ManagedIdentity:
    """Tokens of the gateway itself, one for each resource, kept until shortly before they end."""

    def __init__(self, identity: Identity, session: aiohttp.ClientSession, clock: Clock) -> None:
        self._identity, self._session, self._clock = identity, session, clock
        self._held: dict[str, tuple[float, str]] = {}
        self._asking = asyncio.Lock()
        self._own = os.urandom(32)

    async def token(self, resource: str, client_id: str = "") -> str:
        """A token for one resource. `client_id` names a user-assigned identity: here one client stands in for all.

        Raises InvalidToken where the issuer does not give one.
        """
        held = self._held.get(resource)
        if held is None or held[0] <= self._clock.time():
            async with self._asking:
                held = self._held.get(resource)
                if held is None or held[0] <= self._clock.time():
                    self._forget_old()
                    held = self._held[resource] = await self._ask(resource)
        return held[1]

    def _forget_old(self) -> None:
        if len(self._held) >= MAX_RESOURCES:
            self._held.clear()

    async def _ask(self, resource: str) -> tuple[float, str]:
        if not self._identity.token_url:
            return self._stand_in(resource)
        form = {
            "grant_type": "client_credentials",
            "client_id": self._identity.client_id,
            "client_secret": self._identity.secret,
            "scope": f"{resource}/.default",
        }
        try:
            async with self._session.post(
                self._identity.token_url, data=form, timeout=aiohttp.ClientTimeout(total=5)
            ) as answer:
                found = await answer.json()
                if answer.status != 200:
                    raise InvalidToken("TokenAcquisitionFailed", str(found.get("error_description", answer.status)))
        except (aiohttp.ClientError, TimeoutError, ValueError) as exc:
            raise InvalidToken("TokenAcquisitionFailed", f"The issuer cannot be asked: {exc!r}.") from exc
        return self._clock.time() + max(1.0, float(found["expires_in"]) - MARGIN), str(found["access_token"])

    def _stand_in(self, resource: str) -> tuple[float, str]:
        """A gateway that runs without an issuer still has an identity, which nobody trusts: its key is its own."""
        now = self._clock.time()
        claims = {
            "aud": resource,
            "iss": "urn:localazure:apim",
            "sub": "gateway",
            "iat": int(now),
            "exp": int(now + KEPT),
        }
        log.warning("no issuer is configured: the token for %s is one that nothing accepts", resource)
        return now + KEPT - MARGIN, jwt.encode(claims, self._own, algorithm="HS256")
