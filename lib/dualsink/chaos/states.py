"""What the pipeline remembers, lost or turned back; another driver; maintenance of the table while it streams."""

import signal
from datetime import UTC, datetime
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from dualsink import archive, kafka, lease
from dualsink.chaos.driver import KILL, PAUSE
from dualsink.chaos.world import BATCH, FAULT, Scenario, Trial, wait_until
from dualsink.checkpoint import Checkpoint

_MORE, _SMALL_BATCH = 300, 400
_PAST_LEASE = 3 * lease.SECONDS


def topic_recreated(trial: Trial) -> None:
    """Refused with the way out; a fresh checkpoint adds only what is new."""
    trial.produce()
    trial.stream()
    kafka.drop_topic(trial.settings)
    wait_until(lambda: kafka.ensure_topic(trial.settings) == "created", "the topic's deletion")
    trial.produce(_MORE)
    trial.broken(trial.run(), "belongs to another topic of this name")
    _move_away(trial)
    trial.recover()
    _expect_rows(trial, trial.events)


def checkpoint_deleted(trial: Trial) -> None:
    """Everything is read anew, and only what is new is added."""
    trial.produce()
    trial.stream()
    trial.produce(_MORE)
    Checkpoint(trial.settings.checkpoint_path).remove()
    trial.broken("had ended well before")
    trial.recover()
    _expect_rows(trial, trial.events)


def checkpoint_rolled_back(trial: Trial) -> None:
    """The last batch is forgotten, and planned anew with other offsets."""
    trial.produce()
    trial.stream()
    trial.produce(_MORE)
    _forget_last_batch(trial.settings.checkpoint_path)
    trial.broken("had ended well before")
    trial.recover(max_offsets_per_trigger=2 * BATCH)
    _expect_rows(trial, trial.events)


def metadata_removed(trial: Trial) -> None:
    """Spark would start silently as a new query; the pipeline refuses and names the way out."""
    trial.produce()
    trial.stream()
    trial.produce(_MORE)
    (trial.settings.checkpoint_path / "metadata").unlink()
    trial.broken(trial.run(), "has offsets but no metadata")
    _move_away(trial)
    trial.recover()
    _expect_rows(trial, trial.events)


def two_drivers(trial: Trial) -> None:
    """The second refuses after two seconds, the first completes."""
    trial.produce()
    first = trial.start(fault=PAUSE)
    first.await_file("paused")
    trial.broken(trial.run(patience=2), "is in use by another driver")
    trial.clock(FAULT)
    first.go()
    trial.recovered(first.end())
    _expect_rows(trial, trial.events)


def driver_frozen(trial: Trial) -> None:
    """Its lease ends, another one takes the checkpoint over and finishes; awake again, the first can add nothing."""
    _store_checkpoint(trial)
    trial.produce()
    first = trial.start(fault=PAUSE, batch=1)
    first.await_file("paused")
    first.freeze()
    first.go()
    second = trial.run(patience=_PAST_LEASE, **_elsewhere(trial))
    trial.expect(second.status == 0, f"the second should take over and end well, not: {second}")
    first.thaw()
    trial.broken(first.end(), "was written already")
    trial.recover()
    _expect_rows(trial, trial.events)


def machine_lost(trial: Trial) -> None:
    """Another one goes on from the stored checkpoint, once the lease has ended."""
    _store_checkpoint(trial)
    trial.produce()
    trial.broken(trial.run(fault=KILL, batch=1), -signal.SIGKILL)
    trial.recover(patience=_PAST_LEASE, **_elsewhere(trial))
    _expect_rows(trial, trial.events)


def _store_checkpoint(trial: Trial) -> None:
    place = f"s3://{trial.settings.s3_bucket}/checkpoints/{trial.settings.iceberg_table}"
    trial.settings = trial.settings.model_copy(update={"checkpoint_dir": place})


def _elsewhere(trial: Trial) -> dict[str, str]:
    """Parameters of a driver on another machine, which has none of the first one's files."""
    return {"data_dir": str(trial.folder / "elsewhere")}


def maintenance(trial: Trial) -> None:
    """Compaction and expiry in a loop beside the stream; then the marker expires, and a batch is replayed."""
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
    _maintain(trial)
    query = Checkpoint(trial.settings.checkpoint_path).query_id
    trial.expect(archive.newest_marker(trial.spark, table, query) is None, "the marker's snapshot should be gone")
    trial.produce(_MORE)
    _forget_last_batch(trial.settings.checkpoint_path)
    trial.broken(end, 0)
    trial.recover()
    _expect_rows(trial, trial.events)


def _maintain(trial: Trial) -> bool:
    """Compact, then keep the newest snapshot alone; False where the stream's commit came first."""
    catalog, table = trial.settings.catalog_name, trial.settings.archive_table
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f} UTC"
    try:
        trial.spark.sql(f"""CALL {catalog}.system.rewrite_data_files(
            table => '{table}', options => map('min-input-files', '2', 'rewrite-all', 'true'))""")
        trial.spark.sql(f"""CALL {catalog}.system.expire_snapshots(
            table => '{table}', older_than => TIMESTAMP '{now}', retain_last => 1)""")
    except (Py4JError, PySparkException):
        return False
    return True


def _forget_last_batch(checkpoint: Path) -> None:
    """As if an older copy of the checkpoint had been put back."""
    last = max(int(file.name) for file in (checkpoint / "commits").glob("[0-9]*"))
    for log in ("commits", "offsets"):
        (checkpoint / log / str(last)).unlink()
        (checkpoint / log / f".{last}.crc").unlink(missing_ok=True)


def _move_away(trial: Trial) -> None:
    """What the error message advises."""
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
    Scenario("machine-lost", "machine lost with the driver; the checkpoint is in object storage", machine_lost),
    Scenario(
        "maintenance", "compaction and snapshot expiry while streaming, then a replay without marker", maintenance
    ),
]
