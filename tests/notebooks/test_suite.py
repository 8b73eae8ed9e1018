"""The five notebooks, run in order on real servers, with every parameter sent as a string as Airflow does it."""

import re
from base64 import b64decode
from contextlib import closing
from io import BytesIO

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from tests.notebooks.notebook_outputs import printed, shown
from tests.support import chromium

from dualsink.kafka import producer, topic
from dualsink.kafka.brokers import Brokers
from dualsink.kafka.source import Source
from dualsink.kafka.topic import Topic
from dualsink.notebook import results
from dualsink.notebook.plots import LivePicture
from dualsink.notebook.results import Stage
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.settings import Settings
from dualsink_workbench.runner import pages

STAGES = ["01_setup", "02_produce", "03_stream", "04_query", "05_validate"]
MALFORMED = 10


@pytest.fixture(scope="module")
def suite(local: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A pipeline of this module's own: 200 events, ten of them malformed."""
    folder = tmp_path_factory.mktemp("suite")
    return local.model_copy(
        update={
            "kafka_topic": "notebooks",
            "kafka_partitions": 2,
            "iceberg_table": "notebooks",
            "opensearch_index": "notebooks",
            "num_log_events": 200,
            "malformed_share": 0.05,
            "checkpoint_dir": str(folder / "checkpoint"),
            "runs_dir": str(folder / "runs"),
            "run_id": "first",
            "spark_driver_memory": "1g",
        }
    )


@pytest.fixture(scope="module")
def executed(suite: Settings, run_notebook) -> dict:
    """Executed notebook and recorded result of every stage, run once in order."""
    return {stage: run_notebook(stage, suite) for stage in STAGES}


def result(executed: dict, stage: str) -> dict:
    return executed[stage][1]["result"]


def test_every_stage_records_its_result_and_a_fact(executed):
    assert {stage: recorded["stage"] for stage, (_, recorded) in executed.items()} == {s: s for s in STAGES}
    assert all(recorded["fact"] for _, recorded in executed.values())


def test_no_notebook_shows_or_records_a_secret(executed, local):
    secrets = [local.secret("s3_access_key_env"), local.secret("s3_secret_key_env")]
    text = str(executed)
    assert [secret for secret in secrets if not secret or secret in text] == []


def test_setup_says_ok_of_every_server(executed):
    lines = printed(executed["01_setup"][0], "01-checks").splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "[OK] Spark", "[OK] Kafka", "[OK] OpenSearch", "[OK] Nessie", "[OK] S3",
    ]  # fmt: skip


def test_setup_shows_the_statements_and_the_template_before_it_creates(executed):
    notebook = executed["01_setup"][0]
    assert printed(notebook, "01-ddl").count("CREATE TABLE") == 2
    assert '"dynamic": "strict"' in printed(notebook, "01-template")
    order = [cell.id for cell in notebook.cells]
    assert order.index("01-ddl") < order.index("01-template") < order.index("01-create")


def test_setup_creates_topic_tables_and_template(executed):
    states = list(result(executed, "01_setup")["objects"].values())
    assert states.count("created") == 4


def test_produce_sends_what_was_asked_for(executed):
    sent = result(executed, "02_produce")
    assert (sent["records"], sent["malformed"], sent["new"]) == (200, MALFORMED, 200)


def test_each_record_that_is_sent_by_hand_gets_a_partition_and_an_offset(executed):
    (html,) = shown(executed["02_produce"][0], "02-by-hand", "text/html")
    assert result(executed, "02_produce")["by_hand"] == 5
    assert all(column in html for column in ("partition", "offset")) and html.count("<tr>") == 6


def test_one_record_is_followed_before_the_stream(executed):
    notebook = executed["03_stream"][0]
    action, document, _ = printed(notebook, "03-lines").split("\n", 2)
    assert '"create"' in action and "TOPIC-ID-0-0000000000000000042-0" in action
    assert '"timestamp_original":"2026-11-23T22:15:01.123456789Z"' in document
    assert "invalid_json" in shown(notebook, "03-refusal", "text/plain")[0]


def test_the_stream_takes_every_record_once(executed):
    totals = result(executed, "03_stream")
    assert (totals["waiting_before"], totals["waiting_after"]) == (200, 0)
    assert (totals["archived"], totals["created"], totals["existing"]) == (200 - MALFORMED, 200 - MALFORMED, 0)
    assert sum(totals["refused"].values()) == MALFORMED


