"""A partner's server gets from nothing to an order by `docs/api.md` alone: its commands are typed as they stand."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest

from scripts.documents.reading import Document
from tests.e2e.conftest import PATIENCE, ROOT, Client, System

PAGE = Document(ROOT / "docs" / "api.md")
SECTION = "A partner's server"


@pytest.fixture
async def typed(system: System, on_sale: None, tmp_path: Path) -> dict[str, Any]:
    """What the commands of the section have left in the shell's variables, and what each has printed.

    The addresses of the page become those of the system; an answer that is an error ends the shell.
    """
    commands = [command.text for command in PAGE.commands if command.section == SECTION and not command.needs]
    text = "\nprintf '\\f'\n".join(commands).replace("http://localhost:8080", system.addresses["apim"])
    text = text.replace("http://localhost:8082", system.addresses["entra"])
    (tmp_path / ".curlrc").write_text("fail-with-body\n")
    variables = ("TOKEN", "KEY", "ORDER")
    told = "".join(f'printf "\\f%s" "${name}"\n' for name in variables)
    process = await asyncio.create_subprocess_exec(
        *("bash", "-eo", "pipefail", "-c", f"{text}\n{told}"),
        env={**os.environ, "CURL_HOME": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    *printed, token, key, order = said.split("\f")
    return {"printed": [text for text in printed if text.strip()], "TOKEN": token, "KEY": key, "ORDER": order}


async def test_the_page_leads_from_nothing_to_a_confirmed_order(
    typed: dict[str, Any], system: System, session: aiohttp.ClientSession, shopper: Client
) -> None:
    order, listed = (json.loads(text) for text in typed["printed"])
    assert order["id"] == typed["ORDER"] and "next_cursor" in listed
    partner = Client(system, session, typed["TOKEN"]).at_gateway(typed["KEY"])
    assert (await partner.settled(order["id"]))["status"] == "confirmed"
    await partner.until("/orders", lambda page: order["id"] in [found["id"] for found in page["items"]])
    secondary = typed["KEY"].replace("primary", "secondary")
    assert (await partner.at_gateway(secondary).call("GET", f"/orders/{order['id']}")).status == 200
    assert (await partner.at_gateway("local-left-primary").call("GET", "/orders")).problem == "invalid-subscription-key"
    assert (await shopper.at_gateway().call("GET", f"/orders/{order['id']}")).status == 404
    theirs = (await shopper.until("/orders?limit=1", lambda page: bool(page["items"])))["items"][0]["id"]
    assert (await partner.call("GET", f"/orders/{theirs}")).status == 404


async def test_a_token_is_what_the_page_says(
    typed: dict[str, Any], system: System, session: aiohttp.ClientSession
) -> None:
    claims = jwt.decode(typed["TOKEN"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 3600
    permissions = set(claims["roles"]) - {"partner"}
    (loop,) = (command.text for command in PAGE.commands if command.text.startswith("for role in partner "))
    assert set(loop.partition(";")[0].split()[4:]) <= permissions
    url = f"{system.addresses['entra']}/durable-commerce.local/oauth2/v2.0/token"
    form = {"grant_type": "client_credentials", "client_id": "partner", "client_secret": "local-partner"}
    async with asyncio.timeout(PATIENCE):
        async with session.post(url, data={**form, "scope": "api://durable-commerce/.default"}) as answer:
            assert answer.status == 200 and "refresh_token" not in await answer.json()
        async with session.post(url, data={**form, "scope": "api://durable-commerce/orders.read"}) as answer:
            assert answer.status == 400
