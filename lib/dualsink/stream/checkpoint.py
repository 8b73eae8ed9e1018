"""Streaming checkpoint: its owner, its integrity, one driver."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from dualsink import polling
from dualsink.errors import CheckpointError
from dualsink.files import write_atomically
from dualsink.iceberg.servers import Storage
from dualsink.settings import Settings
from dualsink.spark.failures import GONE
from dualsink.stream.checkpoint_store import LOCK, CheckpointStore
from dualsink.stream.exactly_once import OffsetRange, Ranges

_WAY_OUT = (
    "To start over, move {place} away and run again: every record of the topic is read anew, and only those that the "
    "stores lack are added."
)


class Checkpoint:
    """Checkpoint folder, local, shared, or of a stored checkpoint.

    A stored one has a folder while it is `locked`. `place` is where it is kept.
    """

    def __init__(self, path: Path, store: CheckpointStore | None = None):
        self.path = path
        self.place = store.url if store else str(path)
        self._store = store
        self._owner = path / "dualsink.json"

    @classmethod
    def of(cls, settings: Settings) -> "Checkpoint":
        """Return the checkpoint that the settings name."""
        url = settings.checkpoint_url
        return cls(settings.checkpoint_path, CheckpointStore(url, Storage.of(settings)) if url else None)

    @property
    def query_id(self) -> str | None:
        """Spark's id of the query, None before its first start."""
        metadata = self.path / "metadata"
        return json.loads(metadata.read_text())["id"] if metadata.is_file() else None

    def last(self) -> int | None:
        """Return the number of the last committed batch, if any."""
        return max((int(f.name) for f in (self.path / "commits").glob("[0-9]*")), default=None)

    def committed(self) -> dict[str, dict[int, int]]:
        """Return the next offset to read, by topic and partition.

        After the last committed batch.
        """
        last = self.last()
        return {} if last is None else self._offsets(last)

    def seen(self, topic: str, topic_id: str) -> dict[int, int]:
        """Return one topic's next offsets, without the lock.

        As `committed` does. Empty for another's checkpoint, and where a stream removes what is read meanwhile.
        """
        try:
            return self.committed().get(topic, {}) if self._claimed_by() == topic_id else {}
        except (OSError, ValueError, LookupError):
            return {}

    def _claimed_by(self) -> str | None:
        """Return the id of the topic that claimed it."""
        return json.loads(self._owner.read_text())["topic_id"] if self._owner.is_file() else None

    def planned(self, batch_id: int) -> Ranges:
        """Return the offsets that Spark has planned for a batch.

        Those included that will turn out to be no records.
        """
        ends, begins = self._offsets(batch_id), self.begins(batch_id)
        return tuple(
            OffsetRange(topic, partition, first, end - 1)
            for topic, partitions in sorted(ends.items())
            for partition, end in sorted(partitions.items())
            if (first := begins[topic][partition]) < end
        )

    def begins(self, batch_id: int) -> dict[str, dict[int, int]]:
        """Return a planned batch's first offsets, by topic and partition.

        Those of partitions without a record in it too. A partition that was added since begins at 0.
        """
        before = self._offsets(batch_id - 1) if batch_id else self._beginning()
        ends = self._offsets(batch_id)
        return {topic: {p: before.get(topic, {}).get(p, 0) for p in partitions} for topic, partitions in ends.items()}

    def next(self) -> dict[str, dict[int, int]]:
        """Return the offsets at which the query goes on.

        By topic and partition; empty before its first start.
        """
        return self.committed() or (self._beginning() if (self.path / "sources" / "0" / "0").is_file() else {})

    def _offsets(self, batch_id: int) -> dict[str, dict[int, int]]:
        """Return the next offsets after a planned batch.

        By topic and partition.
        """
        return _read(self.path / "offsets" / str(batch_id))

    def _beginning(self) -> dict[str, dict[int, int]]:
        """Return the first offsets of the query's first start.

        By topic and partition, as the source found it.
        """
        return _read(self.path / "sources" / "0" / "0")

    def check(self, topic_id: str) -> None:
        """Claim the checkpoint for this topic, or refuse it.

        It is refused if it would make the query skip or double events.

        Raises CheckpointError if `metadata` is gone while offsets remain (Spark 4.1 would silently start as a
        new query) or where the checkpoint belongs to another incarnation of the topic.
        """
        way_out = _WAY_OUT.format(place=self.place)
        if any((self.path / "offsets").glob("[0-9]*")) and self.query_id is None:
            raise CheckpointError(f"Checkpoint {self.place} has offsets but no metadata: it is damaged. {way_out}")
        known = self._claimed_by()
        if known is None:
            self.path.mkdir(parents=True, exist_ok=True)
            write_atomically(self._owner, json.dumps({"topic_id": topic_id}).encode())
        elif known != topic_id:
            raise CheckpointError(
                f"Checkpoint {self.place} belongs to another topic of this name (id {known}, now {topic_id}): the "
                f"topic was deleted and created again, so its offsets mean other records. {way_out}"
            )

    def check_kept(self, topic: str, goes_on: Mapping[int, int], beginnings: Mapping[int, int]) -> None:
        """Raise CheckpointError if Kafka has dropped what comes next.

        `goes_on` are the offsets at which the query goes on, `beginnings` Kafka's first ones, by partition.
        """
        dropped = {p: (goes_on.get(p, 0), first - 1) for p, first in beginnings.items() if goes_on.get(p, 0) < first}
        if dropped:
            named = ", ".join(f"{topic}-{p} {first} to {last}" for p, (first, last) in dropped.items())
            raise CheckpointError(
                f"Kafka has dropped offsets that this checkpoint has still to read: {named}. `validate` says which of "
                f"their records are lost. {_WAY_OUT.format(place=self.place)}"
            )

    @contextmanager
    def locked(self, spark: SparkSession, patience: float = 30) -> Iterator[None]:
        """Lock the checkpoint for this Spark driver.

        A stored one is fetched first and brought up to date at the end.

        Raises CheckpointError if another driver still holds it after `patience` seconds, and for a stored one
        ServiceUnavailable or DeploymentError where the storage does not serve it.
        """
        stored = self._store.held(self.path, patience) if self._store else nullcontext()
        with self._locked_folder(spark, patience), stored:
            yield

    def confirm(self) -> None:
        """Raise CheckpointError if another driver has the stored checkpoint.

        A look at its lease decides.
        """
        if self._store:
            self._store.confirm()

    def save(self) -> None:
        """Store what Spark has added to the checkpoint's folder.

        Raises as `CheckpointStore.push` does.
        """
        if self._store:
            self._store.push(self.path)

    @contextmanager
    def _locked_folder(self, spark: SparkSession, patience: float) -> Iterator[None]:
        """Lock the folder on behalf of the driver's JVM.

        The JVM is what commits. When Python is killed, its JVM may work on for a moment, and a successor must wait for
        it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        jvm: Any = spark.sparkContext._jvm
        file = jvm.java.io.RandomAccessFile(str(self.path / LOCK), "rw")
        try:
            self._acquire(file.getChannel(), patience)
            file.setLength(0)
            file.writeBytes(f"{jvm.java.lang.ProcessHandle.current().pid()}")
            yield
        finally:
            with suppress(*GONE):
                file.close()

    def _acquire(self, channel, patience: float) -> None:
        if not polling.until(lambda: _try_lock(channel), patience, every=0.5):
            holder = (self.path / LOCK).read_text() or "unknown"
            raise CheckpointError(
                f"Checkpoint {self.place} is in use by another driver (JVM process {holder}). "
                "Wait for it, or stop it; two drivers on one checkpoint would write each batch twice."
            )

    def remove(self) -> bool:
        """Delete the checkpoint, its folder at once and whole.

        False if no stream had claimed it (taking the lock makes it).

        A run that begins afterwards reads every record anew.
        """
        existed = self._owner.is_file()
        if self._store:
            self._store.remove()
        if self.path.exists():
            aside = Path(tempfile.mkdtemp(prefix=f".{self.path.name}-removed-", dir=self.path.parent))
            self.path.rename(aside / self.path.name)
            shutil.rmtree(aside, ignore_errors=True)
        return existed


def _read(file: Path) -> dict[str, dict[int, int]]:
    found = json.loads(file.read_text().splitlines()[-1])
    return {topic: {int(p): offset for p, offset in partitions.items()} for topic, partitions in found.items()}


def _try_lock(channel) -> bool:
    try:
        return channel.tryLock() is not None
    except Py4JJavaError as error:
        if "OverlappingFileLockException" in str(error.java_exception):
            return False
        raise
