"""A person at the developer portal: a real browser signs in, gets a token and places an order."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions as expect
from selenium.webdriver.support.wait import WebDriverWait

from tests.e2e.conftest import ADDRESS, ROOT, Client, Stocked, System

PATIENCE = 60
SCREENSHOT = ROOT / ".artifacts" / "portal.png"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1280,1600"
)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """Chromium, without a screen and without anything to talk to but this machine."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        if os.environ.get("CI"):
            pytest.fail("the gate installs chromium and chromium-driver; they are not here")
        pytest.skip("needs the programs chromium and chromedriver (Debian packages chromium and chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    try:
        yield running
    finally:
        running.quit()


class Page:
    """What a person does: look for something, click it, write into it."""

    def __init__(self, browser: webdriver.Chrome) -> None:
        self._browser = browser
        self._wait = WebDriverWait(browser, PATIENCE)

    def see(self, selector: str) -> WebElement:
        return self._wait.until(expect.visibility_of_element_located((By.CSS_SELECTOR, selector)))

    def click(self, selector: str) -> None:
        element = self._wait.until(expect.element_to_be_clickable((By.CSS_SELECTOR, selector)))
        self._browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def write(self, selector: str, text: str) -> None:
        element = self.see(selector)
        element.clear()
        element.send_keys(text)

    def sign_in(self, account: str) -> None:
        """The issuer's page, in the window that the portal opens."""
        portal = self._browser.current_window_handle
        self._wait.until(expect.number_of_windows_to_be(2))
        (window,) = set(self._browser.window_handles) - {portal}
        self._browser.switch_to.window(window)
        self.write("input[name=username]", account)
        self.write("input[name=password]", f"local-{account}")
        self.click("button.main")
        self._wait.until(expect.number_of_windows_to_be(1))
        self._browser.switch_to.window(portal)


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
    SCREENSHOT.parent.mkdir(exist_ok=True)
    browser.save_screenshot(str(SCREENSHOT))
    refused = [line["message"] for line in browser.get_log("browser") if "Content Security Policy" in line["message"]]  # type: ignore[no-untyped-call]
    assert not refused, refused
    assert status.startswith("202"), shown
    return dict(json.loads(shown))
