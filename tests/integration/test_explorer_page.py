"""The log explorer in a real browser, served by Voilà as `./run_all.sh explore` does it.

Screenshots are kept: in the folder that DUALSINK_SCREENSHOTS names, else in the test's own.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

from dualsink import checks, kafka, search, stream
from dualsink.explorer import serve
from dualsink.generator import Record
from dualsink.local.process import free_ports
from dualsink.settings import Settings

ROWS = ".ds-results .ds-row:not(.ds-columns)"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def record(hours: float, level: str, service: str, trace: str | None, message: str) -> Record:
    """An event so many hours ago."""
    fields = {"timestamp": (datetime.now(UTC) - timedelta(hours=hours)).isoformat(), "level": level, "service": service}
    fields |= {"message": message, "host": f"{service}-1", "http.method": "GET"}
    fields |= {"trace_id": trace} if trace else {}
    fields |= {"stack_trace": "java.io.IOException: <b>reset</b>\n\tat A.b(A.java:1)"} if level == "ERROR" else {}
    return Record(service.encode(), json.dumps(fields).encode(), None)


# Hours ago, level, service, trace, message.
EVENTS = [
    (9 * 24, "INFO", "order", None, "nine days old, in the archive alone"),
    (5, "INFO", "order", "t1", "order accepted"),
    (4.99, "WARN", "payment", "t1", "payment is slow"),
    (4.98, "ERROR", "mail", "t1", "upstream unavailable <script>alert(1)</script>"),
    (2, "INFO", "order", None, "order accepted as well"),
    (1, "ERROR", "cart", None, "upstream gone"),
]


@pytest.fixture(scope="module")
def stores(local: Settings, spark, tmp_path_factory) -> Settings:
    """A pipeline of this module's own that holds EVENTS."""
    names = {"kafka_topic": "page", "iceberg_table": "page", "opensearch_index": "page"}
    folder = tmp_path_factory.mktemp("page")
    settings = local.model_copy(update=names | {"checkpoint_dir": str(folder / "checkpoint"), "runs_dir": str(folder)})
    checks.create_all(spark, settings)
    kafka.produce([record(*event) for event in EVENTS], settings)
    stream.run(spark, settings)
    with closing(search.connect(settings)) as client:
        search.refresh(client, settings.opensearch_index)
    return settings


@pytest.fixture(scope="module")
def address(stores: Settings, tmp_path_factory) -> Iterator[str]:
    """The page, on a free port of loopback."""
    (port,) = free_ports(1)
    log = (tmp_path_factory.mktemp("voila") / "voila.log").open("w")
    command = serve.command(serve.prepared(stores), port)
    assert command[0] == sys.executable and "--Voila.ip=127.0.0.1" in command
    voila = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    yield f"http://127.0.0.1:{port}/"
    voila.terminate()
    voila.wait(30)


@pytest.fixture(scope="module")
def browser(address: str) -> Iterator[WebDriver]:
    """Chromium without a window, with the page open and its first search answered."""
    program, driver = next(filter(None, map(shutil.which, BROWSERS)), None), shutil.which("chromedriver")
    if not program or not driver:
        pytest.fail(
            "No Chromium with its driver on PATH: install them, on Debian: apt install chromium chromium-driver"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,900"):
        options.add_argument(argument)
    opened = webdriver.Chrome(options=options, service=Service(driver))
    _open(opened, address)
    yield opened
    opened.quit()


def _open(browser: WebDriver, address: str) -> None:
    def answers(_: WebDriver) -> bool:
        try:
            browser.get(address)
        except WebDriverException:
            return False  # Voilà is not up yet.
        return True

    WebDriverWait(browser, 60, poll_frequency=1).until(answers)


class Page:
    """The page as a person uses it."""

    def __init__(self, browser: WebDriver, shots: Path):
        self._browser, self._shots = browser, shots

    def all(self, selector: str) -> list:
        return self._browser.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str):
        return self._browser.find_element(By.CSS_SELECTOR, selector)

    def until(self, holds: Callable[[], bool], what: str) -> None:
        def quietly(_: WebDriver) -> bool:
            try:
                return holds()
            except Exception:
                return False  # What was looked at has just been drawn anew.

        WebDriverWait(self._browser, 40).until(quietly, f"{what}; the page says: {self.one('body').text[:800]}")

    def title_is(self, text: str) -> None:
        self.until(lambda: self.one(".ds-head strong").text == text, f"never the title {text!r}")

    def type(self, text: str) -> None:
        self.until(lambda: self.one(".ds-text input").is_displayed(), "no search box")
        box = self.one(".ds-text input")
        self._browser.execute_script("arguments[0].select()", box)
        box.send_keys(text or "\ue017", "\ue007")

    def choose_tier(self, name: str) -> None:
        next(button for button in self.all(".ds-tier button") if button.text == name).click()

    def choose_range(self, name: str) -> None:
        next(option for option in self.all(".ds-range option") if option.text == name).click()

    def tick(self, value: str) -> None:
        """Click a filter's box, found again where the filters are drawn anew meanwhile."""

        def clicked() -> bool:
            self.one(f'.ds-facets label[data-value="{value}"] input').click()
            return True

        self.until(clicked, f"no filter {value!r}")

    def messages(self) -> list[str]:
        """What the rows say, read in one step: rows found one by one may be drawn anew in between."""
        rows = "Array.from(document.querySelectorAll(arguments[0]))"
        last = "row => Array.from(row.querySelectorAll('.ds-cell')).at(-1).innerText"
        return self._browser.execute_script(f"return {rows}.map({last})", ROWS)

    def shoot(self, name: str) -> None:
        self._browser.save_screenshot(str(self._shots / f"{name}.png"))


