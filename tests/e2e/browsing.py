"""A person at a page: a real browser, without a screen and without anything to talk to but this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions as expect
from selenium.webdriver.support.wait import WebDriverWait

T = TypeVar("T")
PATIENCE = 60
SCREENSHOTS = Path(__file__).parents[2] / ".artifacts"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1280,1600"
)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """Chromium, where it is installed."""
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
        self._wait = WebDriverWait(
            browser, PATIENCE, ignored_exceptions=[StaleElementReferenceException, ElementClickInterceptedException]
        )

    def until(self, true: Callable[[webdriver.Chrome], T | Literal[False]], message: str = "") -> T:
        """What the page brings about, once it has. Where it never does, a screenshot and the page's text tell why."""
        try:
            return self._wait.until(true, message)
        except TimeoutException as exc:
            self.keep("failure")
            shown = self._browser.find_element(By.TAG_NAME, "body").text[:2000]
            pytest.fail(f"{exc.msg or message}; the page shows: {shown}")

    def see(self, selector: str) -> WebElement:
        return self.until(expect.visibility_of_element_located((By.CSS_SELECTOR, selector)), selector)

    def read(self, selector: str, text: str) -> WebElement:
        """The first element of a kind that shows the text, once there is one."""
        return self.until(lambda _: self._shown(selector, text), f"{selector} does not show {text!r}")

    def choose(self, selector: str, text: str) -> None:
        """Click the first element of a kind that shows the text, however often the page draws it anew meanwhile."""

        def clicked(_: webdriver.Chrome) -> bool:
            if element := self._shown(selector, text):
                self._browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
                element.click()
            return bool(element)

        self.until(clicked, f"{selector} does not show {text!r}")

    def _shown(self, selector: str, text: str) -> WebElement | Literal[False]:
        found = self._browser.find_elements(By.CSS_SELECTOR, selector)
        return next((element for element in found if text in element.text and element.is_displayed()), False)

    def click(self, selector: str) -> None:
        """Click it where it can be clicked, which is when a page that still moves has come to rest."""
        clickable = expect.element_to_be_clickable((By.CSS_SELECTOR, selector))

        def clicked(browser: webdriver.Chrome) -> bool:
            if element := clickable(browser):
                browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
                element.click()
            return bool(element)

        self.until(clicked, selector)

    def write(self, selector: str, text: str) -> None:
        element = self.see(selector)
        element.clear()
        element.send_keys(text)

    def offered(self, selector: str) -> dict[str, str]:
        """What a field offers to choose from: label → value."""
        offers = self.see(selector).get_attribute("list")
        found = self._browser.find_elements(By.CSS_SELECTOR, f"#{offers} option")
        return {str(each.get_attribute("label")): str(each.get_attribute("value")) for each in found}

    def sign_in(self, account: str) -> None:
        """The issuer's page, in the window that the portal opens."""
        portal = self._browser.current_window_handle
        self.until(expect.number_of_windows_to_be(2))
        (window,) = set(self._browser.window_handles) - {portal}
        self._browser.switch_to.window(window)
        self.write("input[name=username]", account)
        self.write("input[name=password]", f"local-{account}")
        self.click("button.main")
        self.until(expect.number_of_windows_to_be(1))
        self._browser.switch_to.window(portal)

    def keep(self, name: str) -> None:
        """A screenshot below `.artifacts`."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self._browser.save_screenshot(str(SCREENSHOTS / f"{name}.png"))

    def refused(self) -> list[str]:
        """What the page's own policy has kept it from, since it was last asked."""
        lines = [str(line["message"]) for line in self._browser.get_log("browser")]  # type: ignore[no-untyped-call]
        return [line for line in lines if "Content Security Policy" in line or "Uncaught" in line]
