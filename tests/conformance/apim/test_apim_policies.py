"""Policies and scopes of the gateway, each by itself. The shop's own policies are tested in tests/gateway."""

from __future__ import annotations

import io
import json
from typing import Any

from tests.conformance.apim.conftest import Files, Local

SAY = "<set-header name='X-Path' exists-action='append'><value>{}</value></set-header>"
BASE = "<base />"


def say(word: str) -> str:
    return SAY.format(word)


def test_scopes_wrap_around_each_other(files: Files, local: Local) -> None:
    files.json("products/open/productInformation.json", displayName="Open", subscriptionRequired=False)
    files.text("products/open/apis/shop/productApiInformation.json", "{}")
    files.policy(say("global"), outbound=say("global"))
    for scope, file in (
        ("product", "products/open/policy.xml"),
        ("api", "apis/shop/policy.xml"),
        ("operation", "apis/shop/operations/things-get/policy.xml"),
    ):
        around = f"{say(scope + '-before')}{BASE}{say(scope + '-after')}"
        files.policy(around, backend=BASE, outbound=around, file=file)
    answer = local.call()
    way = "operation-before api-before product-before global product-after api-after operation-after".split()
    assert local.seen[0]["headers"].getall("X-Path") == way
    assert answer.headers.getall("X-Path") == way  # type: ignore[attr-defined]
    local.call(path="/shop/things")
    assert local.seen[1]["headers"].getall("X-Path") == way[1:-1], "an operation without a document inherits"


def test_without_base_nothing_is_inherited(files: Files, local: Local) -> None:
    files.policy(say("global"))
    files.policy(say("api"), backend=BASE, file="apis/shop/policy.xml")
    local.call()
    assert local.seen[0]["headers"].getall("X-Path") == ["api"]


def test_without_forward_request_the_backend_is_not_asked(files: Files, local: Local) -> None:
    files.policy(backend="")
    assert local.call().status == 200 and not local.seen


def test_requests_find_their_operation(files: Files, local: Local) -> None:
    files.policy(
        '<set-header name=\'Op\'><value>@(context.Operation.Id + context.Request.MatchedParameters.GetValueOrDefault("id", ""))</value></set-header>'
    )
    for path in ("/shop/things/special", "/shop/things/a%2Fb?x=%20", "/shop/things/"):
        local.call(path=path)
    assert [seen["headers"]["Op"] for seen in local.seen] == ["things-special", "things-geta/b", "things-list"]
    assert local.seen[1]["path"] == "/base/things/a%2Fb?x=%20", "the path goes on as it came"
    for method, path in (
        ("GET", "/shop"),
        ("GET", "/shop/things/1/2"),
        ("DELETE", "/shop/things/1"),
        ("GET", "/shopthings"),
    ):
        assert local.call(method, path).json == {"statusCode": 404, "message": "Resource not found"}


def test_hop_by_hop_fields_stay_here(local: Local) -> None:
    local.call(headers={"Connection": "keep-alive", "TE": "trailers", "X-Kept": "1"})
    assert "TE" not in local.seen[0]["headers"] and local.seen[0]["headers"]["X-Kept"] == "1"


def test_set_header_actions(files: Files, local: Local) -> None:
    def header(name: str, action: str, *values: str) -> str:
        inside = "".join(f"<value>{value}</value>" for value in values)
        return f"<set-header name='{name}' exists-action='{action}'>{inside}</set-header>"

    files.policy(
        header("A", "override", "1", "2")
        + header("B", "skip", "1")
        + header("C", "append", "1")
        + header("D", "delete")
        + header("E", "skip", "1")
    )
    local.call(headers=dict.fromkeys("ABCD", "0"))
    seen = local.seen[0]["headers"]
    assert [seen.getall(name, []) for name in "ABCDE"] == [["1", "2"], ["0"], ["0", "1"], [], ["1"]]


