"""What may be added to the archive, whoever adds it: only what was compared, and only while that is still true."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from pyspark.sql import DataFrame, SparkSession
from tests.support import days
from tests.support.evenly import produce_evenly

from dualsink.errors import CheckpointError
from dualsink.iceberg import data_files, snapshots
from dualsink.iceberg.archive import Archive
from dualsink.kafka import generator, reader, topic
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.operations import redrive, replay, setup
from dualsink.settings import Settings
from dualsink.stream import exactly_once, query
from dualsink.stream.exactly_once import Batch, ReplayGuard
from dualsink.stream.sink import BatchReport, DualSink
from dualsink.stream.target import Target
from dualsink_workbench.chaos.scenarios.recovery import forget, hold_back

ALL = ("0", "1000000")


@pytest.fixture
def pipeline(spark: SparkSession, settings: Settings) -> Settings:
    """A pipeline of two partitions with 50 records in its topic, of which a tenth is malformed."""
    settings = settings.model_copy(update={"kafka_partitions": 2})
    setup.create_all(spark, settings)
    produce_evenly(generator.generate(50, 7, 0.1, days.end_of_events()), settings)
    return settings


def elsewhere(settings: Settings, copied: bool = False) -> Settings:
    """The same pipeline with another checkpoint, which another machine has; `copied` it has read as far."""
    place = settings.checkpoint_path.with_name("elsewhere")
    if copied:
        shutil.copytree(settings.checkpoint_path, place, ignore=shutil.ignore_patterns(".lock"))
    return settings.model_copy(update={"checkpoint_dir": str(place)})


@pytest.fixture
def before_commit(monkeypatch) -> Callable[..., None]:
    """Do something once, beside the driver and in the moment before its next commit to a table."""
    commit = data_files.commit

    def arrange(table: str, act: Callable[[], object]) -> None:
        def overtaken(session, into, *rest):
            if into == table:
                monkeypatch.setattr(data_files, "commit", commit)
                with ThreadPoolExecutor(1) as beside:
                    beside.submit(act).result()
            commit(session, into, *rest)

        monkeypatch.setattr(data_files, "commit", overtaken)

    return arrange


def held(spark: SparkSession, settings: Settings) -> tuple[int, int]:
    """Rows of the archive, and of the quarantine that no re-drive has resolved."""
    waiting = spark.table(settings.quarantine_table).where("resolved_at IS NULL")
    return spark.table(settings.archive_table).count(), waiting.count()


# -- the stream -------------------------------------------------------------------------------------------


def test_two_drivers_with_a_checkpoint_each_write_every_event_once(spark, pipeline):
    assert query.run(spark, pipeline)["events"] == 50
    second = query.run(spark, elsewhere(pipeline))
    assert (second["events"], second["created"]) == (50, 0)
    produce_evenly(generator.generate(30, 8, 0.1, days.end_of_events()), pipeline)
    assert query.run(spark, elsewhere(pipeline))["created"] == 27
    assert query.run(spark, pipeline)["created"] == 0
    assert held(spark, pipeline) == (72, 8)
    ledger.take(spark, pipeline).check()


def test_a_driver_that_another_one_overtakes_is_refused_in_one_line_and_compares_the_next_time(
    spark, pipeline, before_commit
):
    before_commit(pipeline.archive_table, lambda: query.run(spark.newSession(), elsewhere(pipeline)))
    with pytest.raises(CheckpointError, match="were written already since they were compared, by the stream's") as told:
        query.run(spark, pipeline)
    assert "\n" not in str(told.value)
    assert query.run(spark, pipeline)["created"] == 0
    assert held(spark, pipeline) == (45, 5)
    ledger.take(spark, pipeline).check()


def write(spark: SparkSession, settings: Settings, name: str, number: int, records: DataFrame) -> BatchReport:
    """One batch of a query as its next run writes it."""
    batch = Batch(name, number, exactly_once.ranges_of(records))
    guard = ReplayGuard(spark, Archive.of(settings))
    return DualSink(Target.of(settings), guard, topic.topic_id(Topic.of(settings))).write(records, batch)


def between(spark: SparkSession, settings: Settings, first: int, end: int) -> DataFrame:
    return reader.between(spark, Topic.of(settings), dict.fromkeys(range(2), first), dict.fromkeys(range(2), end))


def test_a_marker_that_does_not_know_what_another_query_has_written_proves_nothing(spark, pipeline):
    assert not write(spark, pipeline, "a", 0, between(spark, pipeline, 0, 10)).suspect
    assert write(spark, pipeline, "b", 0, between(spark, pipeline, 0, 20)).suspect
    assert write(spark, pipeline, "a", 1, between(spark, pipeline, 10, 25)).suspect
    assert write(spark, pipeline, "b", 1, between(spark, pipeline, 20, 25)).suspect
    produce_evenly(generator.generate(10, 8, 0.0, days.end_of_events()), pipeline)
    assert not write(spark, pipeline, "b", 2, between(spark, pipeline, 25, 30)).suspect
    ledger.take(spark, pipeline).check()


def compact(spark: SparkSession, settings: Settings) -> None:
    spark.sql(f"""CALL {settings.catalog_name}.system.rewrite_data_files(
        table => '{settings.archive_table}', options => map('min-input-files', '1', 'rewrite-all', 'true'))""")


def expire(spark: SparkSession, settings: Settings) -> None:
    """Compact, and expire all but the newest snapshot, as no maintenance of ours does."""
    compact(spark, settings)
    spark.sql(f"ALTER TABLE {settings.archive_table} SET TBLPROPERTIES ('gc.enabled' = 'true')")
    spark.sql(f"""CALL {settings.catalog_name}.system.expire_snapshots(table => '{settings.archive_table}',
        older_than => TIMESTAMP '{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f} UTC', retain_last => 1)""")


@pytest.fixture
def more(spark, pipeline) -> Settings:
    """The pipeline with 50 events written and 30 that wait."""
    query.run(spark, pipeline)
    produce_evenly(generator.generate(30, 8, 0.0, days.end_of_events()), pipeline)
    return pipeline


def test_a_compaction_and_a_deletion_in_between_add_nothing_and_refuse_nothing(spark, more, before_commit):
    def maintain() -> None:
        seen = snapshots.current(spark, more.archive_table)
        compact(spark, more)
        spark.sql(f"DELETE FROM {more.archive_table} WHERE partition = 0 AND offset = 3")
        assert len(snapshots.since(snapshots.ancestors(spark, more.archive_table), seen)) == 2

    before_commit(more.archive_table, maintain)
    assert query.run(spark, more)["created"] == 30


def test_an_unknown_history_is_refused_and_compared_the_next_time(spark, more, before_commit):
    before_commit(more.archive_table, lambda: expire(spark, more))
    with pytest.raises(CheckpointError, match="its history since it was compared is not known"):
        query.run(spark, more)
    assert query.run(spark, more)["events"] == 30
    ledger.take(spark, more).check()


@pytest.mark.parametrize(("offset", "refused"), [(30, True), (10_000, False)])
def test_rows_of_a_nameless_writer_are_told_by_files(spark, more, before_commit, offset, refused):
    names = "timestamp, level, service, message, topic, partition, offset, kafka_timestamp"
    row = f"now(), 'INFO', 's', 'm', '{more.kafka_topic}', 0, {offset}L, now()"
    before_commit(more.archive_table, lambda: spark.sql(f"INSERT INTO {more.archive_table} ({names}) SELECT {row}"))
    if refused:
        with pytest.raises(CheckpointError, match="were written already since they were compared, by a commit of"):
            query.run(spark, more)
    else:
        assert query.run(spark, more)["created"] == 30


def test_every_commit_says_who_covers_which_offsets(spark, pipeline):
    query.run(spark, pipeline)
    hold_back(spark, pipeline, 5)
    redrive.redrive(spark, pipeline)
    forget(spark, pipeline, 5)
    replay.replay(spark, pipeline, *ALL)
    found = [s.summary for s in snapshots.ancestors(spark, pipeline.archive_table)]
    told = {s["dualsink.writer"]: json.loads(s["dualsink.offsets"]) for s in found if "dualsink.writer" in s}
    whole = {f"{pipeline.kafka_topic}-{partition}": [0, 24] for partition in range(2)}
    assert told["stream"] == told["replay"] == whole
    assert all(last < 5 for _, last in told["redrive"].values())


# -- re-drive and replay ----------------------------------------------------------------------------------


def test_a_redrive_that_stood_still_adds_nothing(spark, pipeline, before_commit):
    query.run(spark, pipeline)
    hold_back(spark, pipeline, 20)
    there = elsewhere(pipeline)
    before_commit(pipeline.archive_table, lambda: redrive.redrive(spark, there))
    with pytest.raises(CheckpointError, match="were written already since they were compared, by the redrive's"):
        redrive.redrive(spark, pipeline)
    assert held(spark, pipeline) == (45, 5)
    assert redrive.redrive(spark, pipeline).as_dict()["resolved"] == 0
    ledger.take(spark, pipeline).check()


@pytest.mark.parametrize("other", ["replay", "stream"])
def test_a_replay_that_stood_still_adds_nothing(spark, pipeline, before_commit, other):
    query.run(spark, pipeline)
    forget(spark, pipeline, 20)
    spark.sql(f"DELETE FROM {pipeline.quarantine_table} WHERE true")
    there = elsewhere(pipeline, copied=other == "replay")

    def work() -> object:
        return replay.replay(spark, there, *ALL) if other == "replay" else query.run(spark, there)

    before_commit(pipeline.archive_table, work)
    with pytest.raises(CheckpointError, match=f"were written already since they were compared, by the {other}'s"):
        replay.replay(spark, pipeline, *ALL)
    assert held(spark, pipeline) == (45, 5)
    done = replay.replay(spark, pipeline, *ALL).as_dict()
    assert (done["archive_repaired"], done["quarantine_repaired"], done["hot_repaired"]) == (0, 0, 0)
    ledger.take(spark, pipeline).check()


def test_a_replay_of_quarantined_records_alone_is_fenced_too(spark, pipeline, before_commit):
    query.run(spark, pipeline)
    spark.sql(f"DELETE FROM {pipeline.quarantine_table} WHERE true")
    there = elsewhere(pipeline, copied=True)
    before_commit(pipeline.quarantine_table, lambda: replay.replay(spark, there, *ALL))
    with pytest.raises(CheckpointError, match="were written already since they were compared, by the replay's"):
        replay.replay(spark, pipeline, *ALL)
    assert held(spark, pipeline) == (45, 5)
