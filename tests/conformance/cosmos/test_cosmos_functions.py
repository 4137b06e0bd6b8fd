"""Built-in functions, each with at least one example. Those of the documentation are computed as it says."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from azure.cosmos import exceptions

from localazure.clock import ManualClock
from localazure.cosmos.sql.functions import CLOCK, FUNCTIONS

UNDEFINED = object()

EXAMPLES: dict[str, dict[str, Any]] = {
    "arrays": {
        "ARRAY_AVG([1, 2, 3, 4])": 2.5,
        "ARRAY_AVG([])": UNDEFINED,
        "ARRAY_AVG([1, 'a'])": UNDEFINED,
        "ARRAY_CONCAT([1], ['a', null], [])": [1, "a", None],
        "ARRAY_CONCAT([1], 2)": UNDEFINED,
        "ARRAY_CONTAINS([{'a': 1, 'b': 2}], {'a': 1})": False,
        "ARRAY_CONTAINS([{'a': 1, 'b': {'c': 2, 'd': 3}}], {'b': {'c': 2}}, true)": True,
        "ARRAY_CONTAINS([1], true)": False,
        "ARRAY_CONTAINS_ALL([1, true, '3', [1, 2, 3]], 1, true, '3', [1, 2, 3])": True,
        "ARRAY_CONTAINS_ALL([1, 2, 3, 4], 2, 5)": False,
        "ARRAY_CONTAINS_ALL([1, 2], 1, undefined)": UNDEFINED,
        "ARRAY_CONTAINS_ALL([1, 2], 5, undefined)": False,
        "ARRAY_CONTAINS_ANY([1, 2, 3, 4], 2, 5)": True,
        "ARRAY_CONTAINS_ANY([], 1)": False,
        "ARRAY_CONTAINS_ANY([1, 2], 1, undefined)": True,
        "ARRAY_CONTAINS_ANY([1, 2], 5, undefined)": UNDEFINED,
        "ARRAY_LENGTH([1, 2])": 2,
        "ARRAY_LENGTH(null)": UNDEFINED,
        "ARRAY_MAX([1, 'a', true, null])": "a",
        "ARRAY_MAX([1, [2]])": UNDEFINED,
        "ARRAY_MEDIAN([1, 2, 3, 4])": 2.5,
        "ARRAY_MEDIAN([1, -2.7, 3, -4, undefined])": -0.8500000000000001,
        "ARRAY_MEDIAN([12, 'abc', true])": UNDEFINED,
        "ARRAY_MIN([1, 'a', true, null])": None,
        "ARRAY_SLICE([70, 86, 92, 99], 1, 2)": [86, 92],
        "ARRAY_SLICE([70, 86, 92, 99], -2)": [92, 99],
        "ARRAY_SUM([1, 2.5, undefined])": 3.5,
        "ObjectToArray({'a': 1, 'b': [2]})": [{"k": "a", "v": 1}, {"k": "b", "v": [2]}],
        "ObjectToArray({'a': 1}, 'name', 'is')": [{"name": "a", "is": 1}],
        "SetDifference([1, 2, 2, 3], [3])": [1, 2],
        "SetEqual([1, 2, 2], [2, 1])": True,
        "SetEqual([1], [2])": False,
        "SetIntersect([1, 2, 'A', 'B'], ['A', 1])": ["A", 1],
        "SetIntersect([1, 2], [1, 1])": [1],
        "SetUnion([1, 2, 'A'], ['A', 1.0, 3])": [1, 2, "A", 3],
    },
    "numbers": {
        "ABS(-1)": 1,
        "ACOS(-1)": math.pi,
        "ASIN(1)": math.pi / 2,
        "ATAN(-45.01)": -1.5485826962062663,
        "ATN2(35.175643, 129.44)": 0.265344532064832,
        "CEILING(-45.72)": -45,
        "COS(0)": 1,
        "COT(124.1332)": -0.040311998371148884,
        "DEGREES(PI())": 180,
        "EXP(0)": 1,
        "EXP(10000)": UNDEFINED,
        "FLOOR(-145.12)": -146,
        "FLOOR(null)": UNDEFINED,
        "IntAdd(20, 10)": 30,
        "IntAdd(20, 0.1)": UNDEFINED,
        "IntAdd(9223372036854775807, 1)": UNDEFINED,
        "IntBitAnd(15, 25)": 9,
        "IntBitLeftShift(16, 4)": 256,
        "IntBitNot(65)": -66,
        "IntBitOr(56, 100)": 124,
        "IntBitRightShift(-16, 2)": -4,
        "IntBitXor(56, 100)": 92,
        "IntDiv(-10, 3)": -3,
        "IntDiv(10, 0)": UNDEFINED,
        "IntMod(-12, 5)": -2,
        "IntMod(12, -5)": 2,
        "IntMul(5, -2)": -10,
        "IntSub(25, 50)": -25,
        "LOG(2, 10)": 0.30102999566398114,
        "LOG10(100)": 2,
        "NumberBin(37.752, 10)": 30,
        "NumberBin(37.752, 0.01)": 37.75,
        "NumberBin(37.752, 0)": UNDEFINED,
        "POWER(2, 10)": 1024,
        "POWER(-1, 0.5)": UNDEFINED,
        "RADIANS(180)": math.pi,
        "RAND() >= 0 AND RAND() < 1": True,
        "ROUND(2.5)": 3,
        "ROUND(-6.5)": -7,
        "SIGN(-2)": -1,
        "SIN(0)": 0,
        "SQRT(25)": 5,
        "SQRT(-1)": UNDEFINED,
        "SQUARE(3)": 9,
        "TAN(124.1332)": -24.80651023035602,
        "TRUNC(-2.78)": -2,
    },
    "strings": {
        "CONCAT('a', 'b', 'c')": "abc",
        "CONTAINS('AdventureWorks', 'works', true)": True,
        "CONTAINS_ALL_CI('AdventureWorks', 'works', 'ADV')": True,
        "CONTAINS_ALL_CS('AdventureWorks', 'Works', 'ADV')": False,
        "CONTAINS_ANY_CI('AdventureWorks', 'none', 'ADV')": True,
        "CONTAINS_ANY_CS('AdventureWorks', 'none', 'ADV')": False,
        "ContainsAllCI('AdventureWorks', 'works', 'ADV')": True,
        "ContainsAllCS('AdventureWorks', 'Works', 'ADV')": False,
        "ContainsAnyCI('AdventureWorks', 'none', 'ADV')": True,
        "ContainsAnyCS('AdventureWorks', 'none', 'ADV')": False,
        "ENDSWITH('AdventureWorks', 'works', true)": True,
        "INDEX_OF('AdventureWorks', 'e', 5)": 8,
        "INDEX_OF('AdventureWorks', 'Cosmos')": -1,
        "LASTINDEXOF('abcabc', 'b')": 4,
        "LASTINDEXOF('abcabc', 'b', 3)": 1,
        "LastSubstringAfter('a-b-c', '-')": "c",
        "LastSubstringBefore('a-b-c', '-')": "a-b",
        "LastSubstringBefore('a-b-c', '+')": UNDEFINED,
        "LEFT('AdventureWorks', 3)": "Adv",
        "LENGTH('AdventureWorks')": 14,
        "LENGTH(null)": UNDEFINED,
        "LOWER('AbC')": "abc",
        "LTRIM('  a ')": "a ",
        "LTRIM('AdventureWorks', 'Adventure')": "Works",
        "RegexExtract('SKU-93821-BLUE', '[0-9]+')": "93821",
        "RegexExtract('sku-93821', 'SKU-([0-9]+)', 'i', 1)": "93821",
        "RegexExtract('sku', '([0-9]+)', '', 2)": UNDEFINED,
        "RegexExtract('sku', '[0-9]')": UNDEFINED,
        "RegexExtractAll('A12-B34-C56', '[0-9]+')": ["12", "34", "56"],
        "RegexExtractAll('A12-B34', '[A-Z]([0-9])', '', 1)": ["1", "3"],
        "RegexReplace('A12-B34', '[0-9]+', '#')": "A#-B34",
        "RegexReplaceAll('A12-b34', '[a-z]', '\\\\1', 'i')": "\\112-\\134",
        "RegexMatch('abcd', 'ab c', 'x')": True,
        "RegexMatch('ab d', 'ab[ ]d # comment', 'x')": True,
        "RegexMatch('" + "a" * 40 + "b', '^(a+)+$')": False,
        "RegexMatch('a\\nB', '^b$', 'im')": True,
        "RegexMatch('abcd', '(', '')": UNDEFINED,
        "RegexMatch('abcd', 'a', 'q')": UNDEFINED,
        "REPLACE('AdventureWorksLT', 'LT', 'LT2')": "AdventureWorksLT2",
        "REPLICATE('Cosmic', 3)": "CosmicCosmicCosmic",
        "REPLICATE('a', 10001)": UNDEFINED,
        "REPLICATE('a', -1)": UNDEFINED,
        "REVERSE('abc')": "cba",
        "RIGHT('AdventureWorks', 5)": "Works",
        "RTRIM('AdventureWorks', 'Works')": "Adventure",
        "STARTSWITH('AdventureWorks', 'adv')": False,
        "STRINGEQUALS('a', 'A', true)": True,
        "StringJoin(['6', '7', '4'], 'A')": "6A7A4",
        "StringJoin(['6', 7], 'A')": UNDEFINED,
        "StringSplit('xenmoun mountain bike', 'moun')": ["xen", " ", "tain bike"],
        "StringSplit('Helmet', '')": ["Helmet"],
        "StringToArray('[ \"a\", [1], null ]')": ["a", [1], None],
        "StringToArray('{}')": UNDEFINED,
        "StringToBoolean(' false ')": False,
        "StringToBoolean('TRUE')": UNDEFINED,
        "StringToNull('null ')": None,
        "StringToNumber(' 60 ')": 60,
        "StringToNumber('-1.5e3')": -1500,
        "StringToNumber('NaN')": UNDEFINED,
        'StringToObject(\'{"a": {"b": 1}}\')': {"a": {"b": 1}},
        "StringToObject(\"{'a': 1}\")": UNDEFINED,
        "SubstringAfter('a-b-c', '-')": "b-c",
        "SubstringBefore('a-b-c', '-')": "a",
        "SubstringBefore('', 'x')": UNDEFINED,
        "SUBSTRING('AdventureWorks', 9, 5)": "Works",
        "ToString([1, {'b': 0.1234, 'a': 'x'}])": '[1,{"b":0.1234,"a":"x"}]',
        "ToString(undefined)": UNDEFINED,
        "TRIM('-_-AdventureWorks-_-', '-_')": "AdventureWorks",
        "UPPER('AbC')": "ABC",
    },
    "dates": {
        "DateTimeAdd('yyyy', 1, '2020-02-29T00:00:00.0000000')": "2021-02-28T00:00:00.0000000Z",
        "DateTimeAdd('mm', -2, '2020-01-31T10:00:00.1234567Z')": "2019-11-30T10:00:00.1234567Z",
        "DateTimeAdd('ss', 5 * -5, '2020-07-03')": "2020-07-02T23:59:35.0000000Z",
        "DateTimeAdd('nanosecond', 200, '2020-07-03')": "2020-07-03T00:00:00.0000002Z",
        "DateTimeAdd('hh', 0.5, '2020-07-03')": UNDEFINED,
        "DateTimeAdd('eon', 1, '2020-07-03')": UNDEFINED,
        "DateTimeAdd('yyyy', 9000, '2020-07-03')": UNDEFINED,
        "DateTimeBin('2021-01-08T18:35:00.0000000', 'hh', 5)": "2021-01-08T15:00:00.0000000Z",
        "DateTimeBin('2021-01-08T18:35:00.0000000', 'dd', 7, '1601-01-01')": "2021-01-04T00:00:00.0000000Z",
        "DateTimeBin('2021-01-08T18:35:00.0000000', 'ns', 250)": "2021-01-08T18:35:00.0000000Z",
        "DateTimeBin('2021-01-08', 'dd', 0)": UNDEFINED,
        "DateTimeBin('2021-01-08', 'yyyy')": UNDEFINED,
        "DateTimeDiff('yyyy', '2018-03-05T05:00:00.0000000', '2019-02-04T16:00:00.0000000')": 1,
        "DateTimeDiff('mm', '2019-02-04T16:00:00.0000000', '2018-03-05T05:00:00.0000000')": -11,
        "DateTimeDiff('hh', '2018-03-05T05:59:00', '2018-03-05T06:01:00')": 1,
        "DateTimeDiff('ns', '2018-03-05T05:59:00', '2018-03-05T05:59:00.0000001')": 100,
        "DateTimeFormat('2021-09-14T19:21:00.1234567Z', 'yyyy-MM-dd')": "2021-09-14",
        "DateTimeFormat('2021-09-04T00:21:05.1234567Z', 'yy y M MMM d ddd H HH h hh m s ss f fff t tt Y')": (
            "21 21 9 09 4 04 0 00 12 12 21 5 05 1 123 t AM Y"
        ),
        "DateTimeFormat('2021-09-14', '')": UNDEFINED,
        "DateTimeFormat('no date', 'yyyy')": UNDEFINED,
        "DateTimeFromParts(2017, 4, 20, 13, 15, 20, 3456789)": "2017-04-20T13:15:20.3456789Z",
        "DateTimeFromParts(-2000, -1, -1)": UNDEFINED,
        "DateTimePart('mcs', '2016-05-29T08:30:00.1301617')": 130161,
        "DateTimePart('hh', '2016-05-29 08:30:00Z')": 8,
        "DateTimeToTicks('2015-05-19T12:00:00.0000000')": 14320368000000000,
        "DateTimeToTimestamp('2015-05-19T12:00:00.0000000')": 1432036800000,
        "DateTimeToTimestamp('not a date')": UNDEFINED,
        "DAY('2016-05-29')": 29,
        "MONTH('2016-05-29')": 5,
        "TicksToDateTime(15973607943002652)": "2020-08-13T23:19:54.3002652Z",
        "TimestampToDateTime(-11644473600000)": "1601-01-01T00:00:00.0000000Z",
        "YEAR('2016-05-29')": 2016,
    },
    "types": {
        "CHOOSE(2, 'abc', 1, true)": 1,
        "CHOOSE(0, 'abc')": UNDEFINED,
        "DOCUMENTID({'_rid': '0000000100000010'})": 16,
        "IIF(true, 123, 456)": 123,
        "IIF('true', 123, 456)": 456,
        "IS_ARRAY([])": True,
        "IS_BOOL(1)": False,
        "IS_BOOLEAN(true)": True,
        "IS_DATETIME('2023-03-06 15:29:59.9Z')": True,
        "IS_DATETIME('2023-02-30')": False,
        "IS_DATETIME('2023-03-06T15:29')": False,
        "IS_DEFINED({}.a)": False,
        "IS_FINITE_NUMBER(8.9 / 0.0)": False,
        "IS_FINITE_NUMBER(1.5)": True,
        "IS_INTEGER(9223372036854775807)": True,
        "IS_INTEGER(18446744073709551615)": False,
        "IS_INTEGER(1.5)": False,
        "IS_NULL(null)": True,
        "IS_NUMBER(true)": False,
        "IS_OBJECT({})": True,
        "IS_PRIMITIVE([])": False,
        "IS_STRING('')": True,
    },
    "like": {
        "'SO5PS' LIKE 'SO[0-9]PS'": True,
        "'SOxPS' LIKE 'SO[^abc]PS'": True,
        "'SOaPS' LIKE 'SO[^abc]PS'": False,
        "'20-30%' LIKE '20-30[%]'": True,
        "'_n' LIKE '[_]n' AND NOT ('an' LIKE '[_]n')": True,
        "'100% sure' LIKE '%0^%%' ESCAPE '^'": True,
        "']' LIKE ']'": True,
        "1 LIKE '1'": UNDEFINED,
    },
}


@pytest.mark.parametrize("group", EXAMPLES)
def test_functions_compute_what_the_documentation_says(things: Any, group: str) -> None:
    query = "SELECT VALUE {" + ", ".join(f"'e{place}': {text}" for place, text in enumerate(EXAMPLES[group])) + "}"
    (found,) = list(things.query_items(query, enable_cross_partition_query=True))
    for place, (text, expected) in enumerate(EXAMPLES[group].items()):
        assert (text, found.get(f"e{place}", UNDEFINED)) == (text, expected)
        assert type(found.get(f"e{place}", UNDEFINED)) is type(expected) or isinstance(expected, float)


async def test_functions_of_the_time(athings: Any, clock: ManualClock) -> None:
    await clock.advance(1_700_000_123.25 - clock.time())
    expected = {
        "GetCurrentDateTime()": "2023-11-14T22:15:23.2500000Z",
        "GetCurrentDateTimeStatic()": "2023-11-14T22:15:23.2500000Z",
        "GetCurrentTicks()": 17_000_001_232_500_000,
        "GetCurrentTicksStatic()": 17_000_001_232_500_000,
        "GetCurrentTimestamp()": 1_700_000_123_250,
        "GetCurrentTimestampStatic()": 1_700_000_123_250,
        "Now()": "2023-11-14T22:15:23.2500000Z",
        "Now('dd', 1)": "2023-11-15T22:15:23.2500000Z",
        "Ago('hour', 23)": "2023-11-13T23:15:23.2500000Z",
    }
    found = [value async for value in athings.query_items(f"SELECT VALUE [{', '.join(expected)}]")]
    assert found == [list(expected.values())]
    assert {name.partition("(")[0].upper() for name in expected} == set(CLOCK)


def test_every_function_has_an_example() -> None:
    text = " ".join(example for group in EXAMPLES.values() for example in group)
    assert set(FUNCTIONS) <= {name.upper() for name in re.findall(r"(\w+)\(", text)}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("ABS()", "The ABS function requires 1 argument"),
        ("ARRAY_CONCAT([1])", "The ARRAY_CONCAT function requires at least 2 argument"),
        ("CONTAINS('a')", "The CONTAINS function requires 2 to 3 argument"),
        ("GetCurrentDateTime(1)", "The GetCurrentDateTime function requires 0 argument"),
    ],
)
def test_a_wrong_number_of_arguments_is_refused(things: Any, call: str, message: str) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError, match=message) as caught:
        list(things.query_items(f"SELECT VALUE {call}", enable_cross_partition_query=True))
    assert caught.value.status_code == 400
    assert "SC2050" in caught.value.http_error_message


@pytest.mark.parametrize(
    "name",
    ["ST_DISTANCE", "ST_WITHIN", "VectorDistance", "FullTextContains", "FullTextScore", "RRF"],
)
def test_a_function_that_is_not_here_is_refused_by_name(things: Any, name: str) -> None:
    with pytest.raises(
        exceptions.CosmosHttpResponseError,
        match=f"'{name.upper()}' is not a recognized built-in function name of the local",
    ) as caught:
        list(things.query_items(f"SELECT VALUE {name}(c.a, c.b) FROM c", enable_cross_partition_query=True))
    assert caught.value.status_code == 400


@pytest.mark.parametrize("pattern", ["(?=a)b", "(a)\\1", "(?<!a)b"])
def test_what_no_linear_engine_has_is_refused_by_name(things: Any, pattern: str) -> None:
    things.create_item({"id": "1", "kind": "a", "s": "ab"})
    given = [{"name": "@p", "value": pattern}]
    with pytest.raises(exceptions.CosmosHttpResponseError, match="lookaround, backreferences") as caught:
        list(things.query_items("SELECT VALUE RegexMatch(c.s, @p) FROM c", parameters=given, partition_key="a"))
    assert caught.value.status_code == 400