def test_transformations_of_the_request(files: Files, local: Local) -> None:
    files.policy(
        "<rewrite-uri template='/other/{id}' copy-unmatched-params='false' />"
        "<set-query-parameter name='q'><value>a b</value></set-query-parameter>"
        "<set-query-parameter name='n' exists-action='append'><value>1</value><value>2</value></set-query-parameter>"
        "<set-method>POST</set-method>"
    )
    local.call(path="/shop/things/7?drop=1")
    assert (local.seen[0]["method"], local.seen[0]["path"]) == ("POST", "/base/other/7?q=a+b&n=1&n=2")


def test_bodies_are_transformed_both_ways(files: Files, local: Local) -> None:
    change = '<set-body>@{{ var body = context.{}.Body.As&lt;JObject>(); body["more"] = 1; return body.ToString(Newtonsoft.Json.Formatting.None); }}</set-body>'
    files.policy(change.format("Request"), outbound=change.format("Response"))
    answer = local.call("PUT", json={"a": 1})
    assert json.loads(local.seen[0]["body"]) == {"a": 1, "more": 1}
    assert answer.json == {"name": "x", "more": 1}
    assert local.call("PUT", data="no json").status == 500
    assert local.call("GET").status == 500, "there is no body to replace"


def test_a_body_that_was_looked_at_without_keeping_it_is_lost(files: Files, local: Local) -> None:
    files.policy("<set-variable name='a' value='@(context.Request.Body.As&lt;string>())' />")
    local.call("PUT", data="content")
    assert local.seen[0]["body"] == ""
    assert local.call("PUT", data=io.BytesIO(b"x" * 3_000_000)).status == 413, "policies look at two megabytes at most"


def test_set_backend_service_by_address(files: Files, local: Local) -> None:
    files.policy("<set-backend-service base-url='@(\"http://127.0.0.1:1\")' />")
    answer = local.call()
    assert (answer.status, answer.json["message"]) == (500, "Internal server error"), "as little as Azure says"


def test_errors_run_on_error_and_say_where(files: Files, local: Local) -> None:
    inbound = "<choose><when condition='@(true)'><check-header id='mine' name='X' failed-check-httpcode='418' failed-check-error-message='no' ignore-case='true'><value>A</value><value>b</value></check-header></when></choose>"
    told = "<set-header name='E'><value>@(string.Join(\"|\", new [] {context.LastError.Source, context.LastError.Reason, context.LastError.Scope, context.LastError.Section, context.LastError.Path, context.LastError.PolicyId}))</value></set-header><set-status code='409' reason='Odd' />"
    files.policy(inbound, on_error=told)
    for headers, reason in (({}, "HeaderNotFound"), ({"X": "c"}, "HeaderValueNotAllowed")):
        answer = local.call(headers=headers)
        assert answer.status == 409
        assert answer.headers["E"] == f"check-header|{reason}|global|inbound|choose[1]/when[1]/check-header[1]|mine"
    assert local.call(headers={"X": "B"}).status == 200, "case is ignored"
    assert not local.seen[1:]


def test_an_error_in_on_error_is_a_500(files: Files, local: Local) -> None:
    files.policy(
        "<set-variable name='a' value='@(context.Subscription.Id)' />",
        on_error="<set-variable name='a' value='@(context.Subscription.Id)' />",
    )
    answer = local.call()
    assert (answer.status, answer.json["message"]) == (500, "Internal server error")


def test_ip_filter(files: Files, local: Local) -> None:
    files.policy(
        "<ip-filter action='forbid'><address-range from='127.0.0.0' to='127.0.0.9' /></ip-filter>",
        file="apis/shop/operations/things-get/policy.xml",
        backend=BASE,
    )
    files.policy(
        "<ip-filter action='allow'><address>10.0.0.0/8</address></ip-filter>",
        file="apis/shop/operations/things-list/policy.xml",
        backend=BASE,
    )
    assert local.call().json["message"] == "Caller IP address is blocked. Access denied."
    assert (
        local.call(path="/shop/things").json["message"] == "Caller IP address 127.0.0.1 is not allowed. Access denied."
    )
    assert not local.seen


