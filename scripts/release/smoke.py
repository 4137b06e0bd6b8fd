"""Whether a deployed service answers, seen from the gateway as a partner would.

    SMOKE_TOKEN=… python -m scripts.release.smoke orders --gateway https://… [--buy SKU]

Every read of the service is asked for something that is not there, or for a list: 200 or 404 with a problem document is
the service's own word, all else is not. With --buy a piece of that SKU is ordered, and has to be confirmed, which takes
every service. While instances are replaced an answer may fail, so each is asked again until a deadline. Only the
standard library is needed.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

ROOT = Path(__file__).resolve().parents[2]
SPECIFICATION = ROOT / "apim" / "apis" / "commerce" / "specification.json"
TOKEN = "SMOKE_TOKEN"  # noqa: S105 - the name of a variable
ANSWER = 30.0
"""Seconds for one answer: a cold start is among them."""
PATIENCE = 180.0
"""Seconds for all: instances are replaced one after the other, and an order has so long before it times out."""
PAUSE = 2.0
FINAL = {"confirmed", "cancelled"}
ADDRESS = {
    "name": "Smoke Test",
    "line1": "1 Market Street",
    "city": "London",
    "postal_code": "EC1A 1AA",
    "country": "GB",
}


class Unwell(RuntimeError):
    """The service did not answer as it should within the time it was given; the message says what it did."""


@dataclass(frozen=True)
class Answer:
    """Status, headers in lower case, JSON body (`None`: it is no JSON)."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None

    @property
    def of_the_service(self) -> bool:
        """200, or the problem document that says that there is no such thing."""
        problem = self.headers.get("content-type", "").startswith("application/problem+json")
        return self.status == 200 or (self.status == 404 and problem)

    @property
    def not_for_the_caller(self) -> bool:
        """403 by the gateway: what the service reads is for others than who runs this."""
        kind = self.body.get("type", "") if isinstance(self.body, dict) else ""
        return self.status == 403 and kind.rpartition(":")[2] in {"insufficient-scope", "insufficient-role"}


@dataclass(frozen=True)
class Gateway:
    """The front door, and how a partner comes in."""

    url: str
    token: str
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One request to `/v1{path}`; a status of 0 where nobody answers."""
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        url = f"{self.url}/v1{path}"
        request = urllib.request.Request(url, data, sent, method=method)  # noqa: S310 - the operator's own
        try:
            with urllib.request.urlopen(request, timeout=ANSWER) as answer:  # noqa: S310 - the same
                return _read(answer.status, answer.headers, answer.read())
        except HTTPError as exc:
            return _read(exc.code, exc.headers, exc.read())
        except (URLError, OSError) as exc:
            return Answer(0, body=str(exc))

    def until(self, method: str, path: str, good: Callable[[Answer], bool]) -> Answer:
        """The first good answer. Raises Unwell."""
        deadline = self.clock() + PATIENCE
        while not good(answer := self.ask(method, path)):
            if self.clock() >= deadline:
                raise Unwell(f"{method} {path}: {answer.status} {json.dumps(answer.body)[:500]}")
            self.sleep(PAUSE)
        return answer


def _read(status: int, headers: Any, data: bytes) -> Answer:
    try:
        body = json.loads(data)
    except ValueError:
        body = None
    return Answer(status, {name.lower(): value for name, value in headers.items()}, body)


def reads(service: str) -> Iterator[str]:
    """The paths of the service's reads, with well-formed names of what is not there. Raises Unwell for none."""
    paths = json.loads(SPECIFICATION.read_text(encoding="utf-8"))["paths"]
    found = [(path, methods["get"]) for path, methods in paths.items() if "get" in methods]
    found = [(path, operation) for path, operation in found if service in operation["tags"]]
    if not found:
        raise Unwell(f"{service} has no read that could be asked")
    for path, operation in found:
        for parameter in operation["parameters"]:
            if parameter.get("in") == "path":
                path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
        yield path


def check(gateway: Gateway, service: str) -> None:
    """Every read of the service that is for the caller, each answered by the service itself; one at least has to be.

    Raises Unwell.
    """
    own = False
    for path in reads(service):
        answer = gateway.until("GET", path, lambda answer: answer.of_the_service or answer.not_for_the_caller)
        print(f"GET {path}: {answer.status}")
        own |= answer.of_the_service
    if not own:
        raise Unwell(
            "no read of it is for the caller, so it was not asked; docs/pipelines.md says which roles it takes"
        )


def buy(gateway: Gateway, sku: str) -> None:
    """One piece, from the order to its confirmation. Raises Unwell."""
    body = {"items": [{"sku": sku, "quantity": 1}], "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
    placed = gateway.ask("POST", "/orders", body, {"Idempotency-Key": secrets.token_hex(16)})
    if placed.status != 202:
        raise Unwell(f"POST /orders: {placed.status} {json.dumps(placed.body)[:500]}")
    path = f"/orders/{placed.body['id']}"
    settled = gateway.until("GET", path, lambda answer: answer.status == 200 and answer.body["status"] in FINAL)
    print(f"{path}: {settled.body['status']}, traceparent {placed.headers.get('traceparent', 'none')}")
    if settled.body["status"] != "confirmed":
        raise Unwell(f"{path} is {settled.body['status']}: {settled.body.get('cancel_reason')}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Whether a deployed service answers at the gateway.")
    parser.add_argument("service")
    parser.add_argument("--gateway", required=True, metavar="URL")
    parser.add_argument("--buy", metavar="SKU", help="order one piece, too, and wait until it is confirmed")
    chosen = parser.parse_args()
    gateway = Gateway(chosen.gateway.rstrip("/"), os.environ.get(TOKEN, ""))
    try:
        check(gateway, chosen.service)
        if chosen.buy:
            buy(gateway, chosen.buy)
    except Unwell as exc:
        print(f"{chosen.service} is not well: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
