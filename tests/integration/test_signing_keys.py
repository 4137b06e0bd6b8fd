"""The issuer's keys: a slow or failing issuer stops nobody whose key is known, and forged key ids cause no load."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from shared.errors import Transient, Unauthenticated
from shared.web import auth
from shared.web.auth import Keys

_KEY = rsa.generate_private_key(65537, 2048).public_key()


@dataclass
class Issuer:
    """An issuer whose answers a test decides."""

    published: list[str] = field(default_factory=lambda: ["first"])
    silent: bool = False
    body: Any = None
    readings: int = 0
    url: str = ""

    async def configuration(self, _: web.Request) -> web.Response:
        self.readings += 1
        if self.silent:
            await asyncio.sleep(3600)
        return web.json_response({"jwks_uri": f"{self.url}/keys"})

    async def keys(self, _: web.Request) -> web.Response:
        if self.body is not None:
            return web.json_response(self.body)
        jwk = json.loads(RSAAlgorithm.to_jwk(_KEY))
        return web.json_response({"keys": [{**jwk, "kid": name, "alg": "RS256"} for name in self.published]})


@pytest.fixture
async def issuer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Issuer]:
    monkeypatch.setattr(auth, "KEYS_REST", 0.2)
    monkeypatch.setattr(auth, "KEYS_PATIENCE", 0.5)
    found, app = Issuer(), web.Application()
    app.router.add_get("/.well-known/openid-configuration", found.configuration)
    app.router.add_get("/keys", found.keys)
    async with TestServer(app) as server:
        found.url = str(server.make_url("")).rstrip("/")
        yield found


async def grown_old(keys: Keys, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys are known, and were read longer ago than they live."""
    await keys.get("first")
    assert issuer.readings == 1
    monkeypatch.setattr(auth, "KEYS_LIVE", 0.0)
    await asyncio.sleep(auth.KEYS_REST)


async def test_old_keys_serve_everybody_while_a_silent_issuer_is_asked_once(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys(issuer.url)
    await grown_old(keys, issuer, monkeypatch)
    issuer.silent = True
    began = time.monotonic()
    found = await asyncio.gather(*(keys.get("first") for _ in range(5)))
    assert time.monotonic() - began < auth.KEYS_PATIENCE
    assert {key.key_id for key in found} == {"first"}
    await asyncio.sleep(auth.KEYS_PATIENCE + 0.1)
    assert (await keys.get("first")).key_id == "first"
    assert issuer.readings == 2


@pytest.mark.parametrize("body", [{}, {"keys": []}, [], "no", {"keys": [5]}, {"keys": [{"kty": "RSA"}]}])
async def test_an_odd_answer_leaves_the_known_keys_good(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, body: Any
) -> None:
    keys = Keys(issuer.url)
    await grown_old(keys, issuer, monkeypatch)
    issuer.body = body
    for _ in range(3):
        assert (await keys.get("first")).key_id == "first"
        await asyncio.sleep(auth.KEYS_REST)


async def test_without_any_key_all_callers_wait_for_the_same_reading_and_its_failure_is_remembered(
    issuer: Issuer,
) -> None:
    issuer.silent = True
    keys = Keys(issuer.url)
    began = time.monotonic()
    refused = await asyncio.gather(*(keys.get("first") for _ in range(5)), return_exceptions=True)
    assert time.monotonic() - began < 2 * auth.KEYS_PATIENCE
    refused += await asyncio.gather(*(keys.get("first") for _ in range(5)), return_exceptions=True)
    assert all(isinstance(error, Transient) for error in refused)
    assert issuer.readings == 1


async def test_forged_key_ids_cause_one_reading_and_a_rotation_behind_them_waits_seconds(issuer: Issuer) -> None:
    keys = Keys(issuer.url)
    await keys.get("first")
    await asyncio.sleep(auth.KEYS_REST)
    forged = await asyncio.gather(*(keys.get(f"forged-{n}") for n in range(100)), return_exceptions=True)
    assert all(isinstance(error, Unauthenticated) for error in forged)
    assert issuer.readings == 2
    issuer.published.append("second")
    await asyncio.sleep(auth.KEYS_REST)
    assert (await keys.get("second")).key_id == "second"


async def test_a_forged_key_id_waits_for_a_silent_issuer_and_nobody_with_it(issuer: Issuer) -> None:
    keys = Keys(issuer.url)
    await keys.get("first")
    await asyncio.sleep(auth.KEYS_REST)
    issuer.silent = True
    forged = asyncio.create_task(keys.get("forged"))
    await asyncio.sleep(0)
    began = time.monotonic()
    await asyncio.gather(*(keys.get("first") for _ in range(5)))
    assert time.monotonic() - began < auth.KEYS_PATIENCE
    with pytest.raises(Unauthenticated):
        await forged


async def test_a_caller_who_goes_away_takes_the_reading_from_nobody(issuer: Issuer) -> None:
    keys = Keys(issuer.url)
    impatient = asyncio.create_task(keys.get("first"))
    patient = asyncio.create_task(keys.get("first"))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).key_id == "first"