def test_counting_under_a_condition(files: Files, local: Local) -> None:
    files.policy(
        "<rate-limit-by-key calls='2' renewal-period='10' counter-key='k' increment-condition='@(context.Response.StatusCode == 404)' remaining-calls-variable-name='left' />",
        outbound="<set-header name='Left'><value>@(((int)context.Variables[\"left\"]).ToString())</value></set-header>",
    )
    for _ in range(5):
        assert local.call().headers["Left"] == "2"
    local.statuses[:] = [404, 404, 404]
    assert [local.call().status for _ in range(5)] == [404, 404, 404, 429, 429], "known at a call's end: one call later"
    local.clock.now += 10
    assert local.call().status == 200


def test_counting_more_than_one(files: Files, local: Local) -> None:
    files.policy(
        "<rate-limit-by-key calls='5' renewal-period='10' counter-key='k' increment-count='2' retry-after-variable-name='wait' retry-after-header-name='X-Wait' />",
        on_error="<set-header name='Wait'><value>@(((int)context.Variables[\"wait\"]).ToString())</value></set-header>",
    )
    assert [local.call().status for _ in range(2)] == [200, 200]
    answer = local.call()
    assert answer.status == 429 and answer.headers["X-Wait"] == answer.headers["Wait"] == "10"


def test_a_quota_of_bandwidth(files: Files, local: Local) -> None:
    files.policy(
        "<quota-by-key bandwidth='1' renewal-period='300' counter-key='k' first-period-start='2020-01-01T00:00:00Z' />"
    )
    local.body = "x" * 600
    assert [local.call().status for _ in range(3)] == [200, 200, 403]
    local.clock.now += 300
    assert local.call().status == 200


def test_a_quota_that_never_ends(files: Files, local: Local) -> None:
    files.policy("<quota-by-key calls='1' renewal-period='0' counter-key='k' />")
    assert local.call().status == 200
    local.clock.now += 1e9
    assert local.call().status == 403


def test_retry_waits(files: Files, local: Local) -> None:
    def tried(attributes: str) -> list[float]:
        files.policy(
            backend=f"<retry condition='@(context.Response.StatusCode == 500)' {attributes}><forward-request /></retry>"
        )
        local.statuses[:] = [500] * 9
        local.clock.slept.clear()
        local.loop.run(local._gateway.stop()) if local._gateway else None
        local._gateway = None
        local.call()
        return list(local.clock.slept)

    assert tried("count='3' interval='2'") == [2, 2, 2]
    assert tried("count='3' interval='2' delta='1'") == [2, 3, 4]
    assert tried("count='2' interval='2' first-fast-retry='true'") == [2]
    grown = tried("count='4' interval='1' delta='2' max-interval='9'")
    assert grown[0] == 1 and 2.6 <= grown[1] <= 3.4 and 5.8 <= grown[2] <= 8.2 and grown[3] == 9


def test_limit_concurrency(files: Files, local: Local) -> None:
    import asyncio

    files.policy(backend="<limit-concurrency key='k' max-count='2'><forward-request /></limit-concurrency>")
    local.call()

    async def together() -> list[int]:
        return [
            answer.status for answer in await asyncio.gather(*(local._call("GET", "/shop/things/1") for _ in range(5)))
        ]

    statuses = local.loop.run(together())
    assert statuses.count(200) >= 2 and set(statuses) <= {200, 429}
    assert local.call().status == 200


def test_caching_what_the_policy_says(files: Files, local: Local) -> None:
    lookup = "<cache-lookup vary-by-developer='false' vary-by-developer-groups='false' allow-private-response-caching='true'><vary-by-header>Accept</vary-by-header></cache-lookup>"
    files.policy(
        lookup,
        outbound="<set-header name='Before'><value>1</value></set-header><cache-store duration='5' cache-response='@(context.Response.StatusCode &lt; 500)' /><set-header name='After' exists-action='append'><value>1</value></set-header>",
    )
    local.statuses[:] = [404]
    for _ in range(2):
        answer = local.call(headers={"Authorization": "x"})
        assert answer.status == 404 and answer.headers["Before"] == "1"
        assert answer.headers.getall("After") == ["1"], "outbound goes on behind cache-store"  # type: ignore[attr-defined]
    assert len(local.seen) == 1
    local.call(headers={"Authorization": "x", "Accept": "text/plain"})
    local.call("PUT", headers={"Authorization": "x"})
    assert len(local.seen) == 3
    local.clock.now += 5
    local.call(headers={"Authorization": "x"})
    assert len(local.seen) == 4


