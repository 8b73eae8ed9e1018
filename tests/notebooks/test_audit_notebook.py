"""08_audit on real servers: the answer as a line, as a table, and as data."""

from datetime import UTC, datetime

import pytest
from notebook_outputs import printed, shown

from dualsink import checks, kafka, stream
from dualsink.source import records


@pytest.fixture(scope="module")
def executed(spark, own_pipeline, run_notebook) -> tuple:
    """The executed notebook and what it recorded, asked about a time between two batches of 20 events."""
    settings = own_pipeline("audited", num_log_events=20)
    checks.create_all(spark, settings)
    moments = []
    for seed in (1, 2):
        kafka.produce(records(settings.model_copy(update={"seed": seed})), settings)
        stream.run(spark, settings)
        moments.append(datetime.now(UTC).isoformat())
    return run_notebook("08_audit", settings.model_copy(update={"audit_at": moments[0]}))


def test_it_says_in_a_line_what_was_held(executed):
    line = printed(executed[0], "08-take")
    assert "the archive held 20 events of" in line and "0 are gone" in line
    assert executed[1]["fact"] == line.strip()


def test_the_table_says_it_in_words_and_not_by_colour_alone(executed):
    (html,) = shown(executed[0], "08-days", "text/html")
    assert "holds" in html and "differs" not in html and "gone since" in html


def test_the_answer_is_recorded_as_data(executed):
    result = executed[1]["result"]
    assert (result["events"], result["origin"]["rows"]) == (20, 20)
    assert result["origin"]["metadata_location"].endswith(".metadata.json")
    assert sum(int(day["digest"]) for day in result["days"]) == int(result["digest"])
