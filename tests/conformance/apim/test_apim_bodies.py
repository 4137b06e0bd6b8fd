"""What makes and rewrites bodies: Liquid, XML in set-body, find-and-replace, jsonp, conversions, mock-response."""

from __future__ import annotations

import json

import pytest

from tests.conformance.apim.conftest import Files, Local

LIQUID = "<set-body template='liquid'>{}</set-body>"


def test_a_liquid_template_sees_body_and_context(files: Files, local: Local) -> None:
    files.policy(
        "<set-variable name='v' value='w' />"
        + LIQUID.format(
            "{{body.name | Upcase}} {% for n in body.list %}{{n}},{% endfor %}{% if body.size &gt; 1 %}big{% endif %} "
            "{{context.Request.Method}} {{context.Variables.v}} {{context.Request.Url.Query.q}} {{body.none}}."
        )
    )
    local.call("PUT", "/shop/things/1?q=1", json={"name": "a", "list": [1, 2], "size": 2})
    assert local.seen[0]["body"] == "A 1,2,big PUT w 1 ."


def test_a_liquid_template_sees_the_response_and_xml(files: Files, local: Local) -> None:
    files.policy(LIQUID.format("<n><m>{{body.a.b}}{% if 1 &lt; 2 %}!{% endif %}</m></n>"))
    files.policy(
        outbound=LIQUID.format("{{context.Response.StatusCode}} {{body.name}}"),
        file="apis/shop/policy.xml",
        inbound="<base />",
        backend="<base />",
    )
    answer = local.call("PUT", data="<x:a xmlns:x='u'><b c='1'>t</b></x:a>", headers={"Content-Type": "text/xml"})
    assert local.seen[0]["body"] == "<n><m>t!</m></n>"
    assert answer.text == "200 x"


def test_named_values_and_liquid_share_their_braces(files: Files, local: Local) -> None:
    files.json("named values/known/namedValueInformation.json", displayName="known", value="k")
    files.policy(LIQUID.format("{{known}} {{body.x}}"))
    local.call("PUT", json={"x": 1})
    assert local.seen[0]["body"] == "k 1"


@pytest.mark.parametrize("template", ["{% for a in (1..1000000) %}{% endfor %}", "{{ body.x | nothing }}"])
def test_a_liquid_template_that_fails_or_does_not_end_is_an_error(files: Files, local: Local, template: str) -> None:
    told = "<set-header name='Why'><value>@(context.LastError.Reason)</value></set-header>"
    files.policy(LIQUID.format(template), on_error=told)
    assert local.call("PUT", json={"x": 1}).headers["Why"] == "ExpressionValueEvaluationFailure"


def test_xml_in_set_body_is_the_body(files: Files, local: Local) -> None:
    files.policy("<set-body><s:E xmlns:s='u'><a b='1 &lt; 2'>x &amp; y</a><c /></s:E></set-body>")
    local.call("PUT", data="x")
    assert local.seen[0]["body"] == '<s:E xmlns:s="u"><a b="1 &lt; 2">x &amp; y</a><c></c></s:E>'


def test_find_and_replace_both_ways(files: Files, local: Local) -> None:
    change = "<find-and-replace from='{}' to='{}' />"
    files.policy(change.format("a", "b"), outbound=change.format('"x"', "1"))
    assert local.call("PUT", data="banana").text == '{"name": 1}'
    assert local.seen[0]["body"] == "bbnbnb"


def test_jsonp_wraps_what_a_good_callback_asks_for(files: Files, local: Local) -> None:
    files.policy(outbound="<jsonp callback-parameter-name='cb' />")
    answer = local.call(path="/shop/things/1?cb=go")
    assert (answer.text, answer.headers["Content-Type"]) == ('go({"name": "x"})', "application/javascript")
    assert local.call(path="/shop/things/1?cb=a(b").text == '{"name": "x"}', "script is no name"


def test_redirect_content_urls(files: Files, local: Local) -> None:
    files.policy(outbound="<redirect-content-urls />")
    local.body = json.dumps({"next": f"{local.backend}/base/things?page=2"})
    assert local.call().json["next"].startswith("http://localhost:")
    assert local.call().json["next"].endswith("/shop/things?page=2")


def test_json_and_xml_are_converted(files: Files, local: Local) -> None:
    files.policy(
        "<xml-to-json kind='direct' apply='always' consider-accept-header='false' />",
        outbound="<json-to-xml apply='always' consider-accept-header='false' />",
    )
    local.body = json.dumps({"a": [1, {"@b": "c", "#text": "d"}], "e": None, "f": True})
    answer = local.call("PUT", data="<r x='1'><i>1</i><i>2</i><e /></r>")
    assert json.loads(local.seen[0]["body"]) == {"r": {"@x": "1", "i": ["1", "2"], "e": None}}
    assert answer.text == '<Document><a>1</a><a b="c">d</a><e /><f>true</f></Document>'
    told = local.call("PUT", data="<!DOCTYPE r [<!ENTITY e 'x'>]><r>&e;</r>")
    assert told.status == 500 and len(local.seen) == 1, "nothing is ever expanded"


def test_mock_response_answers_from_the_definition(files: Files, local: Local) -> None:
    files.policy("<mock-response status-code='200' content-type='application/json' />")
    assert local.call("POST", "/shop/things").json == {"name": "string", "size": 0}, "a sample of the schema"
    assert local.call().text == "" and not local.seen, "nothing is defined"


def test_what_a_policy_tells_is_logged(files: Files, local: Local, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "localazure.apim")
    files.policy(
        "<log-to-eventhub logger-id='hub'>@(context.Request.Method)</log-to-eventhub>"
        "<trace source='here' severity='information'>short</trace>"
    )
    local.call()
    assert "event for the logger hub: GET" in caplog.text and "here: short" in caplog.text
