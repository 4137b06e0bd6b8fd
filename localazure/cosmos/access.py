"""What a key of one database may do: everything with the items there, nothing to databases and containers themselves.

It stands for a service's identity with a role of the data plane, which cannot make, change or drop databases and
containers, nor see their throughput: the commonest first failure of a deployment. Source: "Use data plane role-based
access control with Azure Cosmos DB for NoSQL".
"""

from __future__ import annotations

from aiohttp import web

from localazure.cosmos import requests
from localazure.cosmos.errors import Forbidden
from localazure.cosmos.service import Service

_NOT_IN_DATA_PLANE = 5300
_CONTAINER_STEPS = 4
"""Steps of a path that reach no deeper than a container: `dbs/{database}/colls/{container}`."""


def check(service: Service, request: web.Request, owner: str) -> None:
    """Raises Forbidden if the key of the database `owner` is not good for the request."""
    steps = [step for step in request.rel_url.raw_path.split("/") if step]
    if not steps:
        return  # the account, which every client reads
    changes = request.method != "GET" and not (request.method == "POST" and requests.is_query(request))
    if steps[0].lower() == "offers" or (len(steps) <= _CONTAINER_STEPS and changes):
        raise Forbidden(
            f"The given request [{request.method} {request.path}] cannot be authorized by AAD token in data plane. "
            "Learn more: https://aka.ms/cosmos-native-rbac. Databases and containers are made by the deployment.",
            _NOT_IN_DATA_PLANE,
        )
    if len(steps) > 1 and service.names(request)[0] != owner:
        raise Forbidden(f"this key is good for the database {owner} alone, not for {request.path}")
