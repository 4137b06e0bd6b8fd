"""What a request says in its headers and its body."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from aiohttp import web

from localazure.cosmos import rids, strict_json
from localazure.cosmos.errors import BadRequest, Gone
from localazure.cosmos.items import canonical
from localazure.cosmos.model import Container, FeedRange
from localazure.cosmos.physical import PhysicalRange
from localazure.cosmos.queries import PageRequest
from localazure.cosmos.ranges import Span, prefix
from localazure.cosmos.sql.paging import Resume

DEFAULT_PAGE = 1000
UNBOUNDED = 2**31 - 1
"""Items in a page for which the service's own limit of bytes is to decide alone."""
RANGE = "x-ms-documentdb-partitionkeyrangeid"
_KEY = "x-ms-documentdb-partitionkey"
_ACROSS = "x-ms-documentdb-query-enablecrosspartition"
_PARTITION_KEY_RANGE_GONE = 1002


def partition_key(request: web.Request, container: Container) -> str | None:
    """The whole partition key in its canonical form, `None` without the header. Raises BadRequest."""
    text = request.headers.get(_KEY)
    return None if text is None else whole_key(text, container)


def whole_key(text: str, container: Container) -> str:
    """A partition key, from its JSON. Raises BadRequest for one with another number of values than the container's."""
    return _whole_key(text, len(container.paths))


@lru_cache(maxsize=4096)
def _whole_key(text: str, count: int) -> str:
    """Clients ask for one partition many times in a row."""
    values = _key_values(text)
    if len(values) != count:
        raise BadRequest(
            "Partition key provided either doesn't correspond to definition in the collection or doesn't match "
            f"partition key field values specified in the document. It has {len(values)} values, not {count}",
            1001,
        )
    return canonical(values)


def _key_values(text: str) -> list[Any]:
    values = strict_json.parse(text.encode(errors="surrogateescape"), _KEY)
    if not isinstance(values, list):
        raise BadRequest(f"{_KEY} must be an array of the key's values")
    if any(isinstance(value, list) or (isinstance(value, dict) and value) for value in values):
        raise BadRequest(f"{_KEY} has strings, numbers, booleans, null, or {{}} for what is not there")
    return values


def part(request: web.Request, container: Container) -> FeedRange:
    """The part of the container that is asked for. Raises BadRequest, and Gone for an unknown physical range."""
    text, span = request.headers.get(_KEY), _span(request, container)
    if text is None:
        return FeedRange(None, span)
    if len(container.paths) > 1 and 0 < len(values := _key_values(text)) < len(container.paths):
        begun = prefix(canonical(values))
        return FeedRange(None, begun if span is None else begun.within(span))
    return FeedRange(whole_key(text, container), span)


def _span(request: web.Request, container: Container) -> Span | None:
    least, most = request.headers.get("x-ms-start-epk"), request.headers.get("x-ms-end-epk")
    span = None if least is None and most is None else Span((least or "").upper(), (most or "FF").upper())
    each = physical_range(request, container)
    if each is None or len(container.ranges) == 1:
        return span
    return each.span if span is None else span.within(each.span)


def physical_range(request: web.Request, container: Container) -> PhysicalRange | None:
    """The physical range that the request names, `None` for none. Raises Gone for one that is not there any more."""
    name = request.headers.get(RANGE)
    if name is None:
        return None
    number = name.rpartition(",")[2].strip()
    for each in container.ranges:
        if each.id == number:
            return each
    raise Gone(f"the physical range {name!r} is not there: it was split, or never was", _PARTITION_KEY_RANGE_GONE)


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
    return strict_json.parse(await request.read())


def wanted(request: web.Request) -> PageRequest:
    """Which page, and whether of all partitions. Raises BadRequest."""
    size = number(request, "x-ms-max-item-count", DEFAULT_PAGE)
    across = says(request, _ACROSS) or RANGE in request.headers or _KEY in request.headers
    longest = number(request, "x-ms-documentdb-responsecontinuationtokenlimitinkb", 0)
    return PageRequest(
        UNBOUNDED if size == -1 else max(1, size), request.headers.get("x-ms-continuation", ""), across, longest
    )


def number(request: web.Request, header: str, default: int) -> int:
    """Raises BadRequest for a header that is no whole number."""
    try:
        return int(request.headers.get(header, default))
    except ValueError as exc:
        raise BadRequest(f"{header} is not a number") from exc


def is_across(request: web.Request) -> bool:
    """Whether the request is about the whole container: neither a key, nor a range, nor a part of one."""
    return not any(name in request.headers for name in (_KEY, RANGE, "x-ms-start-epk", "x-ms-end-epk"))


def resume(document: Any) -> Resume | None:
    """From where on a sorted query is wanted. Raises BadRequest for a form that is not supported."""
    given = document.get("resumeFilter")
    if given is None:
        return None
    if not isinstance(given, dict) or not isinstance(given.get("value"), list):
        raise BadRequest("resumeFilter is an object with value, an array, and perhaps rid and exclude")
    if any(isinstance(value, dict) or (isinstance(value, list) and value) for value in given["value"]):
        raise BadRequest("resumeFilter with arrays or objects is not supported by the local server")
    number = None
    if given.get("rid"):
        rid = rids.parse(given["rid"]) if isinstance(given["rid"], str) else None
        if rid is None or rid.kind != "docs":
            raise BadRequest("the rid of a resumeFilter is the resource id of a document")
        number = rid.number
    return Resume([[] if value == [] else [value] for value in given["value"]], number, given.get("exclude") is True)


def question(document: Any) -> tuple[str, dict[str, Any]]:
    """A query's text and parameters. Raises BadRequest."""
    if not isinstance(document, dict) or not isinstance(document.get("query"), str):
        raise BadRequest("a query is an object with the property query")
    try:
        return document["query"], {given["name"]: given.get("value") for given in document.get("parameters") or []}
    except (TypeError, LookupError, AttributeError) as exc:
        raise BadRequest("the parameters of a query are an array of objects with name and value") from exc
