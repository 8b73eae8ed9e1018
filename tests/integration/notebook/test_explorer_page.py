"""The log explorer in a real browser, served as `./run_all.sh explore` does it.

Screenshots are kept: in the folder that DUALSINK_SCREENSHOTS names, else in the test's own.
"""

import asyncio
import csv
import io
import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait
from tests.support import chromium

from dualsink import words
from dualsink.kafka import producer
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.operations import setup
from dualsink.settings import Settings
from dualsink.stream import query
from dualsink_workbench import explorer_page
from dualsink_workbench.servers.process import free_ports

ROWS = ".ds-results .ds-item"
HOSTILE = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\"> \x1b[31mred \u202eexe.gnp"


def record(hours: float, level: str, service: str, trace: str | None, message: str) -> Record:
    """An event so many hours ago."""
    fields = {"timestamp": (datetime.now(UTC) - timedelta(hours=hours)).isoformat(), "level": level, "service": service}
    fields |= {"message": message, "host": f"{service}-1", "http.method": "GET", "pod-name": f"{service}-x"}
    fields |= {"order": 9007199254740993}
    fields |= {"trace_id": trace} if trace else {}
    fields |= {"stack_trace": "java.io.IOException: <b>reset</b>\n\tat A.b(A.java:1)"} if level == "ERROR" else {}
    return Record(service.encode(), json.dumps(fields).encode(), None)


# Hours ago, level, service, trace, message.
EVENTS = [
    (9 * 24, "INFO", "order", None, "nine days old, in the archive alone"),
    (5, "INFO", "order", "t1", "order accepted"),
    (4.99, "WARN", "payment", "t1", "payment is slow"),
    (4.98, "ERROR", "mail", "t1", f"upstream unavailable {HOSTILE}"),
    (2, "INFO", "order", None, "=order accepted as well"),
    (1, "ERROR", "cart", None, "upstream gone"),
]
KEY = "a-key-of-this-test"


def _show(page: "Page", state: str, title: str, *presses: str) -> None:
    page.open(state)
    page.title_is(title)
    for name in presses:
        page.press(name)


def _show_open_event(page: "Page") -> None:
    _show(page, "?q=unavailable&range=all", "1 event")
    page.open_event()
    page.press("Column attributes.http.method")
    page.until(lambda: len(page.all(".ds-column")) == 1 and page.all(".ds-stack"), "no column")


def _show_surroundings(page: "Page") -> None:
    _show(page, "?q=gone", "1 event")
    page.open_event()
    page.press("What surrounds it in cart on cart-1")
    page.title_is("Around cart on cart-1")


def _show_query(page: "Page") -> None:
    _show(page, "?q=upstream", "2 events")
    page.one(".ds-export summary").click()
    page.press("Query as DSL")
    page.until(lambda: page.all(".ds-question pre") != [], "no query")
    page.one(".ds-export summary").click()


AXE: dict[str, "Callable[[Page], None]"] = {
    "results": lambda page: _show(page, "?range=all&tier=both", "6 events"),
    "open event": _show_open_event,
    "trace": lambda page: _show(page, "?q=unavailable", "1 event", "Show trace t1"),
    "around": _show_surroundings,
    "query and menu": _show_query,
    "own times": lambda page: _show(page, "?range=custom", "5 events"),
    "nothing": lambda page: _show(page, "?q=nine+days", "0 events"),
    "error": lambda page: _show(page, "?q=level:(ERROR", "No answer"),
}
"""What the page can show."""


@pytest.fixture(scope="module")
def stores(local: Settings, spark, tmp_path_factory) -> Settings:
    """A pipeline of this module's own that holds EVENTS."""
    names = {"kafka_topic": "page", "iceberg_table": "page", "opensearch_index": "page"}
    folder = tmp_path_factory.mktemp("page")
    settings = local.model_copy(update=names | {"checkpoint_dir": str(folder / "checkpoint"), "runs_dir": str(folder)})
    setup.create_all(spark, settings)
    producer.produce([record(*event) for event in EVENTS], Topic.of(settings))
    query.run(spark, settings)
    with closing(index.connect(Cluster.of(settings))) as client:
        index.refresh(client, settings.opensearch_index)
    return settings


