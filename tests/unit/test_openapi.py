"""The API's document: it is what the code says, it is OpenAPI 3.0.3, and its schemas decide as the decoder does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import azure.functions as func
import jsonschema_rs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV30SpecValidator

from localazure.apim.schemas import Schemas
from scripts import declared, openapi
from shared.declaration import Undeclared
from shared.errors import InvalidRequest
from shared.web.auth import Principal
from shared.web.endpoint import VERSION, Request
from shared.web.operation import Operation, PathParameter
from tests.unit.registered import triggers

ROOT = Path(__file__).parents[2]
OPERATIONS = declared.operations()
DOCUMENT = openapi.document(declared.services(), OPERATIONS)
PROTECTED = [operation for operation in OPERATIONS if operation.scope]
WITH_BODY = [operation for operation in OPERATIONS if operation.body]


def described(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][operation.path][operation.method.lower()]
    return found


def test_the_app_registers_every_operation_and_the_frame_alone_makes_http_triggers() -> None:
    found = {
        (name, binding["route"], *(str(getattr(method, "value", method)) for method in binding["methods"]))
        for name, binding in triggers("httpTrigger")
    }
    assert found == {
        (name, f"{VERSION}{path}", operation.method)
        for operation in OPERATIONS
        for name, path in declared.routes(operation).values()
    }


@pytest.mark.parametrize("path", ["/things", "/things/{other}", "/things/{thing_id}/{other}", "/{thing_id}/{thing_id}"])
def test_a_path_has_the_parts_that_are_declared(path: str) -> None:
    part = PathParameter("thing_id", "A thing.", re.compile("t"), "t")
    with pytest.raises(Undeclared, match="thing_id"):
        replace(OPERATIONS[0], path=path, parts=(part,))


def test_the_document_is_valid() -> None:
    OpenAPIV30SpecValidator(DOCUMENT).validate()


def test_every_example_fits_its_schema() -> None:
    schemas, found = Schemas(DOCUMENT), dict(DOCUMENT["components"]["responses"])
    for operation in OPERATIONS:
        parts = {"body": described(operation).get("requestBody", {}), **described(operation)["responses"]}
        found |= {f"{operation.id} {name}": part for name, part in parts.items()}
    contents = [(name, media) for name, part in found.items() for media in part.get("content", {}).values()]
    assert len(contents) > len(OPERATIONS)
    files = [name for name, media in contents if media["schema"].get("format") == "binary"]
    assert files == ["catalog_imports_start body"] * 2 + ["export_download 200"]
    for name, media in contents:
        if media["schema"].get("format") == "binary":
            continue  # no schema says what bytes are
        assert schemas.validator(name, media["schema"]).is_valid(media["example"]), (name, media["example"])


def _schemas(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of the document, however deep."""
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _schemas(inner)


def test_times_are_times() -> None:
    named = {
        (owner, name): json.dumps(schema)
        for owner, found in DOCUMENT["components"]["schemas"].items()
        for name, schema in found.get("properties", {}).items()
        if name in ("at", "since", "until") or name.endswith("_at")
    }
    never_asked = ("Consent", "at")  # empty where nobody was asked, which is no time
    assert len(named) > 20
    assert {where for where, schema in named.items() if '"format": "date-time"' not in schema} == {never_asked}


def test_what_may_be_null_says_so_among_its_values() -> None:
    lists = [found for found in _schemas(DOCUMENT) if found.get("nullable") and "enum" in found]
    assert lists and all(None in found["enum"] for found in lists)


def test_addresses_are_whole_and_applications_are_told_how_to_sign_in() -> None:
    assert all(re.match(r"https?://[^/]+/", server["url"]) for server in DOCUMENT["servers"])
    told = DOCUMENT["components"]["securitySchemes"]["oauth2"]["description"]
    assert "client credentials" in told and f"{openapi.AUDIENCE}/.default" in told
    assert "405" in DOCUMENT["info"]["description"] and "HEAD" in DOCUMENT["info"]["description"]


def test_if_match_is_described_as_it_is_read() -> None:
    found = [parameter for operation in OPERATIONS for parameter in described(operation)["parameters"]]
    matches = [parameter for parameter in found if parameter.get("name") == "If-Match"]
    assert matches
    nobody = Principal(subject="", scopes=frozenset(), roles=frozenset())
    for parameter in matches:
        pattern = re.compile(parameter["schema"]["pattern"])
        assert "quotes" in parameter["description"]
        assert pattern.search(parameter["example"])
        for value in ("*", '"4-1c"', '""', "4-1c", 'W/"4-1c"', '"a", "b"', '"a"b"', '"a'):
            request = func.HttpRequest(method="PUT", url="/", headers={"if-match": value}, body=b"")
            try:
                read = Request(request, nobody, msgspec.Struct()).if_match is not None or value == "*"
            except InvalidRequest:
                read = False
            assert (pattern.search(value) is not None) == read, value


def test_operations_are_described() -> None:
    for operation in OPERATIONS:
        found = described(operation)
        assert found["summary"] and found["operationId"] == operation.gateway_id
        assert found["tags"] == [operation.service]
        assert {"400", "401", "429", "503"} <= found["responses"].keys()


def test_the_document_demands_what_the_code_demands() -> None:
    for operation in PROTECTED:
        assert operation.scope
        assert described(operation)["security"] == [{"oauth2": [f"{openapi.AUDIENCE}/{operation.scope.name}"]}]
        assert described(operation)["x-roles"] == list(operation.roles)


@pytest.mark.parametrize("blank", [" ", "\t\n", "\x1c", "\x1f", "\x85", "\xa0", "\u2028", "\u3000", "\ufeff"])
def test_a_name_of_white_space_is_none_to_the_schema_and_to_the_decoder(blank: str) -> None:
    (operation,) = (each for each in WITH_BODY if each.id == "addresses_change")
    media = described(operation)["requestBody"]["content"]["application/json"]
    validator, shape = Schemas(DOCUMENT).validator(operation.id, media["schema"]), operation.body
    assert shape is not None
    for name, good in ((blank, False), (f"{blank}a", True), ("\u200b", True)):
        body = {**media["example"], "name": name}
        assert validator.is_valid(body) == good, body
        if good:
            msgspec.json.decode(json.dumps(body).encode(), type=shape)
        else:
            with pytest.raises(msgspec.ValidationError, match="name"):
                msgspec.json.decode(json.dumps(body).encode(), type=shape)


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


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda operation: operation.id)
def test_the_schema_decides_as_the_decoder_does(operation: Operation) -> None:
    media = described(operation)["requestBody"]["content"]["application/json"]
    validator = Schemas(DOCUMENT).validator(operation.id, media["schema"])
    shape = operation.body
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
