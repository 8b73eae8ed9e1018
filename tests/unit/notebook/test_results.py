"""The run folder: what stages record, and the report of a run."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from dualsink.notebook import results
from dualsink.notebook.results import Stage
from dualsink.settings import Settings

JAVAS = {"spark": {"java": "Java 17.0.2 from PATH (/jdk/bin/java)", "java_reason": "Spark needs Java 17 or 21"}}
LEDGER = {"holds": True, "partitions": [], "days": [], "differences": [], "earlier": 0, "taken_at": "now"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A run of its own; nothing answers at its OpenSearch address."""
    return Settings.from_values({"runs_dir": str(tmp_path), "run_id": "r1", "opensearch_port": 1})


def report(settings: Settings) -> dict:
    return json.loads((settings.run_path / "report.json").read_text())


def test_what_is_recorded_is_read_back(settings):
    results.record(settings.run_path, "02_produce", {"records": 200}, fact="200 records sent")
    found = results.read(settings.run_path, "02_produce")
    assert (found["stage"], found["fact"], found["result"]) == ("02_produce", "200 records sent", {"records": 200})


def test_nothing_is_read_where_nothing_was_recorded(settings):
    assert results.read(settings.run_path, "02_produce") is None


def test_a_second_record_replaces_the_first_and_leaves_no_draft(settings):
    for number in (1, 2):
        results.record(settings.run_path, "02_produce", {"number": number}, fact="")
    assert results.read(settings.run_path, "02_produce")["result"] == {"number": 2}
    assert [file.name for file in (settings.run_path / "results").iterdir()] == ["02_produce.json"]


def test_numbers_of_numpy_and_times_become_json(settings):
    values = {"count": np.int64(3), "share": np.float64(0.5), "at": datetime(2026, 1, 2, tzinfo=UTC), 7: None}
    results.record(settings.run_path, "04_query", values, fact="")
    found = results.read(settings.run_path, "04_query")["result"]
    assert found == {"count": 3, "share": 0.5, "at": "2026-01-02T00:00:00+00:00", "7": None}


def test_notes_are_appended_line_by_line(settings):
    results.note(settings.run_path, "batch 1")
    results.note(settings.run_path, "batch 2")
    assert (settings.run_path / "progress.log").read_text() == "batch 1\nbatch 2\n"


def test_the_report_holds_stages_versions_and_ledger(settings):
    results.record(settings.run_path, results.LEDGER_STAGE, {"ledger": LEDGER}, fact="")
    stages = [Stage("01_setup", "ok", 1.5, "all there", {"a": 1}), Stage("05_validate", "ok", 2.0, "holds")]
    results.write_report(settings, stages, started="2026-11-23T10:00:00+00:00", status="ok", javas=JAVAS)
    found = report(settings)
    assert (found["run_id"], found["environment"], found["status"]) == ("r1", "local", "ok")
    assert found["stages"][0] == {
        "name": "01_setup",
        "status": "ok",
        "seconds": 1.5,
        "fact": "all there",
        "result": {"a": 1},
        "error": "",
    }
    assert (found["ledger"], found["java"]) == (LEDGER, JAVAS)
    assert found["started"] == "2026-11-23T10:00:00+00:00" and found["finished"]
    assert set(found["versions"]) == {"dualsink", "python", "pyspark", "java", "opensearch"}


def test_a_server_that_does_not_answer_has_no_version(settings):
    assert results.versions(settings)["opensearch"] is None


def test_a_report_without_validation_has_no_ledger(settings):
    results.write_report(settings, [Stage("01_setup")], started="s", status="failed", javas=JAVAS)
    assert report(settings)["ledger"] is None


def test_a_running_report_has_no_end(settings):
    results.write_report(settings, [Stage("01_setup", "running")], started="s", status="running", javas=JAVAS)
    assert (report(settings)["status"], report(settings)["finished"]) == ("running", None)


def test_the_report_holds_the_names_of_secrets_and_not_the_secrets(settings, monkeypatch):
    names = ("s3_access_key_env", "s3_secret_key_env", "opensearch_user_env", "opensearch_password_env")
    for name in names:
        monkeypatch.setenv(getattr(settings, name), f"hidden-{name}")
    results.write_report(settings, [Stage("01_setup", "ok")], started="s", status="ok", javas=JAVAS)
    text = (settings.run_path / "report.json").read_text()
    assert "hidden-" not in text
    assert settings.s3_secret_key_env in text
