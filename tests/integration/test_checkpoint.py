"""The checkpoint on a real stream: whatever a kill during a first start leaves, the next run begins; no other may."""

import shutil
from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession

from dualsink import checks, cleanup, generator, kafka, ledger, stream
from dualsink.checkpoint import Checkpoint
from dualsink.errors import CheckpointError
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
