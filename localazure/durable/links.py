"""The addresses under which an instance is managed, and what the Python client is told of them.

Source: `HttpApiHandler.GetClientResponseLinks` and `BindingHelper` of the Durable extension.
"""

from __future__ import annotations

import json
from urllib.parse import quote_plus

PREFIX = "/runtime/webhooks/durabletask"
RPC_PREFIX = "/durabletask"
"""Where the Python client finds the API, on a port of its own that asks for no key."""
CONNECTION = "Storage"
"""What the extension calls the connection that is used unless `storageProvider` names another."""
_PLACEHOLDER = "INSTANCEID"


def links(root: str, instance_id: str, hub: str, code: str | None) -> dict[str, str]:
    """What may be done with an instance, and where; `root` is the API's address."""
    instance = f"{root}/instances/{_encoded(instance_id)}"
    query = f"taskHub={_encoded(hub)}&connection={CONNECTION}" + _with(code)
    return {
        "id": instance_id,
        "statusQueryGetUri": f"{instance}?{query}",
        "sendEventPostUri": f"{instance}/raiseEvent/{{eventName}}?{query}",
        "terminatePostUri": f"{instance}/terminate?reason={{text}}&{query}",
        "purgeHistoryDeleteUri": f"{instance}?{query}",
        "restartPostUri": f"{instance}/restart?{query}",
        "suspendPostUri": f"{instance}/suspend?reason={{text}}&{query}",
        "resumePostUri": f"{instance}/resume?reason={{text}}&{query}",
    }


def client_binding(hub: str, public: str, rpc: str, code: str | None = None) -> str:
    """The JSON that a `durableClient` parameter is given.

    `public` is the API's address as callers know it, `rpc` the one that the client itself calls, which asks no key.
    """
    managed = links(public, _PLACEHOLDER, hub, code)
    rewind = managed["terminatePostUri"].replace("/terminate?", "/rewind?")
    creation = f"{public}/orchestrators/{{functionName}}[/{{instanceId}}]"
    key = _with(code).removeprefix("&")
    return json.dumps(
        {
            "taskHubName": hub,
            "creationUrls": {
                "createNewInstancePostUri": f"{creation}?{key}",
                "createAndWaitOnNewInstancePostUri": (
                    f"{creation}?timeout={{timeoutInSeconds}}&pollingInterval={{intervalInSeconds}}&{key}"
                ),
            },
            "managementUrls": {**managed, "rewindPostUri": rewind},
            "baseUrl": public,
            "requiredQueryStringParameters": key,
            "rpcBaseUrl": f"{rpc}/",
        }
    )


def _with(code: str | None) -> str:
    return "" if code is None else f"&code={_encoded(code)}"


def _encoded(text: str) -> str:
    """As .NET's `WebUtility.UrlEncode`, but for hexadecimal digits, which are capitals in both."""
    return quote_plus(text, safe="!*()").replace("~", "%7E")