@pytest.fixture(scope="module")
def address(stores: Settings) -> Iterator[str]:
    """The page, on a free port of loopback."""
    (port,) = free_ports(1)
    loop = asyncio.new_event_loop()
    serving = loop.create_task(explorer_page.serve(stores, Console(quiet=True), port, KEY))

    def run() -> None:
        try:
            loop.run_until_complete(serving)
        except asyncio.CancelledError:
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    yield f"http://127.0.0.1:{port}/"
    loop.call_soon_threadsafe(serving.cancel)
    thread.join()


@pytest.fixture(scope="module")
def browser(address: str) -> Iterator[WebDriver]:
    """Chromium with the page open."""
    with chromium.opened() as opened:
        _open(opened, f"{address}#key={KEY}")
        yield opened


def _open(browser: WebDriver, address: str) -> None:
    def answers(_: WebDriver) -> bool:
        try:
            browser.get(address)
        except WebDriverException:
            return False  # It does not listen yet.
        return True

    WebDriverWait(browser, 60, poll_frequency=1).until(answers)


class Page:
    """The page as a person uses it."""

    def __init__(self, browser: WebDriver, address: str, shots: Path):
        self._browser, self._address, self._shots = browser, address, shots

    def open(self, state: str = "") -> None:
        self._browser.get(self._address + state)

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
        box = self.one(".ds-text input")
        box.clear()
        box.send_keys(text, Keys.ENTER)

    def press(self, name: str) -> None:
        """Press the button with this accessible name."""

        def pressed() -> bool:
            next(button for button in self.all(".ds-explorer button") if button.accessible_name == name).click()
            return True

        self.until(pressed, f"no button {name!r}")

    def open_event(self, number: int = 0) -> None:
        """Open an event of the list, unless it is open."""

        def opened() -> bool:
            row = self.all("button.ds-time")[number]
            if row.get_attribute("aria-expanded") == "false":
                row.click()
            return self.all("button.ds-time")[number].get_attribute("aria-expanded") == "true"

        self.until(opened, "the event does not open")

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
        rows = "Array.from(document.querySelectorAll('.ds-item .ds-message'))"
        return self._browser.execute_script(f"return {rows}.map(row => row.innerText)")

    def run(self, script: str, *values: object):
        return self._browser.execute_script(script, *values)

    def size(self, width: int, height: int, scheme: str) -> None:
        chromium.look(self._browser, width, height, scheme)

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
    opened = Page(browser, address, shots)
    opened.size(1400, 900, "light")
    opened.open()
    opened.title_is("5 events")
    return opened


# -- searching -------------------------------------------------------------------------------------------


def test_an_archive_that_takes_long_is_read_to_its_end_when_asked_to(page, monkeypatch):
    monkeypatch.setattr("dualsink.notebook.explorer.archive_search.AT_LEAST", 1)
    monkeypatch.setattr("dualsink.notebook.explorer.state.PATIENCE", 0.0)
    days = [(datetime.now(UTC) - timedelta(hours=hours)).date() for hours, *_ in EVENTS]
    page.open("?range=all&tier=archive")
    page.title_is(f"At least {words.count(days.count(max(days)), 'event')}")
    assert f"was read back to {max(days)} 00:00:00.000: what is older is not counted" in page.one(".ds-trouble").text
    page.press("Read all of the archive")
    page.title_is(f"{len(EVENTS)} events")
    assert page.all(".ds-trouble") == []


def test_words_that_are_typed_are_searched_and_highlighted(page):
    page.type("upstream gone")
    page.title_is("1 event")
    assert page.messages() == ["upstream gone"]
    assert [mark.text for mark in page.all(".ds-message mark")] == ["upstream", "gone"]
    page.shoot("1-search")


def test_filters_show_counts_and_narrow_the_results(page):
    page.tick("ERROR")
    page.title_is("2 events")
    counts = {label.get_attribute("data-value"): label.text.split()[-1] for label in page.all(".ds-facets label")}
    assert counts == {"ERROR": "2", "WARN": "1", "INFO": "2", "cart": "1", "mail": "1"}
    page.tick("mail")
    page.title_is("1 event")
    page.shoot("2-filters")
    page.press("all levels")
    page.press("all services")
    page.title_is("5 events")


