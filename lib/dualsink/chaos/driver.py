"""The real pipeline as a process of its own, made to die or to pause at a named point.

`python -m dualsink.chaos.driver PLAN.json` runs `dualsink stream` with the plan's settings. The product has no hooks
for faults: this process wraps the product's functions at its start.
"""

import functools
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from pyspark.sql import functions as F

from dualsink import archive, cli, hot
from dualsink.batch import DualSink
from dualsink.checkpoint import Checkpoint


@dataclass(frozen=True)
class Plan:
    """What a driver is to do: run with the settings in a params file, and fail at a point of a batch.

    `folder` is where it announces by touching `began`, `paused` and `done-<batch>`, and looks for `go`.
    """

    params: str
    folder: str
    point: str = "none"
    batch: int = 0
    patience: float = 30

    @classmethod
    def read(cls, file: Path) -> "Plan":
        """The plan in a JSON file."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))

    def write(self, file: Path) -> None:
        """Write it for a driver to read."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")


def main(file: str) -> None:
    """Wrap, then run the stream as the command line does, with its exit status."""
    plan = Plan.read(Path(file))
    Faults(plan).install()
    cli.main(["stream", "--params", plan.params])


def kill_everything() -> None:
    """SIGKILL for the JVM, the Python workers and this process."""
    for process in psutil.Process().children(recursive=True):
        process.kill()
    os.kill(os.getpid(), signal.SIGKILL)


class Faults:
    """The wraps of one driver."""

    def __init__(self, plan: Plan):
        self._plan = plan
        self._batch = -1
        self._archived = threading.Event()

    def install(self) -> None:
        """Wrap the batch, announce its steps, and arm the point of the plan."""
        _wrap(DualSink, "write", self._around_batch)
        locked = Checkpoint.locked
        Checkpoint.locked = lambda checkpoint, spark: locked(checkpoint, spark, self._plan.patience)
        if self._plan.point == "kill-mid-bulk":
            _wrap(archive, "append", self._around_append)
            _wrap(hot, "write", self._half_of_the_documents)

    def _armed(self, point: str) -> bool:
        return self._plan.point == point and self._batch == self._plan.batch

    def _announce(self, name: str) -> None:
        (Path(self._plan.folder) / name).touch()

    def _around_batch(self, write: Callable, sink: DualSink, records: Any, query_id: str, batch_id: int) -> Any:
        self._batch = batch_id
        self._announce("began")
        if self._armed("pause"):
            self._announce("paused")
            self._wait_for_go()
        report = write(sink, records, query_id, batch_id)
        if self._armed("kill-before-commit-log"):
            kill_everything()
        self._announce(f"done-{batch_id}")
        return report

    def _around_append(self, append: Callable, rows: Any, table: str, properties: dict[str, str] | None = None) -> None:
        append(rows, table, properties)
        self._archived.set()

    def _half_of_the_documents(self, write: Callable, rows: Any, settings: Any) -> Any:
        """Write every other document, wait until the archive has its commit, and die."""
        if not self._armed("kill-mid-bulk"):
            return write(rows, settings)
        write(rows.where(F.col("offset") % 2 == 0), settings)
        self._archived.wait()
        kill_everything()

    def _wait_for_go(self) -> None:
        while not (Path(self._plan.folder) / "go").exists():
            time.sleep(0.05)


def _wrap(owner: Any, name: str, around: Callable) -> None:
    original = getattr(owner, name)
    setattr(owner, name, functools.wraps(original)(lambda *args, **kwargs: around(original, *args, **kwargs)))


if __name__ == "__main__":
    main(sys.argv[1])
