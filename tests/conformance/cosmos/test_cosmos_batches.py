"""Batches and bulk in both forms: JSON, and rows as the .NET client writes and reads them, byte by byte."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localazure.cosmos import rows
from localazure.cosmos.errors import BadRequest
from localazure.cosmos.wire import CosmosServer
from tests.conformance.cosmos.raw import Reply, Wire, key_header, of_range, wire

DOCS = "/dbs/shop/colls/things/docs"
ATOMIC = {"x-ms-cosmos-is-batch-request": "True", "x-ms-cosmos-batch-atomic": "True", **key_header("a")}
BULK = {
    "x-ms-cosmos-is-batch-request": "True",
    "x-ms-cosmos-batch-atomic": "False",
    "x-ms-cosmos-batch-continue-on-error": "True",
    **of_range("0"),
}
CREATE, PATCH, READ, DELETE, REPLACE, UPSERT = 0, 1, 2, 4, 5, 20


@pytest.fixture
async def wired(server: CosmosServer) -> AsyncIterator[Wire]:
    async with wire(server.url) as made:
        yield made


# The client's side of the binary form, written from the reference alone.


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value % 128 + 128]) + varint(value // 128)


def sized(data: bytes) -> bytes:
    return varint(len(data)) + data


def record(row: bytes) -> bytes:
    return bytes.fromhex("81f1d8ff7f") + struct.pack("<II", len(row), zlib.crc32(row)) + row


def body(*written: bytes) -> bytes:
    return bytes.fromhex("81f0d8ff7f010a000000") + b"".join(map(record, written))


def operation(
    kind: int, *, key: Any = None, item_id: str | None = None, item: Any = None, sparse: dict[int, Any] | None = None
) -> bytes:
    mask, variable = 0b11, b""
    for bit, value in ((2, key), (4, item_id), (6, item)):
        if value is not None:
            mask |= 1 << bit
            variable += sized(value.encode() if bit == 4 else json.dumps(value, separators=(",", ":")).encode())
    extra = b""
    for token, value in (sparse or {}).items():
        if isinstance(value, bool):
            extra += bytes([0x03 if value else 0x02]) + varint(token)
        else:
            extra += bytes([0x14]) + varint(token) + sized(value.encode())
    return bytes.fromhex("817054e17f") + bytes([mask]) + struct.pack("<II", kind, 2) + variable + extra


@dataclass
class Answered:
    status: int
    substatus: int
    etag: str | None
    item: Any
    charge: float


def answers(data: bytes) -> list[Answered]:
    assert data[:10] == bytes.fromhex("81f0d8ff7f010a000000")
    found, place = [], 10
    while place < len(data):
        assert data[place : place + 5] == bytes.fromhex("81f1d8ff7f")
        length, checksum = struct.unpack_from("<II", data, place + 5)
        row = data[place + 13 : place + 13 + length]
        assert zlib.crc32(row) == checksum
        found.append(_answer(row))
        place += 13 + length
    return found


def _answer(row: bytes) -> Answered:
    assert row[:5] == bytes.fromhex("817154e17f")
    mask, status, substatus = row[5], *struct.unpack_from("<ii", row, 6)
    place, texts = 14, []
    for bit in (2, 3):
        if mask & 1 << bit:
            size, shift = 0, 0
            while True:
                size |= (row[place] & 127) << shift
                shift, place = shift + 7, place + 1
                if row[place - 1] < 128:
                    break
            texts.append(row[place : place + size].decode())
            place += size
        else:
            texts.append("")
    charge = struct.unpack_from("<d", row, place + 2)[0] if row[place : place + 2] == b"\x10\x06" else 0.0
    return Answered(status, substatus if mask & 2 else 0, texts[0] or None, json.loads(texts[1] or "null"), charge)


def test_an_operation_has_the_bytes_of_the_reference() -> None:
    sent = bytes.fromhex(
        "81f0d8ff7f010a000000"
        "81f1d8ff7f22000000095101a8"
        "817054e17f430000000002000000137b226964223a2231222c22706b223a2262227d"
    )
    assert body(operation(CREATE, item={"id": "1", "pk": "b"})) == sent
    assert list(rows.read_operations(sent)) == [rows.OperationRow(CREATE, body=b'{"id":"1","pk":"b"}')]


def test_a_result_has_the_bytes_of_the_reference() -> None:
    written = rows.written_results([rows.ResultRow(201, 0, '"e"', b'{"id":"1"}', 5.5)])
    assert written.hex() == (
        "81f0d8ff7f010a000000"
        "81f1d8ff7f27000000" + "9a170910"
        "817154e17f0dc900000000000000032265220a7b226964223a2231227d10060000000000001640"
    )
    failed = rows.written_results([rows.ResultRow(409, 0, None, None, 0.0)])
    assert failed[23:].hex() == "817154e17f01" + "9901000000000000"


TEXTS = st.none() | st.text(max_size=300)


@settings(deadline=None)
@given(st.sampled_from([0, 1, 2, 4, 5, 20]), TEXTS, st.none() | st.dictionaries(st.text(), st.integers()), TEXTS)
def test_every_operation_is_read_as_it_was_written(
    kind: int, item_id: str | None, item: Any, match: str | None
) -> None:
    sparse: dict[int, Any] = {9: match} if match else {}
    sparse[12] = True
    (row,) = rows.read_operations(body(operation(kind, key=["a", 1], item_id=item_id, item=item, sparse=sparse)))
    assert (row.kind, row.partition_key, row.id) == (kind, '["a",1]', item_id)
    assert (None if row.body is None else json.loads(row.body)) == item
    assert row.sparse == sparse


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_rows_are_refused(data: bytes) -> None:
    begun = bytes.fromhex("81f0d8ff7f010a000000")
    for sent in (data, begun + data, begun + record(data), begun + record(bytes.fromhex("817054e17f") + data)):
        try:
            list(rows.read_operations(sent))
        except BadRequest:
            continue
        assert sent.startswith(begun)


async def test_a_transactional_batch_of_rows(wired: Wire) -> None:
    sent = body(
        operation(CREATE, item={"id": "1", "kind": "a", "n": 1}),
        operation(UPSERT, item={"id": "2", "kind": "a"}),
        operation(PATCH, item_id="1", item={"operations": [{"op": "incr", "path": "/n", "value": 4}]}),
        operation(READ, item_id="1"),
        operation(REPLACE, item_id="2", item={"id": "2", "kind": "a", "n": 2}, sparse={12: True}),
        operation(DELETE, item_id="2"),
    )
    reply = await wired.call("POST", DOCS, sent, ATOMIC)
    assert (reply.status, reply.data[0]) == (200, 0x81)
    found = answers(reply.data)
    assert [each.status for each in found] == [201, 201, 200, 200, 200, 204]
    assert found[3].item["n"] == 5
    assert found[3].item["_etag"] == found[3].etag == found[2].etag
    assert (found[4].item, found[5].item) == (None, None)
    assert found[4].etag
    assert sum(each.charge for each in found) == pytest.approx(float(reply.headers["x-ms-request-charge"]), abs=0.01)


async def test_a_batch_of_rows_that_fails_changes_nothing(wired: Wire) -> None:
    first = answers((await wired.call("POST", DOCS, body(operation(CREATE, item=thing("1"))), ATOMIC)).data)
    sent = body(
        operation(CREATE, item=thing("2")),
        operation(REPLACE, item_id="1", item=thing("1"), sparse={9: '"other"'}),
        operation(DELETE, item_id="1", sparse={9: first[0].etag}),
    )
    reply = await wired.call("POST", DOCS, sent, ATOMIC)
    assert (reply.status, [each.status for each in answers(reply.data)]) == (207, [424, 412, 424])
    assert (await wired.call("GET", f"{DOCS}/2", None, key_header("a"))).status == 404


async def test_bulk_in_rows_does_each_operation_by_itself(wired: Wire) -> None:
    operations = [operation(CREATE, key=[f"k{place}"], item=thing("1", f"k{place}")) for place in range(5)]
    operations.append(operation(CREATE, key=["k0"], item=thing("1", "k0")))
    operations.append(operation(READ, key=["k1"], item_id="1"))
    operations.append(operation(READ, key=["k2"], item_id="missing"))
    reply = await wired.call("POST", DOCS, body(*operations), BULK)
    assert (reply.status, [each.status for each in answers(reply.data)]) == (207, [201] * 5 + [409, 200, 404])
    fine = await wired.call("POST", DOCS, body(operation(UPSERT, key=["k0"], item=thing("1", "k0"))), BULK)
    assert (fine.status, [each.status for each in answers(fine.data)]) == (200, [200])


async def test_bulk_in_json_has_keys_as_json_text(wired: Wire) -> None:
    operations = [
        {"operationType": "Create", "partitionKey": '["x"]', "resourceBody": thing("1", "x")},
        {"operationType": "Patch", "partitionKey": '["x"]', "id": "1", "resourceBody": {"operations": INCREASE}},
        {"operationType": "Delete", "partitionKey": '["y"]', "id": "1"},
    ]
    reply = await wired.call("POST", DOCS, operations, BULK)
    assert (reply.status, [each["statusCode"] for each in reply.json]) == (207, [201, 200, 404])
    assert reply.json[1]["resourceBody"]["n"] == 1


async def test_bulk_that_does_not_go_on_stops_at_the_first_failure(wired: Wire) -> None:
    operations = [
        {"operationType": "Delete", "partitionKey": '["y"]', "id": "1"},
        {"operationType": "Create", "partitionKey": '["x"]', "resourceBody": thing("1", "x")},
    ]
    reply = await wired.call("POST", DOCS, operations, {**BULK, "x-ms-cosmos-batch-continue-on-error": "False"})
    assert [each["statusCode"] for each in reply.json] == [404, 424]
    assert (await wired.call("GET", f"{DOCS}/1", None, key_header("x"))).status == 404


async def test_bulk_for_another_range_is_gone_operation_by_operation(wired: Wire) -> None:
    async with wired.session.post(
        f"{wired.url}/_local/splits", json={"database": "shop", "container": "things"}
    ) as answer:
        names = (await answer.json())["ranges"]
    operations = [operation(CREATE, key=[f"k{place}"], item=thing("1", f"k{place}")) for place in range(20)]
    done: set[int] = set()
    for name in names:
        found = answers((await wired.call("POST", DOCS, body(*operations), {**BULK, **of_range(name)})).data)
        assert {each.status for each in found} == {201, 410}
        assert all(each.substatus == 1002 for each in found if each.status == 410)
        done |= {place for place, each in enumerate(found) if each.status == 201}
    assert done == set(range(20))


async def test_a_batch_is_one_change_and_comes_in_one_page_of_the_feed(wired: Wire) -> None:
    await wired.call("POST", DOCS, thing("before"), key_header("a"))
    operations = [{"operationType": "Create", "resourceBody": thing(f"{place}")} for place in range(7)]
    reply = await wired.call("POST", DOCS, operations, ATOMIC)
    assert (reply.headers["x-ms-session-token"], reply.headers["lsn"]) == ("0:-1#2", "2")
    await wired.call("POST", DOCS, thing("after"), key_header("a"))
    pages, place = [], '"0"'
    for _ in range(3):
        headers = {"A-IM": "Incremental Feed", **of_range("0"), "x-ms-max-item-count": "1", "If-None-Match": place}
        page = await wired.call("GET", DOCS, None, headers)
        pages.append([(item["id"], item["_lsn"]) for item in page.json["Documents"]])
        place = page.headers["etag"]
    assert pages == [[("before", 1)], [(f"{number}", 2) for number in range(7)], [("after", 3)]]


async def test_a_replace_may_give_another_id_also_in_a_batch(wired: Wire) -> None:
    await wired.call("POST", DOCS, thing("1"), key_header("a"))
    renamed = await wired.call("PUT", f"{DOCS}/1", thing("2"), key_header("a"))
    assert (renamed.status, renamed.json["id"]) == (200, "2")
    assert (await wired.call("GET", f"{DOCS}/1", None, key_header("a"))).status == 404
    operations = [{"operationType": "Replace", "id": "2", "resourceBody": thing("3")}]
    reply = await wired.call("POST", DOCS, operations, ATOMIC)
    assert [each["statusCode"] for each in reply.json] == [200]
    found = await wired.call("GET", f"{DOCS}/3", None, key_header("a"))
    assert found.json["_rid"] == renamed.json["_rid"]
    await wired.call("POST", DOCS, thing("4"), key_header("a"))
    assert (await wired.call("PUT", f"{DOCS}/4", thing("3"), key_header("a"))).status == 409


@pytest.mark.parametrize(
    "sent",
    [
        [1],
        [None],
        {},
        "x",
        [{"operationType": "Create", "id": 5, "resourceBody": {}}],
        [{"operationType": "Create", "ifMatch": 5, "resourceBody": {}}],
        [{"operationType": "Destroy"}],
        [],
        [{"operationType": "Read", "id": "1"}] * 101,
        b"\x81",
        b"\x81" + b"\xff" * 100,
    ],
)
async def test_a_batch_that_is_none_is_refused(wired: Wire, sent: Any) -> None:
    for headers in (ATOMIC, BULK):
        reply = await wired.call("POST", DOCS, sent, headers)
        assert outcome(reply) == 400


def outcome(reply: Reply) -> int:
    """The status, or the first operation's, if the request as such was understood."""
    return int(reply.json[0]["statusCode"]) if reply.status == 207 else reply.status


async def test_a_batch_is_measured_as_it_is_sent(wired: Wire) -> None:
    large = [
        {"operationType": "Create", "resourceBody": {**thing(f"{place}"), "x": "x" * 700_000}} for place in range(3)
    ]
    assert (await wired.call("POST", DOCS, large, ATOMIC)).status == 413
    assert (await wired.call("POST", DOCS, large[:2], ATOMIC)).status == 200


INCREASE = [{"op": "incr", "path": "/n", "value": 1}]


def thing(name: str, kind: str = "a") -> dict[str, Any]:
    return {"id": name, "kind": kind}
