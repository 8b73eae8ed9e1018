"""Retention of the archive on real stores: whole days past their years go, audited; what a legal hold names stays."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from dualsink.cli import jobs
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.storage import Bucket
from dualsink.kafka import producer
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.operations import archive_retention, audit, audit_log, maintenance, setup
from dualsink.operations.archive_retention import Terms
from dualsink.settings import Settings
from dualsink.stream import query
from dualsink_workbench import kafka_retention

TODAY = datetime.now(UTC).date()
OLD = [date(TODAY.year - 8, month, 10) for month in (1, 2, 3, 4)]


def record(day: date, service: str | None, number: int) -> Record:
    fields = {"timestamp": f"{day}T10:00:00Z", "level": "INFO", "message": f"event {number}"}
    return Record(b"", json.dumps(fields | ({"service": service} if service else {})).encode(), None)


def send(settings: Settings, days: list[date], *services: str | None) -> None:
    """Three events of each service (of `order`, where none is named) on each day."""
    names = services or ("order",)
    producer.produce([record(day, name, n) for day in days for n in range(3) for name in names], Topic.of(settings))


@pytest.fixture(scope="module")
def years(spark, local: Settings, tmp_path_factory) -> Settings:
    """Four days of eight years ago that have left Kafka, and today, which has not; a malformed record too."""
    names = {"kafka_topic": "years", "iceberg_table": "years", "opensearch_index": "years", "kafka_partitions": 2}
    folder = tmp_path_factory.mktemp("years")
    places = {"checkpoint_dir": str(folder / "checkpoint"), "runs_dir": str(folder / "runs")}
    settings = local.model_copy(update=names | places)
    setup.create_all(spark, settings)
    send(settings, OLD[:2])
    send(settings, OLD[2:3], "order", "Payment")
    send(settings, OLD[3:], None)
    query.run(spark, settings)
    kafka_retention.apply(Topic.of(settings))
    send(settings, [TODAY])
    producer.produce([Record(b"", b"no json", None)], Topic.of(settings))
    query.run(spark, settings)
    return settings


@pytest.fixture
def kept(spark, years, tmp_path):
    """The days past their years that stay under a legal hold, with their reasons; given as the lines of its file."""

    def kept(*lines: str) -> dict[date, str]:
        file = tmp_path / "holds.yaml"
        file.write_text("\n".join(["holds:", "  - name: case 14", "    reason: lawsuit", *lines]))
        steps = archive_retention.plan(spark, Terms.of(years.model_copy(update={"legal_holds": str(file)})))
        return {step.day: step.reason for step in steps if step.verb == "keep" and step.day in OLD}

    return kept


def days_left(spark, settings: Settings) -> list[date]:
    rows = spark.sql(f"SELECT DISTINCT to_date(timestamp) AS day FROM {settings.archive_table} ORDER BY 1")
    return [row.day for row in rows.collect()]


# -- the plan ------------------------------------------------------------------------------------------


def test_a_dry_run_lists_every_day_and_why_and_changes_nothing(spark, years, monkeypatch):
    monkeypatch.setattr(type(spark), "stop", lambda self: None)
    done = jobs.retire(years, dry_run=True)
    lines, fact = list(done.lines()), done.fact
    assert [line.split()[0] for line in lines] == ["delete"] * 4 + ["keep"] * 2
    assert f"{OLD[0]} (3 rows" in lines[0] and "past its 7 years, held by nothing" in lines[0]
    assert f"{TODAY} to {TODAY} (3 rows" in lines[4] and "1 day, none before" in lines[4]
    assert fact == "nothing was changed; it would be 4 days deleted, 15 rows"
    assert days_left(spark, years) == [*OLD, TODAY]
    assert audit_log.entries(spark, Archive.of(years)).count() == 0


def test_a_legal_hold_by_service_wins_over_the_years_and_holds_what_names_no_service(kept):
    found = kept("    services: [payment]")
    assert list(found) == [OLD[2], OLD[3]]
    assert found[OLD[2]] == "legal hold case 14 on 3 of its events (lawsuit)"


def test_a_legal_hold_by_time_wins_over_the_years(kept):
    assert list(kept(f"    from: {OLD[1]}", f"    to: {OLD[1]}")) == [OLD[1]]


def test_a_legal_hold_by_service_and_time_needs_both(kept):
    assert kept("    services: [payment]", f"    to: {OLD[1]}") == {}


def test_the_quarantine_is_held_by_its_arrival_and_kept_while_kafka_has_the_record(spark, years, tmp_path):
    file = tmp_path / "holds.yaml"
    file.write_text(f"holds:\n  - {{name: case 14, reason: lawsuit, services: [pay], from: {TODAY}, to: {TODAY}}}")
    later = TODAY.replace(year=TODAY.year + 8, day=min(TODAY.day, 28))
    reasons = []
    for holds in (str(file), ""):
        steps = archive_retention.plan(spark, Terms.of(years.model_copy(update={"legal_holds": holds})), later)
        (step,) = [step for step in steps if step.table == years.quarantine_table]
        reasons.append((step.verb, step.reason))
    assert reasons[0] == ("keep", "legal hold case 14 on 1 of its events (lawsuit)")
    assert reasons[1] == ("keep", "Kafka still has 1 of its records: its retention comes first")


# -- the deletion --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def retired(spark, years) -> list[archive_retention.Step]:
    """What was done of a plan after which the first day's files were rewritten and the second day got late events."""
    steps = archive_retention.plan(spark, Terms.of(years))
    spark.sql(f"UPDATE {years.archive_table} SET level = 'WARN' WHERE to_date(timestamp) = '{OLD[0]}'")
    send(years, [OLD[1]], "late")
    query.run(spark, years)
    return list(archive_retention.execute(spark, Archive.of(years), steps, "anna", "ticket 7"))


