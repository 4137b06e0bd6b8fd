"""Pages: each goes on where the one before ended, whatever is written in between, and costs what it read."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from azure.cosmos import exceptions
from azure.cosmos.aio import CosmosClient as AsyncCosmosClient
from hypothesis import given, settings
from hypothesis import strategies as st

from localazure.clock import SystemClock
from localazure.cosmos import EMULATOR_KEY, PART
from localazure.cosmos.changes import Operation
from localazure.cosmos.engine import Account
from localazure.cosmos.model import WHOLE, Container
from localazure.cosmos.queries import PageRequest
from localazure.cosmos.wire import CosmosServer
from localazure.part import Config
from tests.conformance.cosmos.raw import key_header, wire

QUERIES = [
    "SELECT VALUE c.id FROM c",
    "SELECT VALUE c.id FROM c WHERE c.n > 2",
    "SELECT VALUE c.id FROM c ORDER BY c.n DESC",
    "SELECT VALUE c.id FROM c ORDER BY c.kind, c.n DESC",
]
"""Each gives an item's id once."""


@pytest.fixture
def plans() -> str:
    """The pages are the server's own: no client merges them."""
    return "optional"


def item(number: int, kind: str = "a") -> dict[str, Any]:
    return {"id": f"i{number:02}", "kind": kind, "n": number % 7, "tags": ["x", f"t{number % 3}"]}


def pages(container: Any, query: str, size: int, **options: Any) -> Iterator[Any]:
    options = options or {"enable_cross_partition_query": True}
    iterator: Iterator[Any] = container.query_items(query, max_item_count=size, **options).by_page()
    return iterator


@pytest.mark.parametrize("query", QUERIES)
def test_writing_between_pages_neither_repeats_nor_skips_an_item(things: Any, query: str) -> None:
    for number in range(20):
        things.create_item(item(number))
    found: list[str] = []
    for step, page in enumerate(pages(things, query, 3)):
        found += page
        things.delete_item(f"i{step:02}", "a")
        things.create_item(item(30 + step))
        things.upsert_item({**item(19 - step), "seen": step})
    untouched = {f"i{number:02}" for number in range(7, 20) if "WHERE" not in query or number % 7 > 2}
    assert max(Counter(found).values()) == 1
    assert untouched <= set(found)


def test_the_same_for_reading_all_items(things: Any) -> None:
    for number in range(10):
        things.create_item(item(number))
    found: list[str] = []
    for step, page in enumerate(things.read_all_items(max_item_count=3).by_page()):
        found += [read["id"] for read in page]
        things.delete_item(f"i{step:02}", "a")
        things.upsert_item(item(9 - step))
    assert found == [f"i{number:02}" for number in range(10)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        *((query, None) for query in QUERIES),
        ("SELECT VALUE t FROM c JOIN t IN c.tags", None),
        ("SELECT TOP 7 VALUE c.id FROM c", [f"i{number:02}" for number in range(7)]),
        ("SELECT TOP 4 VALUE c.n FROM c ORDER BY c.n DESC", [6, 5, 4, 3]),
        ("SELECT VALUE c.n FROM c ORDER BY c.n OFFSET 1 LIMIT 5", [0, 1, 1, 2, 2]),
        ("SELECT DISTINCT VALUE c.n FROM c", list(range(7))),
        ("SELECT DISTINCT VALUE c.n FROM c ORDER BY c.n DESC", list(range(6, -1, -1))),
        ("SELECT c.n, COUNT(1) AS many FROM c GROUP BY c.n", [{"n": n, "many": 2 if n < 3 else 1} for n in range(7)]),
        ("SELECT DISTINCT VALUE COUNT(1) FROM c GROUP BY c.n", [1, 2]),
        ("SELECT VALUE COUNT(1) FROM c", [10]),
    ],
)
async def test_a_token_outlives_a_restart(
    server: CosmosServer, athings: Any, tmp_path: Path, declared: Path, query: str, expected: list[Any] | None
) -> None:
    for number in range(10):
        await athings.create_item(item(number))
    first = athings.query_items(query, max_item_count=2).by_page()
    found = [value async for value in await anext(first)]
    whole = [value async for value in athings.query_items(query)]
    token = first.continuation_token
    if token is not None:
        again = await PART.start(
            Config(state=tmp_path / "state", options={"containers": str(declared), "plans": "optional"})
        )
        try:
            async with AsyncCosmosClient(again.url, EMULATOR_KEY) as client:
                container = client.get_database_client("shop").get_container_client("things")
                rest = container.query_items(query, max_item_count=2).by_page(token)
                found += [value async for page in rest async for value in page]
        finally:
            await again.stop()
    assert found == whole
    assert expected is None or found == expected


