"""Batches over the REST API: operations of one partition key, all or none, and bulk, each by itself; JSON or rows.

Sources: "Transactional batch operations in Azure Cosmos DB"; the sources of azure-cosmos 4.17, @azure/cosmos 4.9 and
Microsoft.Azure.Cosmos 3.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from localazure.cosmos import requests, rows, strict_json
from localazure.cosmos.answers import headers
from localazure.cosmos.changes import Operation, Result
from localazure.cosmos.charges import FAILED_WRITE
from localazure.cosmos.engine import check_size
from localazure.cosmos.errors import BadRequest, CosmosError, Gone, TooLarge
from localazure.cosmos.model import Container
from localazure.cosmos.physical import PhysicalRange
from localazure.cosmos.service import Service

MAX_BATCH = 2 * 1024 * 1024
"""Bytes, as they are sent."""
_KINDS = {0: "Create", 1: "Patch", 2: "Read", 4: "Delete", 5: "Replace", 20: "Upsert"}
_IF_MATCH, _IF_NONE_MATCH, _MINIMAL = 9, 10, 12
_FAILED_DEPENDENCY = 424


@dataclass(frozen=True)
class Asked:
    """An operation, its own partition key (as JSON; in bulk), and whether the item is left out of the answer."""

    operation: Operation
    key: str | None = None
    minimal: bool = False


class Batches:
    """Answers to batches."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._account = service.account

    async def answer(self, request: web.Request, container: Container) -> web.Response:
        data = await request.read()
        if len(data) > MAX_BATCH:
            raise TooLarge(f"Request size is too large: a batch may have at most {MAX_BATCH} bytes")
        binary = data[:1] == bytes([rows.FIRST])
        asked = [_of_row(row) for row in rows.read_operations(data)] if binary else _of_json(strict_json.parse(data))
        place = requests.physical_range(request, container)
        if requests.says(request, "x-ms-cosmos-batch-atomic") or place is None:
            key = requests.partition_key(request, container)
            if key is None:
                raise BadRequest("a batch needs a partition key")
            place = container.range_of(key)
            done, results = self._account.batch(container, key, [each.operation for each in asked])
        else:
            going_on = requests.says(request, "x-ms-cosmos-batch-continue-on-error")
            results = self._each(container, place, asked, going_on)
            done = all(result.status < 400 for result in results)
        charge = sum(result.charge for result in results)
        self._service.charge(container, "batch" if done else "failed", charge)
        return _answered(container, place, charge, done, asked, results, binary)

    def _each(self, container: Container, place: PhysicalRange, asked: Sequence[Asked], going_on: bool) -> list[Result]:
        """Bulk: each operation by itself; those after a failed one are not tried unless the client says so."""
        check_size(asked)
        results: list[Result] = []
        failed = False
        for each in asked:
            if failed and not going_on:
                results.append(Result(_FAILED_DEPENDENCY, None, 0.0))
                continue
            try:
                results.append(self._one(container, place, each))
            except CosmosError as exc:
                failed = True
                results.append(Result(exc.status, None, FAILED_WRITE, exc.substatus))
        return results

    def _one(self, container: Container, place: PhysicalRange, asked: Asked) -> Result:
        if asked.key is None:
            raise BadRequest("an operation of a bulk request has a partition key of its own", 1001)
        key = requests.whole_key(asked.key, container)
        if container.range_of(key) is not place:
            raise Gone(f"the partition key does not lie in the physical range {place.id}", 1002)
        return self._account.write(container, key, asked.operation)


def _of_json(document: Any) -> list[Asked]:
    """Raises BadRequest."""
    if not isinstance(document, list) or not all(isinstance(item, dict) for item in document):
        raise BadRequest("a batch is an array of operations, which are objects")
    return [_of_object(item) for item in document]


def _of_object(item: dict[str, Any]) -> Asked:
    key = item.get("partitionKey")
    operation = Operation(
        kind=str(item.get("operationType")),
        id=_text(item, "id"),
        body=item.get("resourceBody"),
        if_match=_text(item, "ifMatch"),
        if_none_match=_text(item, "ifNoneMatch"),
    )
    minimal = item.get("minimalReturnPreference") is True
    return Asked(operation, key if key is None or isinstance(key, str) else json.dumps(key), minimal)


def _text(item: dict[str, Any], name: str) -> str | None:
    value = item.get(name)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"{name} of an operation is a text")
    return value


def _of_row(row: rows.OperationRow) -> Asked:
    body = None if row.body is None else strict_json.parse(row.body, "the item of an operation")
    matches = [row.sparse.get(token) for token in (_IF_MATCH, _IF_NONE_MATCH)]
    if not all(match is None or isinstance(match, str) for match in matches):
        raise BadRequest("ifMatch and ifNoneMatch of an operation are texts")
    operation = Operation(
        _KINDS.get(row.kind, str(row.kind)), row.id, body, matches[0], matches[1], len(row.body or b"")
    )
    return Asked(operation, row.partition_key, row.sparse.get(_MINIMAL) is True)


def _answered(
    container: Container,
    place: PhysicalRange,
    charge: float,
    done: bool,
    asked: Sequence[Asked],
    results: Sequence[Result],
    binary: bool,
) -> web.Response:
    found = headers(container, charge, None, (place,))
    status = 200 if done else 207
    pairs = list(zip(asked, results, strict=True))
    if binary:
        body = rows.written_results(_row(each, result) for each, result in pairs)
        return web.Response(status=status, body=body, content_type="application/octet-stream", headers=found)
    text = f"[{','.join(_json(each, result) for each, result in pairs)}]"
    return web.Response(status=status, text=text, content_type="application/json", headers=found)


def _row(asked: Asked, result: Result) -> rows.ResultRow:
    item = result.item
    body = None if item is None or asked.minimal else item.text.encode()
    etag = None if item is None else item.etag
    return rows.ResultRow(result.status, result.substatus, etag, body, result.charge)


def _json(asked: Asked, result: Result) -> str:
    described: dict[str, Any] = {"statusCode": result.status, "requestCharge": result.charge}
    if result.substatus:
        described["subStatusCode"] = result.substatus
    if result.item is None:
        return json.dumps(described)
    described["eTag"] = result.item.etag
    if asked.minimal:
        return json.dumps(described)
    return f'{json.dumps(described)[:-1]}, "resourceBody": {result.item.text}}}'
