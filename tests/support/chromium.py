"""Chromium without a window, and axe, which judges the page that it shows."""

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webdriver import WebDriver

from dualsink.spark import jars

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_JUDGE = """
const done = arguments[0];
axe.run(document, { resultTypes: ["violations"] }).then(done, (error) => done({ error: String(error) }));
"""


@contextmanager
def opened() -> Iterator[WebDriver]:
    """A browser of the test's own; it fails the test where there is none."""
    program, driver = next(filter(None, map(shutil.which, _PROGRAMS)), None), shutil.which("chromedriver")
    if not program or not driver:
        pytest.fail(
            "No Chromium with its driver on PATH: install them, on Debian: apt install chromium chromium-driver"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,900"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield browser
    finally:
        browser.quit()


def look(browser: WebDriver, width: int, height: int, scheme: str) -> None:
    """Show pages at a size in pixels, in the colours of a `scheme` (light or dark)."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


@cache
def _axe() -> str:
    (jar,) = jars.jars("axe")
    with zipfile.ZipFile(jar) as opened:
        return opened.read("axe.min.js").decode()


def findings(browser: WebDriver) -> list[str]:
    """What axe finds on the page, a line each: impact, rule, place and reason; empty where it finds nothing."""
    browser.execute_script(_axe())
    found = browser.execute_async_script(_JUDGE)
    assert "error" not in found, found["error"]
    return [
        f"{rule['impact']}: {rule['id']} at {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
