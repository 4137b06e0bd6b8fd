"""Microsoft Entra ID v2.0, as far as a back-end and its scripts need it: discovery, keys and tokens."""

from __future__ import annotations

from localazure.part import Config, Part, Server

TENANT = "2f1a7c64-9d0e-4b53-8e6f-5b0c3a91d7e2"
"""The tenant every token comes from unless the option `tenant` names another."""


async def _start(config: Config) -> Server:
    from localazure.entra.wire import start

    return await start(config)


PART = Part(
    name="entra",
    summary="OpenID Connect provider in the shape of Microsoft Entra ID v2.0",
    default_port=8082,
    start=_start,
    options={
        "accounts": "JSON file of accounts, clients and roles (default: nobody is known)",
        "audience": "the API's application id URI, the `aud` of every access token (default api://durable-commerce)",
        "identities": "JSON file of managed identities (default: there are none)",
        "identity_secret": "what their headers are made from (default: the environment's LOCALAZURE_IDENTITY_SECRET)",
        "issuer": "the `iss` of every token (default http://localhost:<port>/<tenant>/v2.0)",
        "tenant": f"tenant id, a GUID (default {TENANT})",
        "token_seconds": "how long an access token is valid (default 3600)",
    },
)
