"""Entra's tokens over TLS, as both official clients send them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.communication.email import EmailClient
from azure.communication.email.aio import EmailClient as AsyncEmailClient
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from localazure.email import PART
from localazure.email.wire import EmailServer
from localazure.part import Config
from tests.conformance.email.conftest import MESSAGE, inbox
from tests.identities import AsyncStatic, Static, Tenant, tenant

AUDIENCE = "https://communication.azure.com/"


@pytest.fixture(scope="module")
def entra(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with tenant(tmp_path_factory.mktemp("entra"), "email", [("shop", "/", "mailer")]) as made:
        yield made


@pytest.fixture
async def service(entra: Tenant, tmp_path: Path) -> AsyncIterator[EmailServer]:
    server = await PART.start(Config(state=tmp_path, options={**entra.options, "tls_port": "0"}))
    assert isinstance(server, EmailServer)
    yield server
    await server.stop()


async def send(server: EmailServer, kind: str, token: str) -> dict[str, Any]:
    options = {"connection_verify": str(server.certificate), "retry_total": 0, "polling_interval": 0}
    if kind == "async":
        async with AsyncEmailClient(server.tls_url, AsyncStatic(token), **options) as client:
            return dict(await (await client.begin_send(MESSAGE)).result())

    def wait() -> dict[str, Any]:
        with EmailClient(server.tls_url, Static(token), **options) as client:
            return dict(client.begin_send(MESSAGE).result())

    return await asyncio.to_thread(wait)


async def token(entra: Tenant, name: str, audience: str = AUDIENCE, **order: Any) -> str:
    return await asyncio.to_thread(lambda: entra.token(name, audience, **order))


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_an_identity_with_the_role_sends_and_asks(entra: Tenant, service: EmailServer, kind: str) -> None:
    ended = await send(service, kind, await token(entra, "shop"))
    assert ended["status"] == "Succeeded"
    (arrived,) = await inbox(service)
    assert arrived["id"] == ended["id"]


async def test_an_identity_without_the_role_is_refused(entra: Tenant, service: EmailServer) -> None:
    with pytest.raises(HttpResponseError) as refused:
        await send(service, "async", await token(entra, "nobody"))
    assert refused.value.status_code == 403
    assert await inbox(service) == []


@pytest.mark.parametrize(
    ("audience", "order"),
    [
        ("https://cosmos.azure.com", {}),
        (AUDIENCE, {"lifetime": -60}),
        (AUDIENCE, {"key": "other"}),
    ],
    ids=["audience", "expired", "signature"],
)
async def test_a_token_that_proves_nothing_is_refused(
    entra: Tenant, service: EmailServer, audience: str, order: dict[str, Any]
) -> None:
    with pytest.raises(ClientAuthenticationError):
        await send(service, "async", await token(entra, "shop", audience, **order))
    assert await inbox(service) == []


async def test_without_an_issuer_no_token_is_taken(entra: Tenant, tmp_path: Path) -> None:
    server = await PART.start(Config(state=tmp_path, options={"tls_port": "0"}))
    assert isinstance(server, EmailServer)
    headers = {"Authorization": f"Bearer {await token(entra, 'shop')}"}
    trusted = ssl.create_default_context(cafile=str(server.certificate))
    async with aiohttp.ClientSession() as session:
        url = f"{server.tls_url}/emails/operations/x?api-version=2025-09-01"
        async with session.get(url, headers=headers, ssl=trusted) as answer:
            assert answer.status == 401
    await server.stop()


async def test_an_issuer_that_does_not_answer_is_not_the_callers_fault(entra: Tenant, tmp_path: Path) -> None:
    options = {**entra.options, "entra": "http://localhost:1/nothing", "tls_port": "0"}
    server = await PART.start(Config(state=tmp_path, options=options))
    assert isinstance(server, EmailServer)
    with pytest.raises(HttpResponseError) as refused:
        await send(server, "async", await token(entra, "shop"))
    assert refused.value.status_code == 503
    await server.stop()


async def test_a_role_that_is_unknown_stops_the_start(tmp_path: Path) -> None:
    with tenant(tmp_path, "email", [("shop", "/", "reader")]) as made, pytest.raises(ValueError, match="by email"):
        await PART.start(Config(options=made.options))
