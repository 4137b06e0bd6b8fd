"""Somebody asks what the shop holds of them: what they download is, item by item, what the API shows."""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from typing import Any

import aiohttp

from tests.e2e.conftest import ADDRESS, Client, Stocked, System
from tests.e2e.test_erasure import signed_in
from tests.e2e.test_fulfilment import confirmed, key, shipped


async def downloaded(who: Client, path: str) -> tuple[int, Any, bytes]:
    """Status, headers and body, read as bytes, of a download at the gateway."""
    headers = {"Authorization": f"Bearer {who.token}"}
    async with who.session.get(f"{who.system.addresses['apim']}{path}", headers=headers) as answer:
        return answer.status, answer.headers, await answer.read()


async def items(who: Client, path: str) -> Any:
    return (await who.call("GET", path)).json["items"]


async def test_an_export_is_item_by_item_what_the_api_shows(
    system: System, session: aiohttp.ClientSession, staff: Client, stocked: Stocked
) -> None:
    name = secrets.token_hex(16)
    who = await signed_in(
        system, session, "shopper", oid=name, preferred_username=f"{name}@example.com", name="Grüße & Söhne"
    )
    await who.call("GET", "/me")
    await who.call("POST", "/me/addresses", ADDRESS)
    sku = await stocked(100, 5)
    cart = (await who.call("POST", "/carts")).json
    cart = (await who.call("PUT", f"/carts/{cart['id']}/items/{sku}", {"quantity": 2})).json
    basket = {"items": [{"sku": sku, "quantity": 1}], "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
    order_id = await confirmed(who, basket)
    await shipped(staff, order_id, "EZ4000000004")
    order = await who.until(f"/orders/{order_id}", lambda found: found["status"] == "delivered")
    back = {"items": [{"sku": sku, "quantity": 1}], "reason": "unwanted"}
    asked = await who.call("POST", f"/orders/{order_id}/returns", back, key())
    assert asked.status == 202, asked.text
    returned = await who.until(asked.headers["Location"][3:], lambda case: case["status"] == "approved")
    erasure = (await who.call("POST", "/me/erasure")).json["id"]
    assert (await who.call("DELETE", f"/me/erasure/{erasure}")).status == 200
    account = (await who.call("GET", "/me")).json
    mails = (await who.until("/me/mails", lambda page: len(page["items"]) == 3))["items"]

    wish = await who.call("POST", "/me/export")
    assert wish.status == 202 and wish.json["kind"] == "export"
    assert (await who.call("POST", "/me/export")).json["id"] == wish.json["id"]
    path = wish.headers["Location"][3:]
    done = await who.until(path, lambda found: found["status"] != "gathering")
    assert (done["status"], done["progress"]) == ("ready", {"done": 5, "total": 5})
    assert done["result"]["content"] == f"/v1{path}/content"
    status, headers, body = await downloaded(who, done["result"]["content"])
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "application/zip", "no-store")
    assert headers["Content-Disposition"] == f'attachment; filename="{wish.json["id"]}.zip"'
    assert headers["X-Content-Type-Options"] == "nosniff"

    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        files = {name: json.loads(archive.read(name)) for name in archive.namelist()}
    contents = files.pop("export.json")
    assert contents["silent"] == [] and all(told["complete"] for told in contents["services"].values())
    assert files.pop("accounts/account.json") == [{**account, "version": account["version"] + 1}]
    assert files.pop("notifications/mails.json") == mails
    assert files == {
        "accounts/addresses.json": await items(who, "/me/addresses"),
        "accounts/erasures.json": [(await who.call("GET", f"/me/erasure/{erasure}")).json],
        "carts/carts.json": [cart],
        "orders/orders.json": [order],
        "orders/returns.json": [returned],
        "payments/payments.json": [(await who.call("GET", f"/orders/{order_id}/payment")).json],
        "shipping/shipments.json": await items(who, f"/orders/{order_id}/shipments"),
    }
    told = await who.until("/me/mails", lambda page: page["items"][0]["kind"] == "export_ready")
    assert wish.json["id"] in told["items"][0]["text"]

    other = await signed_in(system, session, "shopper", oid=secrets.token_hex(16))
    for call in (("GET", path), ("DELETE", path), ("GET", f"{path}/content")):
        assert (await other.call(*call)).status == 404
    assert (await who.call("DELETE", path)).json["status"] == "withdrawn"
    refused = await who.call("GET", f"{path}/content")
    assert (refused.status, refused.problem) == (409, "export-not-ready")
