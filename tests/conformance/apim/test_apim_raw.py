"""Azure's raw form: expressions in the XML as they are, as the portal saves them and `rawxml` takes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localazure.apim.document import parse
from localazure.apim.errors import ArtifactError
from tests.conformance.apim.conftest import Files, Local


def texts(source: str) -> list[str]:
    """The attributes and the text of the only child."""
    root = parse(f"<policies>{source}</policies>".encode(), Path("p.xml"), {"name": "value"})
    (child,) = root.children
    return [*child.attributes.values(), child.text]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('<when condition="@(a == "b" && c < 2)" />', ['@(a == "b" && c < 2)', ""]),
        ('<a b="@(x.As<JObject>()["k"])" c="d" />', ['@(x.As<JObject>()["k"])', "d", ""]),
        ('<a>@(x.As<JObject>()["k"] == "<b>" && true)</a>', ['@(x.As<JObject>()["k"] == "<b>" && true)']),
        ('<a>@{ var l = new List<int>(); return "</a>"; }</a>', ['@{ var l = new List<int>(); return "</a>"; }']),
        ("""<a b='@("it's" + ')')' />""", ["""@("it's" + ')')""", ""]),
        ('<a b="@(x == &quot;)&quot; && y)" />', ['@(x == ")" && y)', ""]),
        ("<a b='@(x == \"y\" &amp;&amp; z)' />", ['@(x == "y" && z)', ""]),
        ('<a b="@($"{x["a"]}" + @"c:\\")" />', ['@($"{x["a"]}" + @"c:\\")', ""]),
        ('<a b="@{ // it is "so" )\n return 1; }" />', ['@{ // it is "so" )\n return 1; }', ""]),
        ('<a b="@("{{name}}")" />', ['@("value")', ""]),
        ("<a>no @(expression) at the beginning &amp; plain</a>", ["no @(expression) at the beginning & plain"]),
        ("<a><![CDATA[@(a < b)]]></a>", ["@(a < b)"]),
    ],
)
def test_an_expression_is_read_as_it_stands(raw: str, expected: list[str]) -> None:
    assert texts(raw) == expected


def test_the_lines_behind_an_expression_are_where_they_were() -> None:
    raw = '<policies>\n<a b="@{\n return "x" && y;\n}"\n c="d" />\n<e>@(a < b\n && c)</e>\n<f />\n</policies>'
    root = parse(raw.encode(), Path("p.xml"), {})
    assert [child.place.line for child in root.children] == [2, 6, 8]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ('<policies>\n<a b="@(x && (y)" /></policies>', ":2: <>: policy expression: "),
        ('<policies>\n<a b="@(x && y) z" /></policies>', "must follow the end of the expression"),
        ("<policies>\n\n<a b='c & d' /></policies>", ":3: <>: not well-formed XML"),
        (
            '<!DOCTYPE a [<!ENTITY b "c">]><policies><a b="@(x && y)" /></policies>',
            "document type declarations are refused",
        ),
    ],
)
def test_what_is_neither_form_is_refused_with_its_line(raw: str, why: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        parse(raw.encode(), Path("p.xml"), {})
    assert why in str(caught.value)


def test_a_raw_policy_serves_requests(files: Files, local: Local) -> None:
    files.policy(
        '<choose><when condition="@(context.Request.Method == "POST" && context.Request.Url.Path.Length > 1)">'
        '<set-header name="X-Kind" exists-action="override">'
        '<value>@(context.Request.Body.As<JObject>(preserveContent: true)["kind"].ToString())</value></set-header>'
        "</when></choose>"
    )
    assert local.call("POST", "/shop/things", data='{"kind": "<b>"}').status == 200
    assert local.seen[0]["headers"]["X-Kind"] == "<b>"
    assert local.seen[0]["body"] == '{"kind": "<b>"}'


READ = 'context.Request.Body.As<JObject>(preserveContent: true)["id"].ToString()'
EVERYWHERE = {
    "set-header": f'<set-header name="X-Id"><value>@({READ})</value></set-header>',
    "set-query-parameter": f'<set-query-parameter name="id"><value>@({READ})</value></set-query-parameter>',
    "rewrite-uri": f'<rewrite-uri template="@("/" + {READ})" />',
    "set-method": f'<set-method>@({READ} == "7" ? "PUT" : "POST")</set-method>',
    "set-backend-service": f'<set-backend-service base-url="@({READ} == "7" ? "{{{{backend}}}}" : "")" />',
    "rate-limit-by-key": f'<rate-limit-by-key calls="9" renewal-period="60" counter-key="@({READ})" />',
    "quota-by-key": f'<quota-by-key calls="9" bandwidth="90000" renewal-period="3600" counter-key="@({READ})" />',
    "check-header": f'<check-header name="@({READ} == "7" ? "X-Test" : "")" failed-check-httpcode="401" '
    'failed-check-error-message="no" ignore-case="true"><value>1</value></check-header>',
    "trace": f'<trace source="s"><message>@({READ})</message></trace>',
    "return-response": f'<return-response><set-header name="X-Id"><value>@({READ})</value></set-header></return-response>',
    "cache-store-value": f'<cache-store-value key="@({READ})" value="v" duration="9" />',
    "limit-concurrency": f'<limit-concurrency key="@({READ})" max-count="3"><set-method>POST</set-method></limit-concurrency>',
    "set-body": f"<set-body>@({READ})</set-body>",
    "retry": f'<retry condition="@({READ} == "8")" count="1" interval="1"><set-method>POST</set-method></retry>',
}


@pytest.mark.parametrize("policy", EVERYWHERE)
def test_the_body_can_be_read_in_every_policy(policy: str, files: Files, local: Local) -> None:
    files.json("named values/backend/namedValueInformation.json", displayName="backend", value=local.backend)
    files.policy(EVERYWHERE[policy])
    answer = local.call("POST", "/shop/things", data=json.dumps({"id": 7}), headers={"X-Test": "1"})
    assert answer.status == 200, answer.text
    if policy == "return-response":
        assert answer.headers["X-Id"] == "7"
        return
    seen: dict[str, Any] = local.seen[0]
    assert seen["body"] == ("7" if policy == "set-body" else '{"id": 7}')


def test_an_error_in_an_expression_is_for_on_error(files: Files, local: Local) -> None:
    files.policy(
        '<set-variable name="a" value="@((int)context.Request.Body.As<JObject>()["none"])" />',
        on_error='<set-header name="X-Reason"><value>@(context.LastError.Reason)</value></set-header>',
    )
    answer = local.call("POST", "/shop/things", data="{}")
    assert (answer.status, answer.headers["X-Reason"]) == (500, "ExpressionValueEvaluationFailure")


def test_a_type_that_azure_forbids_is_refused_at_load(files: Files, refusal: Callable[[], str]) -> None:
    files.policy("<set-variable name='a' value='@{\n return System.IO.File.ReadAllText(\"x\"); }' />")
    assert "policy.xml:4: <policies/inbound/set-variable>" in (found := refusal())
    assert "File is not among the types" in found
