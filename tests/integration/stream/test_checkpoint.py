"""The checkpoint on a real stream: whatever a kill during a first start leaves, the next run begins; no other may."""

import shutil
import threading
import time
from contextlib import closing
from datetime import UTC, datetime

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaError
from pyspark.sql import DataFrame, SparkSession
from tests.support import days
from tests.support.evenly import produce_evenly

from dualsink.errors import CheckpointError, PlatformError
from dualsink.iceberg import data_files
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.storage import Bucket
from dualsink.kafka import generator, producer, reader, topic
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.operations import cleanup, setup
from dualsink.settings import Settings
from dualsink.stream import checkpoint_store, exactly_once, lease, query
from dualsink.stream.checkpoint import Checkpoint
from dualsink.stream.exactly_once import Batch, ReplayGuard
from dualsink.stream.sink import BatchReport, DualSink
from dualsink.stream.target import Target


@pytest.fixture
def pipeline(spark: SparkSession, settings: Settings) -> Settings:
    """A pipeline of two partitions with 50 records in its topic."""
    settings = settings.model_copy(update={"kafka_partitions": 2})
    setup.create_all(spark, settings)
    produce_evenly(generator.generate(50, 7, 0.0, days.end_of_events()), settings)
    return settings


FIRST_START = ("dualsink.json", "metadata", "sources", "offsets")
"""What a first start makes, in order, before its first batch is committed."""


def test_a_stream_begins_from_every_state_that_a_kill_during_its_first_start_leaves(spark, pipeline):
    path = pipeline.checkpoint_path
    query.run(spark, pipeline)
    for made in range(len(FIRST_START) + 1):
        _keep(pipeline, FIRST_START[:made])
        (path / "dualsink.tmp").write_text('{"topic')
        (path / ".metadata.1b2c.tmp").write_text('{"id')
        totals = query.run(spark, pipeline)
        assert (totals["events"], totals["created"], totals["existing"]) == (50, 0, 50), FIRST_START[:made]
        assert query.run(spark, pipeline)["batches"] == 0
    ledger.take(spark, pipeline).check()


def _keep(settings: Settings, names: tuple[str, ...]) -> None:
    """Forget all of the checkpoint but these."""
    for entry in settings.checkpoint_path.iterdir():
        if entry.name not in names:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def test_a_removal_that_was_killed_after_the_checkpoint_is_followed_by_a_run_that_adds_nothing(spark, pipeline):
    query.run(spark, pipeline)
    assert Checkpoint(pipeline.checkpoint_path).remove()
    assert list(pipeline.checkpoint_path.parent.glob(".*removed*")) == []
    totals = query.run(spark, pipeline)
    assert (totals["created"], totals["existing"]) == (0, 50)
    ledger.take(spark, pipeline).check()


def test_nothing_is_removed_while_a_stream_holds_the_checkpoint(spark, pipeline, monkeypatch):
    locked = Checkpoint.locked
    monkeypatch.setattr(Checkpoint, "locked", lambda checkpoint, session: locked(checkpoint, session, patience=0.1))
    with (
        Checkpoint(pipeline.checkpoint_path).locked(spark),
        pytest.raises(CheckpointError, match="in use by another driver"),
    ):
        cleanup.remove_all(spark, pipeline)
    assert query.run(spark, pipeline)["events"] == 50


# -- in object storage -------------------------------------------------------------------------------


@pytest.fixture
def stored(pipeline: Settings) -> Settings:
    """The pipeline with its checkpoint in object storage."""
    place = f"s3://{pipeline.s3_bucket}/checkpoints/{pipeline.iceberg_table}/"
    return pipeline.model_copy(update={"checkpoint_dir": place, "data_dir": f"{pipeline.runs_path}/here"})


def elsewhere(settings: Settings) -> Settings:
    """The same pipeline on a machine that has no file of it."""
    return settings.model_copy(update={"data_dir": f"{settings.data_path}-elsewhere"})


def keys(settings: Settings) -> list[str]:
    """What is stored, in the order in which it was."""
    prefix = settings.checkpoint_url.removeprefix(f"s3://{settings.s3_bucket}/")
    found = Bucket.of(settings).client.list_objects_v2(Bucket=settings.s3_bucket, Prefix=prefix).get("Contents", [])
    return [item["Key"].removeprefix(prefix) for item in sorted(found, key=lambda item: item["LastModified"])]


def forget(settings: Settings, names: list[str]) -> None:
    prefix = settings.checkpoint_url.removeprefix(f"s3://{settings.s3_bucket}/")
    for name in names:
        Bucket.of(settings).client.delete_object(Bucket=settings.s3_bucket, Key=prefix + name)


def test_another_machine_goes_on_where_a_stored_checkpoint_ends(spark, stored):
    assert query.run(spark, stored)["events"] == 50
    assert set(keys(stored)) == {"dualsink.json", "metadata", "sources/0/0", "offsets/0", "commits/0"}
    producer.produce(generator.generate(20, 8, 0.0, days.end_of_events()), Topic.of(stored))
    totals = query.run(spark, elsewhere(stored))
    assert (totals["events"], totals["created"], totals["existing"]) == (20, 20, 0)
    # The first machine's own files are a batch behind; they do not count.
    assert query.run(spark, stored)["batches"] == 0
    ledger.take(spark, stored).check()


