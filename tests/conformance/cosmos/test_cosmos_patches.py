"""Patches: every operation, all or none, and the conditions that they are made on."""

from __future__ import annotations

from typing import Any

import pytest
from azure.cosmos import exceptions
from hypothesis import given, settings
from hypothesis import strategies as st

from localazure.clock import SystemClock
from localazure.cosmos.changes import Operation
from localazure.cosmos.engine import Account
from localazure.cosmos.errors import CosmosError
from localazure.cosmos.sql import conditions
from localazure.cosmos.sql.query import parse_open

CUP = {"id": "cup", "kind": "china", "pieces": 5, "tags": ["red"]}


def test_every_patch_operation(things: Any) -> None:
    things.create_item({**CUP, "old": 1, "inner": {"a": 1}})
    patched = things.patch_item(
        "cup",
        "china",
        [
            {"op": "add", "path": "/tags/-", "value": "blue"},
            {"op": "add", "path": "/tags/0", "value": "first"},
            {"op": "set", "path": "/inner/b", "value": 2},
            {"op": "replace", "path": "/inner/a", "value": 3},
            {"op": "remove", "path": "/old"},
            {"op": "incr", "path": "/pieces", "value": -2},
            {"op": "move", "from": "/inner/b", "path": "/moved"},
        ],
    )
    assert patched["tags"] == ["first", "red", "blue"]
    assert (patched["inner"], patched["moved"], patched["pieces"]) == ({"a": 3}, 2, 3)
    assert "old" not in patched


@pytest.mark.parametrize(
    "done",
    [
        {"op": "incr", "path": "/pieces", "value": 1},
        {"op": "set", "path": "/inner/deep/a", "value": 2},
        {"op": "add", "path": "/inner/list/0", "value": 0},
        {"op": "remove", "path": "/inner/list/0"},
        {"op": "move", "from": "/inner/deep", "path": "/moved"},
    ],
)
def test_a_patch_that_fails_half_way_changes_nothing(things: Any, done: dict[str, Any]) -> None:
    things.create_item({**CUP, "inner": {"deep": {"a": 1}, "list": [{"b": 1}]}})
    before = things.patch_item("cup", "china", [{"op": "set", "path": "/patched", "value": True}])
    operations = [done, {"op": "remove", "path": "/missing"}]
    with pytest.raises(exceptions.CosmosHttpResponseError) as caught:
        things.patch_item("cup", "china", operations)
    assert caught.value.status_code == 400
    assert things.read_item("cup", "china") == before


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("from c where c.pieces >= 5", True),
        ("from c where c.pieces > 5", False),
        ('from c where not is_defined(c.holds["ord_1"]) and c.pieces - 1 >= 4', True),
        ("from c where c.missing = 1", False),
        ("from c where c.note LIKE '50!%%' ESCAPE '!'", True),
        ('from c where c.note like "60!%%" escape "!"', False),
        ("from c where c['inner'] = {'a': {\"b\": 1}, c: 'x'}", True),
        ("from c where c['inner'] = {'a': 2}", False),
        ("from c where c.pieces = 5 ? c.note = '50% off' : false", True),
        ("from c where (c.pieces = 5 ? 'yes' : 'no') = 'no'", False),
        ("from c where c.pieces = 6 -- it's five\n or c.note = '50% off'", True),
        ("from c where c.pieces = 5 -- it's five\n and c.note = 'other'", False),
        ("from c where exists(select value t from t in c['tags'] where t = 'red')", True),
        ("from c where c.tags[0] = 'red' and c.pieces * 1e1 = 50 and c.pieces > .5", True),
        ("from c where c.pieces in (4, 5) and (c['inner']['c'] between 'w' and 'y')", True),
        ('from c where is_defined(c.holds["a"]) and not is_defined(c.holds["b"])', True),
        ('from c where is_defined(c.holds["b"])', False),
        ("from c where c.holds['a']['b'] = 1 and c.holds[\"a\"].b = 1 and c.holds['c'] = 'x'", True),
        ("from c where c.holds['a\\u0041'] = 1", False),
        ("from c where array_contains(['china', 'clay'], c.kind) and array_contains(c.tags, 'red')", True),
    ],
)
def test_a_conditional_patch(things: Any, condition: str, holds: bool) -> None:
    inner = {"a": {"b": 1}, "c": "x"}
    things.create_item({**CUP, "note": "50% off", "inner": inner, "holds": inner})
    change = [{"op": "set", "path": "/pieces", "value": 0}]
    if holds:
        things.patch_item("cup", "china", change, filter_predicate=condition)
    else:
        with pytest.raises(exceptions.CosmosAccessConditionFailedError):
            things.patch_item("cup", "china", change, filter_predicate=condition)
    assert things.read_item("cup", "china")["pieces"] == (0 if holds else 5)


