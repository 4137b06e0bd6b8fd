"""A person at the developer portal: a real browser signs in, gets a token and places an order."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

from selenium import webdriver

from tests.e2e.browsing import Page
from tests.e2e.conftest import ADDRESS, Client, Stocked, System


async def test_a_person_signs_in_and_buys(
    browser: webdriver.Chrome, system: System, stocked: Stocked, shopper: Client
) -> None:
    sku = await stocked(250, 3)
    body = {"items": [{"sku": sku, "quantity": 2}], "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
    assert (await shopper.placed(body))["id"], "orders knows the product now"
    order = await asyncio.to_thread(_buy, browser, system.addresses["apim"], body)
    assert (await shopper.settled(order["id"]))["status"] in ("confirmed", "cancelled")
    assert order["total"] == {"amount": 500, "currency": "GBP"}


def _buy(browser: webdriver.Chrome, portal: str, body: dict[str, Any]) -> dict[str, Any]:
    page = Page(browser)
    browser.get(f"{portal}/")
    assert page.see(".info .title").text.startswith("Durable Commerce")
    page.click(".auth-wrapper .authorize")
    page.see(".dialog-ux .scopes")
    page.click(".dialog-ux .auth-btn-wrapper .authorize")
    page.sign_in("shopper")
    page.see(".dialog-ux .auth-btn-wrapper button:not(.authorize)")
    page.click(".dialog-ux .btn-done")
    operation = "#operations-orders-orders-place"
    page.click(f"{operation} .opblock-summary-control")
    page.write(f"{operation} tr[data-param-name=Idempotency-Key] input", secrets.token_hex(8))
    page.write(f"{operation} textarea.body-param__text", json.dumps(body))
    page.click(f"{operation} .execute")
    status = page.see(f"{operation} .live-responses-table tbody .response-col_status").text
    shown = page.see(f"{operation} .live-responses-table .highlight-code code").text
    page.keep("portal")
    assert not page.refused()
    assert status.startswith("202"), shown
    return dict(json.loads(shown))
