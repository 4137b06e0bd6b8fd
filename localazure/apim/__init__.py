"""API Management's gateway for one machine: the artifacts that are deployed to Azure, enforced here."""

from localazure.part import Config, Part, Server


async def start(config: Config) -> Server:
    """Serve the artifacts. Raises ArtifactError, with file, line and element, for what cannot be served."""
    from localazure.apim.wire import GatewayServer

    server = GatewayServer(config)
    await server.start()
    return server


PART = Part(
    name="apim",
    summary="API Management gateway and developer portal",
    default_port=8080,
    start=start,
    options={
        "artifacts": "directory of the artifacts (apim)",
        "configuration": "file with this environment's values of named values",
        "values": "JSON object of named values, over those of the configuration",
        "subscriptions": "JSON file of subscriptions and their keys; three are seeded",
        "guides": "directory of the texts that the portal shows beside the API: api.md and access.md",
        "addresses": "JSON object of addresses: {name} in the configuration stands for the address of that name",
        "entra": "address of the issuer, where the gateway gets its own token",
        "client_id": "client that stands in for the gateway's managed identity (gateway)",
        "client_secret": "its secret (local-gateway)",
    },
)