def test_every_state_that_a_kill_leaves_of_a_stored_checkpoint_is_a_beginning(spark, stored):
    query.run(spark, stored)
    order = ["dualsink.json", "metadata", "sources/0/0", "offsets/0", "commits/0"]
    for made in range(len(order)):
        forget(stored, order[made:])
        totals = query.run(spark, elsewhere(stored))
        assert (totals["events"], totals["created"], totals["existing"]) == (50, 0, 50), order[:made]
    ledger.take(spark, stored).check()


def test_what_spark_deletes_of_its_log_is_not_stored_for_ever(spark, stored):
    query.run(spark, stored)
    with Checkpoint.of(stored).locked(spark):
        (stored.checkpoint_path / "commits" / "0").unlink()
    assert "commits/0" not in keys(stored)
    assert checkpoint_store.LEASE not in keys(stored)


def test_a_removed_pipeline_leaves_nothing_of_its_stored_checkpoint(spark, stored):
    query.run(spark, stored)
    assert f"checkpoint {stored.checkpoint_url.rstrip('/')}" in cleanup.remove_all(spark, stored)
    assert keys(stored) == []


def test_a_stored_checkpoint_in_use_is_refused_and_its_holder_named(spark, stored):
    held, other = Checkpoint.of(stored), Checkpoint.of(elsewhere(stored))
    with (
        held.locked(spark),
        pytest.raises(CheckpointError, match=r"lease.json is in use by another driver \(.*process \d+"),
        other.locked(spark, patience=0.1),
    ):
        pass


def test_a_lease_that_was_not_renewed_is_taken_over_and_its_holder_learns_it(spark, stored, monkeypatch):
    monkeypatch.setattr(lease, "SECONDS", 1)
    late, next_one = Checkpoint.of(stored), Checkpoint.of(elsewhere(stored))
    renew, may_renew = lease.Lease._renew, threading.Event()
    monkeypatch.setattr(lease.Lease, "_renew", lambda self, over: may_renew.wait() and renew(self, over))
    with (
        pytest.raises(CheckpointError, match="is another driver's now"),
        late.locked(spark),
        next_one.locked(spark, patience=10),
    ):
        may_renew.set()
        time.sleep(1)
        next_one.save()
        late.save()


@pytest.mark.parametrize(("ignored", "header"), [("IfNoneMatch", "If-None-Match"), ("IfMatch", "If-Match")])
def test_a_storage_that_ignores_a_condition(spark, stored, monkeypatch, ignored, header):
    put = lease.Lease._put
    monkeypatch.setattr(
        lease.Lease, "_put", lambda self, **given: put(self, **{n: v for n, v in given.items() if n != ignored})
    )
    with pytest.raises(PlatformError, match=f"in spite of `{header}`.*put the checkpoint on a volume"):
        query.run(spark, stored)


def test_the_lease_is_looked_at_before_each_commit(spark, stored, monkeypatch):
    checked = []
    check, commit = lease.Lease.check, data_files.commit
    monkeypatch.setattr(lease.Lease, "check", lambda self: checked.append("look") or check(self))
    monkeypatch.setattr(data_files, "commit", lambda s, table, *rest: checked.append(table) or commit(s, table, *rest))
    producer.produce(generator.generate(40, 8, 0.5, days.end_of_events()), Topic.of(stored))
    query.run(spark, stored)
    commits = [place for place, step in enumerate(checked) if step != "look"]
    assert [checked[place] for place in commits] == [stored.archive_table, stored.quarantine_table]
    assert all(checked[place - 1] == "look" for place in commits)


def test_an_overtaken_driver_overwrites_no_file_of_its_successor(spark, stored, monkeypatch):
    late, successor = Checkpoint.of(stored), Checkpoint.of(elsewhere(stored))
    query.run(spark, stored)
    monkeypatch.setattr(lease.Lease, "check", lambda self: None)  # It has looked a moment before.
    with pytest.raises(CheckpointError, match="offsets/1 was written by another driver"), late.locked(spark):
        forget(stored, [checkpoint_store.LEASE])
        with successor.locked(spark):
            (successor.path / "offsets" / "1").write_text("the successor's")
        (late.path / "offsets" / "1").write_text("the late one's")
        late.save()
    with successor.locked(spark):
        assert (successor.path / "offsets" / "1").read_text() == "the successor's"


# -- two drivers, whatever kept them apart before -----------------------------------------------------


def sink(spark: SparkSession, settings: Settings) -> DualSink:
    return DualSink(Target.of(settings), ReplayGuard(spark, Archive.of(settings)), topic.topic_id(Topic.of(settings)))


def write(sink: DualSink, records: DataFrame, number: int) -> BatchReport:
    """One batch of the query that both drivers believe to be theirs."""
    return sink.write(records, Batch("q", number, exactly_once.ranges_of(records)))


