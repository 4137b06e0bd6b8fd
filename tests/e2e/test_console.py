"""A person at the console of the running system: each tab, in a real browser, with a screenshot of each."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.e2e.browsing import SCREENSHOTS, Page
from tests.e2e.conftest import Client, Provider, Stocked, System, basket, started

ATTACK = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
QUERY = """// How long each operation takes
requests
| summarize p95 = percentile(duration, 95) by bin(timestamp, 1s), name
"""
PICTURES = ("waterfall", "map")
"""What the README shows, beside `docs`."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One with a saved query of its own beside those of the project, where orders wait for long."""
    folder = tmp_path_factory.mktemp("console")
    shutil.copytree(Path("infra"), folder / "infra")
    (folder / "infra" / "how-long.kql").write_text(QUERY)
    with started(folder, "--set", f"insights.queries={folder / 'infra'}", deadline=120) as running:
        yield running


class Console(Page):
    """The page, opened at a fragment of its address."""

    def __init__(self, browser: webdriver.Chrome, system: System) -> None:
        super().__init__(browser)
        self.browser, self._address = browser, system.addresses["insights"]

    def open(self, *parts: str) -> None:
        self.browser.get("about:blank")
        self.browser.get(f"{self._address}/#/{'/'.join(parts)}")
        self.see("html[data-ready] main > *")

    def press(self, key: str, held: str = "") -> None:
        """A key, or one while another is held."""
        keys = webdriver.ActionChains(self.browser)
        (keys.key_down(held).send_keys(key).key_up(held) if held else keys.send_keys(key)).perform()

    def count(self, selector: str) -> int:
        return len(self.browser.find_elements(By.CSS_SELECTOR, selector))

    def check(self) -> None:
        """Nothing was refused by the page's policy, nothing failed, and nothing that was shown has run."""
        assert self.refused() == []
        assert "owned" not in self.browser.title
        assert not self.browser.find_elements(By.CSS_SELECTOR, "main img, main script, main iframe")


@pytest.fixture
def console(browser: webdriver.Chrome, system: System) -> Iterator[Console]:
    made = Console(browser, system)
    yield made
    made.check()


def claims(token: str) -> dict[str, Any]:
    """What an access token says of its caller."""
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


async def do(work: Callable[[], object]) -> None:
    """What a person does, beside the tests' own loop."""
    await asyncio.to_thread(work)


@pytest.fixture
def bought(stocked: Stocked, shopper: Client) -> Callable[[], Awaitable[str]]:
    """Buys something, and answers the id of the order when it is paid."""

    async def buy() -> str:
        lines = [(await stocked(250, 50), 2), (await stocked(990, 50), 1)]
        order = await shopper.placed(basket(*lines))
        await shopper.until(f"/orders/{order['id']}/payment", lambda payment: payment["status"] == "captured")
        return str(order["id"])

    return buy


async def test_an_order_is_found_and_told_across_services(
    console: Console, bought: Callable[[], Awaitable[str]], shopper: Client
) -> None:
    order_id = await bought()

    def look() -> None:
        console.open()
        console.read("tr[data-row]", order_id)
        console.keep("console-orders")
        console.press("/")
        assert console.browser.switch_to.active_element.get_attribute("type") == "search"
        console.write("[data-search]", order_id[:12])
        console.choose("tr[data-row]", order_id)
        console.read("h1", order_id)
        for role in ("orders", "inventory", "payments"):
            console.read(".facts .chip", role)
        console.read(".span .name", "stripe capture")
        console.read(".facts .chip", "RU")
        console.read(".span .label", "in queue")
        console.read(".timeline td", "order.confirmed")
        picture(console, "waterfall", ".waterfall")
        console.choose(".span[data-row] .name", "POST /v1/orders")
        console.read(".details .logs", "order.placed")
        console.keep("console-waterfall")
        trace = console.see(".trace h2 a").text
        console.open()
        console.write("[data-search]", trace)
        console.choose("a[data-row]", trace)
        console.read("h1", trace)

    await do(look)
    customer = claims(shopper.token)["oid"]

    def by_customer() -> None:
        console.open()
        console.write("[data-search]", customer)
        console.read("h2", "By customer")
        console.read("tr[data-row]", order_id)

    await do(by_customer)


