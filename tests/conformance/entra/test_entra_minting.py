"""Tokens to order: each is wrong in exactly the way it was ordered, so that negative tests are real."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
import requests

from tests.conformance.entra.conftest import AUDIENCE, Provider


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def test_a_plain_order_gives_a_token_as_good_as_any(provider: Provider) -> None:
    claims = provider.verify(provider.mint(account="staff"))
    assert claims["roles"] == ["staff"]


def test_an_expired_token(provider: Provider) -> None:
    with pytest.raises(jwt.ExpiredSignatureError):
        provider.verify(provider.mint(lifetime=-60))


def test_a_token_for_another_audience(provider: Provider) -> None:
    with pytest.raises(jwt.InvalidAudienceError):
        provider.verify(provider.mint(claims={"aud": "api://elsewhere"}))


def test_a_token_of_another_issuer(provider: Provider) -> None:
    with pytest.raises(jwt.InvalidIssuerError):
        provider.verify(provider.mint(claims={"iss": "https://elsewhere.example"}))


def test_a_token_by_another_key_under_the_published_id(provider: Provider) -> None:
    token = provider.mint(key="other")
    published = requests.get(provider.discovery()["jwks_uri"], timeout=10).json()["keys"][0]
    assert jwt.get_unverified_header(token)["kid"] == published["kid"]
    with pytest.raises(jwt.InvalidSignatureError):
        provider.verify(token)


def test_an_unsigned_token(provider: Provider) -> None:
    token = provider.mint(algorithm="none")
    assert token.endswith(".")
    assert jwt.get_unverified_header(token)["alg"] == "none"
    with pytest.raises(jwt.InvalidAlgorithmError):
        provider.verify(token)


def test_a_token_signed_with_the_public_key_as_a_secret(provider: Provider) -> None:
    with pytest.raises(jwt.InvalidAlgorithmError):
        provider.verify(provider.mint(algorithm="HS256"))


def test_a_token_without_a_scope_or_a_claim(provider: Provider) -> None:
    claims = provider.verify(provider.mint(scopes=["orders.read"], claims={"roles": None}))
    assert claims["scp"] == "orders.read"
    assert "roles" not in claims


def test_a_token_with_a_scope_beyond_the_role(provider: Provider) -> None:
    assert claims_of(provider.mint(account="shopper", scopes=["stock.write"]))["scp"] == "stock.write"


def test_a_header_can_be_bent_as_well(provider: Provider) -> None:
    assert "kid" not in jwt.get_unverified_header(provider.mint(headers={"kid": None}))
    with pytest.raises(jwt.PyJWKClientError):
        provider.verify(provider.mint(headers={"kid": "unheard-of"}))


def test_a_client_can_be_the_subject(provider: Provider) -> None:
    assert provider.verify(provider.mint(client="partner", act_as_client=True))["roles"][0] == "partner"


@pytest.mark.parametrize(
    ("order", "named"),
    [
        ({"account": "nobody"}, "nobody"),
        ({"client": "nobody"}, "nobody"),
        ({"colour": "red"}, "colour"),
        ({"algorithm": "ES256"}, "ES256"),
    ],
)
def test_an_order_that_cannot_be_met_is_refused_by_name(provider: Provider, order: dict[str, str], named: str) -> None:
    answer = requests.post(f"{provider.base}/_local/tokens", json=order, timeout=10)
    assert answer.status_code == 400
    assert named in answer.json()["error_description"]


def test_the_audience_is_the_one_scopes_are_asked_for(provider: Provider) -> None:
    assert provider.verify(provider.mint())["aud"] == AUDIENCE
