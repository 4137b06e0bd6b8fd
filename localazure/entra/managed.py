"""Managed identities: an app shows the secret that its host was started with, and is given its own identity's tokens.

Source: "How to use managed identities for App Service and Azure Functions", REST endpoint reference (2019-08-01).
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from localazure.entra.directory import Client
from localazure.entra.engine import Engine
from localazure.entra.resources import azures_own
from localazure.identities import Identity, header

PATH = "/msi/token"
VERSION = "2019-08-01"


class ManagedIdentities:
    """The endpoint that `IDENTITY_ENDPOINT` names. Without a secret nobody is given a token."""

    def __init__(self, engine: Engine, identities: Sequence[Identity], secret: str) -> None:
        self._engine = engine
        self._by_header = {header(secret, each): each for each in identities} if secret else {}

    async def token(self, request: web.Request) -> web.Response:
        given = request.headers.get("X-IDENTITY-HEADER", "").encode(errors="surrogateescape")
        own = [each for known, each in self._by_header.items() if hmac.compare_digest(known.encode(), given)]
        if not own:
            return _refused(401, "Unauthorized: X-IDENTITY-HEADER is missing or is not the secret of an identity.")
        if (version := request.query.get("api-version")) != VERSION:
            return _refused(400, f"Bad Request: the api-version {version!r} is not supported here; use {VERSION}.")
        if set(request.query) & {"principal_id", "object_id", "mi_res_id"}:
            return _refused(400, "Bad Request: identities are named by client_id here.")
        identity, resource = own[0], request.query.get("resource", "")
        if request.query.get("client_id", identity.client_id) != identity.client_id:
            return _refused(
                400,
                "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
            )
        if not azures_own(resource):
            return _refused(
                400,
                f"AADSTS500011: The resource principal named {resource} was not found in the tenant named "
                f"{self._engine.directory.domain}.",
            )
        client = Client(identity.name, identity.client_id, identity.principal_id, grants=(), secret="")
        claims = self._engine.resource_claims(client, resource)
        return web.json_response(
            {
                "access_token": self._engine.sign(claims),
                "expires_on": str(claims["exp"]),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": identity.client_id,
            },
            headers={"Cache-Control": "no-store"},
        )


def _refused(status: int, message: str) -> web.Response:
    body: dict[str, Any] = {"statusCode": status, "message": message}
    return web.json_response(body, status=status)
