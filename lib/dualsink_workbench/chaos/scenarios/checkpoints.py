"""Scenarios of the checkpoint: lost, turned back, shared, beside maintenance."""

import signal
import threading
from datetime import UTC, datetime
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from dualsink.iceberg import snapshots
from dualsink.kafka import topic
from dualsink.kafka.topic import Topic
from dualsink.operations import maintenance
from dualsink.stream import exactly_once, lease
from dualsink.stream.checkpoint import Checkpoint
from dualsink_workbench.chaos.driver import Driver
from dualsink_workbench.chaos.faults import KILL, PAUSE
from dualsink_workbench.chaos.proxy import Exchange, Rule
from dualsink_workbench.chaos.trial import BATCH, BULK, FAULT, Scenario, Trial, wait_until

_MORE, _SMALL_BATCH = 300, 400
PAST_LEASE = 3 * lease.SECONDS


def topic_recreated(trial: Trial) -> None:
    """Recreate the topic: refused until the checkpoint is fresh."""
    trial.produce()
    trial.stream()
    topic.drop_topic(Topic.of(trial.settings))
    wait_until(lambda: topic.ensure_topic(Topic.of(trial.settings)) == "created", "the topic's deletion")
    trial.produce(_MORE)
    trial.broken(trial.run(), "belongs to another topic of this name")
    _move_away(trial)
    trial.recover()
    _expect_rows(trial, trial.events)


def checkpoint_deleted(trial: Trial) -> None:
    """Delete the checkpoint: all is read, only news added."""
    trial.produce()
    trial.stream()
    trial.produce(_MORE)
    Checkpoint(trial.settings.checkpoint_path).remove()
    trial.broken("had ended well before")
    trial.recover()
    _expect_rows(trial, trial.events)


def checkpoint_rolled_back(trial: Trial) -> None:
    """Roll the checkpoint back: the last batch is planned anew.

    The new plan has other offsets.
    """
    trial.produce()
    trial.stream()
    trial.produce(_MORE)
    _forget_last_batch(trial.settings.checkpoint_path)
    trial.broken("had ended well before")
    trial.recover(max_offsets_per_trigger=2 * BATCH)
    _expect_rows(trial, trial.events)


def metadata_removed(trial: Trial) -> None:
    """Remove `metadata`: Spark would start anew, the pipeline refuses.

    The message names the way out.
    """
    trial.produce()
    trial.stream()
    trial.produce(_MORE)
    (trial.settings.checkpoint_path / "metadata").unlink()
    trial.broken(trial.run(), "has offsets but no metadata")
    _move_away(trial)
    trial.recover()
    _expect_rows(trial, trial.events)


def two_drivers(trial: Trial) -> None:
    """Start two drivers: the second refuses, the first completes.

    The second starts two seconds later.
    """
    trial.produce()
    first = trial.start(fault=PAUSE)
    first.await_file("paused")
    trial.broken(trial.run(lock_timeout=2), "is in use by another driver")
    trial.clock(FAULT)
    first.go()
    trial.recovered(first.end())
    _expect_rows(trial, trial.events)


def driver_frozen(trial: Trial) -> None:
    """Freeze a driver past its lease: awake, it adds nothing.

    Another one takes the checkpoint over and finishes meanwhile.
    """
    store_checkpoint(trial)
    trial.produce()
    first = trial.start(fault=PAUSE, batch=1)
    first.await_file("paused")
    first.freeze()
    first.go()
    second = trial.run(patience=PAST_LEASE, **elsewhere(trial))
    trial.expect(second.status == 0, f"the second should take over and end well, not: {second}")
    first.thaw()
    trial.broken(first.end(), "is another driver's now")
    trial.recover()
    _expect_rows(trial, trial.events)


def two_checkpoints(trial: Trial) -> None:
    """Run two drivers, each with a checkpoint of its own.

    The first is frozen with its documents on their way, the second adds all; awake again, the first can add nothing.
    """
    trial.produce()
    first = frozen_at_documents(trial)
    second = trial.run(checkpoint_dir=str(trial.folder / "other"), **elsewhere(trial))
    trial.expect(second.status == 0, f"the second should end well, not: {second}")
    first.thaw()
    trial.broken(first.end(), "were written already")
    trial.recover()
    _expect_rows(trial, trial.events)


def frozen_at_documents(trial: Trial, command: str = "stream") -> Driver:
    """Start a command and freeze it at its first documents.

    It has compared its records by then, and committed nothing.
    """
    frozen = threading.Event()

    def freeze(exchange: Exchange) -> None:
        trial.driver.freeze()
        frozen.set()
        exchange.pass_on()

    driver = trial.start(command, **trial.proxied("opensearch_port", Rule(BULK, freeze, limit=1)))
    wait_until(frozen.is_set, "the first documents")
    return driver