@pytest.mark.parametrize(
    ("first", "second", "holds"),
    [
        ("from c where c.pieces >= 5", "from c where c.pieces >= 6", False),
        ("from c where c.pieces - 1 = 4", "from c where c.pieces -1 = 4", True),
        ("from c where c.pieces-1 = 4", "from c where c.pieces-2 = 4", False),
        ("from c where c.pieces > -1", "from c where c.pieces > -1e1", True),
        ("from c where c.pieces = 0x5", "from c where c.pieces = 0x6", False),
        ("from c where c.pieces = 5", "from c where c.pieces = '5'", False),
        ("from c where c.pieces = 5 -- five", "from c where c.pieces = 5 -- it's 6", True),
        ("from c where is_defined(c.holds['a'])", "from c where is_defined(c.holds['b'])", False),
        ("from c where is_defined(c['holds']['a'])", "from c where is_defined(c['holds']['b'])", False),
        ("from c where c.holds['a']['b'] = 1", 'from c where c[\'holds\']["a"]["b"] = 1', True),
        ("from c where c.tags[0] = 'red'", "from c where c.tags[1] = 'red'", False),
        ("from c join t in c['tags'] where t = 'red'", "from c join t in c['none'] where t = 'red'", False),
        ("from c where c.note like '50!%%' escape '!'", "from c where c.note like '50?%%' escape '?'", True),
        ("from c where {'a': 1}.a = 1", "from c where {'b': 1}.a = 1", False),
        ("from c where exists(select value t from t in c.tags where t = 'red')", "from c where \"%\" = '%'", True),
        ("from c where exists(select 'a' from t in c.tags)", "from c where exists(select 'b' from t in c.none)", False),
        ("from c where c.note = '50\\u0025 off'", "from c where c.note = '50\\u0026 off'", False),
    ],
)
def test_conditions_that_differ_in_their_values_are_told_apart(
    things: Any, first: str, second: str, holds: bool
) -> None:
    things.create_item({**CUP, "note": "50% off", "holds": {"a": {"b": 1}}})
    change = [{"op": "set", "path": "/seen", "value": 1}]
    things.patch_item("cup", "china", change, filter_predicate=first)
    if holds:
        things.patch_item("cup", "china", change, filter_predicate=second)
    else:
        with pytest.raises(exceptions.CosmosAccessConditionFailedError):
            things.patch_item("cup", "china", change, filter_predicate=second)
    things.patch_item("cup", "china", change, filter_predicate=first)


@pytest.mark.parametrize(
    ("known", "wrong", "place"),
    [
        ("from c where c.pieces = 5", "from c where c.pieces = 1e999", "SC1011"),
        ("from c where c.note != 'a'", "from c where c.note != '\\uD'", "SC1012"),
        ("from c where c.note not like 'a' escape '!'", "from c where c.note not like 'a' escape '!!'", "SC2207"),
        ("from c where {'a': 1, 'b': 2}.a = 1", "from c where {'a': 1, 'a': 2}.a = 1", "SC2022"),
        ("from c where c.note != 'a'", "from c where c.note != 'a", "SC1012"),
    ],
)
def test_a_wrong_value_is_refused_after_a_right_one(things: Any, known: str, wrong: str, place: str) -> None:
    things.create_item({**CUP, "note": "50% off"})
    change = [{"op": "set", "path": "/seen", "value": 1}]
    things.patch_item("cup", "china", change, filter_predicate=known)
    with pytest.raises(exceptions.CosmosHttpResponseError, match=place) as caught:
        things.patch_item("cup", "china", change, filter_predicate=wrong)
    assert caught.value.status_code == 400


