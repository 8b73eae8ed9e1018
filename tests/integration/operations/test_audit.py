"""The audit on real stores: what was held between two batches, digests that others recompute, what has gone since."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from dualsink.cli import jobs
from dualsink.errors import SettingsError
from dualsink.iceberg import policy
from dualsink.iceberg.archive import Archive
from dualsink.kafka import producer
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.ledger.book import Ledger
from dualsink.notebook import results
from dualsink.operations import audit, setup
from dualsink.operations.audit import Audit
from dualsink.settings import Settings, project_root
from dualsink.stream import query

NOW = datetime.now(UTC)
DAYS = [str((NOW - timedelta(days=ago)).date()) for ago in (2, 1, 0)]


def send(settings: Settings, *numbers: int) -> None:
    """An event of each number on each of the three days; attributes and letters that need more than a byte too."""
    for number in numbers:
        times = [(NOW - timedelta(days=ago)).isoformat() for ago in (2, 1, 0)]
        fields = {"level": "INFO", "service": "order", "message": f"Größe {number}" * number, "order": {"id": number}}
        producer.produce(
            [Record(b"order", json.dumps(fields | {"timestamp": t}).encode(), None) for t in times], Topic.of(settings)
        )


class Pipeline(NamedTuple):
    """A pipeline after two batches, and the ledger taken between them at `moment` (UTC, ISO 8601)."""

    settings: Settings
    moment: str
    ledger: Ledger

    def at(self, moment: str) -> Settings:
        """Its settings for an audit."""
        return Settings.from_values(self.settings.parameters() | {"audit_at": moment})


def take(spark, settings: Settings) -> Audit:
    return audit.take(spark, Archive.of(settings), settings.audit_at)


def now() -> str:
    """This moment, with a millisecond before and after it in which nothing is committed."""
    time.sleep(0.01)
    moment = datetime.now(UTC).isoformat()
    time.sleep(0.01)
    return moment


@pytest.fixture(scope="module")
def pipeline(spark, local: Settings, tmp_path_factory) -> Pipeline:
    """Three days with four events each in the first batch, and one in the second."""
    folder = tmp_path_factory.mktemp("audit")
    names = {"kafka_topic": "audit", "iceberg_table": "audit", "opensearch_index": "audit", "run_id": "audit"}
    places = {"checkpoint_dir": str(folder / "checkpoint"), "runs_dir": str(folder / "runs")}
    settings = local.model_copy(update=names | places)
    setup.create_all(spark, settings)
    send(settings, 1, 2, 3, 4)
    query.run(spark, settings)
    between, book = now(), ledger.take(spark, settings)
    send(settings, 5)
    query.run(spark, settings)
    return Pipeline(settings, between, book)


@pytest.fixture
def recorded(spark, pipeline, monkeypatch) -> dict:
    """What `audit --at` wrote into the run's folder, run within this session's Spark."""
    monkeypatch.setattr(type(spark), "stop", lambda self: None)
    jobs.audit(pipeline.at(pipeline.moment))
    return results.read(pipeline.settings.run_path, results.AUDIT_STAGE)


def recompute(file) -> subprocess.CompletedProcess:
    """Run the script for others as they do, on the JSON of an audit."""
    script = project_root() / "docs" / "recompute.py"
    return subprocess.run([sys.executable, "-I", script, file], capture_output=True, text=True, timeout=120)


# -- what was held -------------------------------------------------------------------------------------


def test_an_audit_between_two_batches_equals_the_ledger_of_that_time(spark, pipeline):
    found = take(spark, pipeline.at(pipeline.moment))
    told = [(line.day, line.archive, line.archive_digest) for line in pipeline.ledger.days]
    assert [(day.day, day.events, day.digest) for day in found.days] == told
    assert [(day.verdict, day.events_now) for day in found.days] == [("grown", 5)] * 3


def test_an_audit_of_now_equals_the_ledger_of_now(spark, pipeline):
    found, book = take(spark, pipeline.settings), ledger.take(spark, pipeline.settings)
    assert [(day.day, day.digest) for day in found.days] == [(line.day, line.archive_digest) for line in book.days]
    assert {day.verdict for day in found.days} == {"unchanged"}


def test_it_names_the_commit_and_the_snapshot(spark, pipeline):
    origin = take(spark, pipeline.at(pipeline.moment)).origin
    first, second = spark.sql(
        f"SELECT * FROM {pipeline.settings.archive_table}.snapshots ORDER BY committed_at"
    ).collect()
    assert (origin.snapshot_id, origin.rows) == (first.snapshot_id, 12)
    assert datetime.fromisoformat(origin.snapshot_time) == first.committed_at.astimezone(UTC)
    assert origin.change.time <= origin.commit.time <= pipeline.moment
    assert len(origin.commit.hash) == 64 and str(first.snapshot_id) != str(second.snapshot_id)


def test_others_recompute_the_digests_without_spark(pipeline, recorded):
    file = pipeline.settings.run_path / "results" / "08_audit.json"
    answer = recompute(file)
    assert answer.returncode == 0, answer.stderr
    assert [line.split()[:3] for line in answer.stdout.splitlines()] == [["equal", day, "4"] for day in DAYS]


def test_others_notice_a_digest_that_is_not_true(recorded, tmp_path):
    day = recorded["result"]["days"][1]
    day["digest"] = str(int(day["digest"]) + 1)
    (tmp_path / "forged.json").write_text(json.dumps(recorded))
    answer = recompute(tmp_path / "forged.json")
    assert (answer.returncode, [line.split()[0] for line in answer.stdout.splitlines()]) == (
        1,
        ["equal", "DIFFERS", "equal"],
    )


def test_the_answer_is_one_line_and_data(pipeline, recorded):
    assert recorded["fact"] == f"at {pipeline.moment} the archive held 12 events of 3 days; none is gone"
    result = recorded["result"]
    assert (result["events"], result["table"]) == (12, pipeline.settings.archive_table)
    assert result["digest"] == str(sum(int(line.archive_digest) for line in pipeline.ledger.days))


# -- when nothing was held -----------------------------------------------------------------------------


def test_before_the_table_was_made_it_says_so(spark, pipeline):
    elsewhere = pipeline.at(pipeline.moment).model_copy(update={"iceberg_table": "made_later"})
    found = take(spark, elsewhere)
    assert (found.days, found.unreadable[:18]) == ([], "there was no table")


def test_before_the_catalogues_first_commit_it_says_so(spark, pipeline):
    found = take(spark, pipeline.at("2001-01-01"))
    assert (found.days, found.unreadable) == ([], "the branch main had no commit yet")


def test_a_time_to_come_is_refused(spark, pipeline):
    with pytest.raises(SettingsError, match="is to come"):
        take(spark, pipeline.at("2999-01-01"))


# -- what has gone since, last: it changes the table ---------------------------------------------------


def test_the_policy_is_that_of_then(spark, pipeline):
    policy.record(spark, Archive.of(pipeline.settings), policy.of(pipeline.settings) | {"hot_days": 3})
    assert take(spark, pipeline.at(pipeline.moment)).origin.policy == policy.of(pipeline.settings)
    assert take(spark, pipeline.settings).origin.policy["hot_days"] == 3


def test_what_was_altered_or_deleted_without_a_word_is_named_as_lost(spark, pipeline):
    table = pipeline.settings.archive_table
    spark.sql(f"DELETE FROM {table} WHERE to_date(timestamp) = '{DAYS[0]}'")
    spark.sql(f"UPDATE {table} SET level = 'WARN' WHERE to_date(timestamp) = '{DAYS[1]}' AND message = 'Größe 1'")
    found = take(spark, pipeline.at(pipeline.moment))
    assert [(day.verdict, day.events, day.lost) for day in found.days] == [
        ("LOST", 4, 4),
        ("LOST", 4, 1),
        ("grown", 4, 0),
    ]
    assert found.fact.endswith("; 5 are gone, on 2 days without a reason")


def test_a_deletion_that_the_audit_log_has_is_told_with_who_and_why(spark, pipeline):
    table = pipeline.settings.archive_table
    spark.sql(f"""
        CREATE TABLE {table}_audit USING iceberg AS SELECT now() AS time, 'e1' AS entry, 'anna' AS who,
        'retired' AS action, '{table}' AS table_name, DATE '{DAYS[0]}' AS day, 5L AS rows, 1000L AS bytes,
        '7 years, no legal holds' AS policy, 'past its 7 years' AS reason, 1L AS snapshot_before, 2L AS snapshot_after
    """)
    found = take(spark, pipeline.at(pipeline.moment))
    (why,) = found.days[0].reasons
    assert (found.days[0].verdict, found.days[1].verdict) == ("deleted", "LOST")
    assert why.startswith("5 rows retired by anna at 20") and why.endswith(
        "policy 7 years, no legal holds: past its 7 years"
    )
    assert [entry["day"] for entry in found.as_dict()["deletions"]] == [DAYS[0]]
    assert take(spark, pipeline.settings).deletions == []


def test_of_an_expired_snapshot_it_says_what_is_still_known(spark, pipeline):
    table = pipeline.settings.archive_table
    before = take(spark, pipeline.at(pipeline.moment)).origin
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('gc.enabled'='true')")
    spark.sql(f"CALL {pipeline.settings.catalog_name}.system.expire_snapshots(table => '{table}', older_than => now())")
    found = take(spark, pipeline.at(pipeline.moment))
    assert found.days == [] and found.origin == before
    assert found.unreadable == f"snapshot {before.snapshot_id} has expired with its files; it said it had 12 rows"
