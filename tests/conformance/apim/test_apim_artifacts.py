"""What the gateway refuses when it starts: by file, line and element, saying what would do."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.conformance.apim.conftest import Files, Local

Refusal = Callable[[], str]


@pytest.mark.parametrize(
    ("inbound", "line", "why"),
    [
        ("<llm-token-limit counter-key='x' />", 3, "inbound/llm-token-limit>: the policy <llm-token-limit> is not"),
        ("\n<set-header name='a' color='b'><value>c</value></set-header>", 4, "the attribute 'color' is not supported"),
        ("<set-header><value>c</value></set-header>", 3, "the attribute 'name' is required"),
        ("<set-header name='a'><other /></set-header>", 3, "<other> is not supported here"),
        ("<set-header name='a' />", 3, "set-header has values"),
        ("<set-variable name='a' value='@(context.Request.Foo)' />", 3, "Request.Foo is not supported"),
        ("<set-variable name='a' value='@{\n var x = 1;\n return y; }' />", 5, "'y' does not exist"),
        ("<choose>\n<when condition='@(1)'><base /></when></choose>", 4, "bool is needed"),
        ("<choose />", 3, "the element <when> is required"),
        ("<forward-request />", 3, "<forward-request> is not allowed in inbound"),
        ("<quota calls='1' renewal-period='1' />", 3, "is not allowed in the global scope"),
        ("<base />", 3, "<base /> has no meaning in the global scope"),
        ("<include-fragment fragment-id='none' />", 3, "there is no fragment 'none'"),
        ("<set-backend-service backend-id='none' />", 3, "there is no backend 'none'"),
        ("<set-variable name='a' value='{{none}}' />", 3, "there is no named value 'none'"),
        ("<set-variable name='a' value='{{none' />", 3, "{{ without }}"),
        ("<set-variable name='@(1)' value='b' />", 3, "expressions are not allowed in 'name'"),
        ("<rate-limit-by-key calls='1' renewal-period='301' counter-key='a' />", 3, "1 to 300 seconds"),
        ("<quota-by-key calls='1' renewal-period='60' counter-key='a' />", 3, "at least 300 seconds"),
        (
            "<validate-content unspecified-content-type-action='prevent' max-size='999999' size-exceeded-action='prevent' />",
            3,
            "at most 102400",
        ),
        ("<cors><allowed-headers><header>*</header></allowed-headers></cors>", 3, "<allowed-origins> is required"),
        ("<set-body template='liquid'>{% if %}</set-body>", 3, "the Liquid template is wrong"),
        ("<ip-filter action='allow'><address>nonsense</address></ip-filter>", 3, "not an IP address"),
        ("stray text", 2, "a section holds policies and nothing else"),
        ("<set-header name='a'><value>b</set-header>", 3, "not well-formed XML"),
    ],
)
def test_a_policy_is_refused_with_its_place(files: Files, refusal: Refusal, inbound: str, line: int, why: str) -> None:
    files.policy(inbound)
    message = refusal()
    assert why in message
    assert f"policy.xml:{line}" in message, message


def test_document_types_are_refused(files: Files, refusal: Refusal) -> None:
    files.text("policy.xml", '<!DOCTYPE policies [<!ENTITY x "y">]>\n<policies />')
    assert "document type declarations are refused" in refusal()


def test_every_section_is_written(files: Files, refusal: Refusal) -> None:
    files.text("policy.xml", "<policies><inbound /><backend /><outbound /></policies>")
    assert "<on-error> is missing" in refusal()


def test_a_fragment_holds_policies_alone(files: Files, refusal: Refusal) -> None:
    files.policy("<include-fragment fragment-id='one' />")
    for content, why in (
        ("<base />", "cannot hold <base>"),
        ("<include-fragment fragment-id='one' />", "cannot include another"),
        ("<forward-request />", "not allowed in inbound"),
    ):
        files.text("policy fragments/one/policy.xml", f"<fragment>{content}</fragment>")
        assert why in refusal()


def test_resources_are_checked(files: Files, refusal: Refusal) -> None:
    file = "backends/one/backendInformation.json"
    files.json(file, url="http://x", protocol="http", surprise=1)
    assert "the property surprise is not supported" in refusal()
    files.json(file, url="http://x")
    assert "the property protocol is required" in refusal()
    rule = {"name": "r", "failureCondition": {"percentage": 5, "interval": "PT1S"}, "tripDuration": "PT1S"}
    files.json(file, url="http://x", protocol="http", circuitBreaker={"rules": [rule]})
    assert "percentage is not supported" in refusal()
    rule = {"name": "r", "failureCondition": {"count": 5, "interval": "soon"}, "tripDuration": "PT1S"}
    files.json(file, url="http://x", protocol="http", circuitBreaker={"rules": [rule]})
    assert "is not a duration" in refusal()
    files.text(file, "[]")
    assert "must hold a JSON object" in refusal()


def test_an_operation_policy_belongs_to_an_operation(files: Files, refusal: Refusal) -> None:
    files.policy(file="apis/shop/operations/none/policy.xml")
    assert "has no operation of that id" in refusal()


def test_an_operation_has_the_id_that_the_import_writes(files: Files, local: Local) -> None:
    file = files.folder / "apis/shop/specification.json"
    definition = json.loads(file.read_text())
    definition["paths"]["/things"]["get"]["operationId"] = "_List--All the_Things!"
    file.write_text(json.dumps(definition))
    files.policy("<set-header name='Op'><value>@(context.Operation.Id)</value></set-header>")
    local.call(path="/shop/things")
    assert local.seen[0]["headers"]["Op"] == "list-all-the-things"


def test_a_policy_by_the_id_that_the_specification_writes_misses(files: Files, refusal: Refusal) -> None:
    files.policy(file="apis/shop/operations/things_list/policy.xml")
    assert "has no operation of that id" in refusal()


def test_operations_that_the_import_makes_equal_are_refused(files: Files, refusal: Refusal) -> None:
    file = files.folder / "apis/shop/specification.json"
    file.write_text(file.read_text().replace("things_list", "Things-Get"))
    assert "two operations have one id: things-get" in refusal()


def test_an_api_is_in_one_open_product(files: Files, refusal: Refusal) -> None:
    for name in ("one", "two"):
        files.json(f"products/{name}/productInformation.json", displayName=name, subscriptionRequired=False)
        files.text(f"products/{name}/apis/shop/productApiInformation.json", "{}")
    assert "more than one open product: one and two" in refusal()


def test_a_configuration_names_what_exists(files: Files, local: Local, refusal: Refusal) -> None:
    file = "named values/known/namedValueInformation.json"
    files.json(file, displayName="known", keyVault={"secretIdentifier": "x"})
    assert "must be set by the configuration" in refusal()
    files.json(file, displayName="known", value="x")
    entry = {"name": "known", "properties": {"value": "{entra}/x"}}
    local.options["configuration"] = str(files.text("c.json", json.dumps({"namedValues": [entry]})))
    assert "{entra} is not known here" in refusal()
    entry["name"] = "other"
    files.text("c.json", json.dumps({"namedValues": [entry]}))
    local.options["addresses"] = '{"entra": "http://x"}'
    assert "sets the named value other, which does not exist" in refusal()


def test_a_directory_without_artifacts(local: Local, refusal: Refusal) -> None:
    local.options["artifacts"] = "/nowhere"
    assert "is not a directory" in refusal()
