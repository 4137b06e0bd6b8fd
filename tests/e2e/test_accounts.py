"""An account as its owner uses it: known at first sight, an address that is kept and ordered to, and nobody else's."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.e2e.conftest import ADDRESS, Client, Login, Stocked, System


@pytest.fixture
async def customer(anonymous: Client) -> Client:
    return (await newcomer(anonymous))[0].at_gateway()


async def newcomer(anonymous: Client, **claims: Any) -> tuple[Client, str]:
    """Somebody who was never here, with a mark that is in everything that tells who they are."""
    mark = f"zz{secrets.token_hex(6)}"
    own = {"oid": secrets.token_hex(16), "preferred_username": f"{mark}@example.com", "name": f"Ada {mark}", **claims}
    async with anonymous.session.post(
        f"{anonymous.system.addresses['entra']}/_local/tokens", json={"claims": own}
    ) as answer:
        return Client(anonymous.system, anonymous.session, (await answer.json())["access_token"]), mark


async def test_an_account_is_there_when_its_owner_first_comes(anonymous: Client, login: Login) -> None:
    customer, mark = await newcomer(anonymous)
    first = await customer.at_gateway().call("GET", "/me")
    assert (first.status, first.json["email"], first.json["name"]) == (200, f"{mark}@example.com", f"Ada {mark}")
    changed = await customer.at_gateway().call(
        "PATCH", "/me", {"language": "de", "consents": {"marketing": True}}, {"If-Match": first.headers["ETag"]}
    )
    assert (changed.status, changed.json["language"], changed.json["name"]) == (200, "de", f"Ada {mark}")
    stale = await customer.call("PATCH", "/me", {"language": "en"}, {"If-Match": first.headers["ETag"]})
    assert (stale.status, stale.problem) == (412, "precondition-failed")
    staff = (await login("staff")).at_gateway()
    found = await staff.call("POST", "/accounts/search", {"email": f"{mark}@EXAMPLE.com"})
    assert [account["id"] for account in found.json["items"]] == [first.json["id"]]
    assert (await customer.call("POST", "/accounts/search", {"email": f"{mark}@example.com"})).status == 403


async def test_someone_elses_address_does_not_exist(anonymous: Client) -> None:
    (owner, _), (other, _) = await newcomer(anonymous), await newcomer(anonymous)
    kept = (await owner.call("POST", "/me/addresses", ADDRESS)).json
    path = f"/me/addresses/{kept['id']}"
    for method, body in (("GET", None), ("PUT", ADDRESS)):
        answer = await other.call(method, path, body)
        missing = await other.call(method, f"/me/addresses/adr_{'a' * 26}", body)
        assert answer.status == missing.status == 404
        assert answer.json["detail"] == missing.json["detail"]
    await other.call("DELETE", path)
    assert (await owner.call("GET", path)).json == kept


async def test_an_order_goes_to_a_saved_address_as_it_was(customer: Client, stocked: Stocked) -> None:
    sku, key = await stocked(100, 5), secrets.token_hex(8)
    saved = (await customer.call("POST", "/me/addresses", {**ADDRESS, "line1": "7 Saved Street"})).json
    body = {
        "items": [{"sku": sku, "quantity": 1}],
        "payment_method": "pm_card_visa",
        "address_id": saved["id"],
    }
    order = await customer.placed(body, key)
    assert order["shipping_address"] == {**ADDRESS, "line1": "7 Saved Street", "line2": None}
    await customer.call("PUT", f"/me/addresses/{saved['id']}", ADDRESS)
    assert (await customer.order(body, key)).json == order, "the same request, whatever lies under the id now"
    await customer.call("DELETE", f"/me/addresses/{saved['id']}")
    assert (await customer.order(body, key)).json == order
    new = await customer.order(body)
    assert (new.status, new.problem) == (422, "unknown-address")


async def test_an_order_to_someone_elses_address_is_refused(
    anonymous: Client, customer: Client, stocked: Stocked
) -> None:
    sku = await stocked(100, 5)
    owner, _ = await newcomer(anonymous)
    saved = (await owner.call("POST", "/me/addresses", ADDRESS)).json
    body = {"items": [{"sku": sku, "quantity": 1}], "payment_method": "pm_card_visa", "address_id": saved["id"]}
    answer = await customer.order(body)
    assert (answer.status, answer.problem) == (422, "unknown-address")


async def test_who_somebody_is_stays_in_accounts(system: System, anonymous: Client) -> None:
    customer, mark = await newcomer(anonymous)
    await customer.call("GET", "/me")
    kept = await customer.call("POST", "/me/addresses", {**ADDRESS, "name": mark, "line1": f"1 {mark} Street"})
    assert kept.status == 201
    await customer.call("PATCH", "/me", {"language": "de"})
    for path in system.state.rglob("*"):
        if path.is_file() and "cosmos" not in path.name:
            assert mark.encode() not in path.read_bytes(), path
