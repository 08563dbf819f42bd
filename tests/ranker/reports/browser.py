"""A headless Chromium for tests, if the machine has one."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

WIDTHS = (375, 1280)

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")

_OVERFLOWING = """
const limit = document.documentElement.clientWidth + 1;
return [...document.querySelectorAll("body *")].filter((element) =>
  element.getClientRects().length && !element.closest("svg *") && !element.parentElement.closest(".scroll, nav") &&
  element.getBoundingClientRect().right > limit).map((element) => element.outerHTML.slice(0, 100));
"""
_FIGURES = """
return [...document.querySelectorAll("svg")].map((svg) => {
  const box = svg.getBoundingClientRect();
  return {label: svg.getAttribute("aria-label"), width: box.width, height: box.height,
          marks: svg.querySelectorAll("path, use").length,
          broken: [...svg.querySelectorAll("use")].filter((use) =>
            !document.querySelector(use.getAttribute("href"))).length};
});
"""


@contextmanager
def browser(profile: Path) -> Iterator[Any]:
    """A driver with its own profile; skips the test without chromedriver or Chromium."""
    driver = shutil.which("chromedriver")
    binary = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if driver is None or binary is None:
        pytest.skip("no chromedriver with a Chromium on this machine; `apt-get install chromium chromium-driver`")
    options = Options()
    options.binary_location = binary
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"):
        options.add_argument(argument)
    opened = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield opened
    finally:
        opened.quit()


def show(driver: Any, page: Path, width: int, scheme: str = "light") -> None:
    """Loads a page at a width in CSS pixels; below 600, as a phone does."""
    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "screen", "features": [feature]})
    driver.get(page.as_uri())


def show_printed(driver: Any, page: Path) -> None:
    """Loads a page with the print layout of A4 with margins of one centimetre."""
    screen = {"width": 718, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    driver.get(page.as_uri())


def assert_sound(driver: Any, figures: int) -> None:
    """No console messages, every figure is drawn, and nothing overflows the page, also with opened details."""
    assert driver.get_log("browser") == []
    drawn = driver.execute_script(_FIGURES)
    assert len(drawn) == figures
    for figure in drawn:
        assert figure["width"] > 100, figure
        assert figure["height"] > 60, figure
        assert figure["marks"] > 5, figure
        assert figure["broken"] == 0, figure
    driver.execute_script("document.querySelectorAll('details').forEach((details) => { details.open = true; });")
    assert driver.execute_script(_OVERFLOWING) == []
    assert driver.execute_script("return document.documentElement.scrollWidth - innerWidth") <= 0
