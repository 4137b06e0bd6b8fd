"""What a request says in its headers and its body, and what an answer says in its own."""

from __future__ import annotations

import json
import uuid
from typing import Any

from aiohttp import web

from localazure.cosmos.changes import Operation, Result
from localazure.cosmos.errors import BadRequest, CosmosError
from localazure.cosmos.model import Container, Part, canonical
from localazure.cosmos.queries import Wanted
from localazure.cosmos.ranges import Span

DEFAULT_PAGE = 100
MOST_IN_PAGE = 10_000
_ACROSS = "x-ms-documentdb-query-enablecrosspartition"


def partition_key(request: web.Request) -> str | None:
    """The partition key in its canonical form. Raises BadRequest."""
    text = request.headers.get("x-ms-documentdb-partitionkey")
    if text is None:
        return None
    try:
        key = json.loads(text)
    except ValueError as exc:
        raise BadRequest("x-ms-documentdb-partitionkey is not JSON") from exc
    if not isinstance(key, list) or len(key) != 1:
        raise BadRequest("x-ms-documentdb-partitionkey must be an array of one value")
    return canonical(key)


def part(request: web.Request) -> Part:
    """The part of the container that is asked for. Raises BadRequest."""
    least, most = request.headers.get("x-ms-start-epk"), request.headers.get("x-ms-end-epk")
    span = None if least is None and most is None else Span((least or "").upper(), (most or "FF").upper())
    return Part(partition_key(request), span)


def operation(request: web.Request) -> str:
    """What the request does, by the names that the charges and the faults have for it."""
    method, resource = request.method, request.rel_url.raw_path.strip("/").split("/")[4:]
    if resource[:1] == ["operations"]:
        return "delete-partition"
    if resource[:1] != ["docs"]:
        return "metadata"
    if len(resource) > 1:
        return {"GET": "read", "PUT": "replace", "PATCH": "patch", "DELETE": "delete"}.get(method, "metadata")
    if method == "GET":
        return "feed" if request.headers.get("A-IM") else "read-all"
    if says(request, "x-ms-cosmos-is-batch-request"):
        return "batch"
    if is_query(request):
        return "query"
    return "upsert" if says(request, "x-ms-documentdb-is-upsert") else "create"


def says(request: web.Request, header: str) -> bool:
    """Whether the header is `true`."""
    return request.headers.get(header, "").lower() == "true"


def is_query(request: web.Request) -> bool:
    return says(request, "x-ms-documentdb-isquery") or request.content_type == "application/query+json"


async def body(request: web.Request) -> Any:
    """The JSON body. Raises BadRequest."""
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError) as exc:
        raise BadRequest("the body is not valid JSON") from exc


def wanted(request: web.Request) -> Wanted:
    """Which page, and whether of all partitions. Raises BadRequest."""
    size = number(request, "x-ms-max-item-count", DEFAULT_PAGE)
    size = DEFAULT_PAGE if size == -1 else max(1, min(size, MOST_IN_PAGE))
    across = says(request, _ACROSS) or "x-ms-documentdb-partitionkeyrangeid" in request.headers
    return Wanted(size, request.headers.get("x-ms-continuation", ""), across)


def number(request: web.Request, header: str, default: int) -> int:
    """Raises BadRequest for a header that is no whole number."""
    try:
        return int(request.headers.get(header, default))
    except ValueError as exc:
        raise BadRequest(f"{header} is not a number") from exc


def question(document: Any) -> tuple[str, dict[str, Any]]:
    """A query's text and parameters. Raises BadRequest."""
    if not isinstance(document, dict) or not isinstance(document.get("query"), str):
        raise BadRequest("a query is an object with the property query")
    try:
        return document["query"], {given["name"]: given.get("value") for given in document.get("parameters") or []}
    except (TypeError, LookupError, AttributeError) as exc:
        raise BadRequest("the parameters of a query are an array of objects with name and value") from exc


def batch_operations(document: Any) -> list[Operation]:
    """Raises BadRequest."""
    if not isinstance(document, list):
        raise BadRequest("a batch is an array of operations")
    return [
        Operation(
            kind=str(item.get("operationType")),
            id=item.get("id"),
            body=item.get("resourceBody"),
            if_match=item.get("ifMatch"),
            if_none_match=item.get("ifNoneMatch"),
        )
        for item in document
    ]


def headers(container: Container | None, charge: float, etag: str | None = None, **more: str) -> dict[str, str]:
    """What every answer carries."""
    lsn = container.lsn if container is not None else 1
    found = {
        "x-ms-activity-id": str(uuid.uuid4()),
        "x-ms-request-charge": f"{charge:g}",
        "x-ms-session-token": f"0:-1#{lsn}",
        "x-ms-version": "2020-07-15",
        **more,
    }
    if etag is not None:
        found["etag"] = etag
    return found


def item_response(container: Container, result: Result) -> web.Response:
    """One item, as it now is."""
    item = result.item
    return web.Response(
        status=result.status,
        text=None if item is None else item.text,
        content_type="application/json",
        headers=headers(container, result.charge, None if item is None else item.etag),
    )


def list_response(
    container: Container | None, name: str, texts: list[str], charge: float, more: dict[str, str] | None = None
) -> web.Response:
    """A page of a feed: `texts` are the JSON of its entries."""
    text = f'{{"_rid":"","{name}":[{",".join(texts)}],"_count":{len(texts)}}}'
    more = {"x-ms-item-count": str(len(texts)), **(more or {})}
    return web.Response(text=text, content_type="application/json", headers={**headers(container, charge), **more})


def error_response(error: CosmosError, container: Container | None = None, charge: float = 1.0) -> web.Response:
    """An error as the client wants it."""
    more = {"x-ms-substatus": str(error.substatus)} if error.substatus else {}
    return web.json_response(
        {"code": error.code, "message": error.explanation},
        status=error.status,
        headers=headers(container, charge, **more),
    )
