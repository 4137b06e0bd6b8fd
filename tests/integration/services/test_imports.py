"""Imports against a real database: what the file says is what the catalog has, wherever a step dies."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from blueprints.catalog import imports, service, store
from blueprints.catalog.declaration import SERVICE
from blueprints.catalog.service import PutProduct
from shared.acting import Actor, acting
from shared.clock import timestamp
from shared.errors import InvalidRequest, NotFound
from shared.money import Money
from shared.persistence import cosmos
from shared.tasks.task import Task
from shared.tasks.triggers import LongTasks, take_step
from shared.web.auth import Principal
from shared.web.body import Uploaded
from tests.integration.services.conftest import told

STAFF = Principal("staff", frozenset({"catalog.write"}), frozenset({"staff"}))
BOUND = LongTasks(SERVICE, store.TASKS, "/catalog/imports", "catalog_task")
KINDS = {imports.KIND: imports.step}
HEADER = "sku,name,category,price.amount,price.currency,free\n"


class Died(BaseException):
    """The process is gone."""


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No rate, few rows at a time, and a few parts of each file."""
    monkeypatch.setenv("IMPORT_ROWS_PER_SECOND", "100000")
    monkeypatch.setattr(imports, "BATCH", 3)
    monkeypatch.setattr(imports, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(store, "PART_BYTES", 100)
    from shared.settings import settings

    settings.cache_clear()
    yield
    settings.cache_clear()


class Durable:
    async def start_new(self, name: str, instance_id: str, given: Any) -> None:
        assert name == "catalog_task"

    async def get_status(self, instance_id: str) -> Any:
        return SimpleNamespace(runtime_status=SimpleNamespace(name="Running"))


def skus(count: int) -> list[str]:
    return [f"I{secrets.token_hex(5)}{number}" for number in range(count)]


def table(*rows: tuple[Any, ...]) -> bytes:
    return (HEADER + "".join(",".join(map(str, row)) + "\n" for row in rows)).encode()


def row(sku: str, amount: int = 250, name: str = "Lamp", free: str = "") -> tuple[Any, ...]:
    return (sku, name, "tests", amount, "GBP", free)


async def post(content: bytes, media_type: str = "text/csv", key: str = "", why: str = "") -> Task:
    actor = Actor("staff", "console", ("staff",), "catalog_imports_start", why)
    with acting(actor):
        name, given = await imports.receive(STAFF, Uploaded(media_type, content), key)
        answer = await BOUND.start(Durable(), imports.KIND, STAFF, name, given)
    return await present(answer.body.id)


async def present(task_id: str) -> Task:
    found = await store.TASKS.read(task_id)
    assert found is not None
    return found


async def run(task_id: str) -> Task:
    """The steps as the orchestrator takes them, until the task has ended."""
    async with asyncio.timeout(60):
        while not (await take_step(store.TASKS, KINDS, task_id))["ended"]:
            pass
    return await present(task_id)


def counts(task: Task) -> tuple[int, ...]:
    assert task.result is not None, task
    return tuple(task.result[name] for name in ("rows", "created", "changed", "unchanged", "refused"))


async def test_the_catalog_is_as_the_file_says_and_what_is_refused_is_told_by_line() -> None:
    new, known, same, gift, free, bad = skus(6)
    for sku in (known, same):
        await service.put(sku, PutProduct(name="Lamp", category="tests", price=Money(250, "GBP")), None)
    content = table(
        row(new),
        row(known, 300),
        row(same),
        row(gift, 0),
        row(free, 0, free="true"),
        row(bad, 5, name=""),
        row(new, 260),
    )
    task = await run((await post(content)).id)
    assert (task.status, counts(task)) == ("completed", (7, 2, 2, 1, 2))
    assert (task.progress.done, task.progress.total) == (8, 8)
    prices = {sku: (await service.get(sku))[0].price.amount for sku in (new, known, same, free)}
    assert prices == {new: 260, known: 300, same: 250, free: 0}
    assert [await store.get(sku) for sku in (gift, bad)] == [None, None]
    page = await imports.refused_page(task, None, 1)
    rest = await imports.refused_page(task, page.next_cursor, 1)
    assert [(each.line, each.code) for each in (*page.items, *rest.items)] == [(5, "price-zero"), (7, "invalid-row")]
    assert rest.next_cursor is None
    assert await told(store.PRODUCTS, same) == ["product.changed"], "what is there already is not told again"
    assert sorted(await told(store.PRODUCTS, new)) == ["act.recorded"] * 2 + ["product.changed"] * 2
    assert sorted(await told(store.PRODUCTS, task.id)) == ["act.recorded"], "the import itself is an act, too"


async def test_the_same_file_is_the_same_task_and_under_another_key_it_is_imported_anew() -> None:
    (sku,) = skus(1)
    content = table(row(sku))
    first, again = await asyncio.gather(post(content), post(content))
    assert first.id == again.id
    assert (await run(first.id)).status == "completed"
    assert (await post(content, why="for another reason")).status == "completed"
    anew = await post(content, key="anew")
    assert anew.id != first.id and counts(await run(anew.id)) == (1, 0, 0, 1, 0)
    assert sorted(await told(store.PRODUCTS, first.id)) == ["act.recorded"]


async def test_a_discontinued_product_stays_so_and_no_row_makes_one() -> None:
    gone, here = skus(2)
    off = PutProduct(name="Lamp", category="tests", price=Money(250, "GBP"), discontinued=True)
    await service.put(gone, off, None)
    lines = [
        {"sku": sku, "name": "Lamp", "category": "tests", "price": {"amount": 300, "currency": "GBP"}, **more}
        for sku, more in ((gone, {}), (here, {"discontinued": True}))
    ]
    content = b"\n".join(map(msgspec.json.encode, lines))
    task = await run((await post(content, "application/x-ndjson")).id)
    assert counts(task) == (2, 0, 1, 0, 1) and await store.get(here) is None
    found = (await service.get(gone))[0]
    assert (found.discontinued, found.price.amount) == (True, 300)


async def test_a_file_that_cannot_be_one_starts_nothing() -> None:
    for content in (b"sku,name\nA,b\n", HEADER.encode("utf-16"), b'"' + HEADER.encode()):
        with pytest.raises(InvalidRequest):
            await post(content)


Call = Callable[..., Awaitable[Any]]


async def test_wherever_a_step_dies_the_result_is_the_same_and_no_change_is_told_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process dies ahead of each call of the database, and behind each."""
    calls, die_at, after = 0, -1, False
    real: Call = cosmos.Container._called

    async def counted(self: cosmos.Container, name: str, answer: Awaitable[Any]) -> Any:
        nonlocal calls
        calls += 1
        if calls == die_at and not after:
            answer.close()  # type: ignore[attr-defined]
            raise Died
        result = await real(self, name, answer)
        if calls >= die_at > 0 and after:
            raise Died
        return result

    monkeypatch.setattr(cosmos.Container, "_called", counted)
    died = 0
    for die_at, after in [(number, behind) for number in range(1, 26) for behind in (False, True)]:
        wanted, calls = skus(5), 0
        content = table(*(row(sku) for sku in wanted[:4]), row(wanted[4], 0), row(wanted[0], 300))
        for _ in range(3):
            try:
                task = await run((await post(content)).id)
                break
            except Died:
                died, die_at = died + 1, -1
        assert (task.status, counts(task)) == ("completed", (6, 4, 1, 0, 1)), (die_at, after)
        assert [each.line for each in (await imports.refused_page(task, None, 10)).items] == [6]
        events = [await told(store.PRODUCTS, sku) for sku in wanted]
        assert [types.count("product.changed") for types in events] == [2, 1, 1, 1, 0], (die_at, after)
    assert died == 50


async def test_a_cancelled_import_stops_and_keeps_what_it_has_done() -> None:
    wanted = skus(9)
    task = await post(table(*(row(sku) for sku in wanted)))
    real, seen = imports._import, 0

    async def cancelled(task_id: str, batch: Any, state: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == 2:
            await store.TASKS.cancel(await present(task_id))
        return await real(task_id, batch, state)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(imports, "_import", cancelled)
        task = await run(task.id)
    assert (task.status, counts(task)) == ("cancelled", (6, 6, 0, 0, 0))
    assert [await store.get(sku) is not None for sku in wanted] == [True] * 6 + [False] * 3


async def test_imports_go_one_after_the_other() -> None:
    first, second = await post(table(*map(row, skus(2)))), await post(table(*map(row, skus(2))))
    assert await store.TASKS.claim(imports.KIND, first.id) == first.id
    assert (await take_step(store.TASKS, KINDS, second.id))["ended"] is False
    assert (await present(second.id)).progress.done == 0
    assert (await run(first.id)).status == "completed"
    assert (await run(second.id)).status == "completed"


async def test_too_many_bad_rows_end_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "MAX_REFUSED", 4)
    (sku,) = skus(1)
    task = await run((await post(table(*[("?", "x", "tests", 1, "GBP", "")] * 9, row(sku)))).id)
    assert task.status == "failed" and task.problem is not None and task.problem.code == "too-many-refused"
    assert counts(task) == (6, 0, 0, 0, 6) and await store.get(sku) is None


async def test_a_file_that_is_kept_no_longer_ends_its_import() -> None:
    task = await post(table(*map(row, skus(3))))
    await store.ITEMS.delete("part:0", task.id)
    task = await run(task.id)
    assert task.status == "failed" and task.problem is not None and task.problem.code == "import-file-gone"


async def test_errors_are_of_imports_alone() -> None:
    now = timestamp()
    other = Task(id="tsk_x", kind="redrive", owner="staff", given={}, created_at=now, updated_at=now)
    with pytest.raises(NotFound):
        await imports.refused_page(other, None, 10)
