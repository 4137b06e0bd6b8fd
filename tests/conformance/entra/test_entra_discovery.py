"""Discovery, keys and their rotation, what survives a restart, and what stops the start."""

from __future__ import annotations

import json
from pathlib import Path

import jwt
import pytest
import requests

from localazure.entra import PART, TENANT
from localazure.entra.errors import DirectoryError
from localazure.part import Config
from localazure.testing import serving
from tests.conformance.entra.conftest import ACCOUNTS, AUDIENCE, KNOWN, Provider


def test_discovery_names_addresses_that_exist(provider: Provider) -> None:
    document = provider.discovery()
    assert document["issuer"] == f"{provider.base}/{TENANT}/v2.0"
    assert requests.get(document["jwks_uri"], timeout=10).status_code == 200
    assert requests.post(document["token_endpoint"], data={"grant_type": "none"}, timeout=10).status_code == 400
    assert requests.get(document["authorization_endpoint"], timeout=10).status_code == 400
    assert requests.get(document["end_session_endpoint"], timeout=10).status_code == 200


def test_discovery_says_what_a_browser_client_needs_to_know(provider: Provider) -> None:
    document = provider.discovery()
    assert document["grant_types_supported"] == [
        "authorization_code",
        "client_credentials",
        "password",
        "refresh_token",
    ]
    assert document["response_types_supported"] == ["code"]
    assert document["response_modes_supported"] == ["query"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert "none" in document["token_endpoint_auth_methods_supported"]


def test_keys_are_rsa_signing_keys_with_ids_and_nothing_private(provider: Provider) -> None:
    (key,) = requests.get(provider.discovery()["jwks_uri"], timeout=10).json()["keys"]
    assert (key["kty"], key["use"], key["alg"]) == ("RSA", "sig", "RS256")
    assert set(key) == {"kty", "use", "alg", "kid", "n", "e"}
    assert jwt.get_unverified_header(provider.mint())["kid"] == key["kid"]


def test_the_tenants_domain_stands_for_its_id_but_the_issuer_keeps_the_id(provider: Provider) -> None:
    answer = requests.get(
        f"{provider.base}/durable-commerce.local/v2.0/.well-known/openid-configuration", timeout=10
    ).json()
    assert answer == provider.discovery()


@pytest.mark.parametrize("tenant", ["common", "organizations", "ffffffff-0000-4000-8000-000000000000"])
def test_another_tenant_is_refused_by_name(provider: Provider, tenant: str) -> None:
    answer = requests.get(f"{provider.base}/{tenant}/v2.0/.well-known/openid-configuration", timeout=10)
    assert answer.status_code == 400
    assert answer.json()["error_codes"] == [90002]
    assert tenant in answer.json()["error_description"]


def test_an_unknown_address_is_refused_by_name(provider: Provider) -> None:
    answer = requests.get(f"{provider.base}/{TENANT}/oauth2/token", timeout=10)
    assert answer.status_code == 404
    assert "/oauth2/token" in answer.json()["error_description"]


def test_after_a_rotation_new_tokens_use_the_new_key_and_old_ones_still_verify(provider: Provider) -> None:
    before = provider.mint()
    rotated = requests.post(f"{provider.base}/_local/rotate-key", timeout=10).json()
    after = provider.mint()
    assert jwt.get_unverified_header(after)["kid"] == rotated["kid"] != jwt.get_unverified_header(before)["kid"]
    assert provider.verify(before)["sub"] == provider.verify(after)["sub"]


def test_keys_and_refresh_tokens_outlive_a_restart(tmp_path: Path) -> None:
    with serving(PART, Config(options=KNOWN, state=tmp_path)) as server:
        provider, port = Provider(server.url), server.port
        requests.post(f"{server.url}/_local/rotate-key", timeout=10).raise_for_status()
        first = provider.password(scope=f"{AUDIENCE}/orders.read offline_access").json()
    with serving(PART, Config(options=KNOWN, state=tmp_path, port=port)) as server:
        provider = Provider(server.url)
        assert provider.verify(first["access_token"])["roles"] == ["customer"]
        again = provider.ask(grant_type="refresh_token", client_id="scripts", refresh_token=first["refresh_token"])
        assert provider.verify(again.json()["access_token"])["roles"] == ["customer"]


def test_options_change_issuer_audience_tenant_and_lifetime() -> None:
    tenant = "11111111-2222-4333-8444-555555555555"
    options = {
        "issuer": "https://login.example/v2.0",
        "audience": "api://elsewhere",
        "tenant": tenant,
        "token_seconds": "60",
    }
    with serving(PART, Config(options=KNOWN | options)) as server:
        document = requests.get(f"{server.url}/{tenant}/v2.0/.well-known/openid-configuration", timeout=10).json()
        claims = jwt.decode(Provider(server.url).mint(), options={"verify_signature": False})
    assert document["issuer"] == claims["iss"] == "https://login.example/v2.0"
    assert claims["aud"] == "api://elsewhere"
    assert claims["tid"] == tenant
    assert claims["exp"] - claims["iat"] == 60


@pytest.mark.parametrize(
    ("option", "value"), [("tenant", "not-a-guid"), ("token_seconds", "soon"), ("token_seconds", "0")]
)
def test_a_bad_option_stops_the_start_and_is_named(option: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"option {option} of entra"), serving(PART, Config(options={option: value})):
        pass


def test_another_accounts_file_replaces_the_seeded_one(tmp_path: Path) -> None:
    directory = json.loads(ACCOUNTS.read_text())
    directory["accounts"] = [directory["accounts"][0] | {"name": "guest", "password": "local-guest"}]
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps(directory))
    with serving(PART, Config(options={"accounts": str(path)})) as server:
        provider = Provider(server.url)
        assert provider.password("guest").status_code == 200
        assert provider.password("shopper").status_code == 400


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read"),
        ("{", "malformed"),
        ('{"domain": "d", "scopes": {}, "accounts": [], "clients": [], "extra": 1}', "extra"),
        (
            '{"domain": "d", "scopes": {}, "clients": [], "accounts": [{"name": "a", "display_name": "A", '
            '"oid": "1", "sub": "2", "password": "p", "roles": ["king"]}]}',
            "role king",
        ),
    ],
)
def test_an_unusable_accounts_file_stops_the_start(tmp_path: Path, content: str | None, complaint: str) -> None:
    path = tmp_path / "accounts.json"
    if content is not None:
        path.write_text(content)
    with (
        pytest.raises(DirectoryError, match=complaint),
        serving(PART, Config(options={"accounts": str(path)})),
    ):
        pass
