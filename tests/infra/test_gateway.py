"""Every file below apim/ is deployed, once; what differs between environments stands in named values."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from localazure.apim.artifacts import operation_id
from scripts.infrastructure import artifacts
from tests.infra import compiler
from tests.infra.compiler import AUDIENCE, ROOT, WEB_ORIGIN, Deployment

APIM = ROOT / "apim"
SERVICE = "Microsoft.ApiManagement/service"
DEPLOYED = sorted(path for path in artifacts.present(ROOT) if not artifacts.is_local(path))
KINDS = {
    "namedValueInformation.json": f"{SERVICE}/namedValues",
    "backendInformation.json": f"{SERVICE}/backends",
    "policyFragmentInformation.json": f"{SERVICE}/policyFragments",
    "productInformation.json": f"{SERVICE}/products",
    "productApiInformation.json": f"{SERVICE}/products/apis",
    "apiInformation.json": f"{SERVICE}/apis",
    "specification.json": f"{SERVICE}/apis",
}
"""Information file → what it becomes."""
OVERRIDDEN = {"value", "url"}
"""Properties that an environment says in place of the file."""
DOCUMENT = "apim/apis/commerce/specification.json"
LITERAL_LIMIT = 131_072
"""Characters of a text in an expression of Azure Resource Manager, and of the text that a function makes."""
ADDRESSES = {
    "http://localhost:8080": "https://gateway.example",
    "http://localhost:8082/durable-commerce.local": "https://sign-in.example/tenant",
    "api://durable-commerce": f"api://{AUDIENCE}",
}
"""What the document says of this machine → what an environment says."""
PARAMETERS = f"""
using 'modules/gateway-api.bicep'
import {{ apis }} from 'gateway/artifacts.bicep'
param serviceName = 'gateway'
param api = apis[0]
param addresses = {{ {", ".join(f"'{local}': '{address}'" for local, address in ADDRESSES.items())} }}
"""
"""The one API by itself, where every address is known, so that the document is evaluated to its end."""


def resource_of(path: str) -> tuple[str, str]:
    """Type and name, below the gateway, of what a file becomes or is a part of."""
    *folders, file = path.removeprefix("apim/").split("/")
    names = folders[1::2]
    if folders[:1] == ["schemas"]:
        return f"{SERVICE}/schemas", file.removesuffix(".json")
    if file == "policy.xml":
        if folders[:1] == ["policy fragments"]:
            return f"{SERVICE}/policyFragments", names[0]
        return f"{SERVICE}{''.join(f'/{kind}' for kind in folders[::2])}/policies", "/".join([*names, "policy"])
    return KINDS[file], "/".join(names)


def by_name(made: Deployment) -> dict[tuple[str, str], list[dict[str, Any]]]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for resource in made.resources:
        if resource["type"].startswith(f"{SERVICE}/"):
            name = resource["name"].partition("/")[2]
            found.setdefault((resource["type"], name), []).append(resource)
    return found


def test_every_file_below_apim_is_deployed_exactly_once(made: Deployment) -> None:
    found = by_name(made)
    for path in DEPLOYED:
        assert len(found.get(resource_of(path), [])) == 1, path
    own = {("loggers", "application-insights"), ("diagnostics", "applicationinsights")}
    extra = found.keys() - {resource_of(path) for path in DEPLOYED}
    assert extra == {(f"{SERVICE}/{kind}", name) for kind, name in own}


def test_a_policy_is_deployed_as_it_is_in_its_file(made: Deployment) -> None:
    found = by_name(made)
    policies = [path for path in DEPLOYED if path.endswith("/policy.xml") or path == "apim/policy.xml"]
    for path in policies:
        (resource,) = found[resource_of(path)]
        assert resource["properties"]["value"] == (ROOT / path).read_text(encoding="utf-8"), path
        assert resource["properties"]["format"] == "xml", path
    values = Counter(
        resource["properties"]["value"]
        for resource in made.resources
        if resource["type"].endswith(("/policies", "/policyFragments"))
    )
    assert values.total() == len(policies)


@pytest.mark.parametrize("path", [path for path in DEPLOYED if path.endswith(".xml")])
def test_a_policy_is_well_formed_as_its_format_says(path: str) -> None:
    ElementTree.parse(ROOT / path)


def test_information_is_deployed_as_it_is_in_its_file(made: Deployment) -> None:
    found = by_name(made)
    for path in DEPLOYED:
        if Path(path).name in KINDS and Path(path).name not in {"specification.json", "productApiInformation.json"}:
            (resource,) = found[resource_of(path)]
            stated = json.loads((ROOT / path).read_text(encoding="utf-8"))["properties"]
            for name, value in stated.items():
                assert name in OVERRIDDEN or resource["properties"][name] == value, (path, name)
    (schema,) = found[f"{SERVICE}/schemas", "json-object"]
    assert schema["properties"]["document"] == json.loads((APIM / "schemas/json-object.json").read_text("utf-8"))


def test_the_environment_says_where_things_are(made: Deployment) -> None:
    values = {each["name"].partition("/")[2]: each["properties"] for each in made.of(f"{SERVICE}/namedValues")}
    assert values["api-audience"]["value"] == AUDIENCE
    assert values["web-origin"]["value"] == WEB_ORIGIN
    assert "/.well-known/openid-configuration" in values["openid-config-url"]["value"]
    assert values["require-https"]["value"] == "true"
    assert not any(value["secret"] for value in values.values())
    for site in made.of("Microsoft.Web/sites"):
        service = site["tags"]["azd-service-name"]
        address = f"https://{site['name']}.azurewebsites.net/api/v1"
        assert values[f"{service}-url"]["value"] == address
        backend = made.one(f"{SERVICE}/backends", f"/{service}")["properties"]
        assert backend["url"] == address and backend["circuitBreaker"]["rules"]


def test_the_document_is_told_the_addresses_of_the_environment(made: Deployment) -> None:
    (api,) = made.of(f"{SERVICE}/apis")
    value = api["properties"]["value"]
    assert api["properties"]["format"] == "openapi+json"
    for local in ADDRESSES:
        assert f"createObject('key', '{local}', 'value', " in value
    assert f"createObject('key', 'api://durable-commerce', 'value', 'api://{AUDIENCE}')" in value


@pytest.mark.usefixtures("bicep")
def test_the_document_is_deployed_whole_and_tells_nobody_of_this_machine(tmp_path: Path) -> None:
    folder = grown(compiler.copy(tmp_path))
    (folder / "infra/api.bicepparam").write_text(PARAMETERS, encoding="utf-8")
    made = compiler.deployment(folder, "api", group="rg-commerce-dev")
    (api,) = made.of(f"{SERVICE}/apis")
    expected = (folder / DOCUMENT).read_text(encoding="utf-8")
    for local, address in ADDRESSES.items():
        assert local in expected
        expected = expected.replace(local, address)
    value = api["properties"]["value"]
    assert json.loads(value) == json.loads(expected) and len(value) > 4 * LITERAL_LIMIT
    assert "localhost" not in value and "api://durable-commerce" not in value


@pytest.mark.usefixtures("bicep")
def test_no_text_of_an_expression_comes_near_the_limit_however_large_the_document(tmp_path: Path) -> None:
    made = compiler.deployment(grown(compiler.copy(tmp_path)), "dev")
    (api,) = made.of(f"{SERVICE}/apis")
    value = api["properties"]["value"]
    assert value.startswith("[") and len(value) > 4 * LITERAL_LIMIT, "the document is an expression, and a large one"
    assert max(len(text) for text in re.findall(r"'((?:[^']|'')*)'", value)) < LITERAL_LIMIT / 8


def grown(folder: Path) -> Path:
    """A copy of the project whose document repeats its paths and schemas until it is more than four times the limit.

    Bicep reads files of up to 1 048 576 characters.
    """
    document = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
    paths, schemas = dict(document["paths"]), dict(document["components"]["schemas"])
    text = ""
    for time in itertools.count(1):
        document["paths"] |= {f"/{time}{name}": path for name, path in paths.items()}
        document["components"]["schemas"] |= {f"{name}{time}": schema for name, schema in schemas.items()}
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        if len(text) > 4 * LITERAL_LIMIT:
            break
    (folder / DOCUMENT).write_text(text, encoding="utf-8")
    return folder


def test_operations_have_the_ids_that_the_import_gives_them() -> None:
    document = json.loads((APIM / "apis/commerce/specification.json").read_text(encoding="utf-8"))
    ids = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert [operation_id(name) for name in ids] == ids
    policies = {path.name for path in (APIM / "apis/commerce/operations").iterdir()}
    assert policies <= set(ids)


def test_a_file_of_no_known_kind_stops_the_writing() -> None:
    with pytest.raises(LookupError, match=r"apim/tags/new/tagInformation\.json"):
        artifacts.bicep({*DEPLOYED, "apim/tags/new/tagInformation.json"})
    with pytest.raises(LookupError, match=r"apiInformation\.json is missing"):
        artifacts.bicep(set(DEPLOYED) - {"apim/apis/commerce/apiInformation.json"})
