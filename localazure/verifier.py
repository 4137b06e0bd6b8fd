"""Access tokens, verified by the keys that their issuer publishes.

Source: validate-jwt's reference (how long configurations are kept); RFC 8725; OpenID Connect Discovery 1.0.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt

from localazure.clock import Clock

log = logging.getLogger("localazure.verifier")

ALGORITHMS = ("RS256", "RS512", "PS256")
SYMMETRIC = ("HS256", "HS384", "HS512")
"""For keys that stand in a policy alone: what an issuer publishes is never a secret."""
KEPT = 3600.0
"""Seconds that an issuer's configuration is kept."""
RETRY = 3.0
"""Seconds between the end of one reading and the next. Azure's gateway waits minutes; here a rotation is seen in
seconds, and forged key ids cause no more load than one reading each time."""
MAX_VERIFIED = 1000
"""Tokens whose signature is remembered, the last used ones: at most 32 KB each, and only good ones."""


class InvalidToken(Exception):
    """`reason` is the Reason of `context.LastError`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class KeysUnavailable(InvalidToken):
    """The issuer does not tell its keys, so that nothing can be said of the token."""


@dataclass(frozen=True)
class Secret:
    """A key that a policy holds, with the algorithms it is good for: a public key is never taken for a secret."""

    kid: str
    key: Any
    algorithms: tuple[str, ...]


def shared_secret(kid: str, content: bytes) -> Secret:
    """A symmetric key. Raises ValueError for an empty one."""
    if not content:
        raise ValueError("it is empty")
    return Secret(kid, content, SYMMETRIC)


def rsa_key(kid: str, modulus: str, exponent: str) -> Secret:
    """A public key by modulus and exponent, in Base64 for URLs. Raises ValueError."""
    try:
        key = jwt.PyJWK({"kty": "RSA", "n": modulus, "e": exponent}, algorithm="RS256")
    except Exception as exc:  # what the package and its cryptography make of nonsense is of many kinds
        raise ValueError(f"n and e are not an RSA key ({type(exc).__name__})") from exc
    return Secret(kid, key.key, ALGORITHMS)


@dataclass(frozen=True)
class _Verified:
    """What a token with a good signature says, and the key that made it. Nobody changes what it holds."""

    key: Any
    claims: dict[str, Any]
    header: Mapping[str, Any]


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
        self._verified: OrderedDict[tuple[str, tuple[str, ...], bool], _Verified] = OrderedDict()
        self._readings: dict[str, asyncio.Task[None]] = {}

    async def identity(self, token: str, document: str, audiences: Sequence[str]) -> Mapping[str, Any]:
        """Claims of a valid token by which an identity reaches a resource, for reading alone.

        `document`: the issuer's OpenID Connect discovery document. Raises InvalidToken, KeysUnavailable.
        """
        claims, _ = await self.verify(token, [document], audiences, (), leeway=0, expires=True)
        return claims

    async def verify(
        self,
        token: str,
        documents: Sequence[str],
        audiences: Sequence[str],
        issuers: Sequence[str],
        leeway: float,
        expires: bool,
        secrets: Sequence[Secret] = (),
    ) -> tuple[dict[str, Any], Mapping[str, Any]]:
        """Claims and header of a valid token, for reading alone. Raises InvalidToken."""
        name = (token, tuple(audiences), expires)
        known = self._verified.get(name)
        header = known.header if known else _header(token)
        algorithm, kid = str(header.get("alg")), str(header.get("kid", ""))
        allowed: Sequence[str] = (*ALGORITHMS, *SYMMETRIC) if secrets else ALGORITHMS
        if algorithm not in allowed:  # of a known token, too: another policy may have had a secret
            raise InvalidToken("JwtInvalid", f"The algorithm is not one of {', '.join(allowed)}.")
        key, own = _held(token, kid, algorithm, secrets, known.key if known else None), list[str]()
        if key is None:
            if not documents:
                raise InvalidToken("TokenSignatureInvalid", "No key of the policy made the signature.")
            key, own = await self._key(kid, documents)
        if known is None or known.key is not key:
            known = self._verified[name] = _Verified(key, _claims(token, key, algorithm, audiences, expires), header)
            if len(self._verified) > MAX_VERIFIED:
                self._verified.popitem(last=False)
        self._verified.move_to_end(name)
        self._check_times(known.claims, leeway)
        expected = list(issuers) or own
        if expected and known.claims.get("iss") not in expected:
            raise InvalidToken("TokenIssuerNotAllowed", "Invalid issuer.")
        return known.claims, header

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
            raise KeysUnavailable("TokenSignatureKeyNotFound", "The issuer's keys cannot be read.")
        raise InvalidToken("TokenSignatureKeyNotFound", "The signature key was not found.")

    async def _configuration(self, document: str, kid: str) -> _Configuration | None:
        """What is known of an issuer. A configuration that is at hand serves while a newer one is read."""
        held, now = self._configurations.get(document), self._clock.time()
        known = held is not None and kid in held.keys
        stale = held is None or not known or now - held.read_at >= KEPT
        if stale and now - self._tried.get(document, float("-inf")) >= RETRY and document not in self._readings:
            self._readings[document] = asyncio.get_running_loop().create_task(self._refresh(document))
        reading = self._readings.get(document)
        if not known and reading is not None:
            await asyncio.shield(reading)  # a caller who goes away does not take the reading from the others
        return self._configurations.get(document)

    async def _refresh(self, document: str) -> None:
        try:
            self._configurations[document] = await self._read(document)
        except Exception as exc:  # whatever the issuer answers, what is known stays good
            log.warning("the configuration %s cannot be read: %s", document, type(exc).__name__)
        finally:
            self._tried[document] = self._clock.time()
            del self._readings[document]

    async def _read(self, document: str) -> _Configuration:
        timeout = aiohttp.ClientTimeout(total=5)
        async with self._session.get(document, timeout=timeout, raise_for_status=True) as answer:
            found = await answer.json()
        async with self._session.get(str(found["jwks_uri"]), timeout=timeout, raise_for_status=True) as answer:
            keys = jwt.PyJWKSet.from_dict(await answer.json())
        return _Configuration(
            str(found["issuer"]), {key.key_id: key for key in keys.keys if key.key_id}, self._clock.time()
        )


def _header(token: str) -> Mapping[str, Any]:
    """What a token says of itself, which nothing vouches for. Raises InvalidToken."""
    try:
        return jwt.get_unverified_header(token)
    except Exception as exc:  # a made-up token may make the package raise anything
        raise InvalidToken("JwtInvalid", "The token cannot be read.") from exc


def _claims(token: str, key: Any, algorithm: str, audiences: Sequence[str], expires: bool) -> dict[str, Any]:
    """The claims of a token that the key has signed for one of the audiences; times apart. Raises InvalidToken."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
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
    except Exception as exc:  # a made-up token may make the package raise anything
        raise InvalidToken("JwtInvalid", "The token is not valid.") from exc
    return claims


def _held(token: str, kid: str, algorithm: str, secrets: Sequence[Secret], known: Any) -> Any:
    """The policy's key that made the signature, `None` where none did; one with the token's id is asked first.

    `known` made it, as was found before, if it is one of the policy's.
    """
    if known is not None and any(known is secret.key and algorithm in secret.algorithms for secret in secrets):
        return known
    for secret in sorted(secrets, key=lambda secret: secret.kid != kid):
        if algorithm not in secret.algorithms:
            continue
        try:
            jwt.api_jws.decode(token, secret.key, algorithms=[algorithm])
        except Exception:  # noqa: S112 - whatever is wrong with it, this key did not sign it
            continue
        return secret.key
    return None
