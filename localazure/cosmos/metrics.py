"""What a query can be told about itself: how long it took, what it looked at, and which paths an index serves.

Every path is indexed unless the container's policy says otherwise, and the local server reads no index at all: the
index metrics name the properties that WHERE compares, as those that the service would look up.
Source: the sources of azure-cosmos 4.17 and @azure/cosmos 4.9 (the form of both headers).
"""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

from aiohttp import web

from localazure.cosmos import requests
from localazure.cosmos.queries import Answer
from localazure.cosmos.sql.binder import bound
from localazure.cosmos.sql.paths import compared

_ASKED = "x-ms-documentdb-populatequerymetrics"
_INDEX_ASKED = "x-ms-cosmos-populateindexmetrics"
_INDEX_ASKED_V2 = "x-ms-cosmos-populateindexmetrics-V2"
_INDEX = "x-ms-cosmos-index-utilization"


def metrics(request: web.Request, text: str, answer: Answer) -> dict[str, str]:
    """The headers that the client asked for."""
    found: dict[str, str] = {}
    if requests.says(request, _ASKED):
        found["x-ms-documentdb-query-metrics"] = _query_metrics(answer)
    if requests.says(request, _INDEX_ASKED):
        found[_INDEX] = _index_metrics(text)
    if requests.says(request, _INDEX_ASKED_V2):
        found[_INDEX] = _index_metrics_v2(text)
    return found


def _query_metrics(answer: Answer) -> str:
    size, count = sum(map(len, answer.texts)), len(answer.texts)
    numbers = {
        "totalExecutionTimeInMs": "0.00",
        "queryCompileTimeInMs": "0.00",
        "queryLogicalPlanBuildTimeInMs": "0.00",
        "queryPhysicalPlanBuildTimeInMs": "0.00",
        "queryOptimizationTimeInMs": "0.00",
        "VMExecutionTimeInMs": "0.00",
        "indexLookupTimeInMs": "0.00",
        "documentLoadTimeInMs": "0.00",
        "systemFunctionExecuteTimeInMs": "0.00",
        "userFunctionExecuteTimeInMs": "0.00",
        "retrievedDocumentCount": str(answer.looked_at),
        "retrievedDocumentSize": str(size),
        "outputDocumentCount": str(count),
        "outputDocumentSize": str(size),
        "writeOutputTimeInMs": "0.00",
        "indexUtilizationRatio": f"{count / answer.looked_at if answer.looked_at else 1:.2f}",
    }
    return ";".join(f"{name}={value}" for name, value in numbers.items())


def _index_metrics(text: str) -> str:
    """The first form: base64."""
    indexes = [
        {
            "FilterExpression": "",
            "IndexSpec": f"{path}/?",
            "FilterPreciseSet": True,
            "IndexPreciseSet": True,
            "IndexImpactScore": "High",
        }
        for path in sorted(_compared(text))
    ]
    described = {
        "UtilizedSingleIndexes": indexes,
        "PotentialSingleIndexes": [],
        "UtilizedCompositeIndexes": [],
        "PotentialCompositeIndexes": [],
    }
    return base64.b64encode(json.dumps(described).encode()).decode()


def _index_metrics_v2(text: str) -> str:
    """The second form: percent-encoded."""
    indexes = [{"IndexSpec": f"{path}/?"} for path in sorted(_compared(text))]
    nothing: list[Any] = []
    described = {
        "Utilized": {"SingleIndexes": indexes, "CompositeIndexes": nothing},
        "Potential": {"SingleIndexes": nothing, "CompositeIndexes": nothing},
    }
    return quote(json.dumps(described))


def _compared(text: str) -> set[str]:
    """The paths of the properties that the query's WHERE is about."""
    tree = bound(text)
    return (
        set() if tree.where is None else {"".join(f"/{step}" for step in path) for path in compared(tree.where, tree)}
    )
