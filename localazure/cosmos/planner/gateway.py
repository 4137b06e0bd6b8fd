"""What the service's gateway does not serve itself: a query over several partitions whose results have to be merged.

It answers with the plan, by which newer clients do the merging; what they cannot merge that way it refuses in words.
Source: published answers of the service.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

from localazure.cosmos.errors import BadRequest
from localazure.cosmos.planner.plan import Layout, plan
from localazure.cosmos.sql.binder import bound
from localazure.cosmos.sql.grouping import is_aggregated

NOT_SERVED = (
    "The provided cross partition query can not be directly served by the gateway. This is a first chance (internal) "
    "exception that all newer clients will know how to handle gracefully. This exception is traced, but unless you see "
    "it bubble up as an exception (which only happens on older SDK clients), then you can safely ignore this message."
)
_ONLY_VALUE = "Cross partition query only supports 'VALUE <AggregateFunc>' for aggregates."
_NOT_SERVABLE = 1004


class Merging(Enum):
    """What a client has to do with the results of several partitions."""

    NONE = "they follow one another"
    BY_PLAN = "the plan that comes with the refusal says it"
    UNKNOWN = "older clients cannot do it: newer ones ask for the plan"


def check(text: str, parameters: Mapping[str, Any], layout: Layout) -> None:
    """Raises BadRequest for a query that is not served, with its plan where the service adds it."""
    kind = merging(text)
    if kind is Merging.NONE:
        return
    found = plan(text, parameters, layout)
    spans = found["queryRanges"]
    if len(spans) == 1 and spans[0]["min"] == spans[0]["max"]:
        return  # one partition has it all
    if kind is Merging.UNKNOWN:
        raise BadRequest(_ONLY_VALUE)
    raise BadRequest(NOT_SERVED, _NOT_SERVABLE, json.dumps(found, ensure_ascii=False, separators=(",", ":")))


@lru_cache(maxsize=512)
def merging(text: str) -> Merging:
    """Raises QueryError."""
    query = bound(text)
    if not query.sources:
        return Merging.NONE
    if query.group or (is_aggregated(query) and query.select.kind != "VALUE"):
        return Merging.UNKNOWN
    if is_aggregated(query) or query.order or query.distinct or query.top is not None or query.offset is not None:
        return Merging.BY_PLAN
    return Merging.NONE
