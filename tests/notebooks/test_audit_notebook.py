"""08_audit on real servers: the answer as a line, as a table, and as data."""

import re
from datetime import UTC, datetime

import nbformat
import pytest
from tests.notebooks.notebook_outputs import printed, shown
from tests.support import chromium

from dualsink.kafka import producer
from dualsink.kafka.source import Source
from dualsink.kafka.topic import Topic
from dualsink.operations import setup
from dualsink.settings import Settings
from dualsink.stream import query
from dualsink_workbench.runner import pages


@pytest.fixture(scope="module")
def own_settings(own_pipeline) -> Settings:
    """Settings of this module's pipeline."""
    return own_pipeline("audited", num_log_events=20)


@pytest.fixture(scope="module")
def executed(spark, own_settings, run_notebook) -> tuple:
    """The executed notebook and what it recorded, asked about a time between two batches of 20 events."""
    settings = own_settings
    setup.create_all(spark, settings)
    moments = []
    for seed in (1, 2):
        producer.produce(Source.of(settings.model_copy(update={"seed": seed})).records(), Topic.of(settings))
        query.run(spark, settings)
        moments.append(datetime.now(UTC).isoformat())
    return run_notebook("08_audit", settings.model_copy(update={"audit_at": moments[0]}))


def test_it_says_in_a_line_what_was_held(executed):
    line = printed(executed[0], "08-take")
    assert "the archive held 20 events of" in line and "none is gone" in line
    assert executed[1]["fact"] == line.strip()


def test_the_table_is_read_at_the_commit_by_its_name(executed):
    (name,) = shown(executed[0], "08-at-commit", "text/plain")
    commit = executed[1]["result"]["origin"]["commit"]["hash"]
    assert f"`audited@main#{commit}`" in name
    (html,) = shown(executed[0], "08-levels-then", "text/html")
    assert sum(map(int, re.findall(r"<td[^>]*>(\d+)</td>", html))) == 20


def test_its_exercises_are_solved(executed, run_notebook, own_settings):
    solved, _ = run_notebook("solutions/08_audit", own_settings)
    assert [cell.id for cell in solved.cells if cell.cell_type == "code" and not cell.execution_count] == []


def test_the_table_says_it_in_words_and_not_by_colour_alone(executed):
    (html,) = shown(executed[0], "08-days", "text/html")
    assert "holds" in html and "differs" not in html and "gone since" in html


def test_the_answer_is_recorded_as_data(executed):
    result = executed[1]["result"]
    assert (result["events"], result["origin"]["rows"]) == (20, 20)
    assert result["origin"]["metadata_location"].endswith(".metadata.json")
    assert sum(int(day["digest"]) for day in result["days"]) == int(result["digest"])


@pytest.mark.parametrize("width", [1280, 400])
def test_axe_finds_nothing_in_its_page(executed, own_settings, width):
    file = own_settings.run_path / "08_audit.ipynb"
    nbformat.write(executed[0], file)
    page = pages.write(file, executed[1]["fact"])
    with chromium.opened() as browser:
        chromium.look(browser, width, 900, "light")
        browser.get(page.as_uri())
        assert chromium.findings(browser) == []
