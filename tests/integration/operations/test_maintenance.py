"""Maintenance on real servers: fewer and sorted files, short history, no orphans, a stream that goes on beside it.

One pipeline is looked after, replayed, broken and streamed to again, in the order of the tests' sections.
"""

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests
from tests.support.days import day

from dualsink.cli import jobs
from dualsink.errors import MaintenanceRefused, ServiceUnavailable
from dualsink.iceberg import data_files, snapshots
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.catalog import Nessie
from dualsink.iceberg.storage import Bucket
from dualsink.kafka import producer
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.operations import maintenance, replay, setup
from dualsink.operations.maintenance import Upkeep
from dualsink.settings import Settings
from dualsink.stream import exactly_once, query
from dualsink.stream.checkpoint import Checkpoint


def record(days_ago: int, number: int) -> Record:
    service = ("payment", "order", "stock")[number % 3]
    time = datetime.combine(day(days_ago), datetime.min.time(), UTC) + timedelta(hours=1, seconds=-number)
    fields = {"timestamp": time.isoformat(), "level": "INFO", "service": service, "message": f"event {number}"}
    return Record(service.encode(), json.dumps(fields).encode(), None)


def send(settings: Settings, first: int, count: int = 30) -> None:
    """So many events of today, and as many of yesterday."""
    producer.produce([record(ago, n) for n in range(first, first + count) for ago in (0, 1)], Topic.of(settings))


@pytest.fixture(scope="module")
def table(spark, local: Settings, tmp_path_factory) -> Settings:
    """Three batches, each of 30 events of today and 30 of yesterday: three files a day or more.

    The newest batch keeps the snapshot that it was compared with: of three, the first expires.
    """
    names = {"kafka_topic": "maintained", "iceberg_table": "maintained", "opensearch_index": "maintained"}
    folder = tmp_path_factory.mktemp("maintained")
    places = {"checkpoint_dir": str(folder / "checkpoint"), "runs_dir": str(folder / "runs")}
    settings = local.model_copy(update=names | places | {"kafka_partitions": 2, "snapshot_days": 0.0})
    setup.create_all(spark, settings)
    for first in (0, 30, 60):
        send(settings, first)
        query.run(spark, settings)
    return settings


@contextmanager
def branch(settings: Settings) -> Iterator[str]:
    """A second branch of the catalogue while the block runs."""
    trees = f"{settings.nessie_uri}/trees"
    main = requests.get(f"{trees}/main", timeout=10).json()["reference"]
    name = f"other-{uuid.uuid4().hex[:8]}"
    requests.post(trees, params={"name": name, "type": "BRANCH"}, json=main, timeout=10).raise_for_status()
    try:
        yield name
    finally:
        requests.delete(f"{trees}/{name}@{main['hash']}", timeout=10).raise_for_status()


def maintain(spark, settings: Settings, **options) -> tuple[list[str], dict[str, Any]]:
    """Run the command within this session's Spark; returns its lines and its result."""
    with pytest.MonkeyPatch.context() as kept:
        kept.setattr(type(spark), "stop", lambda self: None)
        done = jobs.maintain(settings, **options)
    done.check()
    return list(done.lines()), done.as_dict()


def carry_out(spark, settings: Settings, *actions: str) -> list[maintenance.Step]:
    upkeep = Upkeep.of(settings)
    steps = [step for step in maintenance.plan(spark, upkeep) if step.verb in actions]
    return list(maintenance.execute(spark, upkeep, steps))


def actions(lines: list[str]) -> list[str]:
    return [line.split()[0] for line in lines]


def gc_enabled(spark, settings: Settings) -> str:
    properties = spark.sql(f"SHOW TBLPROPERTIES {settings.archive_table}").collect()
    return {row.key: row.value for row in properties}["gc.enabled"]


def files_of(spark, settings: Settings, day: date) -> set[str]:
    rows = spark.sql(f"SELECT file_path, partition.timestamp_day AS day FROM {settings.archive_table}.files").collect()
    return {row.file_path for row in rows if row.day == day}


def snapshot(spark, settings: Settings) -> int:
    return next(snapshots.ancestors(spark, settings.archive_table)).id


# -- what is said, and what is done --------------------------------------------------------------------


def test_a_dry_run_lists_what_would_be_done_and_changes_nothing(spark, table):
    before = snapshot(spark, table), maintenance.figures(spark, Bucket.of(table), table.archive_table)
    lines, result = maintain(spark, table, dry_run=True)
    assert actions(lines) == ["compact", "manifests", "expire", "now", "now"]
    assert result["steps"][0]["what"] == str(day(1))
    assert (snapshot(spark, table), maintenance.figures(spark, Bucket.of(table), table.archive_table)) == before


def test_nothing_is_deleted_while_another_branch_may_need_it(spark, table):
    stored = maintenance.figures(spark, Bucket.of(table), table.archive_table).objects
    with branch(table) as name:
        steps = maintenance.plan(spark, Upkeep.of(table))
        assert [step.verb for step in steps] == ["compact", "manifests", "keep"]
        assert f"other references ({name})" in steps[2].reason
        with (
            pytest.raises(MaintenanceRefused, match=name),
            maintenance.collecting(spark, Nessie.of(Archive.of(table)), table.archive_table),
        ):
            pass
    assert maintenance.figures(spark, Bucket.of(table), table.archive_table).objects == stored


