"""What may be granted to whom, and what the token then says. Knows no protocol."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from localazure.clock import Clock
from localazure.entra import pkce, scopes
from localazure.entra.codes import Code, Codes
from localazure.entra.directory import Account, Client, Directory
from localazure.entra.errors import (
    InvalidClient,
    InvalidGrant,
    InvalidRequest,
    InvalidScope,
    UnauthorizedClient,
    UnsupportedGrantType,
)
from localazure.entra.keys import KeyRing, SigningKey
from localazure.entra.resources import azures_own
from localazure.entra.sessions import RefreshTokens, Session

CONFIDENTIAL, PUBLIC = "1", "0"  # how the client proved itself, as the claim azpacr puts it


@dataclass(frozen=True)
class Tenant:
    """What every token of one issuer has in common."""

    id: str
    issuer: str
    audience: str
    token_seconds: int


@dataclass(frozen=True)
class Grant:
    """A successful answer of the token endpoint, before it is written as JSON."""

    access_token: str
    expires_in: int
    scope: tuple[str, ...] = ()
    refresh_token: str | None = None
    id_token: str | None = None


class Engine:
    """The token service of one tenant. A new grant is one more entry of `_grants`."""

    def __init__(
        self,
        tenant: Tenant,
        directory: Directory,
        keys: KeyRing,
        refresh_tokens: RefreshTokens,
        codes: Codes,
        clock: Clock,
    ) -> None:
        self.tenant = tenant
        self.directory = directory
        self.keys = keys
        self._refresh_tokens = refresh_tokens
        self._codes = codes
        self._clock = clock
        self._grants: dict[str, Callable[[Client, Mapping[str, str]], Grant]] = {
            "authorization_code": self._authorization_code,
            "client_credentials": self._client_credentials,
            "password": self._password,
            "refresh_token": self._refresh,
        }

    @property
    def grant_types(self) -> tuple[str, ...]:
        return tuple(self._grants)

    def token(self, parameters: Mapping[str, str]) -> Grant:
        """Answer one request to the token endpoint. Raises OAuthError for one that is not granted."""
        kind = _required(parameters, "grant_type")
        grant = self._grants.get(kind)
        if grant is None:
            raise UnsupportedGrantType(
                70003, f"The app requested an unsupported grant type '{kind}'. Supported: {', '.join(self._grants)}."
            )
        client = self._authenticate(parameters)
        if kind not in client.grants:
            raise UnauthorizedClient(700021, f"The client '{client.name}' may not use the grant type '{kind}'.")
        return grant(client, parameters)

    def rotate_key(self) -> SigningKey:
        return self.keys.rotate(self._clock.time())

    def _authenticate(self, parameters: Mapping[str, str]) -> Client:
        client_id = _required(parameters, "client_id")
        client = self.directory.client(client_id)
        if client is None:
            raise InvalidClient(700016, f"Application with identifier '{client_id}' was not found in the directory.")
        if "client_assertion" in parameters:
            raise InvalidClient(700027, "Client assertions are not supported here; use 'client_secret'.")
        secret = parameters.get("client_secret")
        if client.secret is None:
            if secret is not None:
                raise InvalidClient(
                    700025, f"Client '{client.name}' is public, so no 'client_secret' may be presented."
                )
            return client
        if secret is None:
            raise InvalidClient(7000218, "The request body must contain the following parameter: 'client_secret'.")
        if not hmac.compare_digest(secret.encode(), client.secret.encode()):
            raise InvalidClient(7000215, f"Invalid client secret provided for app '{client.name}'.")
        return client

    def _client_credentials(self, client: Client, parameters: Mapping[str, str]) -> Grant:
        asked = _required(parameters, "scope")
        resource = asked.removesuffix("/.default")
        if asked != resource and azures_own(resource):
            return Grant(self.sign(self.resource_claims(client, resource)), self.tenant.token_seconds)
        if asked != f"{self.tenant.audience}/.default":
            raise InvalidScope(
                1002012,
                f"The provided value for scope {asked} is not valid. Client credential flows must have a scope value "
                f"with /.default suffixed to the resource identifier (application ID URI): "
                f"{self.tenant.audience}/.default",
            )
        return Grant(self.sign(self.client_claims(client)), self.tenant.token_seconds)

    def _password(self, client: Client, parameters: Mapping[str, str]) -> Grant:
        username, password = _required(parameters, "username"), _required(parameters, "password")
        account = self.person(username, password)
        wanted = self.wanted(_required(parameters, "scope"))
        return self._delegated(client, account, wanted)

    def person(self, username: str, password: str) -> Account:
        """Who signs in. Raises InvalidGrant, the same for a name nobody has and for a wrong password."""
        account = self.directory.account(username)
        if account is None or not hmac.compare_digest(password.encode(), account.password.encode()):
            raise InvalidGrant(50126, "Error validating credentials due to invalid username or password.")
        return account

    def _authorization_code(self, client: Client, parameters: Mapping[str, str]) -> Grant:
        code = self._redeemable(client, parameters)
        account = self.directory.account(code.account)
        if account is None:
            raise InvalidGrant(50034, f"The account '{code.account}' is no longer in the directory.")
        wanted = self.wanted(parameters.get("scope") or code.request.scope)
        if not self.wanted(code.request.scope).covers(wanted):
            raise InvalidScope(70011, "The scopes asked for go beyond those of the sign-in.")
        wanted.granted(self.directory.allowed(account))  # what cannot be granted does not use the code up
        if not self._codes.use(code):
            raise self._reused(code)
        return self._delegated(client, account, wanted, family=code.family, nonce=code.request.nonce)

    def _redeemable(self, client: Client, parameters: Mapping[str, str]) -> Code:
        """The code presented, found to be this client's and in order. Raises InvalidGrant for any other."""
        presented, redirect_uri = _required(parameters, "code"), _required(parameters, "redirect_uri")
        code = self._codes.find(presented)
        if code is None:
            self._refresh_tokens.revoke(self._codes.family(presented))  # it may be a used one, long forgotten
            raise InvalidGrant(9002313, "The authorization code is malformed or was not issued here.")
        if code.used:
            raise self._reused(code)
        asked = code.request
        if asked.client_id != client.client_id:
            raise InvalidGrant(70000, "The authorization code was issued to another client.")
        if code.expired:
            raise InvalidGrant(70008, "The authorization code has expired; sign in again.")
        if asked.redirect_uri != redirect_uri:
            raise InvalidGrant(
                500112,
                f"The reply address '{redirect_uri}' does not match the reply address '{asked.redirect_uri}' "
                "of the sign-in.",
            )
        self._check_proof(asked.challenge, parameters.get("code_verifier"))
        return code

    def _reused(self, code: Code) -> InvalidGrant:
        """RFC 6749, section 4.1.2: one of the two who showed the code stole it, so what came of it ends."""
        self._refresh_tokens.revoke(code.family)
        return InvalidGrant(54005, "The authorization code was already redeemed; its refresh tokens are revoked.")

    @staticmethod
    def _check_proof(challenge: str | None, verifier: str | None) -> None:
        if challenge is None:
            if verifier is not None:
                raise InvalidGrant(501481, "A code_verifier was sent, but the sign-in had no code_challenge.")
            return
        if not verifier:
            raise InvalidRequest(900144, "The request body must contain the following parameter: 'code_verifier'.")
        if not pkce.proves(verifier, challenge):
            raise InvalidGrant(501481, "The code_verifier does not match the code_challenge of the sign-in.")

    def _refresh(self, client: Client, parameters: Mapping[str, str]) -> Grant:
        held = self._refresh_tokens.find(_required(parameters, "refresh_token"), client.client_id)
        account = None if held is None else self.directory.account(held.account)
        if held is None or account is None:
            raise InvalidGrant(9002313, "The refresh token is malformed, expired, or was issued to another client.")
        wanted = self.wanted(parameters.get("scope") or held.asked)
        return self._delegated(client, account, wanted, held)

    def wanted(self, asked: str) -> scopes.Wanted:
        """Read a scope parameter. Raises InvalidScope for what does not exist here."""
        return scopes.parse(asked, self.tenant.audience, self.directory.all_scopes)

    def _delegated(
        self,
        client: Client,
        account: Account,
        wanted: scopes.Wanted,
        session: Session | None = None,
        *,
        family: bytes | None = None,
        nonce: str | None = None,
    ) -> Grant:
        """`session` is that of the refresh token already held, if there is one; it goes on as it began.

        Raises InvalidScope where the account may be granted nothing of what is wanted.
        """
        granted = wanted.granted(self.directory.allowed(account))
        refresh = None
        if session is None and "offline_access" in wanted.openid:
            session = Session(account.name, _spelled(wanted, self.tenant.audience), family)
        if session is not None:
            refresh = self._refresh_tokens.issue(client.client_id, session)
        return Grant(
            access_token=self.sign(self.account_claims(account, client, granted)),
            expires_in=self.tenant.token_seconds,
            scope=tuple(f"{self.tenant.audience}/{scope}" for scope in granted),
            refresh_token=refresh,
            id_token=self.sign(self._id_claims(account, client, nonce)) if "openid" in wanted.openid else None,
        )

    def account_claims(self, account: Account, client: Client, granted: tuple[str, ...]) -> dict[str, Any]:
        """The access token of a person who uses the API through a client."""
        return self._claims(client) | {
            "sub": account.sub,
            "oid": account.oid,
            "name": account.display_name,
            "preferred_username": self.directory.principal_name(account),
            "roles": list(account.roles),
            "scp": " ".join(granted),
        }

    def client_claims(self, client: Client) -> dict[str, Any]:
        """The access token of an application that acts as itself: roles, no scopes, no person."""
        return self._claims(client) | {
            "sub": client.oid,
            "oid": client.oid,
            "roles": list(client.roles),
            "idtyp": "app",
        }

    def resource_claims(self, client: Client, resource: str) -> dict[str, Any]:
        """The same for one of Azure's own services, which knows nothing of this API's roles."""
        claims = self.client_claims(client) | {"aud": resource}
        del claims["roles"]
        return claims

    def _claims(self, client: Client) -> dict[str, Any]:
        now = int(self._clock.time())
        return {
            "iss": self.tenant.issuer,
            "aud": self.tenant.audience,
            "tid": self.tenant.id,
            "azp": client.client_id,
            "azpacr": PUBLIC if client.public else CONFIDENTIAL,
            "iat": now,
            "nbf": now,
            "exp": now + self.tenant.token_seconds,
            "uti": secrets.token_urlsafe(16),
            "ver": "2.0",
        }

    def _id_claims(self, account: Account, client: Client, nonce: str | None) -> dict[str, Any]:
        claims = self.account_claims(account, client, ())
        for name in ("azp", "azpacr", "scp"):
            del claims[name]
        return claims | {"aud": client.client_id} | ({} if nonce is None else {"nonce": nonce})

    def sign(self, claims: Mapping[str, Any], key: SigningKey | None = None) -> str:
        """A JWT signed with RS256, by the active key unless another is given."""
        key = key or self.keys.active
        return jwt.encode(dict(claims), key.private, algorithm="RS256", headers={"kid": key.kid})


def _required(parameters: Mapping[str, str], name: str) -> str:
    value = parameters.get(name)
    if not value:
        raise InvalidRequest(900144, f"The request body must contain the following parameter: '{name}'.")
    return value


def _spelled(wanted: scopes.Wanted, audience: str) -> str:
    short = (".default",) if wanted.default else wanted.scopes
    return " ".join([*(f"{audience}/{scope}" for scope in short), *sorted(wanted.openid)])
