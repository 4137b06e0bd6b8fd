"""A person at the developer portal: a real browser signs in, reads, and places an order, on a phone as on a desk."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.e2e.browsing import Page
from tests.e2e.conftest import Client, System

OPERATION = "#operations-orders-orders-place"
WIDTHS = (390, 768, 1280)


async def test_a_person_signs_in_and_buys_with_the_values_that_are_there(
    browser: webdriver.Chrome, system: System, on_sale: None, shopper: Client
) -> None:
    order = await asyncio.to_thread(_buy, browser, system.addresses["apim"])
    assert (await shopper.settled(order["id"]))["status"] == "confirmed"


def _buy(browser: webdriver.Chrome, portal: str) -> dict[str, Any]:
    page = Page(browser)
    browser.get(f"{portal}/")
    assert page.see(".info .title").text.startswith("Durable Commerce")
    assert page.see(f"{OPERATION} .demanded").text == "sign in: orders.write"
    assert page.see("#operations-catalog-products-list .demanded").text == "anyone"
    page.click("#sign-in")
    page.sign_in("shopper")
    page.read("#who", "Signed in as Shopper")
    assert "Read your account" in page.see("#scopes").text
    page.keep("portal-signed-in")
    page.click(f"{OPERATION} .opblock-summary-control")
    page.write("#key", "nobody's")
    page.click(f"{OPERATION} .execute")
    page.read("#explained", "urn:durable-commerce:problem:invalid-subscription-key")
    assert page.see("#explained a").get_attribute("href") == f"{portal}/guides/api#errors"
    page.keep("portal-problem")
    page.click("#understood")
    page.write("#key", page.offered("#key")["A partner's order system"])
    page.click(f"{OPERATION} .execute")
    page.read(f"{OPERATION} .live-responses-table tbody .response-col_status", "202")
    shown = page.see(f"{OPERATION} .live-responses-table .highlight-code code").text
    page.keep("portal-order")
    assert not page.refused()
    browser.refresh()
    page.read("#who", "Signed in as Shopper")
    page.see(f"{OPERATION} .demanded")  # a page that is still drawn moves under the click
    page.click("#sign-in")
    page.read("#sign-in", "Sign in")
    assert browser.find_element(By.ID, "who").text == ""
    return dict(json.loads(shown))


@pytest.mark.parametrize("width", WIDTHS)
async def test_pages_fit_a_screen_by_day_and_by_night(browser: webdriver.Chrome, system: System, width: int) -> None:
    await asyncio.to_thread(_look, browser, system.addresses["apim"], width)


def _look(browser: webdriver.Chrome, portal: str, width: int) -> None:
    page = Page(browser)
    screen = {"width": width, "height": 1400, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        for name, path, seen in (
            ("api", "/", OPERATION),
            ("guide", "/guides/api", "#errors"),
            ("access", "/guides/access", "table"),
        ):
            browser.get(portal + path)
            page.see(seen)
            if name == "api":
                page.click(f"{OPERATION} .opblock-summary-control")
                page.see(f"{OPERATION} .execute")
                browser.execute_script("window.scrollTo(0, 0)")
            page.keep(f"portal-{name}-{width}-{scheme}")
            if name == "api":
                browser.execute_script(f"document.querySelector('{OPERATION}').scrollIntoView()")
                page.keep(f"portal-order-{width}-{scheme}")
            assert browser.execute_script(_SIDEWAYS) == [], f"{path} at {width} pixels"
            assert browser.execute_script(_BROKEN) == [], f"{path} at {width} pixels"
            ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
            assert (ground == "rgb(255, 255, 255)") == (scheme == "light"), ground
    assert not page.refused()


_SIDEWAYS = """
const parts = "header *, .opblock-summary *, .guide h1, .guide h2, .guide p, .guide li, #account *, .execute";
return [...document.querySelectorAll(parts)]
  .filter((element) => element.getClientRects().length && element.getBoundingClientRect().right > innerWidth + 1)
  .map((element) => element.outerHTML.slice(0, 80))
  .concat(document.documentElement.scrollWidth > innerWidth + 1 ? ["the page scrolls sideways"] : []);
"""
"""What is cut off at the right side of the screen."""
_BROKEN = """
const parts = "header a, .welcome, .opblock-tag, .opblock-summary *, .opblock-description p, .guide p, .guide li";
const broken = [], range = document.createRange();
for (const element of document.querySelectorAll(parts))
  for (const node of element.childNodes)
    for (const word of node.nodeType === Node.TEXT_NODE ? node.data.matchAll(/[A-Za-z]{2,}/g) : []) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map((line) => Math.round(line.top))).size > 1) broken.push(word[0]);
    }
return broken;
"""
"""Words of which one half stands on another line."""


async def test_guides_are_pages_that_lead_to_one_another(browser: webdriver.Chrome, system: System) -> None:
    def read() -> None:
        page = Page(browser)
        browser.get(f"{system.addresses['apim']}/guides/api")
        assert page.see("h1").text == "Using the API"
        page.choose("article a", "access.md")
        page.read("h1", "Who may do what")
        assert not page.refused()

    await asyncio.to_thread(read)
