"""Tokens to order, for negative tests: expired, forged, unsigned, for another audience. Never Entra's own."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from typing import Any, Literal

import jwt
import msgspec

from localazure.entra.engine import Engine
from localazure.entra.errors import InvalidRequest
from localazure.entra.keys import SigningKey


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `POST /_local/tokens` takes; everything is optional.

    `account` or `client`: whose token it starts from. `scopes`: exactly these, allowed or not.
    `lifetime`: seconds from issue to expiry; negative gives a token that has expired. `claims`: set over the rest,
    null removes one. `headers`: the same for the JOSE header. `key`: `other` signs with a key nobody publishes
    under the published key's id. `algorithm`: `none` leaves the signature out, `HS256` signs with the public
    key as if it were a shared secret.
    """

    account: str = "shopper"
    client: str = "scripts"
    act_as_client: bool = False
    scopes: tuple[str, ...] | None = None
    lifetime: int | None = None
    claims: dict[str, Any] = {}
    headers: dict[str, Any] = {}
    key: Literal["active", "other"] = "active"
    algorithm: Literal["RS256", "none", "HS256"] = "RS256"


class Mint:
    """Makes tokens from an engine's own claims, then bends them as ordered."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._other: SigningKey | None = None

    def mint(self, order: Order) -> str:
        claims = self._claims(order)
        if order.lifetime is not None:
            moment = claims["iat"] + min(0, order.lifetime)
            claims |= {"iat": moment, "nbf": moment, "exp": claims["iat"] + order.lifetime}
        return self._signed(_bent(claims, order.claims), order)

    def _claims(self, order: Order) -> dict[str, Any]:
        directory = self._engine.directory
        client = directory.client(order.client)
        if client is None:
            raise InvalidRequest(700016, f"there is no client '{order.client}'")
        if order.act_as_client:
            return self._engine.client_claims(client)
        account = directory.account(order.account)
        if account is None:
            raise InvalidRequest(50034, f"there is no account '{order.account}'")
        scopes = directory.allowed(account) if order.scopes is None else order.scopes
        return self._engine.account_claims(account, client, scopes)

    def _signed(self, claims: Mapping[str, Any], order: Order) -> str:
        active = self._engine.keys.active
        headers = _bent({"kid": active.kid}, order.headers)
        if order.algorithm == "RS256":
            key = active if order.key == "active" else self._unpublished()
            return jwt.encode(dict(claims), key.private, algorithm="RS256", headers=headers)
        signed = ".".join(_part(part) for part in ({"typ": "JWT", "alg": order.algorithm} | headers, claims))
        if order.algorithm == "none":
            return f"{signed}."
        return f"{signed}.{_base64(hmac.digest(active.public_pem, signed.encode(), 'sha256'))}"

    def _unpublished(self) -> SigningKey:
        self._other = self._other or SigningKey.generate()
        return self._other


def _bent(original: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (dict(original) | dict(changes)).items() if value is not None}


def _part(content: Mapping[str, Any]) -> str:
    return _base64(json.dumps(dict(content), separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
