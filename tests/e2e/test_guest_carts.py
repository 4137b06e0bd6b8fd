"""Gathered without signing in, merged after it, and ordered; and the secret of the cart is in no log and no store."""

from __future__ import annotations

from tests.e2e.conftest import ADDRESS, Client, Stocked, System


async def test_what_a_guest_gathered_is_ordered_after_signing_in(
    system: System, anonymous: Client, shopper: Client, stocked: Stocked
) -> None:
    sku = await stocked(100, 5)
    guest = anonymous.at_gateway()
    opened = await guest.call("POST", "/guest-carts")
    assert opened.status == 201
    assert opened.headers["Cache-Control"] == "no-store"
    secret = opened.json["id"]
    path = f"/guest-carts/{secret}"
    assert opened.headers["Location"].endswith(path)
    filled = await guest.call("PUT", f"{path}/items/{sku}", {"quantity": 2})
    assert filled.json["items"] == [{"sku": sku, "quantity": 2}]
    assert (await guest.call("GET", path)).json == filled.json

    customer = shopper.at_gateway()
    cart = (await customer.call("POST", "/carts")).json
    merged = await customer.call("POST", f"/carts/{cart['id']}/merge", {"guest_cart_id": secret})
    assert merged.json["items"] == [{"sku": sku, "quantity": 2}]
    assert (await guest.call("GET", path)).status == 404
    order = await customer.placed(
        {
            "cart_id": cart["id"],
            "cart_version": merged.json["version"],
            "expected_total": {"amount": 200, "currency": "GBP"},
            "shipping_address": ADDRESS,
            "payment_method": "pm_card_visa",
        }
    )
    assert [line["quantity"] for line in order["items"]] == [2]
    for file in system.state.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes(), file


async def test_a_guests_cart_cannot_be_ordered_or_guessed(anonymous: Client, shopper: Client) -> None:
    secret = (await anonymous.call("POST", "/guest-carts")).json["id"]
    other = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    for path in (f"/guest-carts/{other}", f"/carts/{secret}", "/guest-carts/x"):
        answer = await shopper.call("GET", path)
        assert (answer.status, answer.problem) == (404, "not-found")
    body = {"cart_id": secret, "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
    assert (await shopper.order(body)).status == 400
