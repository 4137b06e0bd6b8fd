"""Queries made of the grammar: most of them right, some refused, for a comparison with Microsoft's planner."""

from __future__ import annotations

from hypothesis import strategies as st

Texts = st.SearchStrategy[str]

PATHS = st.sampled_from(["c.a", "c.b", "c.pk", 'c["d e"]', "c.f[0]", "c.g.h", "c"])
PROPERTIES = st.sampled_from(["c.a", "c.b", "c.pk", 'c["d e"]', "c.g.h"])
CONSTANTS = st.sampled_from(["1", "-2", "0.5", "'x'", '"y"', "true", "null", "0x1F", "[1, 2]", "{'k': 1}"])
BINARY = st.sampled_from("= != < <= > >= + - * / % & | ^ << >> >>> || AND OR ??".split())
FUNCTIONS = st.sampled_from(["ABS", "LOWER", "IS_DEFINED", "Length", "IS_NULL", "ARRAY_LENGTH", "NOSUCH"])
AGGREGATES = st.sampled_from(["COUNT", "SUM", "AVG", "MIN", "MAX", "COUNTIF"])
WORDS = st.sampled_from(["x", "y", "z", "value", "first", "order"])


def _larger(inner: Texts) -> Texts:
    return st.one_of(
        st.builds("{} {} {}".format, inner, BINARY, inner),
        st.builds("({} {} {})".format, inner, BINARY, inner),
        st.builds("{}({})".format, FUNCTIONS, inner),
        st.builds("NOT {}".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("{} IN ({}, {})".format, inner, inner, inner),
        st.builds("({} BETWEEN {} AND {})".format, inner, inner, inner),
        st.builds("{} LIKE 'a%'".format, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{{{}: {}, 'q': {}}}".format, WORDS, inner, inner),
        st.builds("{{'k': {}}}.k".format, inner),
        st.builds("[{}, {}][0]".format, inner, inner),
        st.builds("IIF({}, {}, {})".format, inner, inner, inner),
        st.builds("(SELECT VALUE {})".format, inner),
        st.builds("EXISTS(SELECT VALUE t FROM t IN c.tags WHERE {})".format, inner),
        st.builds("ARRAY(SELECT t AS one, {} AS two FROM t IN c.tags)".format, inner),
    )


EXPRESSIONS: Texts = st.recursive(st.one_of(PATHS, CONSTANTS), _larger, max_leaves=5)
CONDITIONS: Texts = st.one_of(EXPRESSIONS, st.builds("c.pk = {} AND {}".format, CONSTANTS, EXPRESSIONS))
AGGREGATED: Texts = st.builds("{}({})".format, AGGREGATES, EXPRESSIONS)
COLUMNS: Texts = st.builds(
    "{}{}".format, st.one_of(EXPRESSIONS, AGGREGATED), st.one_of(st.just(""), WORDS.map(" AS {}".format))
)
SELECTIONS: Texts = st.one_of(
    st.just("*"),
    st.one_of(EXPRESSIONS, AGGREGATED).map("VALUE {}".format),
    st.lists(COLUMNS, min_size=1, max_size=3).map(", ".join),
)
SOURCES = st.sampled_from(
    [
        "c",
        "c JOIN t IN c.tags",
        "c JOIN (SELECT VALUE t FROM t IN c.tags) AS u",
        "(SELECT * FROM c WHERE c.a = 1) AS c",
        "(SELECT DISTINCT c.a, c.pk FROM c) AS c",
        "root c",
    ]
)
SORTS = st.builds("{}{}".format, st.one_of(PATHS, EXPRESSIONS), st.sampled_from(["", " ASC", " DESC"]))


def _optional(clause: str, inner: Texts) -> Texts:
    return st.one_of(st.just(""), inner.map(f" {clause} {{}}".format))


QUERIES: Texts = st.builds(
    "SELECT{}{} {} FROM {}{}{}{}{}".format,
    st.sampled_from(["", "", " DISTINCT"]),
    st.sampled_from(["", "", " TOP 3"]),
    SELECTIONS,
    SOURCES,
    _optional("WHERE", CONDITIONS),
    _optional("GROUP BY", st.lists(PROPERTIES, min_size=1, max_size=2).map(", ".join)),
    _optional("ORDER BY", st.lists(SORTS, min_size=1, max_size=2).map(", ".join)),
    st.sampled_from(["", "", "", " OFFSET 1 LIMIT 2"]),
)
