"""The language of rules: what its filters decide, what its actions change, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from localazure.servicebus.filters import REMOVED, CorrelationFilter, SqlAction, SqlFilter
from localazure.servicebus.operators import EvaluationError
from localazure.servicebus.sql import key


def known(properties: dict[str, Any]) -> dict[str, Any]:
    """`sys.Label` and `size` → as the engine finds them."""
    return {key(name[4:], "sys") if name.startswith("sys.") else key(name): v for name, v in properties.items()}


@pytest.mark.parametrize(
    ("text", "properties", "fits"),
    [
        ("size > 10", {"size": 11}, True),
        ("size > 10", {"size": 10}, False),
        ("size >= 10 AND size <= 10", {"size": 10}, True),
        ("size < 10", {"size": 9.5}, True),
        ("size <> 10 AND size != 11", {"size": 10}, False),
        ("name < 'b'", {"name": "a"}, True),
        ("1=1", {}, True),
        # unknown is neither true nor false
        ("size > 10", {}, False),
        ("NOT (size > 10)", {}, False),
        ("size > 10 OR size IS NULL", {}, True),
        ("size > 10 AND 1 = 0", {}, False),
        ("NOT (size > 10 AND 1 = 0)", {}, True),
        ("size = NULL", {"size": 1}, False),
        ("size NOT IN (1, 2)", {}, False),
        ("name NOT LIKE 'a%'", {}, False),
        ("size + 1 > 0", {}, False),
        ("-size < 0", {}, False),
        # tests
        ("size IS NULL", {}, True),
        ("size IS NOT NULL AND color IN ('red', 'it''s')", {"size": 1, "color": "it's"}, True),
        ("color NOT IN ('red', 'blue')", {"color": "green"}, True),
        ("sys.Label LIKE 'order.%' OR EXISTS(vip)", {"sys.Label": "order.placed"}, True),
        ("sys.Label LIKE 'order.%' OR EXISTS(vip)", {"vip": False}, True),
        ("EXISTS(vip)", {}, False),
        ("EXISTS(sys.Label)", {"sys.Label": "x"}, True),
        ("name LIKE 'a_c'", {"name": "abc"}, True),
        ("name LIKE 'a.c'", {"name": "abc"}, False),
        (r"name LIKE 'ABC\%' ESCAPE '\'", {"name": "ABC%"}, True),
        (r"name LIKE 'ABC\%' ESCAPE '\'", {"name": "ABCD"}, False),
        ("name NOT LIKE 'a%'", {"name": "b"}, True),
        # arithmetic as in C#
        ("(a + b) * 2 = 10 AND [odd name] <> TRUE", {"a": 2, "b": 3, "odd name": False}, True),
        ("7 / 2 = 3 AND -7 / 2 = -3 AND 7.0 / 2 = 3.5", {}, True),
        ("7 % 3 = 1 AND -7 % 3 = -1 AND 7.5 % 2 = 1.5", {}, True),
        ("2 + 3 * 4 - +1 = 13", {}, True),
        ("101.5E2 = 10150 AND 5e-1 = 0.5", {}, True),
        ("a + b = 'xy'", {"a": "x", "b": "y"}, True),
        # names
        ("SIZE = 1 and User.Size = 1", {"size": 1}, True),
        ("SYS.label = 'x'", {"sys.Label": "x"}, True),
        ('"Contoso & ""Northwind""" = 1 AND [a]]b] = 2', {'Contoso & "Northwind"': 1, "a]b": 2}, True),
        ("größe = 1", {"größe": 1}, True),
        ("android = 1 AND order = 2 AND notify = 3 AND existing = 4", {"android": 1, "order": 2, "notify": 3,
                                                                        "existing": 4}, True),
        # precedence
        ("a = 1 OR a = 2 AND b = 3", {"a": 1, "b": 0}, True),
        ("NOT a = 1 AND b = 1", {"a": 2, "b": 1}, True),
        # functions
        ("property('na' + 'me') = 'x' AND p('sys.Label') = 'l'", {"name": "x", "sys.Label": "l"}, True),
        ("newid() = newid()", {}, False),
        ("flag = TRUE", {"flag": 1 == 1}, True),
    ],
)  # fmt: skip
def test_a_sql_filter_decides_as_the_language_says(text: str, properties: dict[str, Any], fits: bool) -> None:
    assert SqlFilter(text).fits(known(properties)) is fits


@pytest.mark.parametrize(
    ("text", "properties"),
    [
        ("size > 10", {"size": "eleven"}),
        ("flag = 1", {"flag": True}),
        ("flag > FALSE", {"flag": True}),
        ("name + 1 = 2", {"name": "x"}),
        ("flag + 1 = 2", {"flag": True}),
        ("-name = 1", {"name": "x"}),
        ("size / 0 = 1", {"size": 1}),
        ("size % 0 = 1", {"size": 1}),
        ("size LIKE '1%'", {"size": 1}),
        ("name LIKE 'a' ESCAPE 'ab'", {"name": "a"}),
        ("property(1) = 1", {}),
        ("property('sys.Nothing') = 1", {}),
    ],
)
def test_what_has_no_value_for_a_message_is_an_evaluation_error(text: str, properties: dict[str, Any]) -> None:
    with pytest.raises(EvaluationError):
        SqlFilter(text).fits(known(properties))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "cannot be read"),
        ("size >", "cannot be read"),
        ("size = = 1", "cannot be read"),
        ("DROP TABLE x", "cannot be read"),
        ("size BETWEEN 1 AND 2", "cannot be read"),
        ("UPPER(name) = 'X'", "cannot be read"),
        ("size = 1;", "cannot be read"),
        ("flag", "a value stands where a predicate belongs"),
        ("NOT flag", "a value stands where a predicate belongs"),
        ("(size = 1) = 1", "a predicate stands where a value belongs"),
        ("1 + 1 IS NULL", "IS NULL asks about a property"),
        ("sys.Colour = 'red'", "no system property sys.Colour"),
        ("sys.EnqueuedTimeUtc IS NULL", "sys.EnqueuedTimeUtc is not supported in rules by the local server"),
        ("size = @wanted", "names @wanted, but no such parameter is given"),
    ],
)
def test_a_sql_filter_that_is_not_of_the_language_is_refused(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        _ = SqlFilter(text).compiled


def test_a_sql_filter_takes_parameters() -> None:
    found = SqlFilter("size > @least AND color = @Color", {"@least": 10, "@color": "red"})
    assert found.fits(known({"size": 11, "color": "red"}))
    assert not found.fits(known({"size": 10, "color": "red"}))


def test_a_correlation_filter_asks_for_everything_it_names() -> None:
    found = CorrelationFilter({"Label": "a"}, {"x": 1})
    assert found.fits(known({"sys.Label": "a", "X": 1, "y": 2}))
    assert not found.fits(known({"sys.Label": "a"}))
    assert not found.fits(known({"sys.Label": "A", "x": 1}))
    assert not found.fits(known({"sys.Label": "a", "x": True}))


def test_an_actions_statements_see_what_the_ones_before_them_did() -> None:
    action = SqlAction("SET a = 1; SET b = a + 1 SET sys.Label = 'x' + sys.Label; REMOVE c; SET d = c")
    assert action.changes(known({"c": 5, "sys.Label": "y"})) == {
        "user.a": 1, "user.b": 2, "sys.Label": "xy", "user.c": REMOVED, "user.d": None,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "SET a", "SET a = 1 = 2", "DELETE a", "SET sys.Colour = 1", "SET a = b = 1"])
def test_an_action_that_is_not_of_the_language_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be read|no system property"):
        _ = SqlAction(text).compiled
