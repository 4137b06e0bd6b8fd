"""Somebody lives in the shop and is forgotten: no store, log, trace or history has a mark of them afterwards."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from azure.cosmos.aio import CosmosClient

from localazure.cosmos import EMULATOR_KEY
from scripts import declared
from tests.e2e.conftest import ADDRESS, PATIENCE, Client, System, started


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system in which nobody has long to think it over."""
    settings = {"ERASURE_COOLING_OFF_SECONDS": "2", "ERASURE_CHASE_SECONDS": "2"}
    with started(tmp_path_factory.mktemp("forgotten"), app=settings) as running:
        yield running


async def signed_in(system: System, session: aiohttp.ClientSession, account: str, **claims: str) -> Client:
    order = {"account": account, "claims": claims}
    async with session.post(f"{system.addresses['entra']}/_local/tokens", json=order) as answer:
        return Client(system, session, (await answer.json())["access_token"]).at_gateway()


async def documents(system: System) -> AsyncIterator[tuple[str, str]]:
    """Every item of every container, with where it lies."""
    connection = f"AccountEndpoint={system.addresses['cosmos']}/;AccountKey={EMULATOR_KEY};"
    async with CosmosClient.from_connection_string(connection) as client:
        for service in declared.services():
            proxy = client.get_database_client(service.name)
            for container in service.containers:
                async for item in proxy.get_container_client(container.name).read_all_items():
                    yield f"{service.name}/{container.name}", json.dumps(item, ensure_ascii=False)


async def where(system: System, mark: str) -> set[str]:
    """Where the mark is found: containers of Cosmos DB, read by its client, and files of every other part.

    What was sent to them lies in their own mailbox, which is not the shop's.
    """
    found = {place async for place, text in documents(system) if mark in text}
    for path in system.state.rglob("*"):
        if path.is_file() and not path.name.startswith(("cosmos.", "email.")) and mark.encode() in path.read_bytes():
            found.add(path.name)
    return found


async def arrived(system: System, session: aiohttp.ClientSession, address: str, last: str) -> list[str]:
    """The subjects of what lies in that inbox, newest first, once that one is among them."""
    url = f"{system.addresses['email']}/_local/messages?to={address}"
    async with asyncio.timeout(PATIENCE):
        while True:
            async with session.get(url) as answer:
                subjects = [mail["content"]["subject"] for mail in (await answer.json())["messages"]]
            if last in subjects:
                return subjects
            await asyncio.sleep(0.05)


async def test_who_was_forgotten_has_left_no_mark(hasty: System, session: aiohttp.ClientSession) -> None:
    mark = f"zz{secrets.token_hex(6)}"
    who = await signed_in(
        hasty,
        session,
        "shopper",
        oid=secrets.token_hex(16),
        preferred_username=f"{mark}@example.com",
        name=f"Ada {mark}",
    )
    staff = await signed_in(hasty, session, "staff")
    sku = f"S{secrets.token_hex(4)}"
    price = {"amount": 100, "currency": "GBP"}
    await staff.call("PUT", f"/products/{sku}", {"name": "Thing", "category": "tests", "price": price})
    await staff.call("PUT", f"/stock/{sku}", {"on_hand": 5})

    assert (await who.call("GET", "/me")).json["email"] == f"{mark}@example.com"
    await who.call("PATCH", "/me", {"name": f"Ada {mark} Byron", "language": "de"})
    home = {**ADDRESS, "name": mark, "line1": f"1 {mark} Street", "city": mark, "line2": mark}
    saved = (await who.call("POST", "/me/addresses", home)).json
    cart = (await who.call("POST", "/carts")).json
    items = {"items": [{"sku": sku, "quantity": 1}], "payment_method": "pm_card_chargeDeclined"}
    order = await who.placed({**items, "address_id": saved["id"]})
    await who.settled(order["id"])
    await who.until("/me/mails", lambda page: [mail["kind"] for mail in page["items"]] == ["order_cancelled"])
    holders = {"accounts/accounts", "orders/orders", "notifications/mails"}
    assert await where(hasty, mark) == holders, "the search finds what is there"

    export = (await who.call("POST", "/me/export")).json
    await who.until(f"/me/export/{export['id']}", lambda found: found["status"] == "ready")
    await who.until("/me/mails", lambda page: page["items"][0]["kind"] == "export_ready")
    assert await where(hasty, mark) == holders, "what was gathered is sealed"

    first = (await who.call("POST", "/me/erasure")).json
    assert (await who.call("DELETE", f"/me/erasure/{first['id']}")).json["status"] == "withdrawn"
    again = (await who.call("POST", "/me/erasure")).json
    assert again["id"] != first["id"]
    done = await who.until(f"/me/erasure/{again['id']}", lambda task: task["status"] == "erased")
    certificate = done["result"]
    assert [answer["service"] for answer in certificate["services"]] == [
        "accounts", "carts", "notifications", "orders", "payments", "shipping",
    ]  # fmt: skip
    assert certificate["silent"] == []

    subjects = await arrived(hasty, session, f"{mark}@example.com", "Ihr Konto ist gelöscht")
    assert subjects[-1] == f"Ihre Bestellung {order['id']} ist storniert"
    assert sorted(subjects[:-1]) == [
        "Ihr Konto bleibt bestehen",
        "Ihr Konto ist gelöscht",
        "Sie möchten, dass wir Ihre Daten löschen",
        "Sie möchten, dass wir Ihre Daten löschen",
        "Was wir von Ihnen haben, steht zum Herunterladen bereit",
    ]
    assert await where(hasty, mark) == set()
    assert (await who.call("GET", f"/carts/{cart['id']}")).status == 404
    assert (await who.call("GET", f"/me/export/{export['id']}")).status == 404
    kept = (await who.call("GET", f"/orders/{order['id']}")).json
    assert kept["total"] == order["total"]
    assert kept["shipping_address"]["country"] == "GB" and mark not in json.dumps(kept)
    history = f"{hasty.addresses['functions']}/runtime/webhooks/durabletask/instances/{again['id']}?showHistory=true"
    async with session.get(history) as answer:
        assert mark not in await answer.text() and answer.status == 200
