"""The import of products: a long task that reads a file row by row and has each product as its row says.

The file lies beside its task, in parts. A step reads on from where the last one has noted that it came to, at most
`BATCH` rows at a time, writes those, notes what was refused, then notes how far it is: in that order, so that rows are
done again where a step dies, and never left out. A product says which row of which import it was written for: a row
that is done again comes to what it came to. Imports go one after the other, at a rate that leaves room for orders.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from blueprints.catalog import rows, store
from blueprints.catalog.declaration import IMPORT_ROWS_PER_SECOND
from blueprints.catalog.domain import Product
from blueprints.catalog.rows import Cutter, Format, Record, RefusedRow
from blueprints.catalog.service import PutProduct, product_of, put_row
from blueprints.catalog.store import ImportedRow, RefusedLine
from shared.acting import Actor, acting, actor
from shared.errors import CommerceError, Conflict, NotFound, Transient
from shared.settings import settings
from shared.tasks.task import Progress, Task, TaskProblem, task_id
from shared.tasks.triggers import Step
from shared.telemetry.log import Log
from shared.web.auth import Principal
from shared.web.body import Sku, Uploaded
from shared.web.operation import Upload
from shared.web.paging import Page, decode_cursor, encode_cursor

KIND = "import"
FORMATS: dict[str, Format] = {"text/csv": "csv", "application/x-ndjson": "ndjson"}
UPLOAD = Upload(tuple(FORMATS), 104_857_600)
"""The Functions host takes no larger body."""
BATCH = 100
"""Rows between two notes of how far it is: as many as can be refused in one batch of the database."""
MAX_CONCURRENCY = 8
"""Products written at a time: each is a batch of three items, and shoppers ask the same database."""
STEP_SECONDS = 10.0
"""How long a step goes on. A host that stops waits as long, and what a step has done is noted as it goes."""
MAX_REFUSED = 10_000
"""Refused rows after which an import stops: it is the wrong file."""
TURN_SECONDS = 5.0
"""How long an import waits before it looks again whether it is its turn."""

log = Log("catalog")


class ProductRow(PutProduct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row of an import: a product as `PUT /products/{sku}` takes it, and which one."""

    sku: Sku


class RefusedLineView(msgspec.Struct, frozen=True):
    """A row that was not imported: the line of the file that it begins in, from 1, and why."""

    line: int
    code: str
    detail: str


class By(msgspec.Struct, frozen=True):
    """Who has started an import: what it changes is recorded as theirs."""

    subject: str
    client: str
    roles: list[str]
    act: str
    reason: str


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What an import was started with: the file, where its rows begin, and who acts."""

    format: Format
    size: int
    sha256: str
    lines: int
    offset: int
    line: int
    columns: list[str] = []
    by: By


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How far an import is: where its next row begins, and what became of those before."""

    offset: int = -1
    line: int = 1
    rows: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0

    def result(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("rows", "created", "changed", "unchanged", "refused")}


async def receive(caller: Principal, file: Uploaded, key: str) -> tuple[str, dict[str, Any]]:
    """Keep a file, and what the import of it is started under and with: the same for the same file.

    `key` is an Idempotency-Key or empty; under another one the same file is another import. Raises InvalidRequest.
    """
    digest = await asyncio.to_thread(lambda: hashlib.sha256(file.content).hexdigest())
    name = f"{digest} {file.media_type} {key}"
    wanted = task_id(KIND, caller.subject, name)
    known = await store.TASKS.read(wanted)
    if known is not None:
        return name, known.given
    format_ = FORMATS[file.media_type]
    start = rows.begin(file.content, format_)
    by = actor()
    assert by is not None, "only staff may import"
    given = Given(
        format=format_,
        size=len(file.content),
        sha256=digest,
        lines=file.content.count(b"\n") + (not file.content.endswith(b"\n")),
        offset=start.offset,
        line=start.line,
        columns=list(start.columns),
        by=By(by.subject, by.client, list(by.roles), by.act, by.reason),
    )
    await store.record_import(wanted, {"sha256": digest, "bytes": given.size}, 1)
    await store.keep_file(wanted, file.content)
    return name, msgspec.to_builtins(given)


async def intend_cancel(task: Task) -> None:
    """Record that somebody cancels an import."""
    await store.record_import(task.id, {"status": "cancelling"}, 2)


async def refused_page(task: Task, cursor: str | None, limit: int) -> Page[RefusedLineView]:
    """The rows that were refused, by line. Raises InvalidRequest, NotFound."""
    if task.kind != KIND:
        raise NotFound("there is no such import")
    found = await store.refused(task.id, decode_cursor(cursor, task.id), limit + 1)
    items = [RefusedLineView(row.line, row.code, row.detail) for row in found[:limit]]
    return Page(items, encode_cursor(str(items[-1].line), task.id) if len(found) > limit else None)