def test_one_click_leads_from_an_event_to_its_whole_trace_and_back(page, browser):
    page.type("unavailable")
    page.title_is("1 event")
    page.press("Show trace t1")
    page.title_is("Trace t1")
    services = [row.text for row in page.all(".ds-trace .ds-item .ds-level + .ds-cell")]
    assert services == ["order", "payment", "mail"]
    assert "3 events in 3 services" in page.one(".ds-head").text
    page.shoot("4-trace")
    browser.refresh()
    page.title_is("Trace t1")
    page.press("Back to the results")
    page.title_is("1 event")


def test_a_range_drawn_in_the_histogram_is_searched_and_left_by_the_back_button(page, browser):
    chart = page.one(".ds-chart svg")
    width = chart.size["width"]
    start, stop = (int(width * (share - 0.5)) for share in (0.86, 0.985))
    drag = ActionChains(browser).move_to_element_with_offset(chart, start, 0).click_and_hold()
    drag.move_by_offset(stop - start, 0).release().perform()
    page.title_is("2 events")
    assert page.one(".ds-times").is_displayed()
    page.shoot("5-zoomed")
    browser.back()
    page.title_is("5 events")


def test_the_tiers_are_switched_and_both_shows_nothing_twice(page):
    page.choose_range("all time")
    page.title_is("5 events")
    page.press("archive")
    page.title_is("6 events")
    page.press("hot")
    page.title_is("5 events")
    page.press("both")
    page.title_is("6 events")
    assert len(page.messages()) == len(set(page.messages())) == 6
    page.shoot("6-both")


def test_what_goes_wrong_is_said_in_the_page_and_the_next_search_works(page):
    page.type("level:(ERROR")
    page.title_is("No answer")
    assert "not a query string" in page.one(".ds-trouble").text
    page.shoot("7-trouble")
    page.type("upstream")
    page.title_is("2 events")


def test_a_search_without_a_find_offers_nearby_ones_that_find_something(page):
    page.type("nine days")
    page.title_is("0 events")
    page.press("1 event in both tiers and all time")
    page.title_is("1 event")
    assert page.messages() == ["nine days old, in the archive alone"]


def test_a_newer_search_ends_the_one_before(page):
    page.run("fetch = (url, { signal }) => new Promise(() => (window.signals ??= []).push(signal))")
    page.type("first")
    page.type("second")
    assert page.run("return signals.map(signal => signal.aborted)") == [True, False]


# -- the address -----------------------------------------------------------------------------------------


def test_a_link_shows_the_same_query_filters_tier_and_open_event(page, browser):
    page.open("?q=accepted&range=7d&tier=both&service=order&level=INFO")
    page.title_is("2 events")
    page.open_event(1)
    page.until(lambda: "event=" in browser.current_url, "the open event is not in the address")
    link, shown = browser.current_url, page.one(".ds-detail dl").text
    page.open("?q=something+else")
    page.title_is("0 events")
    browser.get(link)
    page.title_is("2 events")
    assert page.one(".ds-detail dl").text == shown
    assert page.one(".ds-text input").get_attribute("value") == "accepted"
    assert page.one('.ds-tier button[aria-pressed="true"]').text == "both"


def test_the_event_of_a_link_is_shown_also_where_the_search_does_not_find_it(page, browser):
    page.open_event()
    page.until(lambda: "event=" in browser.current_url, "the open event is not in the address")
    event = browser.current_url.split("event=")[1]
    page.open(f"?q=payment&event={event}")
    page.until(lambda: page.messages() == ["upstream gone", "payment is slow"], "the event of the link is not shown")
    assert page.one(".ds-detail").is_displayed()


def test_back_and_forward_go_through_the_searches(page, browser):
    page.type("payment")
    page.title_is("1 event")
    page.type("upstream")
    page.title_is("2 events")
    browser.back()
    page.title_is("1 event")
    browser.back()
    page.title_is("5 events")
    browser.forward()
    page.title_is("1 event")
    assert page.one(".ds-text input").get_attribute("value") == "payment"


# -- one event -------------------------------------------------------------------------------------------


