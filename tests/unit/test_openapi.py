"""The API's document: it is what the code says, it is OpenAPI 3.0.3, and its schemas decide as the decoder does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import azure.functions as func
import jsonschema_rs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV30SpecValidator

from localazure.apim.schemas import Schemas
from scripts import openapi
from scripts.openapi import Route, routes
from shared.errors import InvalidRequest
from shared.web.auth import Principal
from shared.web.endpoint import Call

ROOT = Path(__file__).parents[2]
DOCUMENT = openapi.document()
PROTECTED = [route for route in routes() if route.operation.scope]
WITH_BODY = [route for route in routes() if route.operation.body]


def operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][route.path][route.method]
    return found


def test_the_files_are_what_the_code_says() -> None:
    assert openapi.SPECIFICATION.read_text() == json.dumps(DOCUMENT, indent=2, ensure_ascii=False) + "\n"
    assert openapi.ACCESS.read_text() == openapi.access()


def test_the_document_is_valid() -> None:
    OpenAPIV30SpecValidator(DOCUMENT).validate()


def test_every_example_fits_its_schema() -> None:
    schemas, count = Schemas(DOCUMENT), 0
    for route in routes():
        contents = [operation(route).get("requestBody", {}), *operation(route)["responses"].values()]
        for content in contents:
            for media in content.get("content", {}).values():
                count += 1
                validator = schemas.validator(f"{route.id} {count}", media["schema"])
                assert validator.is_valid(media["example"]), (route.id, media["example"])
    assert count > 100


def test_if_match_is_described_as_it_is_read() -> None:
    found = [parameter for route in routes() for parameter in operation(route)["parameters"]]
    described = [parameter for parameter in found if parameter["name"] == "If-Match"]
    assert described
    nobody = Principal(subject="", scopes=frozenset(), roles=frozenset())
    for parameter in described:
        pattern = re.compile(parameter["schema"]["pattern"])
        assert "quotes" in parameter["description"]
        assert pattern.search(parameter["example"])
        for value in ("*", '"4-1c"', '""', "4-1c", 'W/"4-1c"', '"a", "b"', '"a"b"', '"a'):
            request = func.HttpRequest(method="PUT", url="/", headers={"if-match": value}, body=b"")
            try:
                read = Call(request, nobody, msgspec.Struct()).if_match is not None or value == "*"
            except InvalidRequest:
                read = False
            assert (pattern.search(value) is not None) == read, value


def test_operations_are_described() -> None:
    for route in routes():
        found = operation(route)
        assert found["summary"] and found["operationId"] == route.operation_id
        assert found["tags"] == [route.operation.service]
        assert {"400", "401", "429", "503"} <= found["responses"].keys()


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.id)
def test_the_policies_demand_what_the_code_demands(route: Route) -> None:
    file = ROOT / "apim" / "apis" / "commerce" / "operations" / route.operation_id / "policy.xml"
    variables = {node.get("name"): node.get("value") for node in ElementTree.parse(file).iter("set-variable")}
    assert variables.get("scope") == route.operation.scope
    roles = set((variables.get("roles") or "").split(",")) - {""}
    assert roles == (set(route.operation.roles) if route.operation.scope else set())


def test_the_document_demands_what_the_code_demands() -> None:
    for route in PROTECTED:
        demands = [list(demand.get("oauth2", ())) for demand in operation(route)["security"]]
        assert demands == [[f"{openapi.AUDIENCE}/{route.operation.scope}"]] * 2
        assert set(operation(route)["x-roles"]) == route.operation.roles


_text = st.text(max_size=45) | st.sampled_from(["85123A", "pm_card_visa", "GB", "GBP", "home", "crt_" + "a" * 26])
_leaf = st.none() | st.booleans() | st.integers(-5, 10**9) | st.floats(allow_nan=False) | _text
_any = st.recursive(
    _leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3), max_leaves=6
)


def _near(example: Any) -> st.SearchStrategy[Any]:
    """Documents like the example, with a part replaced, missing or added."""
    if isinstance(example, dict):
        parts = {name: _near(value) for name, value in example.items()}
        whole = st.fixed_dictionaries(parts)
        optional = st.fixed_dictionaries({}, optional=parts)
        extra = st.tuples(whole, st.text(max_size=5), _leaf).map(lambda t: {**t[0], t[1]: t[2]})
        return st.one_of(whole, whole, whole, optional, extra, _any)
    if isinstance(example, list):
        return st.one_of(st.lists(_near(example[0]), min_size=1, max_size=3), st.just([]), _any)
    return st.one_of(st.just(example), st.just(example), st.just(example), st.just(example), _leaf)


@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: route.id)
def test_the_schema_decides_as_the_decoder_does(route: Route) -> None:
    media = operation(route)["requestBody"]["content"]["application/json"]
    validator = Schemas(DOCUMENT).validator(route.id, media["schema"])
    shape = route.operation.body
    assert shape is not None
    seen = set()

    @settings(max_examples=300, deadline=None)
    @given(_near(media["example"]))
    def check(body: Any) -> None:
        fits = validator.is_valid(body)
        try:
            msgspec.json.decode(json.dumps(body).encode(), type=shape)
            decoded = True
        except (msgspec.ValidationError, msgspec.DecodeError):
            decoded = False
        assert fits == decoded, body
        seen.add(fits)

    check()
    assert seen == {True, False}, "both kinds were tried"
    assert isinstance(validator, jsonschema_rs.Draft4Validator)
