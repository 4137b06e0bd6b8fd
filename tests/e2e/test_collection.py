"""The collection of requests is the API's: every operation is in it, and what it sends is understood as it stands."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from scripts.postman import COLLECTION, VARIABLES
from tests.e2e.conftest import ROOT, Answer, System

FILE = json.loads((ROOT / COLLECTION).read_text())
SPECIFICATION = json.loads((ROOT / "apim" / "apis" / "commerce" / "specification.json").read_text())


def requests(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        yield from requests(item["item"]) if "item" in item else [item]


class Sender:
    """What a program that reads collections does: variables, parts of paths, headers that are switched on."""

    def __init__(self, session: aiohttp.ClientSession, variables: dict[str, str]) -> None:
        self._session, self._variables = session, variables

    def _filled(self, text: str) -> str:
        known = {**self._variables, "$guid": str(uuid.uuid4())}
        return re.sub(r"\{\{(\S+?)\}\}", lambda found: known[found[1]], text)

    async def send(self, item: dict[str, Any]) -> Answer:
        request, url = item["request"], item["request"]["url"]
        address = self._filled(url if isinstance(url, str) else url["raw"])
        for part in [] if isinstance(url, str) else url["variable"]:
            address = address.replace(f":{part['key']}", part["value"])
        headers = {each["key"]: self._filled(each["value"]) for each in request["header"] if not each.get("disabled")}
        if "auth" not in request:
            headers["Authorization"] = self._filled("Bearer {{token}}")
        body = request.get("body", {})
        data: Any = body.get("raw")
        if body.get("mode") == "urlencoded":
            data = {field["key"]: self._filled(field["value"]) for field in body["urlencoded"]}
        async with self._session.request(request["method"], address, headers=headers, data=data) as answer:
            return Answer(answer.status, answer.headers, await answer.text())


@pytest.fixture
async def signed_in(system: System, session: aiohttp.ClientSession, on_sale: None) -> Sender:
    variables = {each["key"]: each["value"] for each in FILE["variable"]}
    assert variables == VARIABLES
    for name, port, part in (("base", ":8080", "apim"), ("token_url", ":8082", "entra")):
        assert port in variables[name]
        variables[name] = variables[name].replace(f"http://localhost{port}", system.addresses[part])
    first = FILE["item"][0]
    answer = await Sender(session, variables).send(first)
    assert "access_token" in first["event"][0]["script"]["exec"][0]
    return Sender(session, {**variables, "token": answer.json["access_token"]})


def test_every_operation_is_in_the_collection_once() -> None:
    wanted = [(method.upper(), path) for path, found in SPECIFICATION["paths"].items() for method in found]
    found = [
        (item["request"]["method"], re.sub(r":(\w+)", r"{\1}", item["request"]["url"]["raw"].removeprefix("{{base}}")))
        for item in requests(FILE["item"][1:])
    ]
    assert sorted(found) == sorted(wanted)


async def test_an_order_is_placed_by_the_request_as_it_stands(signed_in: Sender) -> None:
    (item,) = (each for each in requests(FILE["item"]) if each["name"] == "Place an order")
    answer = await signed_in.send(item)
    assert answer.status == 202, answer.text


async def test_requests_are_understood(signed_in: Sender) -> None:
    """Nothing that a partner may not do is sent by it, and nothing names what is there: refused alone is bad form."""
    for item in requests(FILE["item"][1:]):
        if item["request"]["method"] == "GET":
            answer = await signed_in.send(item)
            assert answer.status in (200, 304) or answer.problem in (
                *("not-found", "cart-not-found", "insufficient-scope", "insufficient-role"),
            ), f"{item['name']}: {answer.text}"
