"""A trace as the portal's, for this machine alone; and artifacts that change while the gateway runs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conformance.apim.conftest import Files, Local
from tests.e2e.conftest import Answer

ASK = {"Ocp-Apim-Trace": "true"}
LOCATION = "Ocp-Apim-Trace-Location"
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwcml2YXRlIn0.c2lnbmVk"


def document(local: Local, answer: Answer) -> dict[str, Any]:
    path = urlsplit(answer.headers[LOCATION]).path
    found: dict[str, Any] = local.call(path=path).json
    return found


def test_a_trace_names_each_policy_what_it_changed_and_how_long_it_took(files: Files, local: Local) -> None:
    files.policy(
        "<choose><when condition='@(true)'><set-header name='X-New'><value>1</value></set-header></when></choose>"
        "<rewrite-uri id='mine' template='/else' />",
        outbound="<set-status code='201' />",
    )
    trace = document(local, local.call(headers=ASK))
    assert (trace["api"], trace["operation"], trace["method"], trace["status"]) == ("shop", "things-get", "GET", 201)
    entries = trace["traceEntries"]
    sources = {section: [entry["source"] for entry in found] for section, found in entries.items()}
    assert sources == {
        "inbound": ["choose", "set-header", "rewrite-uri"],
        "backend": ["forward-request"],
        "outbound": ["set-status"],
        "on-error": [],
    }
    _, header, uri = entries["inbound"]
    assert header["changes"] == [{"what": "request.header.x-new", "from": None, "to": "1"}]
    assert header["path"] == "choose[1]/when[1]/set-header[1]"
    assert (uri["policyId"], uri["changes"][0]["to"].rpartition("/")[2]) == ("mine", "else")
    assert all(entry["durationMs"] >= 0 for found in entries.values() for entry in found)
    assert entries["outbound"][0]["changes"] == [{"what": "response.status", "from": "200 OK", "to": "201 Created"}]


def test_a_trace_says_which_policy_failed_and_why(files: Files, local: Local) -> None:
    files.policy("<set-variable name='a' value='@(context.Subscription.Id)' />")
    trace = document(local, local.call(headers=ASK))
    assert "Object reference" in trace["traceEntries"]["inbound"][0]["ended"]
    assert "Object reference" in trace["error"]


def test_a_trace_holds_no_secret(files: Files, local: Local) -> None:
    files.json("named values/word/namedValueInformation.json", displayName="word", value="open-sesame", secret=True)
    files.policy(
        f"<set-variable name='plain' value='say open-sesame or {JWT}' />"
        "<set-header name='Authorization'><value>Basic cHJpdmF0ZQ==</value></set-header>"
        "<set-header name='X-Link'><value>http://a/?sig=private&amp;x=1</value></set-header>"
        "<set-variable name='my-password' value='private' />"
        "<set-variable name='failing' value='@(context.Variables[\"open-sesame\"])' />"
    )
    headers = {**ASK, "Cookie": "private", "Authorization": f"Bearer {JWT}", "X-Api-Key": "private"}
    shown = json.dumps(document(local, local.call(path="/shop/things/1?subscription-key=private&a=b", headers=headers)))
    for secret in ("open-sesame", "private", JWT, "cHJpdmF0ZQ"):
        assert secret not in shown
    assert "a=b" in shown and "(hidden)" in shown


@pytest.mark.parametrize(
    "foreign",
    [
        {"Origin": "http://evil.example"},
        {"Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Ocp-Apim-Trace": "no"},
    ],
)
def test_a_stranger_gets_no_trace(local: Local, foreign: dict[str, str]) -> None:
    answer = local.call(headers={**ASK, **foreign})
    assert answer.status == 200 and LOCATION not in answer.headers
    assert local.call(path="/_local/traces").json == {"traces": []}
    if "Ocp-Apim-Trace" not in foreign:
        assert local.call(path="/_local/traces", headers=foreign).status == 403


def test_traces_are_listed_and_forgotten(local: Local) -> None:
    answer = local.call(headers=ASK)
    found: Any = local.call(path="/_local/traces").json["traces"]
    assert [trace["url"].rpartition("/")[2] for trace in found] == ["1"]
    local.call("DELETE", "/_local/state")
    assert local.call(path=urlsplit(answer.headers[LOCATION]).path).status == 404


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the gateway does within seconds by the real clock."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "nothing has changed within twenty seconds"
        time.sleep(0.05)


def saying(word: str) -> str:
    return f"<set-header name='Word'><value>{word}</value></set-header>"


def test_a_policy_that_was_changed_is_read_again(files: Files, local: Local, caplog: pytest.LogCaptureFixture) -> None:
    limit = "<rate-limit-by-key calls='300' renewal-period='300' counter-key='k' remaining-calls-header-name='Left' />"
    files.policy(limit, outbound=saying("one"))
    assert local.call().headers["Word"] == "one"
    files.policy(limit, outbound=saying("second"))
    until(lambda: local.call().headers["Word"] == "second")
    before = int(local.call().headers["Left"])
    assert before < 298, "what was counted stays counted"
    files.policy(limit, outbound="<set-header><value>wrong</value></set-header>")
    until(lambda: local.call() is not None and "the changed artifacts are wrong" in caplog.text)
    assert "policy.xml:6: <policies/outbound/set-header>: the attribute 'name' is required" in caplog.text
    assert local.call().headers["Word"] == "second", "the former policies go on"
    files.policy(limit, outbound=saying("third"))
    until(lambda: local.call().headers["Word"] == "third")