def test_groups_and_distinct_values_that_are_there_all_the_time_are_given_once(things: Any) -> None:
    for number in range(10):
        things.create_item(item(number))
    for query in ("SELECT DISTINCT VALUE c.n FROM c", "SELECT VALUE c.n FROM c GROUP BY c.n"):
        found = []
        for step, page in enumerate(pages(things, query, 2)):
            found += page
            things.delete_item("i00", "a") if step == 0 else things.upsert_item(item(0))
            things.upsert_item({**item(40 + step), "n": -1 - step})
        assert [n for n in found if n >= 0] == list(range(7))
        assert max(Counter(found).values()) == 1


def test_distinct_results_sorted_by_what_is_not_selected_cannot_be_continued(things: Any) -> None:
    for number in range(6):
        things.create_item(item(number, kind=f"k{number}"))
    query = "SELECT DISTINCT VALUE c.kind FROM c ORDER BY c.n DESC"
    assert next(pages(things, query, 6)).__next__() == "k5"
    with pytest.raises(exceptions.CosmosHttpResponseError, match="DISTINCT with ORDER BY of what is not selected") as e:
        list(pages(things, query, 2))
    assert e.value.status_code == 400


def test_a_token_of_another_query_is_refused(things: Any) -> None:
    for number in range(6):
        things.create_item(item(number))
    first = pages(things, QUERIES[0], 2)
    next(first)
    for token in (first.continuation_token, "MTAw", "not a token"):  # type: ignore[attr-defined]  # azure's iterator
        other = things.query_items(QUERIES[2], enable_cross_partition_query=True).by_page(token)
        with pytest.raises(exceptions.CosmosHttpResponseError, match="x-ms-continuation") as caught:
            list(other)
        assert caught.value.status_code == 400


def test_values_too_long_for_a_header_are_refused_by_name(things: Any) -> None:
    for number in range(3):
        things.create_item({**item(number), "text": "x" * 10_000 + str(number)})
    query = "SELECT VALUE c.id FROM c ORDER BY c.text"
    assert [value for page in pages(things, query, 100) for value in page] == ["i00", "i01", "i02"]
    with pytest.raises(exceptions.CosmosHttpResponseError, match="too long for a continuation token"):
        list(pages(things, query, 1))


async def test_a_continuation_token_has_at_most_the_kilobytes_asked_for(server: CosmosServer, athings: Any) -> None:
    for number in range(3):
        await athings.create_item({**item(number), "text": "x" * 1500 + str(number)})
    query = "SELECT VALUE c.id FROM c ORDER BY c.text"
    one = {**key_header("a"), "x-ms-max-item-count": "1"}
    limit = "x-ms-documentdb-responsecontinuationtokenlimitinkb"
    async with wire(server.url) as wired:
        wide = await wired.query("/dbs/shop/colls/things/docs", query, {**one, limit: "3"})
        assert 1024 < len(wide.headers["x-ms-continuation"]) <= 3 * 1024
        narrow = await wired.query("/dbs/shop/colls/things/docs", query, {**one, limit: "1"})
        assert narrow.status == 400
        assert "too long for a continuation token" in narrow.json["message"]


async def test_index_metrics_name_what_a_filter_compares(server: CosmosServer) -> None:
    query = "SELECT * FROM c WHERE c.n > 1 AND c.deep.name = 'x'"
    async with wire(server.url) as wired:
        first, second = [
            await wired.query("/dbs/shop/colls/things/docs", query, {**key_header("a"), header: "True"})
            for header in ("x-ms-cosmos-populateindexmetrics", "x-ms-cosmos-populateindexmetrics-V2")
        ]
    told = json.loads(base64.b64decode(first.headers["x-ms-cosmos-index-utilization"]))
    assert [each["IndexSpec"] for each in told["UtilizedSingleIndexes"]] == ["/deep/name/?", "/n/?"]
    told = json.loads(unquote(second.headers["x-ms-cosmos-index-utilization"]))
    assert [each["IndexSpec"] for each in told["Utilized"]["SingleIndexes"]] == ["/deep/name/?", "/n/?"]


