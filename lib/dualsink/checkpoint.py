"""The streaming checkpoint: whom it belongs to, whether it is whole, and one driver at a time."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from dualsink.checkpoint_store import LOCK, CheckpointStore
from dualsink.errors import CheckpointError
from dualsink.failures import GONE
from dualsink.settings import Settings

_WAY_OUT = (
    "To start over, move {place} away and run again: every record of the topic is read anew, and only those that the "
    "stores lack are added."
)


class Checkpoint:
    """A checkpoint folder on a local or shared file system, or a stored checkpoint's folder while it is `locked`.

    `place` is where it is kept.
    """

    def __init__(self, path: Path, store: CheckpointStore | None = None):
        self.path = path
        self.place = store.url if store else str(path)
        self._store = store
        self._owner = path / "dualsink.json"

    @classmethod
    def of(cls, settings: Settings) -> "Checkpoint":
        """The one that the settings name."""
        return cls(settings.checkpoint_path, CheckpointStore(settings) if settings.checkpoint_url else None)

    @property
    def query_id(self) -> str | None:
        """Spark's id of the query, None before its first start."""
        metadata = self.path / "metadata"
        return json.loads(metadata.read_text())["id"] if metadata.is_file() else None

    def committed(self) -> dict[str, dict[str, int]]:
        """Next offset to read, by topic and partition, after the last committed batch."""
        done = [int(f.name) for f in (self.path / "commits").glob("[0-9]*")]
        if not done:
            return {}
        return json.loads((self.path / "offsets" / str(max(done))).read_text().splitlines()[-1])

    def check(self, topic_id: str) -> None:
        """Refuse a checkpoint that would make the query skip or double events, else claim it for this topic.

        Raises CheckpointError where `metadata` is gone while offsets remain (Spark 4.1 would silently start as a
        new query) or where the checkpoint belongs to another incarnation of the topic.
        """
        way_out = _WAY_OUT.format(place=self.place)
        if any((self.path / "offsets").glob("[0-9]*")) and self.query_id is None:
            raise CheckpointError(f"Checkpoint {self.place} has offsets but no metadata: it is damaged. {way_out}")
        if self._owner.is_file():
            known = json.loads(self._owner.read_text())["topic_id"]
            if known != topic_id:
                raise CheckpointError(
                    f"Checkpoint {self.place} belongs to another topic of this name (id {known}, now {topic_id}): the "
                    f"topic was deleted and created again, so its offsets mean other records. {way_out}"
                )
        else:
            self.path.mkdir(parents=True, exist_ok=True)
            _write_atomically(self._owner, json.dumps({"topic_id": topic_id}))

    @contextmanager
    def locked(self, spark: SparkSession, patience: float = 30) -> Iterator[None]:
        """Hold the checkpoint for this Spark driver; a stored one is fetched first and brought up to date at the end.

        Raises CheckpointError where another driver still holds it after `patience` seconds, and for a stored one
        ServiceUnavailable or DeploymentError where the storage does not serve it.
        """
        stored = self._store.held(self.path, patience) if self._store else nullcontext()
        with self._locked_folder(spark, patience), stored:
            yield

    def save(self) -> None:
        """Store what Spark has added to a stored checkpoint's folder. Raises as `CheckpointStore.push` does."""
        if self._store:
            self._store.push(self.path)

    @contextmanager
    def _locked_folder(self, spark: SparkSession, patience: float) -> Iterator[None]:
        """The lock belongs to the driver's JVM, because that is what commits.

        When Python is killed, its JVM may work on for a moment, and a successor must wait for it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        jvm = spark.sparkContext._jvm
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
        deadline = time.monotonic() + patience
        while not _try_lock(channel):
            if time.monotonic() > deadline:
                holder = (self.path / LOCK).read_text() or "unknown"
                raise CheckpointError(
                    f"Checkpoint {self.place} is in use by another driver (JVM process {holder}). "
                    "Wait for it, or stop it; two drivers on one checkpoint would write each batch twice."
                )
            time.sleep(0.5)

    def remove(self) -> bool:
        """Delete it, a folder at once and whole; False where no stream had claimed it (taking the lock makes it).

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


def _try_lock(channel) -> bool:
    try:
        return channel.tryLock() is not None
    except Py4JJavaError as error:
        if "OverlappingFileLockException" in str(error.java_exception):
            return False
        raise


def _write_atomically(path: Path, text: str) -> None:
    draft = path.with_suffix(".tmp")
    draft.write_text(text)
    os.replace(draft, path)
