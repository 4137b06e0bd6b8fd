"""Azure Service Bus, as far as the official Python client can tell."""

from __future__ import annotations

from localazure.part import Config, Part, Server

KEY_NAME = "RootManageSharedAccessKey"
EMULATOR_KEY = "SAS_KEY_VALUE"
"""The well-known key of Microsoft's emulator: public, and good for nothing but a local server."""


async def _start(config: Config) -> Server:
    from localazure.servicebus.wire import start

    return await start(config)


PART = Part(
    name="servicebus",
    summary="Azure Service Bus (AMQP 1.0)",
    default_port=5672,
    start=_start,
    options={
        "entities": "JSON file of queues, topics, subscriptions and rules, in the schema of Microsoft's emulator",
        "entra": "discovery document of the issuer whose tokens are taken (default: none are)",
        "identities": "JSON file of identities and their role assignments (default: nobody has any)",
        "key": f"the shared access key of {KEY_NAME} (default: the well-known key of Microsoft's emulator)",
        "tls_port": "port of AMQP over TLS; 0: one of the operating system's choice (default 0)",
        "management_port": "port of administration over HTTPS; 0: one of the operating system's choice (default 0)",
        "admin_port": "port of the counters over HTTP; 0: one of the operating system's choice (default 0)",
    },
)
