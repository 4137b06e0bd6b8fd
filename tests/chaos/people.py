"""Stories of people: who says something of themselves, who asks what is held of them, and who asks to be forgotten."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.chaos.shop import Caller, fault, order_of, sign_in
from tests.chaos.stage import CONFIRMED, SLOW, Stage, fresh_key
from tests.e2e.conftest import ADDRESS


async def known(stage: Stage) -> None:
    """The shopper says something of themselves, and keeps an address."""
    name = f"Shopper {fresh_key()}"
    account = await stage.shopper.done("PATCH", "/me", {"name": name, "consents": {"marketing": True}})
    assert account["name"] == name
    wanted = "de" if account["language"] == "en" else "en"
    account = await stage.shopper.done("PATCH", "/me", {"language": wanted})
    assert (account["name"], account["language"]) == (name, wanted)
    address = await stage.shopper.done("POST", "/me/addresses", ADDRESS, key=fresh_key())
    left = await stage.shopper.done("DELETE", f"/me/addresses/{address['id']}")
    assert address["id"] not in [kept["id"] for kept in left["items"]]


async def curious(stage: Stage) -> None:
    """Somebody with a cart and an order asks what the shop holds of them."""
    who = await sign_in(stage.system, stage.session, "shopper", fresh_key())
    await who.done("PATCH", "/me", {"name": f"Shopper {fresh_key()}"})
    await who.done("POST", "/carts", key=fresh_key())
    order_id = await who.place(order_of({await stage.stocked(): 1}), fresh_key())
    stage.told.accepted[order_id] = frozenset({CONFIRMED})
    asked = await who.done("POST", "/me/export")
    async with asyncio.timeout(120):
        while (found := await who.done("GET", f"/me/export/{asked['id']}"))["status"] == "gathering":  # noqa: ASYNC110 - a poll
            await asyncio.sleep(0.1)
    assert (found["status"], found["progress"], found["result"]["silent"]) == ("ready", {"done": 5, "total": 5}, [])


async def forgotten(stage: Stage) -> None:
    """Somebody buys, asks to be forgotten, and thinks better of it; asks again, and is."""
    who = await sign_in(stage.system, stage.session, "shopper", fresh_key())
    for language in ("de", "en"):
        await who.done("PATCH", "/me", {"language": language})
    sku, key = await stage.stocked(), fresh_key()
    await who.done("POST", "/carts", key=fresh_key())
    order_id = await who.place(order_of({sku: 1}, "pm_card_chargeDeclined"), key)
    stage.told.accepted[order_id] = frozenset({("cancelled", "payment_declined")})
    first = await _asked(who)
    if (await who.call("DELETE", f"/me/erasure/{first}")).status == 200:
        await _ended(who, first)
    done: Any = {"status": "refused"}
    while done["status"] in ("withdrawn", "refused"):
        done = await _ended(who, await _asked(who))
    assert done["status"] == "erased"
    assert [answer["service"] for answer in done["result"]["services"]] == [
        "accounts", "carts", "notifications", "orders", "payments", "shipping",
    ]  # fmt: skip
    order = await who.done("GET", f"/orders/{order_id}")
    assert order["shipping_address"]["line1"] == "(erased)"


async def impatient(stage: Stage) -> None:
    """Somebody asks to be forgotten while the provider is still deciding on their order."""
    who = await sign_in(stage.system, stage.session, "shopper", fresh_key())
    sku, key = await stage.stocked(), fresh_key()
    await fault(stage.system, stage.session, who.order_id(key), "confirm", 10 * SLOW)
    order_id = await who.place(order_of({sku: 1}), key)
    stage.told.accepted[order_id] = frozenset({CONFIRMED})
    await _ended(who, await _asked(who))


async def _asked(who: Caller) -> str:
    """The id of an erasure of that customer."""
    return str((await who.done("POST", "/me/erasure"))["id"])


async def _ended(who: Caller, erasure_id: str) -> Any:
    """The erasure once it is over, or does not happen."""
    async with asyncio.timeout(120):
        while True:
            found = await who.done("GET", f"/me/erasure/{erasure_id}")
            if found["status"] not in ("cooling_off", "erasing"):
                return found
            await asyncio.sleep(0.1)