async def test_services_are_a_map_and_percentiles_move_under_load(
    console: Console, bought: Callable[[], Awaitable[str]]
) -> None:
    await bought()
    seen: list[str] = []

    def before() -> None:
        console.open("services")
        for name in ("orders", "inventory", "payments"):
            console.read(".map .node.service .title", name)
        console.see(".map .edge")
        seen.append(requests(console))

    await do(before)
    await asyncio.gather(*(bought() for _ in range(8)))

    def after() -> None:
        console.until(lambda _: requests(console) != seen[0], "the chart does not move")
        console.see(".chart canvas")
        picture(console, "map", ".map")
        console.keep("console-services")
        console.choose(".map .node.service .title", "payments")
        console.until(lambda _: console.see("select[aria-label=Service]").get_property("value") == "payments", "chosen")

    await do(after)


def requests(console: Console) -> str:
    """How many requests the last points of the chart are of, and how long they took."""
    texts = "return [...document.querySelectorAll('[data-latest]')].map((each) => each.textContent).join(' ')"
    return str(console.browser.execute_script(texts))


async def test_a_dead_letter_appears_and_is_sent_again(console: Console, system: System) -> None:
    def none_yet() -> None:
        console.open("queues")
        console.read("tr[data-row]", "inventory")
        console.read(".chip", "no dead letters")

    await do(none_yet)
    key = "SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true"
    message = ServiceBusMessage(
        json.dumps({"name": ATTACK}),
        subject="commerce.order.placed.v1",
        message_id="poison-1",
        content_type="application/json",
    )
    async with (
        ServiceBusClient.from_connection_string(f"Endpoint={system.addresses['servicebus']};{key}") as client,
        client.get_topic_sender("orders") as sender,
    ):
        await sender.send_messages(message)

    def send_again() -> None:
        console.read("tr[data-entity='orders/subscriptions/inventory'] .chip.bad", "1")
        console.keep("console-queues")
        console.click("tr[data-entity='orders/subscriptions/inventory']")
        assert "MaxDeliveryCountExceeded" in console.read("tr[data-sequence]", "poison-1").text
        console.choose("tr[data-sequence]", "poison-1")
        assert ATTACK in json.loads(console.see("tr.details pre").text)["name"]
        console.keep("console-dead-letter")
        console.click("tr[data-sequence] .act")
        console.read("dialog", "new message id")
        console.click("dialog #do-it")
        console.read(".toast", "Sent again as")
        console.until(lambda _: not found(console, "tr[data-sequence]", "poison-1"), "it is still there")
        console.see("tr[data-sequence]")  # nobody can read it under another id either

    await do(send_again)


def found(console: Console, selector: str, text: str) -> list[WebElement]:
    elements = console.browser.find_elements(By.CSS_SELECTOR, selector)
    return [element for element in elements if text in element.text]


async def test_a_workflow_is_a_gantt_chart_and_is_acted_upon(
    console: Console, bought: Callable[[], Awaitable[str]], stocked: Stocked, shopper: Client, provider: Provider
) -> None:
    done = await bought()
    await provider.fault(operation="confirm", kind="hang_before_effect", seconds=3600, count=None)
    sku = await stocked(250, 5)
    ends = (await shopper.placed(basket((sku, 1))))["id"]

    def act() -> None:
        console.open("workflows")
        console.read("tr[data-row]", done)
        console.read("tr[data-row] .chip.strong", "Running")
        console.keep("console-workflows")
        console.choose("tr[data-row] a", done)
        console.read("h1", done)
        console.read(".gantt .name", "EventRaised")
        console.keep("console-gantt")
        assert not found(console, "button", "Terminate"), "one that has ended cannot be acted upon"
        console.open("workflows", "functions", ends)
        console.click("button.act:not(.danger)")
        console.write("dialog input", "unheard-of")
        console.write("dialog textarea", '{"by": "a person"}')
        console.click("dialog #do-it")
        console.read(".gantt .name", "unheard-of")
        console.click("button.danger")
        console.write("dialog input", ATTACK)
        console.keep("console-terminate")
        console.click("dialog #do-it")
        console.read(".facts .chip.bad", "Terminated")

    await do(act)


