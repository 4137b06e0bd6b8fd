"""Tokens: those of callers, verified by the issuer's published keys, and the gateway's own, asked of the issuer.

Source: validate-jwt's reference (how long configurations are kept); RFC 8725; OpenID Connect Discovery 1.0.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt

from localazure.clock import Clock

log = logging.getLogger("localazure.apim")

ALGORITHMS = ("RS256", "RS512", "PS256")
KEPT = 3600.0
"""Seconds that an issuer's configuration is kept."""
RETRY = 300.0
"""Seconds between two readings that an unknown key causes."""
MARGIN = 300.0
"""Seconds before its end at which the gateway's own token is renewed."""


class InvalidToken(Exception):
    """`reason` is the Reason of `context.LastError`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass
class _Configuration:
    issuer: str
    keys: Mapping[str, jwt.PyJWK]
    read_at: float


class Verifier:
    """Checks signature, times, audience and issuer."""

    def __init__(self, session: aiohttp.ClientSession, clock: Clock) -> None:
        self._session, self._clock = session, clock
        self._configurations: dict[str, _Configuration] = {}
        self._tried: dict[str, float] = {}
        self._reading = asyncio.Lock()

    async def verify(
        self,
        token: str,
        documents: Sequence[str],
        audiences: Sequence[str],
        issuers: Sequence[str],
        leeway: float,
        expires: bool,
    ) -> tuple[dict[str, Any], Mapping[str, Any]]:
        """Claims and header of a valid token. Raises InvalidToken."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as exc:
            raise InvalidToken("JwtInvalid", str(exc)) from exc
        if header.get("alg") not in ALGORITHMS:
            raise InvalidToken("JwtInvalid", f"The algorithm {header.get('alg')} is not supported.")
        key, own = await self._key(str(header.get("kid", "")), documents)
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[str(header["alg"])],
                audience=list(audiences) or None,
                options={
                    "require": ["exp"] if expires else [],
                    "verify_aud": bool(audiences),
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidAudienceError as exc:
            raise InvalidToken("TokenAudienceNotAllowed", f"{exc}.") from exc
        except jwt.InvalidSignatureError as exc:
            raise InvalidToken("TokenSignatureInvalid", f"{exc}.") from exc
        except jwt.PyJWTError as exc:
            raise InvalidToken("JwtInvalid", f"{exc}.") from exc
        self._check_times(claims, leeway)
        if claims.get("iss") not in (list(issuers) or own):
            raise InvalidToken("TokenIssuerNotAllowed", "Invalid issuer.")
        return claims, header

    def _check_times(self, claims: Mapping[str, Any], leeway: float) -> None:
        now = self._clock.time()
        ends, begins = claims.get("exp"), claims.get("nbf")
        if isinstance(ends, int | float) and ends + leeway <= now:
            raise InvalidToken("TokenExpired", "Signature has expired.")
        if isinstance(begins, int | float) and begins - leeway > now:
            raise InvalidToken("JwtInvalid", "The token is not yet valid.")

    async def _key(self, kid: str, documents: Sequence[str]) -> tuple[jwt.PyJWK, list[str]]:
        own: list[str] = []
        for document in documents:
            configuration = await self._configuration(document, kid)
            if configuration is None:
                continue
            own.append(configuration.issuer)
            if kid in configuration.keys:
                return configuration.keys[kid], own
        if not own:
            raise InvalidToken("TokenSignatureKeyNotFound", "The issuer's keys cannot be read.")
        raise InvalidToken("TokenSignatureKeyNotFound", "The signature key was not found.")

    async def _configuration(self, document: str, kid: str) -> _Configuration | None:
        if self._fresh(document, kid):
            return self._configurations.get(document)
        async with self._reading:
            if not self._fresh(document, kid):
                self._tried[document] = self._clock.time()
                try:
                    self._configurations[document] = await self._read(document)
                except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, jwt.PyJWTError) as exc:
                    log.warning("the configuration %s cannot be read: %r", document, exc)
        return self._configurations.get(document)

    def _fresh(self, document: str, kid: str) -> bool:
        held, now = self._configurations.get(document), self._clock.time()
        if held is None:
            return False  # also while the first reading is under way: whoever comes then waits for it
        if kid in held.keys and now - held.read_at < KEPT:
            return True
        return now - self._tried.get(document, float("-inf")) < RETRY

    async def _read(self, document: str) -> _Configuration:
        timeout = aiohttp.ClientTimeout(total=5)
        async with self._session.get(document, timeout=timeout, raise_for_status=True) as answer:
            found = await answer.json()
        async with self._session.get(str(found["jwks_uri"]), timeout=timeout, raise_for_status=True) as answer:
            keys = jwt.PyJWKSet.from_dict(await answer.json())
        return _Configuration(
            str(found["issuer"]), {key.key_id: key for key in keys.keys if key.key_id}, self._clock.time()
        )


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

    async def token(self, resource: str) -> str:
        """Raises InvalidToken where the issuer does not give one."""
        held = self._held.get(resource)
        if held is None or held[0] <= self._clock.time():
            async with self._asking:
                held = self._held.get(resource)
                if held is None or held[0] <= self._clock.time():
                    held = self._held[resource] = await self._ask(resource)
        return held[1]

    async def _ask(self, resource: str) -> tuple[float, str]:
        if not self._identity.token_url:
            raise InvalidToken("ManagedIdentityNotConfigured", "The gateway has no identity here; set identity_url.")
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