def test_a_condition_is_compiled_once_whatever_values_stand_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []

    def counted(text: str, literals: Any) -> Any:
        compiled.append(text)
        return parse_open(text, literals)

    monkeypatch.setattr(conditions, "parse_open", counted)
    for number in range(50):
        order = f"from c where c.a - c.b >= {number} and not is_defined(c['counted'].of[\"order {number}\"])"
        assert conditions.holds(order, {"a": 100, "b": number, "counted": {"of": {}}}, 0.0)
    assert len(compiled) == 1


@pytest.mark.parametrize("condition", ["from c where c.pieces >", "where c.pieces = 5", "from c where COUNT(1) = 1"])
async def test_a_condition_that_is_none_is_refused(athings: Any, condition: str) -> None:
    before = await athings.create_item(CUP)
    change = [{"op": "set", "path": "/pieces", "value": 0}]
    with pytest.raises(exceptions.CosmosHttpResponseError) as caught:
        await athings.patch_item("cup", "china", change, filter_predicate=condition)
    assert caught.value.status_code == 400
    assert await athings.read_item("cup", "china") == before


def test_what_a_patch_moved_or_set_is_patched_where_it_is_alone(things: Any) -> None:
    things.create_item({**CUP, "inner": {"a": {"b": [1, {"c": 1}]}}})
    value = {"d": 1}
    things.patch_item(
        "cup",
        "china",
        [
            {"op": "set", "path": "/one", "value": value},
            {"op": "set", "path": "/one/d", "value": 2},
            {"op": "move", "from": "/inner/a", "path": "/two"},
            {"op": "incr", "path": "/two/b/1/c", "value": 1},
            {"op": "add", "path": "/two/b/-", "value": value},
            {"op": "remove", "path": "/two/b/2/d"},
        ],
    )
    things.patch_item("cup", "china", [{"op": "incr", "path": "/two/b/1/c", "value": 1}])
    read = things.read_item("cup", "china")
    assert (read["one"], read["two"], read["inner"]) == ({"d": 2}, {"b": [1, {"c": 3}, {}]}, {})
    changed = things.query_items("SELECT VALUE c.two.b FROM c WHERE c.one.d = 2", partition_key="china")
    assert list(changed) == [read["two"]["b"]]


@pytest.mark.parametrize(("stored", "added"), [(1e308, 1e308), (-1e308, -1e308), (10**308, 10**308), (10**308, 1e308)])
def test_a_number_is_not_incremented_beyond_a_double(things: Any, stored: float, added: float) -> None:
    before = things.create_item({**CUP, "pieces": stored})
    with pytest.raises(exceptions.CosmosHttpResponseError, match="largest number") as caught:
        things.patch_item("cup", "china", [{"op": "incr", "path": "/pieces", "value": added}])
    assert caught.value.status_code == 400
    assert things.read_item("cup", "china") == before


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), max_size=20))
def test_stock_moved_by_conditional_patches_never_goes_below_zero(moves: list[tuple[int, int]]) -> None:
    account = Account(None, SystemClock())
    account.create_database("d")
    container = account.create_container("d", {"id": "c", "partitionKey": {"paths": ["/id"]}})
    account.write(container, None, Operation("Create", "s", {"id": "s", "n": 3}))
    expected = 3
    for step, floor in moves:
        body = {
            "operations": [{"op": "incr", "path": "/n", "value": step}],
            "condition": f"from c where c.n + {step} >= {max(0, floor)}",
        }
        holds = expected + step >= max(0, floor)
        try:
            account.write(container, '["s"]', Operation("Patch", "s", body))
            assert holds
            expected += step
        except CosmosError:
            assert not holds
        assert account.read(container, '["s"]', "s").item.document["n"] == expected >= 0  # type: ignore[union-attr]  # it exists
    account.close()


@pytest.mark.parametrize("path", ["/kind", "/id", "/_etag"])
def test_what_decides_which_item_this_is_cannot_be_patched_or_moved_away(things: Any, path: str) -> None:
    before = things.create_item(CUP)
    for operation in ({"op": "remove", "path": path}, {"op": "move", "from": path, "path": "/elsewhere"}):
        with pytest.raises(exceptions.CosmosHttpResponseError, match="cannot be patched") as caught:
            things.patch_item("cup", "china", [operation])
        assert caught.value.status_code == 400
    assert things.read_item("cup", "china") == before