def test_the_stream_prints_a_line_a_batch_and_draws_one_picture(executed):
    notebook = executed["03_stream"][0]
    assert printed(notebook, "03-run").startswith("batch 0: 200 events, 190 archived, 190 indexed")
    assert len(shown(notebook, "03-run", "image/png")) == 1


def test_the_last_batch_once_more_adds_nothing_to_either_store(executed):
    repeated = result(executed, "03_stream")["repeated"]
    assert repeated == {"batch": 0, "created": 0, "existing": 200 - MALFORMED, "added": 0}
    line = printed(executed["03_stream"][0], "03-again")
    assert line.splitlines()[-1] == f"batch 0 again: created 0, existing {200 - MALFORMED}, 0 rows added"


def test_ids_are_made_of_the_coordinates(executed):
    (html,) = shown(executed["03_stream"][0], "03-ids", "text/html")
    assert re.search(r">[\w-]{22}-[01]-0000000000000000\d{3}-0<", html)


def test_queries_find_events_in_both_stores(executed):
    answers = result(executed, "04_query")
    assert answers["archive"]["events"] == 200 - MALFORMED
    assert answers["errors_last_hour"] > 0
    assert answers["trace"]["services"] > 1
    assert sum(answers["errors_per_service"].values()) > 0


def test_a_query_string_and_its_twin_in_dsl_find_the_same_number(executed):
    assert printed(executed["04_query"][0], "04-dsl").endswith("events: the same number\n")


def test_without_trino_spark_answers_the_analysts_with_the_same_errors(executed):
    notebook = executed["04_query"][0]
    assert printed(notebook, "04-trino").startswith("Spark answers: nothing answers at ")
    assert printed(notebook, "04-analysts") == "the same errors\n"
    assert result(executed, "04_query")["sql"]["events"] == result(executed, "04_query")["service"]["events"]


def test_there_was_nothing_before_the_only_batch(executed):
    assert printed(executed["04_query"][0], "04-travel") == "there was no batch before\n"
    assert result(executed, "04_query")["before_last_commit"] is None


def test_queries_are_answered_with_three_pictures(executed):
    notebook = executed["04_query"][0]
    cells = ["04-levels", "04-services", "04-compare"]
    assert [len(shown(notebook, each, "image/png")) for each in cells] == [1, 1, 1]


def test_one_partition_is_summed_up_by_hand_alike_on_both_sides(executed):
    kafka, stores = (printed(executed["05_validate"][0], cell) for cell in ("05-kafka-side", "05-stores-side"))
    assert kafka.split(": ")[1] in stores
    assert stores.splitlines()[-1] == "equal"


def test_the_ledger_holds(executed):
    ledger = result(executed, "05_validate")["ledger"]
    assert ledger["holds"] is True
    assert sum(line["kafka"] for line in ledger["partitions"]) == 200
    assert sum(line["quarantine"] for line in ledger["partitions"]) == MALFORMED


def test_the_ledgers_tables_say_it_in_words_and_not_by_colour_alone(executed):
    tables = [shown(executed["05_validate"][0], each, "text/html")[0] for each in ("05-partitions", "05-days")]
    assert all("holds" in table and "differs" not in table for table in tables)


def test_both_stores_count_the_same(executed):
    counts = result(executed, "05_validate")["counts"]
    assert [(line["archive_hot"] == line["opensearch"]) for line in counts] == [True, True, True]


def test_nothing_is_removed_unless_asked_for(executed):
    assert printed(executed["05_validate"][0], "05-cleanup") == "nothing removed: enable_cleanup is off\n"