def test_days_past_their_years_go_whole_and_the_ledger_holds(spark, years, retired):
    assert [step.verb for step in retired] == ["keep", "delete", "delete", "delete", "keep", "keep"]
    assert days_left(spark, years) == [OLD[0], OLD[1], TODAY]
    ledger.take(spark, years).check()


def test_events_that_arrived_since_the_plan_stay_and_their_day_too_while_kafka_has_them(spark, years, retired):
    rows = spark.table(years.archive_table).where(f"to_date(timestamp) = '{OLD[1]}'").collect()
    assert {row.service for row in rows} == {"late"}
    step = next(step for step in archive_retention.plan(spark, Terms.of(years)) if step.day == OLD[1])
    assert (step.verb, step.reason[:38]) == ("keep", "Kafka still has 3 of its records: its ")


def test_each_deletion_is_audited_with_who_when_what_and_why(spark, years, retired):
    entries = audit_log.entries(spark, Archive.of(years)).collect()
    assert [e.action for e in entries] == ["retiring", "kept"] + ["retiring", "retired"] * 3
    assert [e.day for e in entries[::2]] == OLD
    assert {(e.who, e.table_name, e.policy) for e in entries} == {
        ("anna", years.archive_table, "7 years, no legal holds")
    }
    assert entries[1].reason == "its files have changed since: the next run decides"
    assert entries[3].reason == "past its 7 years, held by nothing; ticket 7"
    assert [e.rows for e in entries[::2]] == [3, 3, 6, 3] and all(e.bytes > 0 for e in entries)
    assert abs(entries[-1].time.astimezone(UTC) - datetime.now(UTC)) < timedelta(hours=1)


def test_an_audit_entry_names_the_snapshots_before_and_after(spark, years, retired):
    entries = audit_log.entries(spark, Archive.of(years)).collect()
    made = {row.snapshot_id: row for row in spark.table(f"{years.archive_table}.snapshots").collect()}
    for done in entries[3::2]:
        assert done.snapshot_before in made and made[done.snapshot_after].operation == "delete"
        assert made[done.snapshot_after].summary["dualsink.audit-entry"] == done.entry


def test_the_bytes_leave_the_storage_with_the_older_snapshots(spark, years, retired):
    at_once, bucket = replace(maintenance.Upkeep.of(years), snapshot_days=0.0), Bucket.of(years)
    later = datetime.now(UTC) + timedelta(days=40)
    steps = [step for step in maintenance.plan(spark, at_once, later) if step.verb == "expire"]
    before = maintenance.figures(spark, bucket, years.archive_table)
    assert all("data files" in done.reason for done in maintenance.execute(spark, at_once, steps))
    after = maintenance.figures(spark, bucket, years.archive_table)
    assert (after.data_files, after.rows) == (before.data_files, before.rows)
    assert after.objects < before.objects and after.stored_bytes < before.stored_bytes


# -- what the audit makes of it ------------------------------------------------------------------------


def test_a_retirement_explains_just_what_it_took_also_if_it_was_killed_before_its_last_entry(
    spark, settings, monkeypatch
):
    setup.create_all(spark, settings)
    send(settings, OLD[:2])
    query.run(spark, settings)
    kafka_retention.apply(Topic.of(settings))
    then = datetime.now(UTC).isoformat()
    spark.sql(f"DELETE FROM {settings.archive_table} WHERE message = 'event 1' AND to_date(timestamp) = '{OLD[1]}'")
    producer.produce([record(OLD[1], "late", 7)], Topic.of(settings))
    query.run(spark, settings)
    kafka_retention.apply(Topic.of(settings))

    append = audit_log.append

    def killed_after(spark, archive, *entries) -> None:
        if entries[0].action == "retired":
            raise RuntimeError("killed")
        append(spark, archive, *entries)

    with monkeypatch.context() as patch:
        patch.setattr(audit_log, "append", killed_after)
        with pytest.raises(RuntimeError, match="killed"):
            archive_retention.run(spark, Terms.of(settings), "anna")
    archive_retention.run(spark, Terms.of(settings), "anna")
    assert [(e.action, e.rows) for e in audit_log.entries(spark, Archive.of(settings)).collect()] == [
        ("retiring", 3), ("retired", 3), ("retiring", 3), ("retired", 3),
    ]  # fmt: skip
    days = audit.take(spark, Archive.of(settings), then).days
    assert [(day.verdict, day.lost, day.explained) for day in days] == [("deleted", 3, 3), ("LOST", 3, 2)]