def test_a_click_on_a_value_filters_by_it_or_excludes_it(page):
    page.type("gone")
    page.title_is("1 event")
    page.open_event()
    page.press("Only attributes.pod-name cart-x")
    asked = 'gone AND attributes.pod\\-name:"cart-x"'
    page.until(lambda: page.one(".ds-text input").get_attribute("value") == asked, "never filtered")
    page.until(lambda: page.messages() == ["upstream gone"] and page.all(".ds-detail") == [], "never found")
    page.open_event()
    page.press("Without service cart")
    page.title_is("0 events")
    page.type("upstream OR payment")
    page.title_is("3 events")
    page.open_event()
    page.press("Without service cart")
    page.title_is("2 events")


def test_a_value_becomes_a_column_and_goes_again(page):
    page.open_event()
    page.press("Column attributes.http.method")
    page.until(lambda: len(page.all(".ds-column")) == 1, "no column")
    assert "GET" in page.one(ROWS).text
    page.press("Remove the column attributes.http.method")
    page.until(lambda: page.all(".ds-column") == [], "the column stays")


def test_what_surrounds_an_event_is_of_its_service_and_host(page):
    page.type("well")
    page.title_is("1 event")
    page.open_event()
    page.press("What surrounds it in order on order-1")
    page.title_is("Around order on order-1")
    assert page.messages() == ["=order accepted as well", "order accepted"]
    assert len(page.all(".ds-detail")) == 1


def test_times_are_shown_in_utc_or_in_local_time(page, browser):
    browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Kolkata"})
    try:
        utc = datetime.fromisoformat(page.one("button.ds-time").text)
        page.press("UTC")
        page.until(lambda: page.one(".ds-columns").text.lower().startswith("local time"), "never local time")
        assert datetime.fromisoformat(page.one("button.ds-time").text) - utc == timedelta(hours=5, minutes=30)
        assert "tz=local" in browser.current_url
    finally:
        browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})


# -- exports ---------------------------------------------------------------------------------------------


def test_what_is_seen_is_exported_as_files(page):
    # What the page hands to the browser to keep.
    page.run("URL.createObjectURL = blob => { blob.text().then(text => window.saved = text); return 'about:blank#'; }")
    page.run("HTMLAnchorElement.prototype.click = function () { window.named = this.download; }")
    page.type("accepted")
    page.title_is("2 events")
    page.one(".ds-export summary").click()
    page.press("CSV of what is shown")
    page.until(lambda: page.run("return window.saved") is not None, "no CSV")
    assert page.run("return window.named") == "events.csv"
    rows = csv.DictReader(io.StringIO(page.run("return window.saved"), newline=""))
    assert [row["message"] for row in rows] == ["'=order accepted as well", "order accepted"]
    page.run("window.saved = null")
    page.one(".ds-export summary").click()
    page.press("NDJSON of what is shown")
    page.until(lambda: page.run("return window.saved") is not None, "no NDJSON")
    lines = page.run("return window.saved").splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["=order accepted as well", "order accepted"]


def test_the_query_is_shown_in_the_words_of_each_store(page, stores):
    page.type("upstream level:ERROR")
    page.title_is("2 events")
    page.one(".ds-export summary").click()
    page.press("Query as DSL")
    page.until(lambda: page.all(".ds-question pre") != [], "no query")
    with closing(index.connect(Cluster.of(stores))) as client:
        body = json.loads(page.one(".ds-question pre").text)
        assert client.search(index=stores.opensearch_index, body=body)["hits"]["total"]["value"] == 2
    page.one(".ds-export summary").click()
    page.press("Query as SQL (DuckDB)")
    page.until(lambda: page.one(".ds-question pre").text.startswith("SELECT *"), "no SQL")


# -- log text is hostile ---------------------------------------------------------------------------------


def test_log_text_is_shown_as_text_and_never_run(page, browser):
    browser.get_log("browser")
    page.type("level:ERROR AND service:mail")
    page.title_is("1 event")
    page.open_event()
    (message,) = page.messages()
    assert message == f"upstream unavailable {HOSTILE}".replace("\x1b", "\\u001b").replace("\u202e", "\\u202e")
    assert page.one(".ds-stack").text.startswith("java.io.IOException: <b>reset</b>")
    assert "attributes.http.method" in page.one(".ds-detail dl").text
    assert "9007199254740993" in page.one(".ds-detail dl").text, "a number is shown to its last digit"
    assert page.all(".ds-explorer script, .ds-explorer img, .ds-explorer b") == []
    page.press("Show the whole trace")
    page.title_is("Trace t1")
    assert browser.title != "run"
    assert browser.get_log("browser") == []
    page.shoot("3-event")


