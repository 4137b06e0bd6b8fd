"""The token endpoint: which grants there are, and what the tokens say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jwt
import pytest
import requests

from localazure.entra import TENANT
from tests.conformance.entra.conftest import AUDIENCE, Provider

DECLARED = json.loads((Path(__file__).parents[3] / "infra" / "entra.json").read_text(encoding="utf-8"))["scopes"]
"""Role → scopes, as the services declare them."""
CUSTOMER_SCOPES = sorted(DECLARED["customer"])


def test_a_password_grant_gives_a_token_that_discovery_verifies(provider: Provider) -> None:
    answer = provider.password("shopper").json()
    claims = provider.verify(answer["access_token"])
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == claims["exp"] - claims["iat"] == 3600
    assert claims["iss"] == f"{provider.base}/{TENANT}/v2.0"
    assert claims["aud"] == AUDIENCE
    assert claims["tid"] == TENANT
    assert claims["ver"] == "2.0"
    assert claims["nbf"] == claims["iat"]
    assert claims["preferred_username"] == "shopper@durable-commerce.local"
    assert claims["roles"] == ["customer"]
    assert claims["scp"].split() == CUSTOMER_SCOPES
    assert "refresh_token" not in answer
    assert "id_token" not in answer


@pytest.mark.parametrize(
    ("name", "role", "scopes"),
    [
        ("shopper", "customer", CUSTOMER_SCOPES),
        ("shopper2", "customer", CUSTOMER_SCOPES),
        ("staff", "staff", sorted(DECLARED["staff"])),
        ("admin", "admin", sorted(DECLARED["admin"])),
    ],
)
def test_default_grants_each_account_all_that_its_role_allows(
    provider: Provider, name: str, role: str, scopes: list[str]
) -> None:
    claims = provider.verify(provider.password(name).json()["access_token"])
    assert claims["roles"] == [role]
    assert claims["scp"].split() == scopes
    assert {"carts.read", "orders.write"} <= set(scopes)
    assert ("stock.write" in scopes) == (role != "customer")


def test_accounts_keep_their_ids_and_share_none(provider: Provider) -> None:
    def ids(name: str) -> tuple[str, str]:
        claims = provider.verify(provider.password(name).json()["access_token"])
        return claims["oid"], claims["sub"]

    seen = {name: ids(name) for name in ("shopper", "shopper2", "staff", "admin")}
    assert seen["shopper"] == ids("shopper")
    assert len({value for pair in seen.values() for value in pair}) == 8


def test_the_user_principal_name_signs_in_like_the_short_name(provider: Provider) -> None:
    answer = provider.password(username="Shopper@durable-commerce.local")
    assert provider.verify(answer.json()["access_token"])["name"] == "Shopper"


def test_single_scopes_are_granted_as_asked(provider: Provider) -> None:
    answer = provider.password(scope=f"{AUDIENCE}/orders.read {AUDIENCE}/carts.read").json()
    assert answer["scope"] == f"{AUDIENCE}/orders.read {AUDIENCE}/carts.read"
    assert provider.verify(answer["access_token"])["scp"] == "orders.read carts.read"


def test_a_scope_beyond_the_role_is_left_out(provider: Provider) -> None:
    answer = provider.password(scope=f"{AUDIENCE}/orders.read {AUDIENCE}/stock.write").json()
    assert provider.verify(answer["access_token"])["scp"] == "orders.read"


@pytest.mark.parametrize(
    "scope",
    [
        f"{AUDIENCE}/stock.write",  # exists, not for a customer
        f"{AUDIENCE}/orders.burn",  # does not exist
        "orders.read",  # no resource named
        "api://other/.default",
        f"{AUDIENCE}/.default {AUDIENCE}/orders.read",
        "openid",
    ],
)
def test_where_no_scope_can_be_granted_the_request_is_refused(provider: Provider, scope: str) -> None:
    answer = provider.password(scope=scope)
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_scope"
    assert answer.json()["error_codes"] == [70011]


@pytest.mark.parametrize("change", [{"password": "guess"}, {"username": "nobody"}])
def test_wrong_credentials_give_one_and_the_same_answer(provider: Provider, change: dict[str, str]) -> None:
    answer = provider.password(**change)
    assert (answer.status_code, answer.json()["error"], answer.json()["error_codes"]) == (400, "invalid_grant", [50126])


def test_an_error_is_described_as_entra_describes_it(provider: Provider) -> None:
    body = provider.password(password="guess").json()
    pattern = r"AADSTS50126: .+ Trace ID: (\S+) Correlation ID: (\S+) Timestamp: (\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ)"
    match = re.fullmatch(pattern, body["error_description"])
    assert match is not None
    assert match.groups() == (body["trace_id"], body["correlation_id"], body["timestamp"])


@pytest.mark.parametrize("name", ["partner", "gateway"])
def test_client_credentials_give_the_clients_roles_and_no_scopes(provider: Provider, name: str) -> None:
    answer = provider.ask(
        grant_type="client_credentials",
        client_id=name,
        client_secret=f"local-{name}",
        scope=f"{AUDIENCE}/.default",
    ).json()
    claims = provider.verify(answer["access_token"])
    assert claims["roles"][0] == name
    assert claims["idtyp"] == "app"
    assert claims["sub"] == claims["oid"]
    assert "scp" not in claims
    assert "preferred_username" not in claims


@pytest.mark.parametrize("resource", ["https://vault.azure.net", "https://management.azure.com/"])
def test_azures_own_services_are_resources_of_every_tenant(provider: Provider, resource: str) -> None:
    asked = {"grant_type": "client_credentials", "client_id": "gateway", "client_secret": "local-gateway"}
    token = provider.ask(**asked, scope=f"{resource}/.default").json()["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["aud"] == resource and "roles" not in claims, "the API's roles mean nothing there"
    for stranger in ("https://vault.azure.net.evil.example", "http://vault.azure.net", "api://other"):
        assert provider.ask(**asked, scope=f"{stranger}/.default").json()["error"] == "invalid_scope"


def test_a_client_may_prove_itself_in_the_header(provider: Provider) -> None:
    answer = requests.post(
        f"{provider.base}/{TENANT}/oauth2/v2.0/token",
        data={"grant_type": "client_credentials", "scope": f"{AUDIENCE}/.default"},
        auth=("partner", "local-partner"),
        timeout=10,
    )
    assert provider.verify(answer.json()["access_token"])["roles"][0] == "partner"


@pytest.mark.parametrize(
    ("change", "status", "error", "code"),
    [
        ({"client_secret": "guess"}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, 401, "invalid_client", 7000215),
        ({"client_id": "stranger"}, 401, "invalid_client", 700016),
        ({"client_id": ""}, 400, "invalid_request", 900144),
        ({"scope": f"{AUDIENCE}/orders.read"}, 400, "invalid_scope", 1002012),
        ({"grant_type": "password"}, 400, "unauthorized_client", 700021),
        ({"grant_type": ""}, 400, "invalid_request", 900144),
    ],
)
def test_a_client_that_asks_wrongly_is_refused(
    provider: Provider, change: dict[str, str], status: int, error: str, code: int
) -> None:
    asked = {
        "grant_type": "client_credentials",
        "client_id": "partner",
        "client_secret": "local-partner",
        "scope": f"{AUDIENCE}/.default",
    }
    answer = provider.ask(**(asked | change))
    assert (answer.status_code, answer.json()["error"], answer.json()["error_codes"]) == (status, error, [code])


def test_a_confidential_client_without_its_secret_is_refused(provider: Provider) -> None:
    answer = provider.ask(grant_type="client_credentials", client_id="partner", scope=f"{AUDIENCE}/.default")
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [7000218])


def test_a_client_assertion_is_refused_by_name(provider: Provider) -> None:
    answer = provider.ask(grant_type="client_credentials", client_id="partner", client_assertion="ey.ey.ey")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert "Client assertions" in answer.json()["error_description"]


def test_a_public_client_with_a_secret_is_refused(provider: Provider) -> None:
    answer = provider.password(client_secret="anything")
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [700025])


@pytest.mark.parametrize(
    "grant",
    [
        "implicit",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "magic",
    ],
)
def test_an_unsupported_grant_is_refused_by_name(provider: Provider, grant: str) -> None:
    answer = provider.ask(grant_type=grant, client_id="scripts")
    assert answer.status_code == 400
    assert answer.json()["error"] == "unsupported_grant_type"
    assert f"'{grant}'" in answer.json()["error_description"]


def test_a_refresh_token_gives_the_same_person_a_new_token(provider: Provider) -> None:
    first = provider.password(scope=f"{AUDIENCE}/orders.read offline_access").json()
    second = provider.ask(grant_type="refresh_token", client_id="scripts", refresh_token=first["refresh_token"]).json()
    before, after = provider.verify(first["access_token"]), provider.verify(second["access_token"])
    assert (after["sub"], after["scp"]) == (before["sub"], "orders.read")
    assert second["refresh_token"] != first["refresh_token"]


def test_a_refresh_may_ask_for_less(provider: Provider) -> None:
    first = provider.password(scope=f"{AUDIENCE}/.default offline_access").json()
    second = provider.ask(
        grant_type="refresh_token",
        client_id="scripts",
        refresh_token=first["refresh_token"],
        scope=f"{AUDIENCE}/carts.read",
    ).json()
    assert provider.verify(second["access_token"])["scp"] == "carts.read"


def test_a_refresh_token_nobody_issued_is_refused(provider: Provider) -> None:
    answer = provider.ask(grant_type="refresh_token", client_id="scripts", refresh_token="1.invented")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_openid_adds_an_id_token_for_the_client(provider: Provider) -> None:
    answer = provider.password(scope=f"{AUDIENCE}/orders.read openid profile").json()
    claims = jwt.decode(answer["id_token"], options={"verify_signature": False})
    access = provider.verify(answer["access_token"])
    assert claims["aud"] == access["azp"]
    assert claims["sub"] == access["sub"]
    assert "scp" not in claims


def test_a_body_that_is_no_form_is_refused(provider: Provider) -> None:
    answer = requests.post(f"{provider.base}/{TENANT}/oauth2/v2.0/token", json={"grant_type": "password"}, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_parameter_given_twice_is_refused(provider: Provider) -> None:
    answer = requests.post(
        f"{provider.base}/{TENANT}/oauth2/v2.0/token",
        data=[("grant_type", "password"), ("grant_type", "password")],
        timeout=10,
    )
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [90015])
