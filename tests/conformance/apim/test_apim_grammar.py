"""Order of children and attributes of every policy, by the rules of Microsoft's policy editor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from localazure.apim import grammar
from localazure.apim.document import parse
from localazure.apim.errors import ArtifactError
from localazure.apim.policies import POLICIES
from tests.conformance.apim.conftest import Files, Local

JWT = (
    "<validate-jwt header-name='Authorization'>\n"
    "<audiences><audience>a</audience></audiences>\n"
    "<openid-config url='http://127.0.0.1:1/x' />\n"
    "</validate-jwt>"
)


def test_validate_jwt_wants_its_children_in_order(files: Files, refusal: Callable[[], str]) -> None:
    files.policy(JWT)
    message = refusal()
    assert "policy.xml:5: <policies/inbound/validate-jwt/openid-config>" in message
    assert "<openid-config> comes before <audiences>: the order in <validate-jwt> is openid-config, " in message


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (
            "<return-response><set-body>x</set-body><set-status code='200' /></return-response>",
            "<set-status> comes before",
        ),
        (
            "<return-response><set-status code='2' /><set-status code='2' /></return-response>",
            "may stand here only once",
        ),
        ("<choose><otherwise /><when condition='@(true)' /></choose>", "<when> comes before <otherwise>"),
        (
            "<set-header name='a' exists-action='replace'><value>b</value></set-header>",
            "must be override, append, skip, d",
        ),
        ("<set-header name='a'><value kind='x'>b</value></set-header>", "the attribute 'kind' is not supported"),
        ("<set-status code='ok' />", "'code' must be a whole number, not 'ok'"),
        ("<forward-request buffer-response='@(true)' />", "policy expressions are not allowed in 'buffer-response'"),
        ("<retry condition='@(true)' count='few' interval='1'><base /></retry>", "'count' must be a whole number"),
        ("<retry condition='@(true)' interval='1'><base /></retry>", "the attribute 'count' is required"),
        ("<cors allow-credentials='yes'><allowed-origins><origin>*</origin></allowed-origins></cors>", "true or false"),
        ("<cors><allowed-origins /></cors>", "the element <origin> is required"),
        ("<ip-filter action='allow'><range /></ip-filter>", "<range> is not supported here; <ip-filter> has address"),
        ("<set-method>GET<now /></set-method>", "<now> is not supported here"),
        ("<choose>text<when condition='@(true)' /></choose>", "text is not expected here"),
        ("<choose><when condition='@(true)'><base /></when><otherwise /><otherwise /></choose>", "only once"),
    ],
)
def test_what_azure_does_not_save_is_refused(policy: str, why: str) -> None:
    with pytest.raises(ArtifactError, match=r"policy\.xml:1") as caught:
        grammar.check(parse(policy.encode(), Path("policy.xml"), {}))
    assert why in str(caught.value)


def test_every_policy_has_a_rule() -> None:
    assert POLICIES.keys() <= grammar.rules().keys()


def test_the_order_is_free_where_azure_leaves_it_free(files: Files, local: Local) -> None:
    files.policy(
        "<cors><expose-headers><header>A</header></expose-headers>"
        "<allowed-origins><origin>http://a</origin></allowed-origins></cors>"
        "<ip-filter><address>127.0.0.1</address><address-range from='::1' to='::2' /><address>10.0.0.1</address></ip-filter>"
    )
    assert local.call(headers={"Origin": "http://a"}).headers["Access-Control-Expose-Headers"] == "A"


def test_a_section_that_is_missing_inherits(files: Files, local: Local) -> None:
    files.policy("<set-header name='Scope'><value>global</value></set-header>")
    files.text(
        "apis/shop/policy.xml",
        "<policies><outbound><base /><set-header name='Own'><value>api</value></set-header></outbound></policies>",
    )
    assert local.call().headers["Own"] == "api"
    assert local.seen[0]["headers"]["Scope"] == "global"
