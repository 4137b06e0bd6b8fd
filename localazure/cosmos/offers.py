"""Offers: the throughput of a database or a container, a fixed one or one that scales by itself up to a maximum.

The local server never throttles by it. It decides how many physical ranges a container has: one for each 10,000 RU/s.
Source: "Provision throughput in Azure Cosmos DB", "Partitioning and horizontal scaling"; "Offers" (REST reference).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from localazure.cosmos import rids
from localazure.cosmos.errors import BadRequest

THROUGHPUT_OF_A_RANGE = 10_000
_LEAST, _STEP = 400, 100
_LEAST_MAXIMUM, _STEP_OF_MAXIMUM = 1000, 1000


@dataclass(frozen=True)
class Offer:
    """`resource` is the resource id of what it is for, `link` its address by resource ids."""

    number: int
    resource: str
    link: str
    content: dict[str, Any]

    def described(self, ts: int) -> dict[str, Any]:
        rid = rids.offer(self.number)
        return {
            "id": rid,
            "_rid": rid,
            "_self": f"offers/{rid}/",
            "_etag": f'"{ts:08x}-0000-0000-0000-{self.number:012x}"',
            "_ts": ts,
            "offerVersion": "V2",
            "offerType": "Invalid",
            "offerResourceId": self.resource,
            "resource": self.link,
            "content": self.content,
        }


def ranges(content: dict[str, Any]) -> int:
    """How many physical ranges an offer with this content takes at least."""
    settings = content.get("offerAutopilotSettings")
    units = settings["maxThroughput"] if settings else content["offerThroughput"]
    return -(-int(units) // THROUGHPUT_OF_A_RANGE)


def fixed(units: Any) -> dict[str, Any]:
    """The content of an offer of a fixed throughput. Raises BadRequest."""
    if type(units) is not int or units < _LEAST or units % _STEP:
        raise BadRequest(f"the throughput of an offer is a multiple of {_STEP} from {_LEAST} up, not {units!r}")
    return {"offerThroughput": units, "offerIsRUPerMinuteThroughputEnabled": False}


def scaling(maximum: Any) -> dict[str, Any]:
    """The content of an offer that scales by itself; at rest it is a tenth. Raises BadRequest."""
    if type(maximum) is not int or maximum < _LEAST_MAXIMUM or maximum % _STEP_OF_MAXIMUM:
        raise BadRequest(
            f"the maximum throughput of an offer is a multiple of {_STEP_OF_MAXIMUM} from {_LEAST_MAXIMUM} up, "
            f"not {maximum!r}"
        )
    return {"offerThroughput": maximum // 10, "offerAutopilotSettings": {"maxThroughput": maximum}}


def replaced(old: Offer, document: Any, to_manual: bool, to_scaling: bool) -> dict[str, Any]:
    """The content of the offer after a replace with the document; it changes its kind by an order alone.

    Raises BadRequest.
    """
    content = document.get("content") if isinstance(document, dict) else None
    if not isinstance(content, dict):
        raise BadRequest("an offer is an object with the property content")
    settings = content.get("offerAutopilotSettings")
    was_scaling = "offerAutopilotSettings" in old.content
    if to_scaling and not was_scaling:
        units = old.content["offerThroughput"]
        return scaling(max(_LEAST_MAXIMUM, -(-units // _STEP_OF_MAXIMUM) * _STEP_OF_MAXIMUM))
    if to_manual and was_scaling:
        return fixed(max(_LEAST, old.content["offerThroughput"]))
    if bool(settings) is not was_scaling:
        raise BadRequest("an offer is changed between a fixed throughput and autoscale by the header that says so")
    if settings:
        return scaling(settings.get("maxThroughput") if isinstance(settings, dict) else settings)
    return fixed(content.get("offerThroughput"))
