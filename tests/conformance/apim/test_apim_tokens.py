"""Keys in validate-jwt, validate-azure-ad-token, and the gateway's own identity."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from localazure import entra
from localazure.part import Config, Server
from tests.conformance.apim.conftest import Files, Local

ACCOUNTS = Path(__file__).parents[3] / "infra" / "entra.json"
SECRET = b"0123456789abcdef" * 4
VAULT = "https://vault.azure.net"


def validate(keys: str, more: str = "") -> str:
    return f"<validate-jwt header-name='Authorization'><issuer-signing-keys>{keys}</issuer-signing-keys>{more}</validate-jwt>"


def token(key: Any, algorithm: str, **claims: Any) -> dict[str, str]:
    headers = {"kid": claims.pop("kid")} if "kid" in claims else None
    claims = {"exp": 1_800_000_000 + 100, "iss": "me", **claims}
    return {"Authorization": "Bearer " + jwt.encode(claims, key, algorithm=algorithm, headers=headers)}


def shared(content: bytes = SECRET, more: str = "") -> str:
    return f"<key {more}>{base64.b64encode(content).decode()}</key>"


def test_a_secret_in_the_policy_verifies(files: Files, local: Local) -> None:
    files.policy(validate(shared(b"x" * 64) + shared(more="id='k'"), "<issuers><issuer>me</issuer></issuers>"))
    assert local.call(headers=token(SECRET, "HS256", kid="k")).status == 200
    assert local.call(headers=token(SECRET, "HS512")).status == 200, "no id: each key is tried"
    for wrong in (token(b"y" * 64, "HS256"), token(SECRET, "HS256", iss="you"), token(SECRET, "HS256", exp=1)):
        assert local.call(headers=wrong).status == 401
    unsigned = jwt.encode({"exp": 1_900_000_000, "iss": "me"}, "", algorithm="none")
    assert local.call(headers={"Authorization": f"Bearer {unsigned}"}).status == 401


def test_a_public_key_is_never_taken_for_a_secret(files: Files, local: Local) -> None:
    private = rsa.generate_private_key(65537, 2048)
    numbers = private.public_key().public_numbers()
    modulus = base64.urlsafe_b64encode(numbers.n.to_bytes(256, "big")).decode().rstrip("=")
    files.policy(validate(f"<key n='{modulus}' e='AQAB' />"))
    assert local.call(headers=token(private, "RS256")).status == 200
    forged = token(base64.urlsafe_b64decode(modulus + "=="), "HS256")
    assert local.call(headers=forged).status == 401


def test_a_token_that_was_verified_before_is_held_to_its_times_and_its_policy_again(files: Files, local: Local) -> None:
    secret, public = shared(), "<key n='{}' e='AQAB' />"
    numbers = rsa.generate_private_key(65537, 2048).public_key().public_numbers()
    modulus = base64.urlsafe_b64encode(numbers.n.to_bytes(256, "big")).decode().rstrip("=")
    issued = "<issuers><issuer>me</issuer></issuers>"
    files.policy(
        "<choose>"
        f"<when condition='@(context.Request.Headers.ContainsKey(\"Other\"))'>{validate(public.format(modulus))}</when>"
        "<when condition='@(context.Request.Headers.ContainsKey(\"Stranger\"))'>"
        f"{validate(secret, issued.replace('me', 'you'))}</when>"
        f"<otherwise>{validate(secret, issued)}</otherwise></choose>"
    )
    good = token(SECRET, "HS256")
    assert [local.call(headers=good).status for _ in range(3)] == [200, 200, 200]
    assert local.call(headers={**good, "Other": "1"}).status == 401, "a policy that has another key"
    assert local.call(headers={**good, "Stranger": "1"}).status == 401, "a policy that wants another issuer"
    head, payload, signature = good["Authorization"].split(".")
    assert local.call(headers={"Authorization": f"{head}.{payload}.{signature[::-1]}"}).status == 401
    local.clock.now += 101
    assert local.call(headers=good).status == 401, "its time is over"


def test_a_signature_is_verified_once(files: Files, local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    private = rsa.generate_private_key(65537, 2048)
    numbers = private.public_key().public_numbers()
    modulus = base64.urlsafe_b64encode(numbers.n.to_bytes(256, "big")).decode().rstrip("=")
    files.policy(validate(f"<key n='{modulus}' e='AQAB' />"))
    decode = Mock(wraps=jwt.api_jws.decode)
    monkeypatch.setattr(jwt.api_jws, "decode", decode)
    good = token(private, "RS256")
    assert [local.call(headers=good).status for _ in range(4)] == [200] * 4
    assert decode.call_count == 1


def test_keys_that_cannot_be_read_stop_the_start(files: Files, refusal: Callable[[], str]) -> None:
    for key, why in (
        ("<key>not base64</key>", "the key cannot be read"),
        ("<key n='!' e='AQAB' />", "the key cannot be read"),
        ("<key certificate-id='x' />", "keys of certificates are not supported"),
        ("<key />", "a key has a text in Base64, or n and e"),
        ("", "<openid-config> or <issuer-signing-keys> is needed"),
    ):
        files.policy(validate(key))
        assert why in refusal()


@pytest.fixture
def issuer(local: Local) -> Iterator[Server]:
    async def start() -> Server:
        return await entra.PART.start(Config(port=0, options={"accounts": str(ACCOUNTS)}))

    server = local.loop.run(start())
    local.options["entra"] = server.url
    local.clock.now = time.time()
    yield server
    local.loop.run(server.stop())


def from_issuer(local: Local, issuer: Server, client: str) -> dict[str, str]:
    form = {
        "grant_type": "client_credentials",
        "client_id": client,
        "client_secret": f"local-{client}",
        "scope": "api://durable-commerce/.default",
    }

    async def ask() -> str:
        address = f"{issuer.url}/{entra.TENANT}/oauth2/v2.0/token"
        async with local._session.post(address, data=form) as answer:
            return str((await answer.json())["access_token"])

    return {"Authorization": f"Bearer {local.loop.run(ask())}"}


def test_validate_azure_ad_token_asks_the_issuer_of_this_machine(files: Files, local: Local, issuer: Server) -> None:
    def policy(inside: str, tenant: str = entra.TENANT) -> str:
        return f"<validate-azure-ad-token tenant-id='{tenant}'>{inside}</validate-azure-ad-token>"

    def answered(policy: str, client: str = "partner") -> int:
        files.policy(policy)
        if local._gateway is not None:
            local.loop.run(local._gateway.stop())
            local._gateway = None
        return local.call(headers=from_issuer(local, issuer, client)).status

    applications = "<client-application-ids><application-id>{}</application-id></client-application-ids>"
    client = jwt.decode(
        from_issuer(local, issuer, "partner")["Authorization"][7:], options={"verify_signature": False}
    )["azp"]
    audience = "<audiences><audience>{}</audience></audiences>"
    assert answered(policy(applications.format(client) + audience.format("api://durable-commerce"))) == 200
    assert answered(policy(applications.format("other"))) == 401
    assert answered(policy(applications.format(client)), "gateway") == 401
    assert answered(policy(audience.format("api://other"))) == 401
    assert answered(policy("", "00000000-0000-0000-0000-000000000000")) == 401
    assert local.call().status == 401


IDENTITY = "<authentication-managed-identity resource='{}' {} />"
SHOWN = "<set-header name='T'><value>@(((string)context.Variables[\"t\"]))</value></set-header>"


def test_the_gateway_has_a_token_for_azures_services(files: Files, local: Local, issuer: Server) -> None:
    files.policy(IDENTITY.format(VAULT, "client-id='any' output-token-variable-name='t'") + SHOWN)
    local.call(headers={"Authorization": "mine"})
    seen = local.seen[0]["headers"]
    claims = jwt.decode(seen["T"], options={"verify_signature": False})
    assert claims["aud"] == VAULT and claims["iss"].startswith(issuer.url)
    assert seen["Authorization"] == "mine", "a named variable leaves the header alone"


def test_what_the_issuer_does_not_know_is_an_error_unless_errors_are_ignored(
    files: Files, local: Local, issuer: Server
) -> None:
    files.policy(
        IDENTITY.format("api://stranger", ""), file="apis/shop/operations/things-list/policy.xml", backend="<base />"
    )
    files.policy(IDENTITY.format("api://stranger", "ignore-error='true'"))
    assert local.call(path="/shop/things").status == 500
    assert local.call().status == 200 and "Authorization" not in local.seen[0]["headers"]


def test_without_an_issuer_there_is_an_identity_that_nobody_trusts(files: Files, local: Local) -> None:
    files.policy(IDENTITY.format(VAULT, ""))
    local.call()
    given = local.seen[0]["headers"]["Authorization"].removeprefix("Bearer ")
    assert jwt.decode(given, options={"verify_signature": False})["aud"] == VAULT
    assert jwt.get_unverified_header(given)["alg"] == "HS256"


def test_basic_authentication(files: Files, local: Local) -> None:
    files.policy("<authentication-basic username='a' password='@(\"b:c\")' />")
    local.call()
    assert local.seen[0]["headers"]["Authorization"] == "Basic " + base64.b64encode(b"a:b:c").decode()
