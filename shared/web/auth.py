"""Who is calling: the OAuth 2.0 access token is verified here, even behind the gateway.

Checked: signature (RS256, by the issuer's published keys), issuer, audience, expiry and not-before.
Sources: RFC 9068 (JWT access tokens), RFC 8725 section 3 (JWT best practice), OpenID Connect Discovery 1.0.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from shared.declaration import STAFF, Scope
from shared.errors import CommerceError, Forbidden, Transient, Unauthenticated
from shared.settings import AUTH_AUDIENCE, AUTH_ISSUER, settings
from shared.telemetry.log import Log

if TYPE_CHECKING:
    from jwt import PyJWK

ALGORITHM = "RS256"
LEEWAY = 30.0
"""Seconds that clocks may differ by."""
KEYS_LIVE = 3600.0
"""Seconds after which the issuer's keys are read again."""
KEYS_REST = 3.0
"""Seconds between the end of one reading and the next: how long a rotation may wait, and all the load that forged key
ids can cause. A failure is remembered for as long."""
KEYS_PATIENCE = 5.0
"""Seconds that a reading may take."""
MAX_TOKEN = 8192
MAX_EMAIL, MAX_NAME = 254, 120
"""Characters. Source of the first: RFC 5321, section 4.5.3.1.3, less the angle brackets."""
_EMAIL = re.compile(r"[^@\s<>\"(),:;\\\[\]]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
"""A JWT in compact serialisation (RFC 7515, section 3.1)."""

_log = Log("auth")


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller, as the token tells. `subject` owns carts and orders.

    An application that acts as itself holds its permissions as roles, so its scopes are among them. `email` and `name`
    are a person's, as the issuer knows them, or empty: they say where to write to, and prove nothing.
    """

    subject: str
    scopes: frozenset[str]
    roles: frozenset[str]
    client: str = ""
    email: str = field(default="", repr=False)
    name: str = field(default="", repr=False)

    @property
    def is_staff(self) -> bool:
        """May see and act upon what belongs to others."""
        return not self.roles.isdisjoint(STAFF)

    def require(self, scope: Scope) -> None:
        """Raises Forbidden, naming what is missing."""
        if scope.name not in self.scopes:
            raise Forbidden(f"the access token lacks the scope {scope.name}", code="insufficient-scope")
        if self.roles.isdisjoint(scope.roles):
            raise Forbidden(f"this needs one of the roles {', '.join(sorted(scope.roles))}", code="insufficient-role")


class Keys:
    """The issuer's signing keys by key id, read over HTTP, by one reader at a time, for everybody.

    Keys that are known are used while newer ones are read: a slow issuer delays only whom it has not told of a key yet.
    """

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer.rstrip("/")
        self._keys: dict[str, PyJWK] = {}
        self._read_at = float("-inf")
        self._tried_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def get(self, key_id: str) -> PyJWK:
        """Raises Unauthenticated for a key the issuer does not publish, Transient if it cannot be asked."""
        now = time.monotonic()
        key = self._keys.get(key_id)
        if (key is None or now - self._read_at > KEYS_LIVE) and now - self._tried_at > KEYS_REST:
            self._start_reading()
        if key is not None:
            return key
        if self._reading is not None:
            # shielded: a caller who goes away does not take the reading from the others
            await asyncio.shield(self._reading)
        if not self._keys:
            raise Transient("the issuer of the access tokens cannot be asked for its keys", retry_after=KEYS_REST)
        key = self._keys.get(key_id)
        if key is None:
            raise Unauthenticated("the access token is signed with a key the issuer does not publish")
        return key

    def _start_reading(self) -> None:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        from aiohttp import ClientSession, ClientTimeout
        from jwt import PyJWKSet

        try:
            async with ClientSession(timeout=ClientTimeout(total=KEYS_PATIENCE), raise_for_status=True) as session:
                async with session.get(f"{self._issuer}/.well-known/openid-configuration") as answer:
                    address = str((await answer.json())["jwks_uri"])
                async with session.get(address) as answer:
                    published = PyJWKSet.from_dict(await answer.json())
            self._keys = {key.key_id: key for key in published.keys if key.key_id}
            self._read_at = time.monotonic()
        except Exception as exc:  # whatever the issuer answers, the keys that are known stay good
            _log.warning("auth.keys_unreadable", error=type(exc).__name__)
        finally:
            self._tried_at, self._reading = time.monotonic(), None


@cache
def _issuer_keys() -> Keys:
    return Keys(settings().text(AUTH_ISSUER))


async def authenticate(authorization: str | None) -> Principal:
    """The caller that an `Authorization` header proves. Raises Unauthenticated for any other header."""
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("send an access token: Authorization: Bearer …")
    if len(token) > MAX_TOKEN:
        raise Unauthenticated("the access token is too long")
    if not _COMPACT.fullmatch(token):
        raise Unauthenticated("the access token is not a signed JWT", code="invalid-token")
    return _principal(await _verified(token))


async def _verified(token: str) -> dict[str, Any]:
    import jwt

    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") != ALGORITHM:
            raise Unauthenticated(f"the access token must be signed with {ALGORITHM}")
        key = await _issuer_keys().get(str(header.get("kid", "")))
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=settings().text(AUTH_AUDIENCE),
            issuer=settings().text(AUTH_ISSUER),
            leeway=LEEWAY,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
    except jwt.ExpiredSignatureError as exc:
        raise Unauthenticated("the access token has expired", code="token-expired") from exc
    except CommerceError:
        raise
    except Exception as exc:  # a forged token may make a library raise anything; none of it makes the token valid
        raise Unauthenticated(f"the access token is not valid ({type(exc).__name__})", code="invalid-token") from exc
    return claims


def _principal(claims: dict[str, Any]) -> Principal:
    scopes = claims.get("scp", "")
    roles = claims.get("roles", [])
    if not isinstance(scopes, str) or not isinstance(roles, list):
        raise Unauthenticated("the access token's scp or roles claim is malformed", code="invalid-token")
    held = frozenset(map(str, roles))
    return Principal(
        subject=str(claims.get("oid") or claims["sub"]),
        scopes=held if claims.get("idtyp") == "app" else frozenset(scopes.split()),
        roles=held,
        client=str(claims.get("azp", "")),
        email=_email(claims),
        name=_name(claims),
    )


def _email(claims: dict[str, Any]) -> str:
    """The first of the claims that may hold an e-mail address and does."""
    for claim in ("email", "preferred_username"):
        text = claims.get(claim)
        if isinstance(text, str) and len(text) <= MAX_EMAIL and _EMAIL.fullmatch(text):
            return text
    return ""


def _name(claims: dict[str, Any]) -> str:
    text = claims.get("name")
    text = " ".join(text.split()) if isinstance(text, str) else ""
    return text[:MAX_NAME] if text.isprintable() else ""
