"""Where requests go: rewrite-uri, wildcards, preflights, redirects, and the gateway's own answers."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.conformance.apim.conftest import Files, Local


def rewrite(files: Files, template: str, more: str = "") -> None:
    files.policy(f"<rewrite-uri template='{template}' {more} />")


@pytest.mark.parametrize(
    ("template", "more", "path", "seen"),
    [
        ("/x?c=5", "", "/shop/things/1?x=1", "/base/x?c=5&x=1"),
        ("/x?c=5", "copy-unmatched-params='false'", "/shop/things/1?x=1", "/base/x?c=5"),
        ("/x", "", "/shop/things/1?a=b%20c&a=d", "/base/x?a=b%20c&a=d"),
        ("/x/{id}", "", "/shop/things/a%3Fb%2Fc%25", "/base/x/a%3Fb%2Fc%25"),
        ("/x?id={id}", "", "/shop/things/a%26b%3D1", "/base/x?id=a%26b%3D1"),
        ("x/{other}", "", "/shop/things/1", "/base/x/{other}"),
    ],
)
def test_rewrite_uri_makes_one_address(
    files: Files, local: Local, template: str, more: str, path: str, seen: str
) -> None:
    rewrite(files, template, more)
    local.call(path=path)
    assert local.seen[0]["path"].replace("%7B", "{").replace("%7D", "}") == seen


def test_a_query_parameter_of_the_template_goes_where_the_new_address_names_it(files: Files, local: Local) -> None:
    file = files.folder / "apis/shop/specification.json"
    definition = json.loads(file.read_text())
    definition["paths"]["/things"]["get"]["parameters"] = [
        {"name": "q", "in": "query", "required": True, "schema": {"type": "string"}}
    ]
    file.write_text(json.dumps(definition))
    rewrite(files, "/found/{q}")
    local.call(path="/shop/things?q=a%20b&x=1")
    assert local.seen[0]["path"] == "/base/found/a%20b?x=1", "what the template matched is not copied"


@pytest.mark.parametrize("path", ["/shop", "/shop/", "/shop/any", "/shop/any/thing%2Felse?a=b"])
def test_a_wildcard_matches_everything_below(files: Files, local: Local, path: str) -> None:
    file = files.folder / "apis/shop/specification.json"
    file.write_text(json.dumps({"openapi": "3.0.3", "paths": {"/*": {"get": {"operationId": "all", "responses": {}}}}}))
    assert local.call(path=path).status == 200
    assert local.call("PUT", path).status == 404


def cors(origin: str, terminate: str) -> str:
    return (
        f"<cors terminate-unmatched-request='{terminate}'><allowed-origins><origin>{origin}</origin></allowed-origins>"
        "<allowed-methods><method>PUT</method></allowed-methods></cors>"
    )


PREFLIGHT = {"Origin": "http://b", "Access-Control-Request-Method": "PUT"}
ALLOWED = "Access-Control-Allow-Origin"


def test_a_preflight_falls_through_to_the_next_cors_policy(files: Files, local: Local) -> None:
    files.policy(cors("http://a", "false"))
    files.policy("<base />" + cors("http://b", "true"), file="apis/shop/policy.xml", backend="<base />")
    answer = local.call("OPTIONS", headers=PREFLIGHT)
    assert (answer.status, answer.headers[ALLOWED]) == (200, "http://b")


def test_a_preflight_that_nobody_lets_through_ends_empty(files: Files, local: Local) -> None:
    files.policy(cors("http://a", "true"))
    files.policy("<base />" + cors("http://b", "true"), file="apis/shop/policy.xml", backend="<base />")
    answer = local.call("OPTIONS", headers=PREFLIGHT)
    assert answer.status == 200 and ALLOWED not in answer.headers, "the first has ended it"
    assert not local.seen


def test_without_cors_a_preflight_is_a_request_like_any_other(files: Files, local: Local) -> None:
    assert local.call("OPTIONS", headers=PREFLIGHT).status == 404
    file = files.folder / "apis/shop/specification.json"
    definition = json.loads(file.read_text())
    definition["paths"]["/things"]["options"] = {"operationId": "things_options", "responses": {}}
    file.write_text(json.dumps(definition))
    local.loop.run(local._gateway.stop())
    local._gateway = None
    assert local.call("OPTIONS", "/shop/things", headers=PREFLIGHT).status == 200 and local.seen


@pytest.mark.parametrize("follow", ["true", "false"])
def test_redirects_are_followed_where_the_policy_says_so(files: Files, local: Local, follow: str) -> None:
    async def moved() -> tuple[asyncio.Server, int]:
        async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 302 Found\r\nLocation: {local.backend}/new\r\nContent-Length: 0\r\n\r\n".encode())
            writer.close()

        server = await asyncio.start_server(redirect, "127.0.0.1", 0)
        return server, int(server.sockets[0].getsockname()[1])

    server, port = local.loop.run(moved())
    files.policy(
        f"<set-backend-service base-url='http://127.0.0.1:{port}' />",
        backend=f"<forward-request follow-redirects='{follow}' timeout-ms='5000' />",
    )
    assert local.call().status == (200 if follow == "true" else 302)
    assert [seen["path"] for seen in local.seen] == (["/new"] if follow == "true" else [])
    server.close()


def test_the_gateway_says_as_little_as_azures(files: Files, local: Local) -> None:
    assert local.call(path="/nowhere").json == {"statusCode": 404, "message": "Resource not found"}
    files.policy("<set-variable name='a' value='@(context.Subscription.Id)' />", file="apis/shop/policy.xml")
    local.loop.run(local._gateway.stop())
    local._gateway = None
    told = local.call().json
    assert told.keys() == {"statusCode", "message", "activityId"} and told["message"] == "Internal server error"


def test_a_count_that_looks_at_the_response_is_made_at_the_end(files: Files, local: Local) -> None:
    files.policy(
        "<rate-limit-by-key calls='300' renewal-period='60' counter-key='k' "
        "increment-count='@(context.Response.StatusCode)' />"
    )
    assert [local.call().status for _ in range(3)] == [200, 200, 429]


def test_a_count_that_fails_at_the_end_leaves_the_answer_alone(files: Files, local: Local) -> None:
    files.policy(
        "<rate-limit-by-key calls='1' renewal-period='60' counter-key='k' "
        "increment-count='@(int.Parse(context.Response.StatusReason))' />"
    )
    assert [local.call().status for _ in range(3)] == [200, 200, 200], "what cannot be counted is not"