def test_closed_days_become_one_sorted_file_and_figures_say_so_before_and_after(spark, table):
    today = files_of(spark, table, day(0))
    lines, result = maintain(spark, table)
    before, after = (result[moment]["tables"][table.archive_table] for moment in ("before", "after"))
    assert actions(lines) == ["compact", "manifests", "expire", "before", "before", "after", "after"]
    assert len(files_of(spark, table, day(1))) == 1 and files_of(spark, table, day(0)) == today
    stored = spark.table(table.archive_table).where(f"to_date(timestamp) = '{day(1)}'").collect()
    rows = [(row.service, row.timestamp) for row in stored]
    assert len(rows) == 90 and rows == sorted(rows)
    assert before["rows"] == after["rows"] == 180
    assert after["data_files"] < before["data_files"] and after["manifests"] < before["manifests"]
    assert after["snapshots"] > 0 and result["after"]["query_seconds"] > 0


def test_the_newest_marker_stays_and_the_catalogues_protection_is_back(spark, table):
    marker = exactly_once.newest_marker(spark, table.archive_table, Checkpoint(table.checkpoint_path).query_id)
    assert marker is not None and marker.batch_id == 2
    assert gc_enabled(spark, table) == "false"
    assert [step.verb for step in maintenance.plan(spark, Upkeep.of(table))] == []


# -- the stream afterwards, and beside it --------------------------------------------------------------


def test_a_batch_replayed_after_maintenance_adds_nothing(spark, table):
    checkpoint = table.checkpoint_path
    (checkpoint / "commits" / "2").unlink()
    (checkpoint / "commits" / ".2.crc").unlink(missing_ok=True)
    totals = query.run(spark, table)
    assert (totals["events"], totals["created"], totals["existing"]) == (60, 0, 60)
    assert spark.table(table.archive_table).count() == 180


def test_stream_and_maintenance_go_on_together_and_the_ledger_holds(spark, table):
    live = {"streaming_mode": "live", "streaming_duration_seconds": 10, "trigger_seconds": 0.5}
    totals: dict[str, Any] = {}
    streaming = threading.Thread(
        target=lambda: totals.update(query.run(spark, table.model_copy(update=live))), daemon=True
    )
    streaming.start()
    done, sent = [], 0
    while streaming.is_alive():
        send(table, 1_000 + sent, 5)
        sent += 5
        done += carry_out(spark, table, "compact", "manifests", "expire")
    assert {"compact", "expire"} <= {step.verb for step in done}
    rest = query.run(spark, table)
    assert totals["archived"] + rest["archived"] == 2 * sent
    assert replay.replay(spark, table, "0", "1000000").archive_repaired == 0
    ledger.take(spark, table).check()


# -- orphans -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def orphans(spark, table) -> list[str]:
    """The files of a batch that failed before its commit."""
    send(table, 60)

    def refuse(*arguments) -> None:
        raise ServiceUnavailable("the catalogue is away")

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(data_files, "commit", refuse)
        with pytest.raises(ServiceUnavailable):
            query.run(spark, table)
    known = {row.file_path for row in spark.table(f"{table.archive_table}.all_files").collect()}
    folder = snapshots.load(spark, table.archive_table).locationProvider().newDataLocation("").rstrip("/")
    return sorted({file.path for file in maintenance.stored(Bucket.of(table), folder)} - known)


@pytest.fixture
def aged(monkeypatch) -> None:
    """The storage says that all its files are four days older than they are."""
    listed = maintenance.stored

    def older(bucket, location):
        return (replace(file, modified=file.modified - timedelta(days=4)) for file in listed(bucket, location))

    monkeypatch.setattr(maintenance, "stored", older)


def exists(settings: Settings, path: str) -> bool:
    key = path.removeprefix(f"s3://{settings.s3_bucket}/")
    return Bucket.of(settings).client.list_objects_v2(Bucket=settings.s3_bucket, Prefix=key)["KeyCount"] > 0


def test_files_that_may_be_of_a_batch_in_flight_are_no_orphans(spark, table, orphans):
    assert orphans
    assert not any(step.orphans for step in maintenance.plan(spark, Upkeep.of(table)))


def test_orphans_are_listed_and_stay_unless_their_removal_is_asked_for(spark, table, orphans, aged):
    (step,) = [step for step in maintenance.plan(spark, Upkeep.of(table)) if step.orphans]
    assert (step.verb, [file.path for file in step.orphans]) == ("keep", orphans)
    assert list(maintenance.execute(spark, Upkeep.of(table), [step])) == [step]
    assert all(exists(table, path) for path in orphans)


def test_orphans_go_when_it_is_asked_for_and_nothing_else_does(spark, table, orphans, aged):
    (done,) = carry_out(spark, table.model_copy(update={"remove_orphans": True}), "orphans")
    assert done.reason.endswith(f"{len(orphans)} deleted")
    assert not any(exists(table, path) for path in orphans)
    assert gc_enabled(spark, table) == "false"
    query.run(spark, table)
    ledger.take(spark, table).check()
