"""Queries, by both clients; the evaluator against a naive model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.cosmos import exceptions
from azure.cosmos._query_builder import _QueryBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from localazure.clock import SystemClock
from localazure.cosmos.changes import Operation
from localazure.cosmos.engine import Account
from localazure.cosmos.errors import BadRequest
from localazure.cosmos.model import WHOLE
from localazure.cosmos.queries import PageRequest
from localazure.cosmos.sql.expressions import Bindings
from localazure.cosmos.sql.points import points
from localazure.cosmos.sql.pushdown import candidates
from localazure.cosmos.sql.query import parse

ITEMS: list[dict[str, Any]] = [
    {"id": "1", "kind": "a", "n": 3, "name": "Alpha", "tags": ["x", "y"], "inner": {"order": 1}},
    {"id": "2", "kind": "a", "n": 1, "name": "Beta", "tags": ["y"]},
    {"id": "3", "kind": "b", "n": 2, "name": "gamma", "value": None},
    {"id": "4", "kind": "b", "name": "delta", "n": "text"},
]


@pytest.fixture
def filled(things: Any) -> Any:
    for item in ITEMS:
        things.create_item(item)
    return things


def run(container: Any, query: str, **parameters: Any) -> list[Any]:
    given = [{"name": f"@{name}", "value": value} for name, value in parameters.items()]
    return list(container.query_items(query, parameters=given, enable_cross_partition_query=True))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT VALUE c.id FROM c WHERE c.n > 1", ["1", "3"]),
        ("SELECT VALUE c.id FROM c WHERE c.n != 3", ["2", "3", "4"]),
        ("SELECT VALUE c.id FROM c WHERE NOT (c.n > 1)", ["2"]),
        ("SELECT VALUE c.id FROM c WHERE c.missing = 1 OR c.id = '4'", ["4"]),
        ("SELECT VALUE c.id FROM c WHERE c.n BETWEEN 1 AND 2", ["2", "3"]),
        ("SELECT VALUE c.id FROM c WHERE c.id IN ('1', '4')", ["1", "4"]),
        ("SELECT VALUE c.id FROM c WHERE c.id NOT IN ('1', '4')", ["2", "3"]),
        ("SELECT VALUE c.id FROM c WHERE c.name LIKE '%a' AND STARTSWITH(c.name, 'A')", ["1"]),
        ("SELECT VALUE c.id FROM c WHERE CONTAINS(c.name, 'ETA', true)", ["2"]),
        ("SELECT VALUE c.id FROM c WHERE IS_NULL(c['value'])", ["3"]),
        ("SELECT VALUE c.id FROM c WHERE is_defined(c.tags) AND ARRAY_CONTAINS(c.tags, 'x')", ["1"]),
        ("SELECT VALUE c.id FROM c WHERE EXISTS(SELECT VALUE t FROM t IN c.tags WHERE t = 'x')", ["1"]),
        ("SELECT VALUE c['inner']['order'] FROM c", [1]),
        ("SELECT VALUE t FROM c JOIN t IN c.tags ORDER BY t DESC", ["y", "y", "x"]),
        ("SELECT c.id, c.n * 2 AS double FROM c WHERE c.id = '1'", [{"id": "1", "double": 6}]),
        ("SELECT VALUE {'id': c.id, tags: [c.n]} FROM c WHERE c.id = '1'", [{"id": "1", "tags": [3]}]),
        ("SELECT VALUE c.n >= 2 ? 'many' : 'few' FROM c WHERE c.kind = 'a'", ["many", "few"]),
        ("SELECT VALUE c.missing ?? 'none' FROM c WHERE c.id = '1'", ["none"]),
        ("SELECT VALUE [1] = [true] FROM c WHERE c.id = '1'", [False]),
        ("SELECT VALUE RIGHT(c.name, 0) FROM c WHERE c.id = '1'", [""]),
        ("SELECT VALUE UPPER(c.name) || '!' FROM c WHERE c.id = '1'", ["ALPHA!"]),
        ("SELECT TOP 1 VALUE c.id FROM c ORDER BY c.name DESC", ["3"]),
        ("SELECT VALUE c.id FROM c WHERE IS_NUMBER(c.n) ORDER BY c.kind DESC, c.n ASC", ["3", "2", "1"]),
        ("SELECT VALUE c.id FROM c ORDER BY c.id OFFSET 1 LIMIT 2", ["2", "3"]),
        ("SELECT VALUE c.id FROM c ORDER BY (1 = 1 ? c.name : c.id) DESC", ["3", "4", "2", "1"]),
        ("SELECT VALUE c.id FROM c ORDER BY ('x' ? c.id : c.name) DESC", ["3", "4", "2", "1"]),
        ("SELECT VALUE c.id FROM c ORDER BY CHOOSE(2, c.id, {'n': [c.name]}.n[0])", ["1", "2", "4", "3"]),
        ("SELECT VALUE c.id FROM c WHERE IIF(LOWER('A') = 'a', c.kind, c.id) = 'b' ORDER BY c.id", ["3", "4"]),
        ("SELECT VALUE c.id FROM c WHERE (undefined ?? c.id) IN ('2', '9')", ["2"]),
        ("SELECT DISTINCT VALUE c.kind FROM c", ["a", "b"]),
        ("SELECT VALUE COUNT(1) FROM c", [4]),
        ("SELECT VALUE MAX(c.n) FROM c WHERE IS_NUMBER(c.n)", [3]),
    ],
)
def test_a_query_answers_as_the_language_says(filled: Any, query: str, expected: list[Any]) -> None:
    assert run(filled, query) == expected


def test_parameters_are_values_and_never_text(filled: Any) -> None:
    assert run(filled, "SELECT VALUE c.id FROM c WHERE c.name = @name", name="' OR 1=1 --") == []
    assert run(filled, "SELECT VALUE c.id FROM c WHERE c.n = @n", n=3) == ["1"]


def test_a_query_with_a_partition_key_sees_that_partition_alone(filled: Any) -> None:
    assert list(filled.query_items("SELECT VALUE c.id FROM c", partition_key="b")) == ["3", "4"]


def test_pages_follow_each_other_and_a_token_can_be_kept(filled: Any) -> None:
    pages = filled.query_items("SELECT VALUE c.id FROM c", partition_key="a", max_item_count=1).by_page()
    assert list(next(pages)) == ["1"]
    rest = filled.query_items("SELECT VALUE c.id FROM c", partition_key="a", max_item_count=1)
    assert [item for page in rest.by_page(pages.continuation_token) for item in page] == ["2"]


async def test_many_items_are_read_at_once(athings: Any) -> None:
    for item in ITEMS:
        await athings.create_item(item)
    found = await athings.read_items([("1", "a"), ("3", "b"), ("nothing", "a"), ("3", "a")])
    assert sorted(item["id"] for item in found) == ["1", "3"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("SELECT * FROM c WHERE udf.f(c.n)", "user-defined"),
        ("SELECT VALUE ST_DISTANCE(c.a, c.b) FROM c", "ST_DISTANCE"),
        ("SELECT * FROM c WHERE", "unexpected end-of-file"),
        ("SELECT * FROM c WHERE c.n = @missing", "@missing"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(filled: Any, query: str, named: str) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError, match=named):
        run(filled, query)


VALUES = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "a", "b"]))
DOCUMENTS = st.lists(st.dictionaries(st.sampled_from("xyz"), VALUES, max_size=3), max_size=6)
OPERATORS = {"=": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, ">=": lambda a, b: a >= b}


def _same_kind(left: Any, right: Any) -> bool:
    kinds = [bool if isinstance(v, bool) else int if isinstance(v, int) else type(v) for v in (left, right)]
    return kinds[0] == kinds[1]


def _test(document: dict[str, Any], name: str, operator: str, value: Any) -> bool | None:
    if name not in document:
        return None
    if not _same_kind(document[name], value):
        return {"=": False, "!=": True}.get(operator)
    if value is None:
        return operator in ("=", ">=")
    return bool(OPERATORS[operator](document[name], value))


@given(
    DOCUMENTS,
    st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from(list(OPERATORS)), VALUES), min_size=1, max_size=4),
    st.booleans(),
)
def test_filters_agree_with_three_valued_logic(
    documents: list[dict[str, Any]], terms: list[tuple[str, str, Any]], conjunction: bool
) -> None:
    word = " AND " if conjunction else " OR "
    text = word.join(f"c.{name} {operator} @p{place}" for place, (name, operator, _) in enumerate(terms))
    parameters = {f"@p{place}": value for place, (_, _, value) in enumerate(terms)}
    found = parse(f"SELECT * FROM c WHERE {text}").run(documents, Bindings(parameters, 0))
    results = [[_test(document, *term) for term in terms] for document in documents]
    wanted = all if conjunction else any
    assert found == [d for d, row in zip(documents, results, strict=True) if wanted(value is True for value in row)]


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4), st.booleans())
def test_an_index_on_id_leaves_nothing_out(ids: list[str], listed: bool) -> None:
    terms = [f"(c.id = '{item}' AND c.n = 1)" for item in ids]
    text = f"c.id IN ({', '.join(repr(item) for item in ids)})" if listed else " OR ".join(terms)
    query = parse(f"SELECT * FROM c WHERE {text}")
    assert set(candidates(query.tree, ("id",), {}) or ()) == set(ids)
    assert candidates(parse(f"SELECT * FROM c WHERE {text} OR c.n = 2").tree, ("id",), {}) is None


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        ("c.a.b = 1", [1]),
        ("c['a'].b IN (1, 'x', true, null, @p)", [1, "x", True, None, 7]),
        ("7 = c.a.b AND c.n > 1", [7]),
        ("c.a.b = 1 AND c.a.b = 1.0", [1]),
        ("c.a.b = 1 AND c.a.b = true", []),
        ("c.a.b NOT IN (1)", None),
        ("c.a.b = @missing", None),
        ("c.a.b > 1", None),
        ("NOT (c.a.b = 1)", None),
        ("NOT (c.a.b != 1)", [1]),
        ("c.a.b = 1 + 1", [2]),
        ("c.a.b = LOWER('X')", ["x"]),
        ("false", []),
        ("c.a.b = undefined", []),
        ("c.b.a = 1", None),
        ("c.a = 1", None),
        ("c.n = 1 AND c.m > @p", None),
        ("c.n = 1 AND 1 = 2", []),
        ("c.n = undefined", []),
        ("c.n = 1 AND @p = 8", []),
        ("c.n = 1 AND NOT EXISTS (SELECT VALUE t FROM t IN c.tags)", None),
        ("c.n = 1 AND IS_NULL(c.a.b)", [None]),
        ("c.n = 1 OR c.a.b", None),
        ("c.n = 1 AND c.a.b", [True]),
    ],
)
def test_what_a_condition_leaves_possible_at_a_path(condition: str, values: list[Any] | None) -> None:
    query = parse(f"SELECT * FROM c WHERE {condition}")
    assert candidates(query.tree, ("a", "b"), {"@p": 7}) == values
    assert query.candidates(("a", "b"), {"@p": 7}) == values
    assert parse(f"SELECT * FROM (SELECT * FROM c WHERE {condition}) d").candidates(("a", "b"), {"@p": 7}) == values


def test_a_condition_on_the_partition_key_spares_the_other_partitions(filled: Any) -> None:
    for number in range(200):
        filled.create_item({"id": f"x{number}", "kind": "x", "n": number})
    charges: list[float] = []
    options: Any = {
        "enable_cross_partition_query": True,
        "response_hook": lambda headers, _: charges.append(float(headers["x-ms-request-charge"])),
    }
    assert [i["id"] for i in filled.query_items("SELECT * FROM c WHERE c.kind = 'b' AND c.n = 2", **options)] == ["3"]
    assert [i["id"] for i in filled.query_items("SELECT * FROM c WHERE c.kind IN ('b', 'a')", **options)] == list(
        "1234"
    )
    query = "SELECT * FROM c WHERE c.kind = 'x' AND c.id IN ('x3', '1', 'x1')"
    assert [i["id"] for i in filled.query_items(query, **options)] == ["x1", "x3"]
    assert max(charges) < 4


ITEM_LISTS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["a", "b", 1, None])), min_size=2, max_size=8)


@settings(deadline=None)
@given(ITEM_LISTS, ITEM_LISTS, st.sampled_from(["/kind", "/in/kind", "/id"]), st.integers(1, 3))
def test_reading_many_items_by_their_form_finds_what_the_language_finds(
    stored: list[Any], asked: list[Any], path: str, size: int
) -> None:
    account = Account(None, SystemClock())
    account.create_database("d")
    container = account.create_container("d", {"id": "c", "partitionKey": {"paths": [path]}})
    for name, kind in stored:
        inner = {} if kind is None else {"kind": kind}
        account.write(container, None, Operation("Upsert", None, {"id": name, **inner, "in": inner}))
    if path == "/id":
        asked = [(name, name) for name, _ in asked]
    if path == "/in/kind":
        spec = _QueryBuilder.build_parameterized_query_for_items({"0": asked}, {"paths": [path]})
    elif _QueryBuilder.is_id_partition_key_query(asked, {"paths": [path]}):
        spec = _QueryBuilder.build_id_in_query(asked)
    elif _QueryBuilder.is_single_logical_partition_query(asked) and asked[0][1] is not None:
        spec = _QueryBuilder.build_pk_and_id_in_query(asked, {"paths": [path]})
    else:
        spec = _QueryBuilder.build_parameterized_query_for_items({"0": asked}, {"paths": [path]})
    text, parameters = spec["query"], {given["name"]: given["value"] for given in spec["parameters"]}
    assert points(text, parameters, container.steps) is not None
    documents = [found.document for found in container.visible(WHOLE, 0)]
    expected = parse(text).run(documents, Bindings(parameters, 0))
    found: list[Any] = []
    token: str | None = ""
    while token is not None:
        answer = account.query(container, WHOLE, text, parameters, PageRequest(size, token))
        found, token = found + [json.loads(text) for text in answer.texts], answer.token
    assert found == expected
    account.close()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM c WHERE c.id IN (@a) OR c.n = 1",
        "SELECT * FROM c WHERE c.id IN (@a) ORDER BY c.n",
        "SELECT c.id FROM c WHERE c.id IN (@a)",
        "SELECT * FROM c WHERE c.other = @k AND c.id IN (@a)",
        "SELECT * FROM c WHERE ( ( c.id = @a AND c.other = @k ) )",
        "SELECT * FROM c WHERE ( ( c.id = @a AND c.kind = @missing ) )",
        "SELECT * FROM c WHERE ( ( c.id = @a AND c.kind = @list ) )",
    ],
)
def test_a_query_of_another_form_is_left_to_the_language(text: str) -> None:
    assert points(text, {"@a": "a", "@k": "k", "@list": []}, ("kind",)) is None


async def test_hundreds_of_items_are_read_at_once(athings: Any) -> None:
    for start in range(0, 600, 100):
        operations = [("create", ({"id": f"i{n}", "kind": f"k{start}"},)) for n in range(start, start + 100)]
        await athings.execute_item_batch(operations, f"k{start}")
    asked = [(f"i{n}", f"k{n // 100 * 100}") for n in range(592)]
    assert [read["id"] for read in await athings.read_items(asked)] == [name for name, _ in asked]
    one = [(f"i{n}", "k100") for n in range(100, 180)]
    assert [read["id"] for read in await athings.read_items(one)] == [name for name, _ in one]


def test_a_query_of_hundreds_of_terms_does_not_overflow() -> None:
    text = " OR ".join(f"(c.id = @p{n} AND c.kind = @k{n})" for n in range(900))
    query = parse(f"SELECT * FROM c WHERE {text}")
    parameters = {f"@p{n}": str(n) for n in range(900)} | {f"@k{n}": "k" for n in range(900)}
    documents = [{"id": "899", "kind": "k"}, {"id": "x", "kind": "k"}]
    assert query.run(documents, Bindings(parameters, 0)) == [{"id": "899", "kind": "k"}]


def test_a_syntax_error_says_where() -> None:
    with pytest.raises(BadRequest, match=r"incorrect syntax near 'FORM'"):
        parse("SELECT * FORM c")
