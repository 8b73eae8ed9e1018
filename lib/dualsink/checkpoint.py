"""The streaming checkpoint: whom it belongs to, whether it is whole, and one driver at a time."""

import json
import os
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from dualsink.errors import CheckpointError
from dualsink.failures import GONE

_WAY_OUT = (
    "To start over, move {path} away and run again: every record of the topic is read anew, and only those that the "
    "stores lack are added."
)


class Checkpoint:
    """A checkpoint folder on a local or shared file system."""

    def __init__(self, path: Path):
        self.path = path
        self._owner = path / "dualsink.json"

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
        way_out = _WAY_OUT.format(path=self.path)
        if any((self.path / "offsets").glob("[0-9]*")) and self.query_id is None:
            raise CheckpointError(f"Checkpoint {self.path} has offsets but no metadata: it is damaged. {way_out}")
        if self._owner.is_file():
            known = json.loads(self._owner.read_text())["topic_id"]
            if known != topic_id:
                raise CheckpointError(
                    f"Checkpoint {self.path} belongs to another topic of this name (id {known}, now {topic_id}): the "
                    f"topic was deleted and created again, so its offsets mean other records. {way_out}"
                )
        else:
            self.path.mkdir(parents=True, exist_ok=True)
            _write_atomically(self._owner, json.dumps({"topic_id": topic_id}))

    @contextmanager
    def locked(self, spark: SparkSession, patience: float = 30):
        """Hold the checkpoint for this Spark driver.

        The lock belongs to the driver's JVM, because that is what commits: when Python is killed, its JVM may work on
        for a moment, and a successor must wait for it. Raises CheckpointError after `patience` seconds.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        jvm = spark.sparkContext._jvm
        file = jvm.java.io.RandomAccessFile(str(self.path / ".lock"), "rw")
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
                holder = (self.path / ".lock").read_text() or "unknown"
                raise CheckpointError(
                    f"Checkpoint {self.path} is in use by another driver (JVM process {holder}). "
                    "Wait for it, or stop it; two drivers on one checkpoint would write each batch twice."
                )
            time.sleep(0.5)

    def remove(self) -> bool:
        """Delete the folder, at once and whole; False where no stream had claimed it (taking the lock makes it).

        A run that begins afterwards reads every record anew.
        """
        existed = self._owner.is_file()
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