def test_answers_are_validated_too(files: Files, local: Local) -> None:
    check = "<validate-content unspecified-content-type-action='prevent' max-size='1000' size-exceeded-action='prevent'><content type='application/json' validate-as='json' action='prevent' /></validate-content>"
    files.policy(
        outbound=check
        + "<validate-status-code unspecified-status-code-action='prevent'><status-code code='404' action='ignore' /></validate-status-code>"
    )
    assert local.call("POST", "/shop/things", json={}).status == 200
    local.body = '{"size": 0, "name": null}'
    answer = local.call("POST", "/shop/things", json={})
    assert answer.status == 502 and "internal error" in answer.json["message"], "nothing of it is told"
    local.body = json.dumps({"name": "x" * 2000})
    assert local.call("POST", "/shop/things", json={}).status == 502
    local.body = '{"name": null}'
    local.statuses[:] = [201, 404]
    assert [local.call("POST", "/shop/things", json={}).status for _ in range(2)] == [502, 404]


def test_detection_only_notes(files: Files, local: Local) -> None:
    check = "<validate-content unspecified-content-type-action='detect' max-size='10' size-exceeded-action='detect' errors-variable-name='wrong'><content-type-map missing-content-type-value='application/json' /><content type='application/json' validate-as='json' action='detect' /></validate-content>"
    told = '<set-header name="W"><value>@(context.Variables.GetValueOrDefault&lt;string>("wrong", "").Replace("\\n", "|"))</value></set-header>'
    files.policy(check, outbound=told)
    answer = local.call("POST", "/shop/things", data=b'{"size": 0, "other": 1}')
    assert answer.status == 200
    assert "exceeds the limit" in answer.headers["W"] or "Unspecified content type" in answer.headers["W"]


def test_metrics_add_up(files: Files, local: Local) -> None:
    files.policy(
        "<emit-metric name='Size' value='2.5'><dimension name='API ID' /><dimension name='Who' value='me' /></emit-metric><trace source='here'><message>seen</message><metadata name='a' value='b' /></trace>"
    )
    local.call()
    local.call()
    found: Any = local.call(path="/_local/metrics").json["metrics"]
    assert found == [
        {
            "namespace": "API Management",
            "name": "Size",
            "dimensions": {"API ID": "shop", "Who": "me"},
            "sum": 5.0,
            "count": 2,
        }
    ]


def test_subscriptions(files: Files, local: Local) -> None:
    files.json("products/closed/productInformation.json", displayName="Closed")
    files.text("products/closed/apis/shop/productApiInformation.json", "{}")
    files.json("products/other/productInformation.json", displayName="Other")
    entries = [
        {"id": "one", "name": "One", "product": "closed", "primary_key": "k1", "secondary_key": "k2"},
        {"id": "two", "name": "Two", "product": "other", "primary_key": "k3", "secondary_key": "k4"},
        {"id": "all", "name": "All", "product": "", "primary_key": "k5", "secondary_key": "k6"},
    ]
    local.options["subscriptions"] = str(files.text("subscriptions.json", json.dumps(entries)))
    files.policy(
        '<set-header name=\'Who\'><value>@((context.Subscription?.Id ?? "nobody") + "/" + (context.Product?.Id ?? "none"))</value></set-header>'
    )
    key = "Ocp-Apim-Subscription-Key"
    assert [local.call(headers={key: name} if name else {}).status for name in ("", "k1", "k2", "k5", "k3", "x")] == [
        200,
        200,
        200,
        200,
        401,
        401,
    ]
    assert [seen["headers"]["Who"] for seen in local.seen] == ["nobody/none", "one/closed", "one/closed", "all/none"]
