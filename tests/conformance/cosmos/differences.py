"""Where the local server and Microsoft's planner differ in the recorded queries: everywhere, each with its reason."""

from __future__ import annotations

UDF = "user-defined functions are refused by name: there is nothing to run them in"
VECTOR = "vector functions are refused by name"
LATER = "the first error is the same; what follows from it is told in another number of errors"
SORTED = "ORDER BY takes paths alone: the planner folds a subquery with clauses first"
MISSING = "a parameter that was not given is refused by name when the query runs; the planner takes it as undefined"
TYPES = "the planner knows from the types of operands that nothing can come of it; here the documents are looked at"
RANGES = "the planner concludes more of the partition key; here all partitions are looked at, with the same results"

_BY_REASON = {
    TYPES: [
        "SELECT * FROM c WHERE c.a = NaN",
        "SELECT * FROM c WHERE NOT c.a LIKE 'b'",
        "SELECT * FROM c WHERE NOT c.a BETWEEN 1 AND 2",
        "SELECT * FROM c WHERE c.a = 1 BETWEEN 1 AND 2",
        "SELECT * FROM c WHERE c.a = 1 = 2",
        "SELECT * FROM c WHERE c.a < 1 < 2",
        "SELECT * FROM c WHERE c.a = 1 < 2",
        "SELECT VALUE UPPER(c.a).b FROM c",
        "SELECT VALUE (SELECT VALUE 1).x FROM c",
        "SELECT VALUE NOT c.a BETWEEN 1 AND 2 FROM c ORDER BY c.zz",
        "SELECT VALUE NOT c.a LIKE 'x' FROM c ORDER BY c.zz",
        "SELECT VALUE NOT c.a + 1 FROM c ORDER BY c.zz",
        "SELECT VALUE NOT c.a < 1 FROM c ORDER BY c.zz",
        "SELECT VALUE c.a < 1 < 2 FROM c ORDER BY c.zz",
        "SELECT VALUE c.a = 1 < 2 FROM c ORDER BY c.zz",
        "SELECT VALUE c.a + c.b || c.d FROM c ORDER BY c.zz",
        "SELECT VALUE c.a || c.b + c.d FROM c ORDER BY c.zz",
        "SELECT VALUE c.a || c.b | c.d FROM c ORDER BY c.zz",
        "SELECT VALUE c.a | c.b || c.d FROM c ORDER BY c.zz",
        "SELECT VALUE c.a LIKE c.b = c.d FROM c ORDER BY c.zz",
        "SELECT VALUE ABS(c.a BETWEEN 1 AND 2) FROM c ORDER BY c.zz",
        "SELECT VALUE (c.a + 1).b FROM c ORDER BY c.zz",
        "SELECT VALUE NOT -c.a FROM c ORDER BY c.zz",
        "SELECT VALUE -NOT c.a FROM c ORDER BY c.zz",
        "SELECT * FROM c WHERE c.pk = NaN",
        "SELECT VALUE COUNTIF(1) FROM c",
    ],
    MISSING: [
        "SELECT * FROM c WHERE c.a = @p",
        "SELECT * FROM c WHERE c.a = @p-1",
        "SELECT * FROM c WHERE c.a = @p.x",
        "SELECT * FROM c WHERE c.a = @p[0]",
        "SELECT VALUE @p FROM c ORDER BY c.zz",
        "SELECT VALUE @p.x FROM c ORDER BY c.zz",
        'SELECT VALUE @p["x"][0] FROM c ORDER BY c.zz',
        "SELECT * FROM c WHERE c.pk IN ('a', @p)",
        "SELECT VALUE @p.x.y FROM c",
    ],
    UDF: [
        "SELECT VALUE udf.f(c.a) FROM c",
        "SELECT VALUE udf.f(c.a, 1) FROM c ORDER BY c.a",
        "SELECT VALUE udf.f() FROM c ORDER BY c.zz",
        "SELECT VALUE udf.F(1) FROM c ORDER BY c.zz",
        "SELECT * FROM c WHERE c.pk = udf.f()",
        "SELECT udf.f(c.a) FROM c ORDER BY udf.f(c.a)",
    ],
    LATER: [
        "SELECT * FROM c OFFSET @a LIMIT @b",
        "SELECT c.a FROM c GROUP BY (SELECT VALUE c.a)",
        "SELECT COUNT(1) AS n, (SELECT VALUE MAX(t) FROM t IN c.x) AS y FROM c",
    ],
    VECTOR: [
        "SELECT * FROM c ORDER BY VectorDistance(c.a, [1,2])",
    ],
    RANGES: [
        "SELECT * FROM c WHERE c.pk LIKE 'a'",
        "SELECT * FROM c WHERE (c.pk = 'a') = true",
        "SELECT * FROM c WHERE c.pk = 'a' = true",
        "SELECT * FROM c WHERE EXISTS(SELECT VALUE 1 FROM t IN c.tags WHERE c.pk = 'a')",
        "SELECT * FROM c WHERE c.pk = 'a' ? true : false",
        "SELECT * FROM c WHERE c.pk = 'a' ?? false",
        "SELECT * FROM c WHERE (c.pk ?? 'x') = 'a'",
        'SELECT * FROM c WHERE c = {"pk": "a"}',
        "SELECT * FROM c WHERE ARRAY_CONTAINS(['a','b'], c.pk)",
        "SELECT * FROM c WHERE StringEquals(c.pk, 'a')",
    ],
    SORTED: [
        "SELECT VALUE c FROM c ORDER BY (SELECT VALUE c.a WHERE true)",
        "SELECT VALUE c FROM c ORDER BY (SELECT VALUE c.a FROM c)",
    ],
}
DIFFERENCES = {query: reason for reason, queries in _BY_REASON.items() for query in queries}

OURS_ALONE = {
    "SELECT VALUE udf.f(c.a) FROM c": "user-defined functions are not supported by the local server: udf.f",
    "SELECT VALUE ST_DISTANCE(c.a, c.b) FROM c": "'ST_DISTANCE' is not a recognized built-in function name",
    "SELECT VALUE VectorDistance(c.a, [1]) FROM c": "'VECTORDISTANCE' is not a recognized",
    "SELECT * FROM c WHERE FullTextContains(c.a, 'x')": "'FULLTEXTCONTAINS' is not a recognized",
    "SELECT * FROM c ORDER BY RANK FullTextScore(c.a, 'x')": "ORDER BY RANK is not supported by the local server",
    "SELECT VALUE HASH(c.a) FROM c": "'HASH' is not a recognized",
    "SELECT VALUE C_Int32(c.a) FROM c": "'C_Int32' is not a recognized",
    f"SELECT * FROM c WHERE {'NOT ' * 200}c.a": "The query is too complex to be processed",
}
"""Queries that Microsoft's planner takes and the local server refuses, and what it says of them."""