async def test_items_are_read_as_texts(console: Console, staff: Client) -> None:
    body = {"name": ATTACK, "category": "tests", "price": {"amount": 100, "currency": "GBP"}}
    assert (await staff.call("PUT", "/products/ATTACK-1", body)).status == 201

    def look() -> None:
        console.open("data", "catalog", "products")
        console.write("textarea", "SELECT * FROM c WHERE c.id = 'ATTACK-1'")
        console.press(Keys.ENTER, held=Keys.CONTROL)
        console.read(".facts .chip", "1 items")
        console.choose("tr[data-row]", "ATTACK-1")
        console.read("tr.details pre", ATTACK.split('"')[0])
        console.keep("console-data")
        console.write("textarea", "SELECT nonsense")
        console.click("#run")
        console.see(".failure")

    await do(look)


async def test_a_saved_query_is_run_and_drawn(console: Console, bought: Callable[[], Awaitable[str]]) -> None:
    await bought()

    def ask() -> None:
        console.open("query")
        console.click("#saved option[value='how-long']")
        console.read(".bar + p", "How long each operation takes")
        console.read("th", "p95")
        console.see(".chart canvas")
        console.keep("console-query")
        console.write("textarea", "requests | make-series count() on timestamp step 1m")
        console.click("#run")
        console.read(".failure", "make-series")

    await do(ask)


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_every_tab_is_readable_on_a_phone(
    console: Console, bought: Callable[[], Awaitable[str]], theme: str
) -> None:
    order_id = await bought()

    def look() -> None:
        screen = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
        console.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        scheme = [{"name": "prefers-color-scheme", "value": theme}]
        console.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        places = [
            [],
            ["subject", order_id],
            ["services"],
            ["queues"],
            ["workflows"],
            ["data", "catalog", "products"],
            ["query"],
        ]
        for parts in places:
            console.open(*parts)
            console.read("main", "")
            name = parts[0] if parts else "find"
            if name == "subject":
                console.see(".span[data-row]")
            console.keep(f"phone-{theme}-{name}")
            wide = console.browser.execute_script("return document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{name} is {wide} pixels wider than the screen"

    await do(look)


async def test_the_keys_do_what_the_help_says(console: Console, bought: Callable[[], Awaitable[str]]) -> None:
    order_id = await bought()

    def type_() -> None:
        console.open()
        console.read("tr[data-row]", order_id)
        console.press("2")
        console.read("h1", "Services")
        console.press("1")
        console.see("tr[data-row]")
        console.press("j")
        console.press(Keys.ENTER)
        console.see(".waterfall .span[data-row]")
        console.press(Keys.ESCAPE)
        console.see("input[type=search]")
        before = console.browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        console.press("t")
        assert console.browser.execute_script("return getComputedStyle(document.body).backgroundColor") != before
        console.press("?")
        console.read("dialog", "light or dark")
        console.press(Keys.ESCAPE)
        console.until(lambda _: not console.count("dialog"), "the help stays")

    await do(type_)


def picture(console: Console, name: str, selector: str) -> None:
    """A screenshot of one element, for the README: kept in `docs` where CONSOLE_PICTURES asks for it."""
    assert name in PICTURES
    element = console.see(selector)
    console.browser.execute_script(
        "document.querySelector('header').hidden = true; arguments[0].scrollIntoView()", element
    )
    folder = Path("docs/pictures") if os.environ.get("CONSOLE_PICTURES") else SCREENSHOTS
    folder.mkdir(parents=True, exist_ok=True)
    element.screenshot(str(folder / f"{name}.png"))
    console.browser.execute_script("document.querySelector('header').hidden = false")
