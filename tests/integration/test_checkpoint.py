"""The checkpoint on a real stream: whatever a kill during a first start leaves, the next run begins; no other may."""

import json
import shutil
import threading
import time
from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession

from dualsink import checkpoint_store, checks, cleanup, datafiles, generator, kafka, lease, ledger, s3, stream
from dualsink.archive import ReplayGuard
from dualsink.batch import DualSink
from dualsink.checkpoint import Checkpoint
from dualsink.errors import CheckpointError, PlatformError
from dualsink.settings import Settings


@pytest.fixture
def pipeline(spark: SparkSession, settings: Settings) -> Settings:
    """A pipeline of two partitions with 50 records in its topic."""
    settings = settings.model_copy(update={"kafka_partitions": 2})
    checks.create_all(spark, settings)
    kafka.produce(generator.generate(50, 7, 0.0, datetime.now(UTC)), settings)
    return settings


FIRST_START = ("dualsink.json", "metadata", "sources", "offsets")
"""What a first start makes, in order, before its first batch is committed."""


def test_a_stream_begins_from_every_state_that_a_kill_during_its_first_start_leaves(spark, pipeline):
    path = pipeline.checkpoint_path
    stream.run(spark, pipeline)
    for made in range(len(FIRST_START) + 1):
        _keep(pipeline, FIRST_START[:made])
        (path / "dualsink.tmp").write_text('{"topic')
        (path / ".metadata.1b2c.tmp").write_text('{"id')
        totals = stream.run(spark, pipeline)
        assert (totals["events"], totals["created"], totals["existing"]) == (50, 0, 50), FIRST_START[:made]
        assert stream.run(spark, pipeline)["batches"] == 0
    ledger.take(spark, pipeline).check()


def _keep(settings: Settings, names: tuple[str, ...]) -> None:
    """Forget all of the checkpoint but these."""
    for entry in settings.checkpoint_path.iterdir():
        if entry.name not in names:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def test_a_removal_that_was_killed_after_the_checkpoint_is_followed_by_a_run_that_adds_nothing(spark, pipeline):
    stream.run(spark, pipeline)
    assert Checkpoint(pipeline.checkpoint_path).remove()
    assert list(pipeline.checkpoint_path.parent.glob(".*removed*")) == []
    totals = stream.run(spark, pipeline)
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
    assert stream.run(spark, pipeline)["events"] == 50


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
    found = s3.client(settings).list_objects_v2(Bucket=settings.s3_bucket, Prefix=prefix).get("Contents", [])
    return [item["Key"].removeprefix(prefix) for item in sorted(found, key=lambda item: item["LastModified"])]


def forget(settings: Settings, names: list[str]) -> None:
    prefix = settings.checkpoint_url.removeprefix(f"s3://{settings.s3_bucket}/")
    for name in names:
        s3.client(settings).delete_object(Bucket=settings.s3_bucket, Key=prefix + name)


def test_another_machine_goes_on_where_a_stored_checkpoint_ends(spark, stored):
    assert stream.run(spark, stored)["events"] == 50
    assert set(keys(stored)) == {"dualsink.json", "metadata", "sources/0/0", "offsets/0", "commits/0"}
    kafka.produce(generator.generate(20, 8, 0.0, datetime.now(UTC)), stored)
    totals = stream.run(spark, elsewhere(stored))
    assert (totals["events"], totals["created"], totals["existing"]) == (20, 20, 0)
    # The first machine's own files are a batch behind; they do not count.
    assert stream.run(spark, stored)["batches"] == 0
    ledger.take(spark, stored).check()


def test_every_state_that_a_kill_leaves_of_a_stored_checkpoint_is_a_beginning(spark, stored):
    stream.run(spark, stored)
    order = ["dualsink.json", "metadata", "sources/0/0", "offsets/0", "commits/0"]
    for made in range(len(order)):
        forget(stored, order[made:])
        totals = stream.run(spark, elsewhere(stored))
        assert (totals["events"], totals["created"], totals["existing"]) == (50, 0, 50), order[:made]
    ledger.take(spark, stored).check()