def machine_lost(trial: Trial) -> None:
    """Lose the machine: another continues from the stored checkpoint.

    It does so once the lease has ended.
    """
    store_checkpoint(trial)
    trial.produce()
    trial.broken(trial.run(fault=KILL, batch=1), -signal.SIGKILL)
    trial.recover(patience=PAST_LEASE, **elsewhere(trial))
    _expect_rows(trial, trial.events)


def store_checkpoint(trial: Trial) -> None:
    """Give the trial a checkpoint in object storage."""
    place = f"s3://{trial.settings.s3_bucket}/checkpoints/{trial.settings.iceberg_table}"
    trial.settings = trial.settings.model_copy(update={"checkpoint_dir": place})


def elsewhere(trial: Trial) -> dict[str, str]:
    """Return parameters of a driver on another machine.

    It has none of the first one's files.
    """
    return {"data_dir": str(trial.folder / "elsewhere")}


def maintained(trial: Trial) -> None:
    """Compact and expire beside the stream, then replay a batch.

    Its marker has expired by then.
    """
    trial.produce()
    table = trial.settings.archive_table
    # Nessie's catalogue turns it off: other branches might need the files. Here is one branch.
    trial.spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('gc.enabled' = 'true')")
    driver = trial.start(max_offsets_per_trigger=_SMALL_BATCH)
    driver.await_file("done-0")
    rounds = 0
    while driver.running:
        rounds += _maintain(trial)
    end = driver.end()
    trial.expect(
        rounds > 0 and end.status == 0, f"maintenance and stream should go on together: {rounds} rounds, {end}"
    )
    _maintain(trial, keep=False)
    query = Checkpoint(trial.settings.checkpoint_path).query_id
    trial.expect(exactly_once.newest_marker(trial.spark, table, query) is None, "the marker's snapshot should be gone")
    trial.produce(_MORE)
    _forget_last_batch(trial.settings.checkpoint_path)
    trial.broken(end, 0)
    trial.recover()
    _expect_rows(trial, trial.events)


def _maintain(trial: Trial, keep: bool = True) -> bool:
    """Compact, then expire snapshots that no run needs.

    Or all; returns False if the stream's commit came first.
    """
    catalog, table = trial.settings.catalog_name, trial.settings.archive_table
    now = datetime.now(UTC)
    before = maintenance.horizon(list(snapshots.ancestors(trial.spark, table)), now, 0) if keep else now
    try:
        trial.spark.sql(f"""CALL {catalog}.system.rewrite_data_files(
            table => '{table}', options => map('min-input-files', '2', 'rewrite-all', 'true'))""")
        trial.spark.sql(f"""CALL {catalog}.system.expire_snapshots(
            table => '{table}', older_than => TIMESTAMP '{before:%Y-%m-%d %H:%M:%S.%f} UTC', retain_last => 1)""")
    except (Py4JError, PySparkException):
        return False
    return True


def _forget_last_batch(checkpoint: Path) -> None:
    """Restore the checkpoint's state of a batch ago."""
    last = max(int(file.name) for file in (checkpoint / "commits").glob("[0-9]*"))
    for log in ("commits", "offsets"):
        (checkpoint / log / str(last)).unlink()
        (checkpoint / log / f".{last}.crc").unlink(missing_ok=True)


def _move_away(trial: Trial) -> None:
    """Move the checkpoint away, as the error message advises."""
    path = trial.settings.checkpoint_path
    path.rename(path.with_name("moved-away"))


def _expect_rows(trial: Trial, rows: int) -> None:
    found = trial.spark.table(trial.settings.archive_table).count()
    trial.expect(found == rows, f"the archive should hold {rows} rows, not {found}")


SCENARIOS = [
    Scenario("topic-recreated", "topic recreated under a live checkpoint", topic_recreated),
    Scenario("checkpoint-deleted", "checkpoint deleted", checkpoint_deleted),
    Scenario("checkpoint-rolled-back", "checkpoint rolled back by a batch", checkpoint_rolled_back),
    Scenario("metadata-removed", "the checkpoint's `metadata` removed", metadata_removed),
    Scenario("two-drivers", "two drivers on one checkpoint", two_drivers),
    Scenario(
        "driver-frozen", "driver frozen past its lease of a stored checkpoint, while another finishes", driver_frozen
    ),
    Scenario("two-drivers-two-checkpoints", "two drivers on two machines, each with its checkpoint", two_checkpoints),
    Scenario("machine-lost", "machine lost with the driver; the checkpoint is in object storage", machine_lost),
    Scenario("maintenance", "compaction and snapshot expiry while streaming, then a replay without marker", maintained),
]
