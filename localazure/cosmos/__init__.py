"""Azure Cosmos DB for NoSQL, as far as the official Python client can tell."""

from __future__ import annotations

from localazure.part import Config, Part, Server

EMULATOR_KEY = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
"""The well-known key of Microsoft's emulator: public, and good for nothing but a local server."""


async def _start(config: Config) -> Server:
    from localazure.cosmos.wire import start

    return await start(config)


PART = Part(
    name="cosmos",
    summary="Azure Cosmos DB for NoSQL",
    default_port=8081,
    start=_start,
    options={
        "containers": "JSON file of databases and containers to create where they are missing",
        "entra": "discovery document of the issuer whose tokens are taken (default: none are)",
        "identities": "JSON file of identities and their role assignments (default: nobody has any)",
        "plans": "whether queries over all partitions whose results have to be merged need a plan, as on Azure: "
        "required (default) or optional",
        "ranges": "how many physical ranges a new container has (default: 1)",
        "tls_port": "port over TLS, which clients with a token need; 0: one of the operating system's choice "
        "(default: none)",
        "key": "the account's master key (default: the well-known key of Microsoft's emulator)",
    },
)