def records(spark: SparkSession, settings: Settings, first: int = 0) -> DataFrame:
    """The topic from an offset on, as the stream's source gives it."""
    ends = {partition: end for partition, (_, end) in topic.watermarks(Topic.of(settings)).items()}
    return reader.between(spark, Topic.of(settings), dict.fromkeys(ends, first), ends)


def test_drivers_that_overtake_each_other_in_turn_add_every_event_once(spark, pipeline):
    first, second = sink(spark, pipeline), sink(spark, pipeline)
    assert write(first, records(spark, pipeline), 0).created == 50
    assert write(second, records(spark, pipeline), 0).existing == 50
    produce_evenly(generator.generate(40, 8, 0.2, days.end_of_events()), pipeline)
    assert write(first, records(spark, pipeline, first=25), 1).created == 32
    assert write(second, records(spark, pipeline, first=25), 1).created == 0
    assert write(first, records(spark, pipeline, first=25), 1).created == 0
    ledger.take(spark, pipeline).check()


@pytest.mark.parametrize("between", ["archive", "quarantine"])
def test_a_driver_overtaken_before_a_commit(spark, pipeline, monkeypatch, between):
    produce_evenly(generator.generate(40, 8, 0.5, days.end_of_events()), pipeline)
    first, second = sink(spark, pipeline), sink(spark, pipeline)
    commit, table = data_files.commit, getattr(pipeline, f"{between}_table")

    def overtaken(session, into, *rest):
        if into == table:
            monkeypatch.setattr(data_files, "commit", commit)
            write(second, records(spark, pipeline), 0)
        commit(session, into, *rest)

    monkeypatch.setattr(data_files, "commit", overtaken)
    with pytest.raises(CheckpointError, match="were written already"):
        write(first, records(spark, pipeline), 0)
    assert spark.table(pipeline.quarantine_table).count() > 0
    ledger.take(spark, pipeline).check()


def test_a_commit_that_is_tried_again_after_a_lost_answer_is_refused(spark, pipeline, monkeypatch):
    commit = data_files.commit

    def twice(*arguments):
        commit(*arguments)
        commit(*arguments)

    monkeypatch.setattr(data_files, "commit", twice)
    with pytest.raises(CheckpointError, match="were written already"):
        write(sink(spark, pipeline), records(spark, pipeline), 0)
    monkeypatch.undo()
    ledger.take(spark, pipeline).check()


# -- a topic that is created again --------------------------------------------------------------------


def recreate(settings: Settings) -> None:
    """Delete the topic and create it again, empty."""
    topic.drop_topic(Topic.of(settings))
    for _ in range(100):
        try:
            if topic.ensure_topic(Topic.of(settings)) == "created":
                return
        except KafkaError:
            pass
        time.sleep(0.2)
    raise TimeoutError("the topic was not created again")


def fixed(settings: Settings, count: int, seed: int) -> None:
    """Send records that bear the same CreateTime whenever they are sent."""
    with closing(KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)) as producer:
        for record in generator.generate(count, seed, 0.0, MOMENT):
            milliseconds = int(MOMENT.timestamp() * 1000)
            producer.send(settings.kafka_topic, record.value, record.key, partition=0, timestamp_ms=milliseconds)
        producer.flush()


MOMENT = datetime.now(UTC)


def test_a_topic_that_was_created_again_and_loaded_with_the_same_times_loses_nothing(spark, settings):
    settings = settings.model_copy(update={"kafka_partitions": 2})
    setup.create_all(spark, settings)
    fixed(settings, 5, seed=1)
    query.run(spark, settings)
    first = topic.topic_id(Topic.of(settings))
    recreate(settings)
    fixed(settings, 5, seed=2)
    with pytest.raises(CheckpointError, match="belongs to another topic of this name"):
        query.run(spark, settings)
    Checkpoint(settings.checkpoint_path).remove()
    totals = query.run(spark, settings)
    assert (totals["archived"], totals["created"], totals["existing"]) == (5, 5, 0)
    rows = spark.table(settings.archive_table).groupBy("topic_id").count().collect()
    assert {row.topic_id: row["count"] for row in rows} == {first: 5, topic.topic_id(Topic.of(settings)): 5}
    book = ledger.take(spark, settings)
    book.check()
    assert (sum(line.kafka for line in book.partitions), book.earlier) == (5, 5)


def test_what_is_read_of_a_topic_that_was_created_again_meanwhile_is_not_committed(spark, settings):
    settings = settings.model_copy(update={"kafka_partitions": 2})
    setup.create_all(spark, settings)
    with topic.Incarnation(Topic.of(settings)) as incarnation:
        recreate(settings)
        fixed(settings, 5, seed=2)
        guard = ReplayGuard(spark, Archive.of(settings), incarnation.verify)
        driver = DualSink(Target.of(settings), guard, incarnation.id)
        with pytest.raises(CheckpointError, match="was deleted and created again while it was read"):
            write(driver, records(spark, settings), 0)
    assert spark.table(settings.archive_table).count() == 0
