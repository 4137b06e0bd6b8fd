"""Azure Communication Services Email, as far as a shop needs it, with an inbox to look into."""

from __future__ import annotations

from localazure.part import Config, Part, Server


async def _start(config: Config) -> Server:
    from localazure.email.wire import start

    return await start(config)


PART = Part(
    name="email",
    summary="Azure Communication Services Email, with an inbox to look into",
    default_port=8084,
    start=_start,
    options={
        "entra": "discovery document of the issuer whose tokens are taken (default: none are)",
        "identities": "JSON file of identities and their role assignments (default: nobody has any)",
        "tls_port": "port over TLS, which clients with a token need; 0: one of the operating system's choice "
        "(default: none)",
        "key": "the access key that signs requests, in Base64 (default: that of local.settings.sample.json)",
        "senders": "sender addresses that are accepted, separated by commas (default: every one)",
    },
)