async def step(task: Task) -> Step:
    """One step. Raises Transient, Conflict, IllegalTransition."""
    given = msgspec.convert(task.given, Given)
    state = msgspec.convert(task.state, State)
    if state.offset < 0:
        state = State(offset=given.offset, line=given.line)
    if task.status == "cancelling":
        return Step("stop", task.progress, result=state.result())
    if await store.TASKS.claim(KIND, task.id) != task.id:
        return Step("step", task.progress, TURN_SECONDS)
    by = given.by
    with acting(Actor(by.subject, by.client, tuple(by.roles), by.act, by.reason)):
        return await _go_on(task, given, state)


async def _go_on(task: Task, given: Given, state: State) -> Step:
    """Import for a while, no faster than at the rate."""
    rate, began, written = settings().count(IMPORT_ROWS_PER_SECOND), time.monotonic(), 0
    reading = _batches(task.id, given, state, min(BATCH, rate))
    async for batch in reading:
        before = state
        state = await _import(task.id, batch, state)
        progress = Progress(state.line - 1, given.lines)
        task = await store.TASKS.progressed(task, progress, msgspec.to_builtins(state))
        if task.status == "cancelling":
            return Step("stop", progress, result=state.result())
        if state.refused >= MAX_REFUSED:
            problem = TaskProblem("too-many-refused", f"{state.refused} rows were refused: it is the wrong file")
            return Step("fail", progress, result=state.result(), problem=problem)
        written += state.created + state.changed - before.created - before.changed
        # the rate counts from the beginning of the step, so that a slow batch is made up for
        await asyncio.sleep(max(0.0, written / rate - (time.monotonic() - began)))
        if time.monotonic() - began > STEP_SECONDS:
            return Step("step", progress)
    log.info("import.ended", task_id=task.id, **state.result())
    return Step("complete", Progress(given.lines, given.lines), result=state.result())


class _Batch(msgspec.Struct):
    """Rows that are dealt with together: products by the line of each, no two of one SKU; and where the next begins."""

    products: dict[int, Product]
    refused: list[RefusedLine]
    offset: int
    line: int
    rows: int = 0


async def _batches(task_id: str, given: Given, state: State, most: int) -> AsyncIterator[_Batch]:
    """The rows from where `state` is, always cut alike. Raises Conflict where the file is gone."""
    batch = _Batch({}, [], state.offset, state.line)
    skus = set[str]()
    async for record in _records(task_id, given, state):
        product, refused = _product(record, given.columns)
        if batch.rows == most or (product is not None and product.sku in skus):
            yield batch
            batch, skus = _Batch({}, [], batch.offset, batch.line), set()
        if product is not None:
            batch.products[record.line] = product
            skus.add(product.sku)
        if refused is not None:
            batch.refused.append(refused)
        batch.rows += product is not None or refused is not None
        batch.offset, batch.line = record.next_offset, record.next_line
    if batch.offset > state.offset:
        yield batch


def _product(record: Record, columns: Sequence[str]) -> tuple[Product | None, RefusedLine | None]:
    """What a row asks for, or why it is refused; neither for an empty line."""
    try:
        row = rows.read(record, columns, ProductRow)
        if row is not None and row.discontinued:
            raise RefusedRow("invalid-row", "an import takes no product off the shop - at `$.discontinued`")
        return (None if row is None else product_of(row.sku, row)), None
    except (RefusedRow, CommerceError) as exc:
        return None, RefusedLine(record.line, exc.code, exc.detail)


async def _records(task_id: str, given: Given, state: State) -> AsyncIterator[Record]:
    cutter = Cutter(given.format, state.offset, state.line)
    first, last = state.offset // store.PART_BYTES, -(-given.size // store.PART_BYTES)
    for number in range(first, last):
        part = await store.file_part(task_id, number)
        if part is None:
            raise Conflict("the file is kept no longer; send it again", code="import-file-gone")
        if number == first:
            part = part[state.offset % store.PART_BYTES :]
        for record in cutter.feed(part, last=number == last - 1):
            yield record


async def _import(task_id: str, batch: _Batch, state: State) -> State:
    """Write the rows of a batch, and what was refused; how far the import is then. Raises Transient."""
    present = await store.get_many([product.sku for product in batch.products.values()])
    room, refused = asyncio.Semaphore(MAX_CONCURRENCY), list(batch.refused)

    async def write(line: int, product: Product) -> str:
        async with room:
            try:
                return await put_row(product, ImportedRow(task_id, line), present.get(product.sku))
            except Transient:
                raise
            except CommerceError as exc:
                refused.append(RefusedLine(line, exc.code, exc.detail))
                return "refused"

    writing = [write(line, product) for line, product in batch.products.items()]
    outcomes = await asyncio.gather(*writing, return_exceptions=True)
    for failed in outcomes:
        if isinstance(failed, BaseException):
            raise failed
    counts = Counter(map(str, outcomes))
    await store.note_refused(task_id, refused)
    return msgspec.structs.replace(
        state,
        offset=batch.offset,
        line=batch.line,
        rows=state.rows + batch.rows,
        created=state.created + counts["created"],
        changed=state.changed + counts["changed"],
        unchanged=state.unchanged + counts["unchanged"],
        refused=state.refused + len(refused),
    )
