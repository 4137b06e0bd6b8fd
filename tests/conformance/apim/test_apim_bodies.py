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


def test_a_liquid_template_sees_json_in_variables(files: Files, local: Local) -> None:
    files.policy(
        "<set-variable name='body' value='@(context.Request.Body.As&lt;JObject>(true))' />"
        "<set-variable name='part' value='@(context.Request.Body.As&lt;JObject>(true)[\"a\"])' />"
        + LIQUID.format(
            "{{context.Variables.body.a.b[1]}} {{context.Variables.part.b[0]}} {{context.Variables.none.x}}."
        )
    )
    local.call("PUT", json={"a": {"b": [1, 2]}})
    assert local.seen[0]["body"] == "2 1 ."


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


READ = "@(context.Request.Body.As&lt;string>(preserveContent: true))"


@pytest.mark.parametrize(
    ("policy", "path", "header"),
    [
        (f"<set-header name='H'><value>{READ}</value></set-header>", "/base/things/1", "word"),
        (f"<set-query-parameter name='q'><value>{READ}</value></set-query-parameter>", "/base/things/1?q=word", None),
        (f"<rewrite-uri template='@(\"/\" + {READ[2:-1]})' />", "/base/word", None),
        (f"<rate-limit-by-key calls='9' renewal-period='9' counter-key='{READ}' />", "/base/things/1", None),
        (f"<quota-by-key calls='9' renewal-period='300' counter-key='{READ}' />", "/base/things/1", None),
        (f"<cache-store-value key='k' value='{READ}' duration='9' />", "/base/things/1", None),
        (f"<trace source='s'><message>{READ}</message></trace>", "/base/things/1", None),
        (f'<set-backend-service base-url=\'@({READ[2:-1]} == "word" ? "BACKEND" : "")\' />', "/things/1", None),
        (
            f"<check-header name='X-W' failed-check-httpcode='400'><value>{READ}</value></check-header>",
            "/base/things/1",
            None,
        ),
        (
            f"<limit-concurrency key='{READ}' max-count='3'><set-method>PUT</set-method></limit-concurrency>",
            "/base/things/1",
            None,
        ),
    ],
)
def test_every_policy_may_look_at_the_body(
    files: Files, local: Local, policy: str, path: str, header: str | None
) -> None:
    files.policy(policy.replace("BACKEND", local.backend))
    assert local.call("PUT", data="word", headers={"X-W": "word"}).status == 200
    seen = local.seen[0]
    assert (seen["path"], seen["body"], seen["headers"].get("H")) == (path, "word", header)


def test_an_answer_may_be_made_of_the_body(files: Files, local: Local) -> None:
    files.policy(f"<return-response><set-header name='H'><value>{READ}</value></set-header></return-response>")
    assert local.call("PUT", data="word").headers["H"] == "word"