def test_a_page_holds_at_most_four_megabytes(things: Any) -> None:
    for number in range(5):
        things.create_item({**item(number), "text": "x" * 1_500_000})
    assert [len(list(page)) for page in things.read_all_items().by_page()] == [2, 2, 1]
    assert [len(list(page)) for page in pages(things, "SELECT * FROM c", 100)] == [2, 2, 1]


def charges(container: Any, query: str, size: int) -> list[float]:
    noted: list[float] = []

    def note(headers: Any, _: Any) -> None:
        noted.append(float(headers["x-ms-request-charge"]))

    options = {"enable_cross_partition_query": True, "max_item_count": size, "response_hook": note}
    list(container.query_items(query, **options))
    return noted


@pytest.mark.parametrize(
    "query",
    [*QUERIES, "SELECT DISTINCT VALUE c.n FROM c", "SELECT c.n, COUNT(1) AS many FROM c GROUP BY c.n"],
)
def test_a_page_is_charged_for_what_it_read(things: Any, query: str) -> None:
    for number in range(40):
        things.create_item(item(number))
    (whole,) = charges(things, query, 100)
    parts = charges(things, query, 2)
    assert len(parts) > 3
    assert max(parts[1:]) < whole
    assert sum(parts) - 2.8 * (len(parts) - 1) == pytest.approx(whole, abs=0.01 * len(parts))


def test_a_short_page_of_a_large_container_is_cheap(things: Any) -> None:
    for number in range(200):
        things.create_item(item(number))
    assert charges(things, "SELECT TOP 1 * FROM c", 100)[0] < 3
    assert charges(things, "SELECT * FROM c", 10)[0] == pytest.approx(2.8 + 10 * 0.05 + 0.3, abs=0.1)


NUMBERS = st.one_of(st.integers(-2, 2), st.sampled_from([None, "a", True, [1], {"b": 1}, 1.0]))
STEPS = st.lists(st.tuples(st.sampled_from(["put", "drop"]), st.integers(0, 9), NUMBERS), max_size=3)
PAGED = [
    "SELECT VALUE c.id FROM c",
    "SELECT VALUE c.id FROM c WHERE c.n != 1",
    "SELECT VALUE c.id FROM c ORDER BY c.n",
    "SELECT VALUE c.id FROM c ORDER BY c.n DESC, c.id",
    "SELECT DISTINCT VALUE c.n FROM c",
    "SELECT DISTINCT c.n FROM c ORDER BY c.n DESC",
    "SELECT c.n, COUNT(1) AS many FROM c GROUP BY c.n",
    "SELECT c.n, c.id FROM c ORDER BY c.n OFFSET 1 LIMIT 4",
]


def write(account: Account, container: Container, kind: str, number: int, value: Any) -> None:
    name = str(number)
    if kind == "put":
        body = {"id": name, "pk": "k", **({} if value is None else {"n": value})}
        account.write(container, '["k"]', Operation("Upsert", None, body))
    elif container.get('["k"]', name, 0):
        account.write(container, '["k"]', Operation("Delete", name))


@settings(deadline=None)
@given(st.sampled_from(PAGED), st.lists(NUMBERS, max_size=8), st.integers(1, 3), st.lists(STEPS, max_size=5))
def test_pages_make_up_the_whole_and_stay_true_while_others_write(
    query: str, values: list[Any], size: int, writes: list[Any]
) -> None:
    account = Account(None, SystemClock())
    account.create_database("d")
    container = account.create_container("d", {"id": "c", "partitionKey": {"paths": ["/pk"]}})
    for number, value in enumerate(values):
        write(account, container, "put", number, value)
    whole = account.query(container, WHOLE, query, {}, PageRequest(100)).texts
    touched = {number for step in writes for _, number, _ in step}

    def drain(steps: list[Any]) -> list[str]:
        found: list[str] = []
        token: str | None = ""
        while token is not None:
            answer = account.query(container, WHOLE, query, {}, PageRequest(size, token))
            found, token = found + answer.texts, answer.token
            for change in steps[0] if steps else []:
                write(account, container, *change)
            steps = steps[1:]
        return found

    assert drain([]) == whole
    found = drain(list(writes))
    if "c.id FROM c" in query and "OFFSET" not in query:
        kept = [text for text in whole if int(json.loads(text)) not in touched]
        assert [text for text in found if int(json.loads(text)) not in touched] == kept
    if "DISTINCT" in query:
        assert max(Counter(found).values(), default=1) == 1
    account.close()
