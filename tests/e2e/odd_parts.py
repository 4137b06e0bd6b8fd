"""Ordinary requests of the parts behind the API, to be bent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, NamedTuple

from localazure.cosmos import EMULATOR_KEY
from tests.e2e.odd_requests import Request

_DURABLE = "/runtime/webhooks/durabletask"
_TENANT = "/durable-commerce.local/oauth2/v2.0"
_DOCUMENTS = "/dbs/orders/colls/orders/docs"
_KEYED = (("x-ms-documentdb-partitionkey", '["odd"]'),)
_FORM = "application/x-www-form-urlencoded"


class Kind(NamedTuple):
    """One kind of request: a body that is a text is a form, else it is JSON."""

    method: str
    path: str
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


PARTS: dict[str, tuple[str, tuple[Kind, ...]]] = {
    "durable": (
        "functions",
        (
            Kind("POST", f"{_DURABLE}/orchestrators/no_such/id1", {"a": {"b": [1, "x"]}}),
            Kind("GET", f"{_DURABLE}/instances?top=3&runtimeStatus=Running"),
            Kind("GET", f"{_DURABLE}/instances/id1?showHistory=true"),
            Kind("POST", f"{_DURABLE}/instances/id1/raiseEvent/done", {"a": {"b": 1}}),
            Kind("POST", f"{_DURABLE}/instances/id1/terminate?reason=x"),
            Kind("DELETE", f"{_DURABLE}/instances?createdTimeFrom=2026-01-01T00:00:00Z&createdTimeTo=2026-01-02"),
            Kind("GET", f"{_DURABLE}/entities/counter/a"),
            Kind("POST", "/admin/functions/no_such", {"input": "x"}),
            Kind("GET", "/admin/host/status"),
        ),
    ),
    "cosmos": (
        "cosmos",
        (
            Kind("GET", _DOCUMENTS, None, (("A-IM", "Incremental feed"), ("x-ms-max-item-count", "3"))),
            Kind(
                "POST",
                _DOCUMENTS,
                {"id": "odd", "pk": "odd", "a": {"b": 1}},
                (("x-ms-documentdb-partitionkey", '["odd"]'),),
            ),
            Kind(
                "POST",
                _DOCUMENTS,
                {"query": "SELECT * FROM c WHERE c.a = @a", "parameters": [{"name": "@a", "value": 1}]},
                (("x-ms-documentdb-isquery", "true"), *_KEYED),
            ),
            Kind("POST", "/dbs", {"id": "odd"}),
            Kind("GET", "/dbs/orders/colls/orders/pkranges"),
        ),
    ),
    "entra": (
        "entra",
        (
            Kind(
                "POST",
                f"{_TENANT}/token",
                "grant_type=password&client_id=scripts&username=shopper&password=x&scope=openid",
            ),
            Kind(
                "GET",
                f"{_TENANT}/authorize?client_id=portal&response_type=code&redirect_uri=http://localhost/",
            ),
            Kind("POST", "/_local/tokens", {"account": "shopper"}),
            Kind("GET", "/durable-commerce.local/v2.0/.well-known/openid-configuration"),
        ),
    ),
    "stripe": (
        "stripe",
        (
            Kind(
                "POST",
                "/v1/payment_intents",
                "amount=1&currency=gbp&payment_method=pm_card_visa&metadata[a]=b",
            ),
            Kind("GET", "/v1/payment_intents?limit=3"),
            Kind("GET", "/v1/events?type=payment_intent.created"),
            Kind("POST", "/v1/refunds", "payment_intent=pi_1&amount=1"),
            Kind("POST", "/_local/faults", {"operation": "none_such"}),
        ),
    ),
    "easypost": (
        "easypost",
        (
            Kind("POST", "/v2/trackers", {"tracker": {"tracking_code": "EZ2000000002", "carrier": "USPS"}}),
            Kind("GET", "/v2/trackers?page_size=3&carrier=USPS"),
            Kind("GET", "/v2/trackers/trk_1"),
            Kind("POST", "/_local/trackers/EZ2000000002", {"status": "in_transit"}),
            Kind("POST", "/_local/faults", {"operation": "none_such"}),
        ),
    ),
}
"""Which requests go to which part, and whose address it is at."""


def of_a_part(name: str) -> Callable[[random.Random], Request]:
    """Requests of one part of the table, with its keys."""
    kinds = PARTS[name][1]

    def make(chance: random.Random) -> Request:
        kind = chance.choice(kinds)
        headers = [(b"Host", b"localhost"), *((key.encode(), value.encode()) for key, value in kind.headers)]
        if name == "cosmos":
            headers += _signed(kind)
        if name == "stripe":
            headers += [
                (b"Authorization", b"Bearer sk_test_local"),
                (b"Idempotency-Key", str(chance.random()).encode()),
            ]
        if name == "easypost":
            headers.append((b"Authorization", b"Bearer EZTK_local"))
        if kind.body is not None:
            headers.append((b"Content-Type", (_FORM if isinstance(kind.body, str) else "application/json").encode()))
        content = kind.body if isinstance(kind.body, str) else "" if kind.body is None else json.dumps(kind.body)
        return Request(kind.method.encode(), kind.path.encode(), headers, content.encode())

    return make


def _signed(kind: Kind) -> list[tuple[bytes, bytes]]:
    """Source: "Access control on Azure Cosmos DB resources", master key tokens."""
    parts = kind.path.strip("/").split("/")
    date = formatdate(usegmt=True)
    text = f"{kind.method.lower()}\n{parts[-1]}\n{'/'.join(parts[:-1])}\n{date.lower()}\n\n"
    signature = base64.b64encode(hmac.digest(base64.b64decode(EMULATOR_KEY), text.encode(), hashlib.sha256)).decode()
    encoded = (
        f"type%3Dmaster%26ver%3D1.0%26sig%3D{signature.replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}"
    )
    return [(b"Authorization", encoded.encode()), (b"x-ms-date", date.encode()), (b"x-ms-version", b"2020-07-15")]