@pytest.fixture(scope="module")
def run_pages(executed, suite) -> list:
    """The run as pages: its index, and each stage."""
    folder = suite.run_path
    for stage, (notebook, recorded) in executed.items():
        nbformat.write(notebook, folder / f"{stage}.ipynb")
        pages.write(folder / f"{stage}.ipynb", recorded["fact"])
    stages = [Stage(stage, "ok", 1.0, recorded["fact"]) for stage, (_, recorded) in executed.items()]
    results.write_report(suite, stages, results.now(), "ok", {})
    return [pages.write_index(results.read_report(suite.run_path), folder), *folder.glob("0*.html")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_axe_finds_nothing_in_the_pages_of_a_run_and_they_fit(run_pages, width, scheme):
    found = {}
    with chromium.opened() as browser:
        chromium.look(browser, width, 900, scheme)
        for page in run_pages:
            browser.get(page.as_uri())
            found[page.name] = chromium.findings(browser)
            assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth"), page.name
    assert {name: lines for name, lines in found.items() if lines} == {} and len(found) == 1 + len(STAGES)


# -- once more, as in JupyterLab, polling ----------------------------------------------------------------


@pytest.fixture(scope="module")
def watched(suite: Settings, executed: dict, run_notebook) -> tuple:
    """03_stream without a run id, as somebody runs it by hand, live, after 60 more events."""
    update = {"run_id": "", "streaming_mode": "live", "streaming_duration_seconds": 3, "trigger_seconds": 1.0}
    settings = suite.model_copy(update=update | {"num_log_events": 60, "malformed_share": 0.0, "seed": 8})
    producer.produce(Source.of(settings).records(), Topic.of(settings))
    return run_notebook("03_stream", settings)


def test_a_second_run_adds_exactly_its_own_events(watched):
    totals = watched[1]["result"]
    assert (totals["events"], totals["archived"], totals["created"], totals["existing"]) == (60, 60, 60, 0)


def test_the_live_picture_is_one_that_is_redrawn_in_place(watched):
    (picture,) = shown(watched[0], "03-run", "image/png")
    empty = BytesIO()
    LivePicture(live=False).figure.savefig(empty, bbox_inches="tight")
    assert len(b64decode(picture)) > 2 * len(empty.getvalue())


# -- the exercises ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
def test_the_exercises_are_solved_on_what_the_stage_has_left(suite, watched, run_notebook, stage):
    settings = suite.model_copy(update={"run_id": "exercises"})
    executed, _ = run_notebook(f"solutions/{stage}", settings)
    assert [cell.id for cell in executed.cells if cell.cell_type == "code" and not cell.execution_count] == []


# -- a store is changed behind the pipeline's back -------------------------------------------------------


@pytest.fixture(scope="module")
def lost(suite: Settings, watched) -> dict:
    """The document that was deleted from OpenSearch."""
    with closing(index.connect(Cluster.of(suite))) as client:
        hit = client.search(index=suite.opensearch_index, body={"size": 1})["hits"]["hits"][0]
        client.delete(index=hit["_index"], id=hit["_id"], params={"refresh": "true"})
    return hit["_source"]


@pytest.fixture(scope="module")
def failed(suite: Settings, lost: dict, run_notebook) -> tuple:
    """05_validate after the loss: the error, and what was recorded nevertheless."""
    settings = suite.model_copy(update={"run_id": "lost"})
    with pytest.raises(CellExecutionError) as caught:
        run_notebook("05_validate", settings)
    return str(caught.value), settings


def test_a_lost_document_fails_the_validation_by_its_coordinates(failed, lost):
    coordinates = "{topic}-{partition}-{offset}".format(**lost)
    assert "LedgerMismatch" in failed[0]
    assert f"missing in OpenSearch: {coordinates} " in failed[0]


def test_a_failed_ledger_is_recorded_all_the_same(failed):
    ledger = results.ledger(failed[1].run_path)
    assert (ledger["holds"], len(ledger["differences"])) == (False, 1)


@pytest.fixture(scope="module")
def cleaned(suite: Settings, failed, run_notebook) -> tuple:
    """05_validate with clean-up, told not to fail on the ledger."""
    settings = suite.model_copy(update={"run_id": "cleaned", "enable_validation": False, "enable_cleanup": True})
    return run_notebook("05_validate", settings)


def test_without_enable_validation_a_ledger_that_differs_is_shown_and_does_not_fail(cleaned):
    notebook, recorded = cleaned
    assert recorded["result"]["ledger"]["holds"] is False
    assert "differs" in shown(notebook, "05-days", "text/html")[0]


def test_cleanup_says_what_it_removed(cleaned, suite):
    lines = printed(cleaned[0], "05-cleanup").splitlines()
    assert f"removed topic {suite.kafka_topic}" in lines
    assert f"removed table {suite.archive_table} (purged)" in lines
    assert f"removed table {suite.quarantine_table} (purged)" in lines
    assert f"removed index template {suite.opensearch_index}" in lines
    assert f"removed checkpoint {suite.checkpoint_path}" in lines
    assert lines == [f"removed {name}" for name in cleaned[1]["result"]["removed"]]


def test_cleanup_leaves_nothing(cleaned, suite):
    with closing(index.connect(Cluster.of(suite))) as client:
        assert index.day_indices(client, suite.opensearch_index) == {}
        assert not client.indices.exists_index_template(name=suite.opensearch_index)
    with closing(topic.admin(Brokers.of(suite))) as client:
        assert topic.describe_topic(client, suite.kafka_topic) is None
    assert not suite.checkpoint_path.exists()