@pytest.fixture(scope="module")
def shots(tmp_path_factory) -> Path:
    """Folder of the screenshots."""
    folder = Path(os.environ.get("DUALSINK_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def page(browser: WebDriver, address: str, shots: Path) -> Page:
    """The page as it opens: the last 24 hours of the hot tier."""
    opened = Page(browser, shots)
    browser.get(address)
    opened.title_is("5 events")
    return opened


def test_words_that_are_typed_are_searched(page):
    page.type("upstream")
    page.title_is("2 events")
    assert page.messages() == ["upstream gone", "upstream unavailable <script>alert(1)</script>"]
    page.shoot("1-search")


def test_filters_show_counts_and_narrow_the_results(page):
    page.tick("ERROR")
    page.title_is("2 events")
    counts = {label.get_attribute("data-value"): label.text.split()[-1] for label in page.all(".ds-facets label")}
    assert counts == {"ERROR": "2", "WARN": "1", "INFO": "2", "cart": "1", "mail": "1"}
    page.tick("mail")
    page.title_is("1 event")
    page.shoot("2-filters")
    page.tick("ERROR")
    page.tick("mail")
    page.title_is("5 events")


def test_an_event_opens_with_its_attributes_and_stack_trace_as_text(page):
    page.type("level:ERROR AND service:mail")
    page.title_is("1 event")
    page.one(ROWS).click()
    assert page.one(".ds-stack").text.startswith("java.io.IOException: <b>reset</b>")
    assert "attributes.http.method\nGET" in page.one(".ds-detail dl").text
    page.shoot("3-event")
    page.one(ROWS).click()
    assert page.all(".ds-detail") == []


def test_one_click_leads_from_an_event_to_its_whole_trace_and_another_back(page):
    page.type("unavailable")
    page.title_is("1 event")
    page.one(f"{ROWS} .ds-act").click()
    page.title_is("Trace t1")
    services = [row.find_elements(By.CSS_SELECTOR, ".ds-cell")[0].text for row in page.all(".ds-trace .ds-row")[1:]]
    assert services == ["order", "payment", "mail"]
    assert "3 events in 3 services" in page.one(".ds-head").text
    page.shoot("4-trace")
    page.one(".ds-head .ds-act").click()
    page.title_is("1 event")


def test_a_range_drawn_in_the_histogram_is_searched_and_left_again(page, browser):
    chart = page.one(".ds-chart svg")
    width = chart.size["width"]
    start, stop = (int(width * (share - 0.5)) for share in (0.86, 0.995))
    drag = ActionChains(browser).move_to_element_with_offset(chart, start, 0).click_and_hold()
    drag.move_by_offset(stop - start, 0).release().perform()
    page.title_is("2 events")
    assert page.one(".ds-times").is_displayed()
    page.shoot("5-zoomed")
    page.one(".ds-zoom-out").click()
    page.title_is("5 events")


def test_the_tiers_are_switched_and_both_shows_nothing_twice(page):
    page.choose_range("all time")
    page.title_is("5 events")
    page.choose_tier("archive")
    page.title_is("6 events")
    page.choose_tier("hot")
    page.title_is("5 events")
    page.choose_tier("both")
    page.title_is("6 events")
    assert len(page.messages()) == len(set(page.messages())) == 6
    page.shoot("6-both")


def test_what_goes_wrong_is_said_in_the_page_and_the_next_search_works(page):
    page.type("level:(ERROR")
    page.title_is("No answer")
    assert "OpenSearch does not understand the search" in page.one(".ds-trouble").text
    page.shoot("7-trouble")
    page.type("upstream")
    page.title_is("2 events")