def test_what_spark_deletes_of_its_log_is_not_stored_for_ever(spark, stored):
    stream.run(spark, stored)
    with Checkpoint.of(stored).locked(spark):
        (stored.checkpoint_path / "commits" / "0").unlink()
    assert "commits/0" not in keys(stored)
    assert checkpoint_store.LEASE not in keys(stored)


def test_a_removed_pipeline_leaves_nothing_of_its_stored_checkpoint(spark, stored):
    stream.run(spark, stored)
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


def test_a_storage_that_ignores_conditions_is_refused(spark, stored, monkeypatch):
    put = lease.Lease._put
    monkeypatch.setattr(lease.Lease, "_put", lambda self, **condition: put(self))
    with pytest.raises(PlatformError, match="put the checkpoint on a volume"):
        stream.run(spark, stored)


# -- two drivers, whatever kept them apart before -----------------------------------------------------


@pytest.fixture
def drivers(spark: SparkSession, pipeline: Settings) -> tuple[DualSink, DualSink]:
    """A driver that has written batch 0, and one that began after it with the same checkpoint."""
    first, second = (DualSink(pipeline, ReplayGuard(spark, pipeline)) for _ in range(2))
    first.write(records(spark, pipeline), "q", 0)
    assert second.write(records(spark, pipeline), "q", 0).existing == 50
    return first, second


def records(spark: SparkSession, settings: Settings, first: int = 0):
    """The topic from an offset on, as the stream's source gives it."""
    starts = json.dumps({settings.kafka_topic: {str(partition): first for partition in range(2)}})
    reader = spark.read.format("kafka").option("kafka.bootstrap.servers", settings.kafka_bootstrap_servers)
    return (
        reader.option("subscribe", settings.kafka_topic)
        .option("startingOffsets", starts)
        .option("includeHeaders", "true")
        .load()
    )


def test_a_driver_that_was_overtaken_adds_nothing(spark, pipeline, drivers):
    first, second = drivers
    kafka.produce(generator.generate(40, 8, 0.2, datetime.now(UTC)), pipeline)
    with pytest.raises(CheckpointError, match="was written already"):
        first.write(records(spark, pipeline, first=25), "q", 1)
    second.write(records(spark, pipeline, first=25), "q", 1)
    with pytest.raises(CheckpointError, match="was written already"):
        first.write(records(spark, pipeline, first=25), "q", 1)
    ledger.take(spark, pipeline).check()


def test_a_driver_that_is_overtaken_between_its_two_commits_doubles_nothing(spark, pipeline, monkeypatch):
    kafka.produce(generator.generate(40, 8, 0.5, datetime.now(UTC)), pipeline)
    first, second = (DualSink(pipeline, ReplayGuard(spark, pipeline)) for _ in range(2))
    commit = datafiles.commit

    def overtaken(session, table, *rest):
        if table == pipeline.quarantine_table:
            monkeypatch.setattr(datafiles, "commit", commit)
            second.write(records(spark, pipeline), "q", 0)
        commit(session, table, *rest)

    monkeypatch.setattr(datafiles, "commit", overtaken)
    with pytest.raises(CheckpointError, match="was written already"):
        first.write(records(spark, pipeline), "q", 0)
    assert spark.table(pipeline.quarantine_table).count() > 0
    ledger.take(spark, pipeline).check()


def test_a_commit_that_is_tried_again_after_a_lost_answer_is_refused(spark, pipeline):
    guard = ReplayGuard(spark, pipeline)
    sink = DualSink(pipeline, guard)
    sink.write(records(spark, pipeline), "q", 0)
    with pytest.raises(CheckpointError, match="was written already"):
        sink.write(records(spark, pipeline), "q", 0)
    ledger.take(spark, pipeline).check()