def test_a_script_that_got_into_the_page_would_not_run(page, browser):
    page.run("document.body.append(document.createRange().createContextualFragment(arguments[0]))", HOSTILE)
    refused = "".join(entry["message"] for entry in browser.get_log("browser"))
    assert browser.title != "run" and "Content Security Policy" in refused


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403), ({"Content-Type": "text/plain"}, 415), ({"X-Dualsink-Key": ""}, 401),
        ({"X-Dualsink-Key": "guessed"}, 401), ({}, 200),
    ],
)  # fmt: skip
def test_another_sites_page_cannot_ask_and_nobody_without_the_key(address, headers, status):
    sent = {"Content-Type": "application/json", "X-Dualsink-Key": KEY} | headers
    asked = urllib.request.Request(f"{address}ask", b'{"ask": "search", "state": {}}', sent)
    try:
        assert urllib.request.urlopen(asked).status == status
    except urllib.error.HTTPError as error:
        assert error.code == status


def test_the_key_leaves_the_address_and_is_known_again_without_it(page, browser, address):
    browser.get(f"{address}?q=gone#key={KEY}")
    page.until(lambda: page.all(".ds-row"), "no events")
    assert KEY not in browser.current_url and "q=gone" in browser.current_url
    browser.get(f"{address}?q=gone")
    page.until(lambda: page.all(".ds-row"), "no events without the key in the address")


# -- everybody can use it --------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 480])
def test_the_page_fits_wide_and_narrow_screens_in_light_and_dark(page, width, scheme):
    page.size(width, 900, scheme)
    page.open("?range=all&tier=both")
    page.title_is("6 events")
    page.open_event()
    page.shoot(f"8-{width}-{scheme}")
    assert page.run("return document.documentElement.scrollWidth <= window.innerWidth")
    dark = page.run("return getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
    assert page.one(".ds-side").get_attribute("open") is (None if width == 480 else "true") or width == 1400


@pytest.mark.parametrize("state", [*(f"?range={name}" for name in ("15m", "1h", "24h", "7d", "30d", "all"))])
@pytest.mark.parametrize("width", [1400, 480])
def test_labels_of_the_axis_never_overlap(page, state, width):
    page.size(width, 900, "light")
    page.open(f"{state}&tier=both")
    page.until(lambda: page.all(".ds-label") != [], "no axis")
    labels = "[...document.querySelectorAll('.ds-label')].map(label => label.getBoundingClientRect())"
    boxes = sorted(page.run(f"return {labels}.map(box => [box.left, box.right])"))
    assert all(end + 4 < start for (_, end), (start, _) in zip(boxes, boxes[1:], strict=False))
    assert boxes[-1][1] <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 480])
def test_axe_finds_nothing(page, browser, width, scheme):
    page.size(width, 900, scheme)
    found = {}
    for state, show in AXE.items():
        show(page)
        found[state] = chromium.findings(browser)
    assert {state: lines for state, lines in found.items() if lines} == {}


def test_every_control_has_a_name_and_the_keyboard_reaches_an_event(page, browser):
    page.open_event()
    controls = page.all(".ds-explorer :is(button, input, select, summary, [role])")
    assert [control.get_attribute("outerHTML") for control in controls if not _named(control)] == []
    page.run("document.activeElement.blur()")
    page.one("body").send_keys("/")
    assert browser.switch_to.active_element.get_attribute("type") == "search"
    page.one("button.ds-time").send_keys(Keys.ARROW_DOWN, Keys.ENTER)
    page.until(lambda: len(page.all(".ds-detail")) == 2, "the second event did not open")
    assert page.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"


def _named(control) -> bool:
    quiet = control.get_attribute("role") in ("listitem", "search", "status", "alert")
    return quiet or not control.is_displayed() or bool(control.accessible_name)
